package modelartstest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// A fake in memory, with a dataset whose synchronization takes three polls.
func Example() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"},
		modelarts.SyncStatus{Status: modelarts.SyncQueuing},
		modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 12},
		modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 30, TotalSampleCount: 30},
	)
	client := fake.Client()
	ctx := context.Background()

	if _, err := client.StartSync(ctx, "flowers"); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		status, err := client.GetSyncStatus(ctx, "flowers")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(status)
	}
	// Output:
	// QUEUING task flowers_00000001
	// RUNNING task flowers_00000001, 12 added
	// COMPLETED task flowers_00000001, 30 added, 30 total
}

// The same fake over sockets, for programs that want an address.
func Example_sockets() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	web := httptest.NewServer(fake)
	defer web.Close()

	keys := modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey}
	client, err := modelarts.NewClient(web.URL, modelartstest.ProjectID, modelarts.NewSigner(keys))
	if err != nil {
		log.Fatal(err)
	}
	status, err := client.GetSyncStatus(context.Background(), "flowers")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status)
	// Output: NOT_EXIST dataset flowers
}

// A fault takes the place of the service's answer, here until it is cleared.
func ExampleFault() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fake.Inject(modelartstest.Fault{Status: 403, Code: "ModelArts.4335", Message: "Iam agency is invalid", Times: -1})
	client := fake.Client()

	_, err := client.GetSyncStatus(context.Background(), "flowers")
	fmt.Println(errors.Is(err, modelarts.ErrForbidden))

	fake.ClearFaults()
	_, err = client.GetSyncStatus(context.Background(), "flowers")
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A start that is carried out, while its answer is lost on the way back, and the program has no time to find out.
func ExampleFault_lostAnswer() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fake.Inject(modelartstest.Fault{Method: http.MethodPost, Path: "/sync-data", Drop: true, After: true})
	client := fake.Client()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()

	task, err := client.StartSync(ctx, "flowers")
	fmt.Println(errors.Is(err, modelarts.ErrStartUnknown))
	// The task that came with the error is good for a wait.
	status, err := client.WaitSync(context.Background(), task, &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond})
	fmt.Println(status, err)
	// Output:
	// true
	// COMPLETED task flowers_00000001 <nil>
}

// Faults wait in a queue: each request meets the first one that matches it.
func ExampleServer_Inject() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fake.Inject(
		modelartstest.Fault{Path: "/status", Status: 401, Code: "APIGW.0301", Message: "Incorrect IAM authentication information"},
		modelartstest.Fault{Path: "/status", Body: "<html>a proxy's page</html>"},
	)
	client := fake.Client()

	_, err := client.GetSyncStatus(context.Background(), "flowers")
	fmt.Println(errors.Is(err, modelarts.ErrUnauthorized))
	_, err = client.GetSyncStatus(context.Background(), "flowers")
	fmt.Println(err != nil)
	_, err = client.GetSyncStatus(context.Background(), "flowers")
	fmt.Println(err)
	// Output:
	// true
	// true
	// <nil>
}

// An outage that lasts until it is taken back.
func ExampleServer_ClearFaults() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	client := fake.Client(modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1}))

	fake.Inject(modelartstest.Fault{Status: 503, Times: -1})
	_, err := client.GetSyncStatus(context.Background(), "flowers")
	fmt.Println(err != nil)
	fake.ClearFaults()
	_, err = client.GetSyncStatus(context.Background(), "flowers")
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// The options are those of NewClient.
func ExampleServer_Client() {
	fake := modelartstest.New()
	client := fake.Client(modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1}))

	fmt.Println(client.Endpoint() == modelartstest.Endpoint, client.ProjectID() == modelartstest.ProjectID)
	// Output: true true
}

// What the program under test has sent.
func ExampleServer_Requests() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers", Name: "Flowers"})

	if _, err := fake.Client(modelarts.WithUserAgent("trainer/1.4")).FindDataset(context.Background(), "Flowers"); err != nil {
		log.Fatal(err)
	}
	for _, r := range fake.Requests() {
		fmt.Println(r.Method, r.Path, r.RawQuery)
	}
	// Output: GET /v2/0123456789abcdef0123456789abcdef/datasets limit=100&search_content=Flowers
}

// Each synchronization steps through the plan, one status a poll. Here it fails at the third.
func ExampleServer_AddDataset() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers", Name: "Flowers", Type: modelarts.DatasetObjectDetection},
		modelarts.SyncStatus{Status: modelarts.SyncNotExist}, // registered late
		modelarts.SyncStatus{Status: modelarts.SyncRunning},
		modelarts.SyncStatus{Status: modelarts.SyncFailed, ErrorCode: "ModelArts.4340", ErrorMsg: "No space left"})

	_, err := fake.Client().Sync(context.Background(), "flowers", &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond})
	fmt.Println(err)
	// Output: modelarts: the synchronization failed: FAILED task flowers_00000001: ModelArts.4340 No space left
}

