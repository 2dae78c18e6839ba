package main

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelarts-go/modelarts"
)

// A Result is what became of one dataset.
type Result struct {
	Dataset string                `json:"dataset"`
	Status  *modelarts.SyncStatus `json:"status,omitempty"` // of a synchronization that completed
	Error   string                `json:"error,omitempty"`
	Kind    string                `json:"kind,omitempty"` // of the error, such as Forbidden
}

// SyncDatasets is the workflow: it synchronizes all datasets, on whichever workers are free, and returns the
// results in the order of the list. A dataset that fails does not stop the others, nor fail the workflow.
func SyncDatasets(ctx workflow.Context, datasets []string) ([]Result, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: 24 * time.Hour, // all attempts of a dataset
		HeartbeatTimeout:       heartbeatTimeout,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 10 * time.Second, MaximumInterval: 5 * time.Minute},
	})
	var activities *Activities // only names the method; the workers have the real one
	futures := make([]workflow.Future, len(datasets))
	for i, dataset := range datasets {
		futures[i] = workflow.ExecuteActivity(ctx, activities.SyncDataset, dataset)
	}
	results := make([]Result, len(datasets))
	for i, future := range futures {
		results[i].Dataset = datasets[i]
		if err := future.Get(ctx, &results[i].Status); err != nil {
			results[i].Error, results[i].Kind = explain(err)
		}
	}
	return results, ctx.Err()
}

// explain takes the error of an activity out of what Temporal has wrapped it in.
func explain(err error) (message, kind string) {
	var failure *temporal.ApplicationError
	if errors.As(err, &failure) {
		return failure.Message(), failure.Type()
	}
	return err.Error(), ""
}
