package modelarts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// fakeWithTask is a fake service with a dataset that was synchronized yesterday, for the examples of this file.
func fakeWithTask() *modelartstest.Server {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d1", Name: "street-signs"},
		modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 120, TotalSampleCount: 4120},
		modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 412, TotalSampleCount: 4410})
	fake.SetSyncStatus("d1", modelarts.SyncStatus{
		TaskID: "yesterday", Status: modelarts.SyncCompleted, CreateTime: 1700000000000, AddSampleCount: 7, TotalSampleCount: 4000,
	})
	return fake
}

func ExampleClient_GetSyncStatus() {
	client := fakeWithTask().Client()

	status, err := client.GetSyncStatus(context.Background(), "d1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status)
	fmt.Println(status.Status.Finished(), status.CreatedAt().UTC().Format(time.DateOnly))
	// Output:
	// COMPLETED task yesterday, 7 added, 4000 total
	// true 2023-11-14
}

// What a nightly job does. The result is that of the task which was started here, never yesterday's.
func ExampleClient_Sync() {
	client := fakeWithTask().Client()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Hour)
	defer cancel()

	status, err := client.Sync(ctx, "d1", &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond}) // nil for the defaults
	switch {
	case errors.Is(err, modelarts.ErrSyncRunning):
		log.Fatal("another one is under way: ", err)
	case errors.Is(err, modelarts.ErrSyncFailed):
		log.Fatal("failed: ", status.ErrorCode, " ", status.ErrorMsg)
	case err != nil:
		log.Fatal(err) // status is the last one seen, if any
	}
	fmt.Println(status.AddSampleCount, "added")
	// Output: 412 added
}

func ExampleClient_StartSync() {
	client := fakeWithTask().Client()
	ctx := context.Background()

	task, err := client.StartSync(ctx, "d1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("not", task.PreviousTaskID)

	// Another one meets the one that runs.
	_, err = client.StartSync(ctx, "d1")
	fmt.Println(errors.Is(err, modelarts.ErrSyncRunning))
	// Output:
	// not yesterday
	// true
}

// A synchronization that somebody else has started is joined with a task that remembers nothing.
func ExampleClient_StartSync_join() {
	fake := fakeWithTask()
	fake.SetSyncStatus("d1", modelarts.SyncStatus{TaskID: "theirs", Status: modelarts.SyncRunning})
	client := fake.Client()
	ctx := context.Background()

	task, err := client.StartSync(ctx, "d1")
	if errors.Is(err, modelarts.ErrSyncRunning) {
		task, err = modelarts.SyncTask{DatasetID: "d1"}, nil
	}
	if err != nil {
		log.Fatal(err)
	}
	for status, err := range client.WatchSync(ctx, task, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(status)
		break
	}
	// Output: RUNNING task theirs
}

func ExampleClient_WaitSync() {
	client := fakeWithTask().Client()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	task, err := client.StartSync(ctx, "d1")
	if err != nil {
		log.Fatal(err)
	}
	status, err := client.WaitSync(ctx, task, &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.AddSampleCount, "added")
	// Output: 412 added
}

// A deadline ends the wait, not the synchronization. The last status comes with the error.
func ExampleClient_WaitSync_deadline() {
	fake := fakeWithTask()
	fake.SetSyncStatus("d1", modelarts.SyncStatus{TaskID: "slow", Status: modelarts.SyncRunning, AddSampleCount: 3})
	client := fake.Client()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()

	status, err := client.WaitSync(ctx, modelarts.SyncTask{DatasetID: "d1"}, nil)
	fmt.Println(errors.Is(err, context.DeadlineExceeded), status)
	// Output: true RUNNING task slow, 3 added
}

func ExampleClient_WatchSync() {
	client := fakeWithTask().Client()
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

// A task is plain data: stored here, waited for by another process.
func ExampleSyncTask() {
	client := fakeWithTask().Client()
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "task.json")

	task, err := client.StartSync(ctx, "d1")
	if err != nil {
		log.Fatal(err)
	}
	stored, err := json.Marshal(task)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(file, stored, 0o600); err != nil {
		log.Fatal(err)
	}

	// … a restart later:
	if stored, err = os.ReadFile(file); err != nil {
		log.Fatal(err)
	}
	var resumed modelarts.SyncTask
	if err := json.Unmarshal(stored, &resumed); err != nil {
		log.Fatal(err)
	}
	fmt.Println(resumed == task, resumed.PreviousTaskID)
	status, err := client.WaitSync(ctx, resumed, &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond})
	fmt.Println(status, err)
	// Output:
	// true yesterday
	// COMPLETED task d1_00000001, 412 added, 4410 total <nil>
}

