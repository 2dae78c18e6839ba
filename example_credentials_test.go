package modelarts_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// fakeFor returns a client of a fake service that authenticates with auth, for the examples of this file.
func fakeFor(auth modelarts.Authenticator) (*modelarts.Client, *modelartstest.Server) {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d1"})
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, auth, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	return client, fake
}

// setenv does what a shell or a container does, until it is undone.
func setenv(variables map[string]string) (undo func()) {
	for name, value := range variables {
		if err := os.Setenv(name, value); err != nil {
			log.Fatal(err)
		}
	}
	return func() {
		for name := range variables {
			_ = os.Unsetenv(name)
		}
	}
}

// mount writes files into a new folder.
func mount(files map[string]string) (folder string, remove func()) {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return folder, func() { _ = os.RemoveAll(folder) }
}

// Credentials print without the secret, under every verb.
func ExampleCredentials() {
	credentials := modelarts.Credentials{AccessKey: "AK", SecretKey: "the secret"}
	fmt.Printf("%+v\n", credentials)
	// Output: modelarts.Credentials(AK, REDACTED)
}

// A token lasts about a day and is not renewed; PasswordAuth renews it.
func ExampleTokenAuth() {
	client, _ := fakeFor(modelarts.TokenAuth(modelartstest.Token))

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// A Credentials value is its own provider.
func ExampleNewSigner() {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
	client, _ := fakeFor(signer)

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// Temporary keys have a security token too. With their end known, the provider is asked again in time.
func ExampleNewSigner_temporary() {
	signer := modelarts.NewSigner(modelarts.Credentials{
		AccessKey: "AK", SecretKey: "SK", SecurityToken: "token", Expires: time.Now().Add(time.Hour),
	})
	client, fake := fakeFor(signer)
	fake.AddKey(modelarts.Credentials{AccessKey: "AK", SecretKey: "SK", SecurityToken: "token"})

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// One Signer serves all clients of a key: the keys are fetched once, and what one client learns of them and of the
// service's clock holds for all.
func ExampleSigner() {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "SK"})
	for region, projectID := range map[string]string{
		"cn-north-4":     "0605768a3f80d5762f2dc01fbf2a0bc4",
		"ap-southeast-3": "0605768a4b00d5d52f4ac01f0b76f6ab",
	} {
		endpoint, err := modelarts.EndpointForRegion(region)
		if err != nil {
			log.Fatal(err)
		}
		client, err := modelarts.NewClient(endpoint, projectID, signer)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(client.Endpoint())
	}
	// Unordered output:
	// https://modelarts.cn-north-4.myhuaweicloud.com
	// https://modelarts.ap-southeast-3.myhuaweicloud.com
}

// A Signer works on any request to a Huawei Cloud API, also without a client.
func ExampleSigner_Authenticate() {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "SK"})
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://iam.cn-north-4.myhuaweicloud.com/v3/projects", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := signer.Authenticate(req); err != nil {
		log.Fatal(err)
	}
	scheme, _, _ := strings.Cut(req.Header.Get("Authorization"), ",")
	fmt.Println(scheme)
	// Output: SDK-HMAC-SHA256 Access=AK
}

// The scoped form of the signature, as Open Telekom Cloud's own clients write it.
func ExampleWithScope() {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "SK"}, modelarts.WithScope("eu-de", "modelarts"))
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://modelarts.eu-de.otc.t-systems.com/", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("X-Sdk-Date", "20260102T030405Z") // for the sake of the output; without it, it is the time of now
	if err := signer.Authenticate(req); err != nil {
		log.Fatal(err)
	}
	scope, _, _ := strings.Cut(req.Header.Get("Authorization"), ",")
	fmt.Println(len(strings.Split(scope, "/")), strings.HasSuffix(scope, "/eu-de/modelarts/sdk_request"))
	// Output: 5 true
}