// What an earlier synchronization has left behind.
func ExampleServer_SetSyncStatus() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fake.SetSyncStatus("flowers", modelarts.SyncStatus{TaskID: "yesterday", Status: modelarts.SyncCompleted, CreateTime: 1700000000000})

	status, err := fake.Client().GetSyncStatus(context.Background(), "flowers")
	fmt.Println(status, err)
	// Output: COMPLETED task yesterday <nil>
}

// The trap for programs that start, poll, and believe the first COMPLETED: the new task shows late.
func ExampleServer_SetRegistrationDelay() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fake.SetSyncStatus("flowers", modelarts.SyncStatus{TaskID: "yesterday", Status: modelarts.SyncCompleted, CreateTime: 1700000000000})
	fake.SetRegistrationDelay(50 * time.Millisecond)
	client := fake.Client()
	ctx := context.Background()

	task, err := client.StartSync(ctx, "flowers")
	if err != nil {
		log.Fatal(err)
	}
	status, err := client.GetSyncStatus(ctx, "flowers")
	fmt.Println(status, err)
	status, err = client.WaitSync(ctx, task, &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond})
	fmt.Println(status, err)
	// Output:
	// COMPLETED task yesterday <nil>
	// COMPLETED task flowers_00000001 <nil>
}

// Answers as sparse as the example in the service's reference.
func ExampleServer_SetSparse() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fake.SetSyncStatus("flowers", modelarts.SyncStatus{TaskID: "t1", Status: modelarts.SyncRunning, AddSampleCount: 12})
	fake.SetSparse(true)

	status, err := fake.Client().GetSyncStatus(context.Background(), "flowers")
	fmt.Println(status, err)
	// Output: RUNNING dataset flowers <nil>
}

// A machine whose clock is an hour slow: the client's first signature is refused, its second is not.
func ExampleServer_SetClockOffset() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fake.SetClockOffset(time.Hour)

	_, err := fake.Client().GetSyncStatus(context.Background(), "flowers")
	fmt.Println(len(fake.Requests()), err)
	// Output: 2 <nil>
}

// A key that an administrator disables, and enables again.
func ExampleServer_SetAccepted() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	client := fake.Client()

	for _, accepted := range []bool{false, true} {
		fake.SetAccepted(modelartstest.AccessKey, accepted)
		_, err := client.GetSyncStatus(context.Background(), "flowers")
		fmt.Println(errors.Is(err, modelarts.ErrUnauthorized))
	}
	// Output:
	// true
	// false
}

// A second key, such as the new one of a rotation.
func ExampleServer_AddKey() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	second := modelarts.Credentials{AccessKey: "SECOND", SecretKey: "its secret"}
	fake.AddKey(second)

	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, modelarts.NewSigner(second),
		modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	status, err := client.GetSyncStatus(context.Background(), "flowers")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset flowers <nil>
}

// The http.Client goes into programs that make their modelarts.Client themselves.
func ExampleServer_HTTPClient() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})

	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, modelarts.TokenAuth(modelartstest.Token),
		modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	status, err := client.GetSyncStatus(context.Background(), "flowers")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset flowers <nil>
}

// The service documents the list's offset as the index of a page; a service that means the index of an item
// gives the same datasets, each of them once.
func ExampleServer_SetPagingByItem() {
	fake := modelartstest.New()
	for _, id := range []string{"a", "b", "c"} {
		fake.AddDataset(modelarts.Dataset{ID: id, Name: id})
	}
	fake.SetPagingByItem(true)

	opts := &modelarts.DatasetListOptions{Limit: 2, SortBy: "dataset_name", Order: "asc"}
	for dataset, err := range fake.Client().Datasets(context.Background(), opts) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(dataset.ID)
	}
	// Output:
	// a
	// b
	// c
}

// A load test would only fill memory with its requests.
func ExampleServer_SetRecording() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fake.SetRecording(false)
	client := fake.Client()

	for range 1000 {
		if _, err := client.GetSyncStatus(context.Background(), "flowers"); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(fake.Requests()))
	// Output: 0
}

// One http.Client reaches the service and its IAM.
func ExampleNewIAM() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fakeIAM := modelartstest.NewIAM(fake)
	inMemory := modelarts.WithHTTPClient(fake.HTTPClient())

	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, inMemory)
	if err != nil {
		log.Fatal(err)
	}
	auth := iam.PasswordAuth(modelarts.PasswordLogin{
		DomainName: modelartstest.DomainName, UserName: modelartstest.UserName, Password: modelartstest.Password,
		ProjectName: modelartstest.ProjectName,
	})
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, auth, inMemory)
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		if _, err := client.GetSyncStatus(context.Background(), "flowers"); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(fakeIAM.Requests()), "login for", len(fake.Requests()), "calls")
	// Output: 1 login for 2 calls
}

