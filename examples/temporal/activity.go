package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/modelarts-go/modelarts"
)

// heartbeatTimeout is how long the server waits for a sign of life before it gives an activity to another
// worker.
const heartbeatTimeout = time.Minute

// Activities are what a worker does. All of them share its client.
type Activities struct {
	Client *modelarts.Client
	Wait   *modelarts.WaitOptions
}

// SyncDataset synchronizes a dataset and returns its last status.
//
// The heartbeat carries the task that was started. Should the worker be lost, the attempt that follows
// elsewhere finds it there, and waits on instead of starting again.
func (a *Activities) SyncDataset(ctx context.Context, dataset string) (*modelarts.SyncStatus, error) {
	task, err := a.task(ctx, dataset)
	if err != nil {
		return nil, classify(err)
	}
	stop := heartbeat(ctx, task)
	defer stop()
	status, err := a.Client.WaitSync(ctx, task, a.Wait)
	if err != nil {
		return nil, classify(err)
	}
	return status, nil
}

// task returns the task of the attempt before, or starts one.
func (a *Activities) task(ctx context.Context, dataset string) (task modelarts.SyncTask, err error) {
	if activity.HasHeartbeatDetails(ctx) {
		return task, activity.GetHeartbeatDetails(ctx, &task)
	}
	// There is nothing to say by a heartbeat yet. An empty one would hold the next one up, since they are sent
	// at most once in a while, so the start must be done before the timeout.
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout*3/4)
	defer cancel()
	task, err = a.Client.StartSync(ctx, dataset)
	if errors.Is(err, modelarts.ErrSyncRunning) {
		// Somebody else started it, or a worker that was lost before its first heartbeat.
		return modelarts.SyncTask{DatasetID: dataset}, nil
	}
	return task, err
}

// heartbeat keeps the server informed until it is stopped, at once and also while no poll succeeds.
func heartbeat(ctx context.Context, task modelarts.SyncTask) (stop func()) {
	activity.RecordHeartbeat(ctx, task)
	ctx, cancel := context.WithCancel(ctx)
	var beating sync.WaitGroup
	beating.Go(func() {
		ticker := time.NewTicker(heartbeatTimeout / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				activity.RecordHeartbeat(ctx, task)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		beating.Wait()
	}
}

// The types of the errors that another attempt would meet again.
const (
	SyncFailed   = "SyncFailed"
	NoSyncTask   = "NoSyncTask"
	Unauthorized = "Unauthorized"
	Forbidden    = "Forbidden"
	NotFound     = "NotFound"
	Unsupported  = "Unsupported"
)

// classify makes an error of the client one that Temporal does not retry, where that is in vain. Refused keys
// are among these: the service locks a key that it has to refuse too often.
func classify(err error) error {
	for _, final := range []struct {
		is   error
		kind string
	}{
		{modelarts.ErrSyncFailed, SyncFailed},
		{modelarts.ErrNoSyncTask, NoSyncTask},
		{modelarts.ErrUnauthorized, Unauthorized},
		{modelarts.ErrForbidden, Forbidden},
		{modelarts.ErrNotFound, NotFound},
	} {
		if errors.Is(err, final.is) {
			return temporal.NewNonRetryableApplicationError(err.Error(), final.kind, nil)
		}
	}
	var answer *modelarts.APIError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotImplemented && !errors.Is(err, modelarts.ErrConflict) {
		return temporal.NewNonRetryableApplicationError(err.Error(), Unsupported, nil)
	}
	return err
}
