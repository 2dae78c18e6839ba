package modelarts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// exampleFake is a fake service with one dataset, for the examples.
func exampleFake() *modelartstest.Server {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d1", Name: "street-signs"},
		modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 120, TotalSampleCount: 4120},
		modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 412, TotalSampleCount: 4410})
	return fake
}

func Example() {
	client := exampleFake().Client() // a real one comes from NewClient or NewClientFromEnv

	status, err := client.Sync(context.Background(), "d1", &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status)
	// Output: COMPLETED task d1_00000001, 412 added, 4410 total
}

func ExampleNewClient() {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "SK"})
	client, err := modelarts.NewClient("https://modelarts.cn-north-4.myhuaweicloud.com", "0605768a3f80d5762f2dc01fbf2a0bc4", signer,
		modelarts.WithUserAgent("trainer/1.4"),
		modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 2}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Endpoint())
	// Output: https://modelarts.cn-north-4.myhuaweicloud.com
}

func ExampleNewClientFromEnv() {
	client, err := modelarts.NewClientFromEnv(context.Background())
	if err != nil {
		log.Fatal(err) // names the variables that would supply what is missing
	}
	status, err := client.GetSyncStatus(context.Background(), os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status)
}

func ExampleEndpointForRegion() {
	endpoint, err := modelarts.EndpointForRegion("ap-southeast-3")
	fmt.Println(endpoint, err)
	// Output: https://modelarts.ap-southeast-3.myhuaweicloud.com <nil>
}

func ExampleIAMEndpointForRegion() {
	endpoint, err := modelarts.IAMEndpointForRegion("eu-west-101")
	fmt.Println(endpoint, err)
	// Output: https://iam.eu-west-101.myhuaweicloud.eu <nil>
}

func ExampleClient_GetSyncStatus() {
	client := exampleFake().Client()

	status, err := client.GetSyncStatus(context.Background(), "d1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.Status, status.Status.Finished())
	// Output: NOT_EXIST false
}

func ExampleClient_StartSync() {
	client := exampleFake().Client()
	ctx := context.Background()

	task, err := client.StartSync(ctx, "d1")
	if err != nil {
		log.Fatal(err)
	}
	task.StartedAt = time.Time{} // for the sake of the output
	stored, err := json.Marshal(task)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(stored))

	// Another one meets the one that runs.
	_, err = client.StartSync(ctx, "d1")
	fmt.Println(errors.Is(err, modelarts.ErrSyncRunning))
	// Output:
	// {"dataset_id":"d1","previous_status":"NOT_EXIST"}
	// true
}

func ExampleClient_WaitSync() {
	client := exampleFake().Client()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	task, err := client.StartSync(ctx, "d1")
	if err != nil {
		log.Fatal(err)
	}
	status, err := client.WaitSync(ctx, task, &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond})
	var failed *modelarts.SyncFailedError
	switch {
	case errors.As(err, &failed):
		log.Fatal("failed: ", failed.Status)
	case err != nil:
		log.Fatal(err)
	}
	fmt.Println(status.AddSampleCount, "added")
	// Output: 412 added
}

func ExampleClient_WatchSync() {
	client := exampleFake().Client()
	ctx := context.Background()

	task, err := client.StartSync(ctx, "d1")
	if err != nil {
		log.Fatal(err)
	}
	for status, err := range client.WatchSync(ctx, task, &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(status)
	}
	// Output:
	// RUNNING task d1_00000001, 120 added, 4120 total
	// COMPLETED task d1_00000001, 412 added, 4410 total
}

func ExampleClient_FindDataset() {
	client := exampleFake().Client()

	dataset, err := client.FindDataset(context.Background(), "street-signs")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dataset.ID, dataset.Type, dataset.Status)

	_, err = client.FindDataset(context.Background(), "street")
	fmt.Println(errors.Is(err, modelarts.ErrDatasetNotFound))
	// Output:
	// d1 image classification normal
	// true
}

func ExampleClient_Datasets() {
	client := exampleFake().Client()

	images := modelarts.DatasetImageClassification // zero is a type of its own, so the option is a pointer
	for dataset, err := range client.Datasets(context.Background(), &modelarts.DatasetListOptions{DatasetType: &images}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(dataset.ID, dataset.Name)
	}
	// Output: d1 street-signs
}