// For tasks of hours: polls up to five minutes apart, and outages of an hour are endured.
func ExampleWaitOptions() {
	client := fakeWithTask().Client()
	opts := &modelarts.WaitOptions{MinInterval: 10 * time.Second, MaxInterval: 5 * time.Minute, Patience: time.Hour}

	// Yesterday's task has finished, so that the first poll is the last.
	status, err := client.WaitSync(context.Background(), modelarts.SyncTask{DatasetID: "d1"}, opts)
	fmt.Println(status, err)
	// Output: COMPLETED task yesterday, 7 added, 4000 total <nil>
}

func ExampleSyncFailedError() {
	fake := fakeWithTask()
	fake.SetSyncStatus("d1", modelarts.SyncStatus{TaskID: "today", Status: modelarts.SyncFailed, ErrorCode: "ModelArts.4340", ErrorMsg: "No space left"})
	client := fake.Client()

	_, err := client.WaitSync(context.Background(), modelarts.SyncTask{DatasetID: "d1"}, nil)
	var failed *modelarts.SyncFailedError
	if errors.As(err, &failed) {
		fmt.Println(failed.Status.TaskID, failed.Status.ErrorCode)
	}
	fmt.Println(err)
	// Output:
	// today ModelArts.4340
	// modelarts: the synchronization failed: FAILED task today: ModelArts.4340 No space left
}

// The set of states is open: list those that matter, and keep a default for the others.
func ExampleSyncState() {
	client := fakeWithTask().Client()

	status, err := client.GetSyncStatus(context.Background(), "d1")
	if err != nil {
		log.Fatal(err)
	}
	switch status.Status {
	case modelarts.SyncNotExist:
		fmt.Println("never synchronized")
	case modelarts.SyncCompleted:
		fmt.Println("up to date")
	case modelarts.SyncFailed:
		fmt.Println("failed:", status.ErrorCode)
	default:
		fmt.Println("under way:", status.Status)
	}
	// Output: up to date
}

// NOT_EXIST is the state of no task, and a word that the package does not know counts as not finished.
func ExampleSyncState_Finished() {
	for _, state := range []modelarts.SyncState{modelarts.SyncNotExist, modelarts.SyncRunning, modelarts.SyncFailed, "SCANNING"} {
		fmt.Println(state, state.Finished())
	}
	// Output:
	// NOT_EXIST false
	// RUNNING false
	// FAILED true
	// SCANNING false
}

// A status is stored and read under the service's own names.
func ExampleSyncStatus() {
	stored, err := json.Marshal(modelarts.SyncStatus{TaskID: "t1", Status: modelarts.SyncCompleted, AddSampleCount: 412})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(stored))

	var status modelarts.SyncStatus
	if err := json.Unmarshal([]byte(`{"status": "RUNNING", "add_sample_count": 120}`), &status); err != nil {
		log.Fatal(err)
	}
	fmt.Println(&status)
	// Output:
	// {"task_id":"t1","status":"COMPLETED","add_sample_count":412}
	// RUNNING, 120 added
}

// String is one line for people and logs, without control characters.
func ExampleSyncStatus_String() {
	status := modelarts.SyncStatus{DatasetID: "d1", Status: modelarts.SyncRunning, AddSampleCount: 120, DeletedSampleCount: 2}
	fmt.Println(status.String())
	// Output: RUNNING dataset d1, 120 added, 2 deleted
}

// CreatedAt is zero where the service did not say when.
func ExampleSyncStatus_CreatedAt() {
	status := modelarts.SyncStatus{Status: modelarts.SyncCompleted, CreateTime: 1700000000000}
	fmt.Println(status.CreatedAt().UTC())
	fmt.Println(new(modelarts.SyncStatus).CreatedAt().IsZero())
	// Output:
	// 2023-11-14 22:13:20 +0000 UTC
	// true
}
