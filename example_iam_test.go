package modelarts_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// fakeIAM is an IAM client of a fake account, and a way to clients of its ModelArts, for the examples of this
// file. Real programs call NewIAM and NewClient with the endpoints of their region.
func fakeIAM() (iam *modelarts.IAM, newClient func(projectID string, auth modelarts.Authenticator) *modelarts.Client) {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d1"})
	modelartstest.NewIAM(fake)
	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	return iam, func(projectID string, auth modelarts.Authenticator) *modelarts.Client {
		client, err := modelarts.NewClient(modelartstest.Endpoint, projectID, auth, modelarts.WithHTTPClient(fake.HTTPClient()))
		if err != nil {
			log.Fatal(err)
		}
		return client
	}
}

func ExampleNewIAM() {
	endpoint, err := modelarts.IAMEndpointForRegion("cn-north-4")
	if err != nil {
		log.Fatal(err)
	}
	iam, err := modelarts.NewIAM(endpoint)
	fmt.Println(iam, err)
	// Output: modelarts.IAM(https://iam.cn-north-4.myhuaweicloud.com) <nil>
}

// The token is fetched with the first request, and renewed in time.
func ExampleIAM_PasswordAuth() {
	iam, newClient := fakeIAM()
	auth := iam.PasswordAuth(modelarts.PasswordLogin{
		DomainName:  modelartstest.DomainName, // the account
		UserName:    modelartstest.UserName,
		Password:    modelartstest.Password,
		ProjectName: modelartstest.ProjectName, // such as cn-north-4
	})
	client := newClient(modelartstest.ProjectID, auth)

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// A login prints without the password.
func ExamplePasswordLogin() {
	login := modelarts.PasswordLogin{DomainName: "company", UserName: "robot", Password: "the password", ProjectName: "cn-north-4"}
	fmt.Printf("%+v\n", login)
	// Output: modelarts.PasswordLogin(company/robot for cn-north-4, REDACTED)
}

// Who has the name of a project only, such as that of the region, asks for its id once.
func ExampleIAM_ProjectID() {
	iam, newClient := fakeIAM()
	ctx := context.Background()
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})

	projectID, err := iam.ProjectID(ctx, signer, modelartstest.ProjectName)
	if err != nil {
		log.Fatal(err)
	}
	status, err := newClient(projectID, signer).GetSyncStatus(ctx, "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// One's own keys fetch the temporary keys of an agency in another account, again and again.
func ExampleIAM_AgencyCredentials() {
	iam, newClient := fakeIAM()
	own := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
	signer := modelarts.NewSigner(iam.AgencyCredentials(own, modelarts.Agency{
		Name: modelartstest.AgencyName, DomainName: modelartstest.DomainName, Duration: time.Hour,
	}))
	client := newClient(modelartstest.ProjectID, signer)

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// In a cluster the file is that of the service account's token, which the cluster replaces in time.
func ExampleIAM_OIDCCredentials() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "token")
	if err := os.WriteFile(file, []byte(modelartstest.IDToken), 0o600); err != nil {
		log.Fatal(err)
	}
	iam, newClient := fakeIAM()
	signer := modelarts.NewSigner(iam.OIDCCredentials(modelartstest.IDPID, file))
	client := newClient(modelartstest.ProjectID, signer)

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}