// Tokens that end before their time are replaced on the first refusal.
func ExampleIAM_RevokeIssued() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	fakeIAM := modelartstest.NewIAM(fake)
	inMemory := modelarts.WithHTTPClient(fake.HTTPClient())
	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, inMemory)
	if err != nil {
		log.Fatal(err)
	}
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, iam.PasswordAuth(modelarts.PasswordLogin{
		DomainName: modelartstest.DomainName, UserName: modelartstest.UserName, Password: modelartstest.Password,
		ProjectID: modelartstest.ProjectID,
	}), inMemory)
	if err != nil {
		log.Fatal(err)
	}

	for range 2 {
		_, err := client.GetSyncStatus(context.Background(), "flowers")
		fmt.Println(err, len(fakeIAM.Requests()))
		fakeIAM.RevokeIssued()
	}
	// Output:
	// <nil> 1
	// <nil> 2
}

// An identity service that is down for a moment.
func ExampleIAM_Inject() {
	fake := modelartstest.New()
	fakeIAM := modelartstest.NewIAM(fake)
	fakeIAM.Inject(modelartstest.Fault{Path: "/v3/projects", Status: 502})

	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	id, err := iam.ProjectID(context.Background(), modelarts.TokenAuth(modelartstest.Token), modelartstest.ProjectName)
	fmt.Println(id == modelartstest.ProjectID, len(fakeIAM.Requests()), err)
	// Output: true 2 <nil>
}

// Two projects of one name, one of which is disabled.
func ExampleIAM_AddProject() {
	fake := modelartstest.New()
	fakeIAM := modelartstest.NewIAM(fake)
	fakeIAM.AddProject("00000000000000000000000000000001", "experiments", true)
	fakeIAM.AddProject("00000000000000000000000000000002", "experiments", false)

	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	id, err := iam.ProjectID(context.Background(), modelarts.TokenAuth(modelartstest.Token), "experiments")
	fmt.Println(id, err)
	// Output: 00000000000000000000000000000001 <nil>
}

// Keys of two minutes, for a program that runs for longer than any key. In a testing/synctest bubble the time
// passes at once.
func ExampleIAM_SetKeyLifetime() {
	fake := modelartstest.New()
	fakeIAM := modelartstest.NewIAM(fake)
	fakeIAM.SetKeyLifetime(2 * time.Minute)

	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	keys := iam.AgencyCredentials(modelarts.TokenAuth(modelartstest.Token), modelarts.Agency{
		Name: modelartstest.AgencyName, DomainName: modelartstest.DomainName,
	})
	temporary, err := keys.Retrieve(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(time.Until(temporary.Expires) <= 2*time.Minute)
	// Output: true
}

// An identity provider issues a new ID token, which takes the place of the old one in its file.
func ExampleIAM_SetIDToken() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "token")
	fake := modelartstest.New()
	fakeIAM := modelartstest.NewIAM(fake)
	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	keys := iam.OIDCCredentials(modelartstest.IDPID, file)

	for _, token := range []string{"the.first.token", "the.second.token"} {
		fakeIAM.SetIDToken(token)
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			log.Fatal(err)
		}
		_, err := keys.Retrieve(context.Background())
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
}

// The metadata service of an instance, at an address that MODELARTS_METADATA_ENDPOINT leads to.
func ExampleNewMetadata() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	metadata := modelartstest.NewMetadata(fake)
	metadata.SetTokenRequired(true)
	web := httptest.NewServer(metadata)
	defer web.Close()
	if err := os.Setenv("MODELARTS_METADATA_ENDPOINT", web.URL); err != nil { // t.Setenv in a test
		log.Fatal(err)
	}
	defer func() { _ = os.Unsetenv("MODELARTS_METADATA_ENDPOINT") }()

	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID,
		modelarts.NewSigner(modelarts.MetadataCredentials()), modelarts.WithHTTPClient(fake.HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}
	if _, err = client.GetSyncStatus(context.Background(), "flowers"); err != nil {
		log.Fatal(err)
	}
	for _, r := range metadata.Requests() {
		fmt.Println(r.Method, r.Path)
	}
	// Output:
	// PUT /meta-data/latest/api/token
	// GET /openstack/latest/securitykey
}

// An instance that nobody gave an agency has no keys, and a chain goes on to the next provider.
func ExampleMetadata_SetAgency() {
	metadata := modelartstest.NewMetadata(modelartstest.New())
	metadata.SetAgency(false)
	web := httptest.NewServer(metadata)
	defer web.Close()
	if err := os.Setenv("MODELARTS_METADATA_ENDPOINT", web.URL); err != nil { // t.Setenv in a test
		log.Fatal(err)
	}
	defer func() { _ = os.Unsetenv("MODELARTS_METADATA_ENDPOINT") }()

	_, err := modelarts.MetadataCredentials().Retrieve(context.Background())
	fmt.Println(errors.Is(err, modelarts.ErrNoCredentials))
	// Output: true
}