// An authenticator of one's own.
func ExampleAuthenticatorFunc() {
	client, _ := fakeFor(modelarts.AuthenticatorFunc(func(req *http.Request) error {
		token := modelartstest.Token // from a vault, for example; req.Context() says for how long one may ask it
		req.Header.Set("X-Auth-Token", token)
		return nil
	}))

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// auditedAuth counts the attempts that another authenticator signs.
type auditedAuth struct {
	modelarts.Authenticator
	attempts int // of one goroutine here; a real one needs an atomic.Int64
}

func (a *auditedAuth) Authenticate(req *http.Request) error {
	a.attempts++
	return a.Authenticator.Authenticate(req)
}

// Observe lets the inner authenticator learn from answers, as it would without a wrapper.
func (a *auditedAuth) Observe(sent *http.Request, resp *http.Response, refused *modelarts.APIError) bool {
	observer, ok := a.Authenticator.(modelarts.Observer)
	return ok && observer.Observe(sent, resp, refused)
}

// A wrapper forwards Observe. Here the service's clock is an hour ahead, the first signature is refused, and the
// Signer inside corrects its clock and asks for a repeat.
func ExampleObserver() {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
	auth := &auditedAuth{Authenticator: signer}
	client, fake := fakeFor(auth)
	fake.SetClockOffset(time.Hour)

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	fmt.Println(auth.attempts, "attempts")
	// Output:
	// NOT_EXIST dataset d1 <nil>
	// 2 attempts
}

// mountedKeys is a folder with two files, as a platform mounts a secret.
type mountedKeys string

func (folder mountedKeys) Retrieve(context.Context) (modelarts.Credentials, error) {
	access, err := os.ReadFile(filepath.Join(string(folder), "access_key"))
	if errors.Is(err, os.ErrNotExist) {
		return modelarts.Credentials{}, fmt.Errorf("%w: %w", modelarts.ErrNoCredentials, err) // a chain goes on then
	}
	if err != nil {
		return modelarts.Credentials{}, err
	}
	secret, err := os.ReadFile(filepath.Join(string(folder), "secret_key"))
	if err != nil {
		return modelarts.Credentials{}, err
	}
	return modelarts.Credentials{
		AccessKey: strings.TrimSpace(string(access)), SecretKey: strings.TrimSpace(string(secret)),
		Expires: time.Now().Add(10 * time.Minute), // when the files are read again, since they may be rotated
	}, nil
}

// A provider of one's own. A Signer caches what it returns.
func ExampleCredentialsProvider() {
	folder, remove := mount(map[string]string{"access_key": modelartstest.AccessKey, "secret_key": modelartstest.SecretKey})
	defer remove()
	client, _ := fakeFor(modelarts.NewSigner(mountedKeys(folder)))

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// A program that needs no configuration of its own. It reads the variables of the official SDK, of Terraform and of
// Open Telekom Cloud's tools.
func ExampleNewClientFromEnv() {
	defer setenv(map[string]string{
		"MODELARTS_ENDPOINT":         modelartstest.Endpoint, // or MODELARTS_REGION=cn-north-4
		"HUAWEICLOUD_SDK_PROJECT_ID": modelartstest.ProjectID,
		"HUAWEICLOUD_SDK_AK":         modelartstest.AccessKey,
		"HUAWEICLOUD_SDK_SK":         modelartstest.SecretKey,
	})()
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d1"})
	ctx := context.Background()

	client, err := modelarts.NewClientFromEnv(ctx, modelarts.WithHTTPClient(fake.HTTPClient())) // without an option for the real service
	if err != nil {
		log.Fatal(err) // names the variables that would supply what is missing
	}
	status, err := client.GetSyncStatus(ctx, "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

func ExampleEnvCredentials() {
	defer setenv(map[string]string{
		"HUAWEICLOUD_SDK_AK": modelartstest.AccessKey,
		"HUAWEICLOUD_SDK_SK": modelartstest.SecretKey,
	})()
	client, _ := fakeFor(modelarts.NewSigner(modelarts.EnvCredentials()))

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// The file is one of the official SDK. With an empty path it is ~/.huaweicloud/credentials.
func ExampleProfileCredentials() {
	folder, remove := mount(map[string]string{
		"credentials": "[basic]\nak = " + modelartstest.AccessKey + "\nsk = " + modelartstest.SecretKey + "\n",
	})
	defer remove()
	client, _ := fakeFor(modelarts.NewSigner(modelarts.ProfileCredentials(filepath.Join(folder, "credentials"))))

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// On an ECS instance the keys of its agency need no configuration.
func ExampleMetadataCredentials() {
	client, fake := fakeFor(modelarts.NewSigner(modelarts.MetadataCredentials()))

	// This machine is no instance, so a fake stands in for the metadata service.
	web := httptest.NewServer(modelartstest.NewMetadata(fake))
	defer web.Close()
	defer setenv(map[string]string{"MODELARTS_METADATA_ENDPOINT": web.URL})()

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// On a developer's machine the keys come from the environment or a profile, in production from the instance.
func ExampleChainCredentials() {
	provider := modelarts.ChainCredentials(
		modelarts.EnvCredentials(), modelarts.ProfileCredentials(""), modelarts.MetadataCredentials())
	client, err := modelarts.NewClient("https://modelarts.cn-north-4.myhuaweicloud.com", "0605768a3f80d5762f2dc01fbf2a0bc4",
		modelarts.NewSigner(provider)) // asks nobody before the first request
	fmt.Println(client.ProjectID(), err)
	// Output: 0605768a3f80d5762f2dc01fbf2a0bc4 <nil>
}

// A chain that runs dry tells what each source said.
func ExampleChainCredentials_empty() {
	client, _ := fakeFor(modelarts.NewSigner(modelarts.ChainCredentials(mountedKeys("/nowhere"))))

	_, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(errors.Is(err, modelarts.ErrNoCredentials), strings.Contains(err.Error(), "access_key"))
	// Output: true true
}