func ExampleClient_ListDatasets() {
	client := exampleFake().Client()

	page, err := client.ListDatasets(context.Background(), &modelarts.DatasetListOptions{Limit: 50, SortBy: "dataset_name", Order: "asc"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(page.Datasets), "of", page.TotalNumber)
	// Output: 1 of 1
}

func ExampleClient_GetDataset() {
	client := exampleFake().Client()

	_, err := client.GetDataset(context.Background(), "gone")
	fmt.Println(errors.Is(err, modelarts.ErrDatasetNotFound), errors.Is(err, modelarts.ErrNotFound))
	// Output: true true
}

// A call that the package does not have.
func ExampleClient_Do() {
	client := exampleFake().Client()
	query := struct {
		CheckRunningTask bool `url:"check_running_task"`
	}{true}
	req, err := client.NewRequest(context.Background(), http.MethodGet, "/v2/{project_id}/datasets/d1", query, nil)
	if err != nil {
		log.Fatal(err)
	}
	var answer struct {
		Name string `json:"dataset_name"`
	}
	if err := client.Do(req, &answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(req.URL.RawQuery, answer.Name)
	// Output: check_running_task=true street-signs
}

func ExampleAPIError() {
	client := exampleFake().Client()

	_, err := client.GetSyncStatus(context.Background(), "gone")
	var apiErr *modelarts.APIError
	if errors.As(err, &apiErr) {
		fmt.Println(apiErr.StatusCode, apiErr.Code, apiErr.Message)
	}
	fmt.Println(errors.Is(err, modelarts.ErrDatasetNotFound))
	// Output:
	// 400 ModelArts.4352 Dataset does not exist
	// true
}

func ExampleTokenAuth() {
	fake := exampleFake()
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, modelarts.TokenAuth(modelartstest.Token),
		modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(err)
	// Output: <nil>
}

// A Signer works on any request to a Huawei Cloud API.
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
	credentials := modelarts.Credentials{AccessKey: "AK", SecretKey: "SK"}
	signer := modelarts.NewSigner(credentials, modelarts.WithScope("", ""))
	fmt.Println(signer) // without secrets
	// Output: modelarts.Signer(REDACTED)
}

// An authenticator of one's own, around another one.
func ExampleAuthenticatorFunc() {
	inner := modelarts.TokenAuth(modelartstest.Token)
	auth := modelarts.AuthenticatorFunc(func(req *http.Request) error {
		req.Header.Set("X-Language", "en-us")
		return inner.Authenticate(req)
	})
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, auth,
		modelarts.WithHTTPClient(exampleFake().HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(err)
	// Output: <nil>
}

func ExampleChainCredentials() {
	provider := modelarts.ChainCredentials(
		modelarts.EnvCredentials(), modelarts.ProfileCredentials(""), modelarts.MetadataCredentials())
	client, err := modelarts.NewClient("https://modelarts.cn-north-4.myhuaweicloud.com", "0605768a3f80d5762f2dc01fbf2a0bc4",
		modelarts.NewSigner(provider)) // asks nobody before the first request
	fmt.Println(client.ProjectID(), err)
	// Output: 0605768a3f80d5762f2dc01fbf2a0bc4 <nil>
}

func ExampleIAM_PasswordAuth() {
	fake := exampleFake()
	modelartstest.NewIAM(fake)
	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	auth := iam.PasswordAuth(modelarts.PasswordLogin{
		DomainName: modelartstest.DomainName, UserName: modelartstest.UserName, Password: modelartstest.Password,
		ProjectName: modelartstest.ProjectName,
	})
	projectID, err := iam.ProjectID(context.Background(), auth, modelartstest.ProjectName)
	if err != nil {
		log.Fatal(err)
	}
	client, err := modelarts.NewClient(modelartstest.Endpoint, projectID, auth, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(err)
	// Output: <nil>
}

func ExampleIAM_AgencyCredentials() {
	fake := exampleFake()
	modelartstest.NewIAM(fake)
	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	base := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
	signer := modelarts.NewSigner(iam.AgencyCredentials(base, modelarts.Agency{
		Name: modelartstest.AgencyName, DomainName: modelartstest.DomainName, Duration: time.Hour,
	}))
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, signer, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(err)
	// Output: <nil>
}

func ExampleCredentials() {
	credentials := modelarts.Credentials{AccessKey: "AK", SecretKey: "the secret"}
	fmt.Printf("%+v\n", credentials)
	// Output: modelarts.Credentials(AK, REDACTED)
}
