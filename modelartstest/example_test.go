package modelartstest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

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
