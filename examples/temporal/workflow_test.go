package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// inHouse is a Temporal environment whose workers synchronize on a fake, with hardly any time between polls, and
// stop when the test ends.
func inHouse(t *testing.T, fake *modelartstest.Server) (*testsuite.TestWorkflowEnvironment, *Activities) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute) // for slow machines; the default is 3 s
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: t.Context()})
	env.RegisterWorkflow(SyncDatasets)
	return env, &Activities{Client: fake.Client(), Wait: &modelarts.WaitOptions{MinInterval: time.Nanosecond, MaxInterval: time.Nanosecond}}
}

func resultsOf(t *testing.T, env *testsuite.TestWorkflowEnvironment) []Result {
	t.Helper()
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	var results []Result
	require.NoError(t, env.GetWorkflowResult(&results))
	return results
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	fake := fakeWith("first")
	fake.AddDataset(modelarts.Dataset{ID: "broken"}, modelarts.SyncStatus{Status: modelarts.SyncFailed, ErrorMsg: "no such bucket"})
	fake.AddDataset(modelarts.Dataset{ID: "last"})
	env, activities := inHouse(t, fake)
	env.RegisterActivity(activities)
	env.ExecuteWorkflow(SyncDatasets, []string{"first", "broken", "missing", "last"})

	results := resultsOf(t, env)
	require.Len(t, results, 4)
	for i, dataset := range []string{"first", "broken", "missing", "last"} {
		assert.Equal(t, dataset, results[i].Dataset)
	}
	assert.Equal(t, modelarts.SyncCompleted, results[0].Status.Status)
	assert.Equal(t, SyncFailed, results[1].Kind)
	assert.Contains(t, results[1].Error, "no such bucket")
	assert.Nil(t, results[1].Status)
	assert.Equal(t, NotFound, results[2].Kind)
	assert.Equal(t, modelarts.SyncCompleted, results[3].Status.Status)
	assert.Equal(t, 4, starts(fake), "nothing is tried twice")
}

// The first attempt's worker is lost once its heartbeat has been received. Temporal gives the dataset to another
// one, with that heartbeat.
func TestALostWorkerDoesNotStartTwice(t *testing.T) {
	fake := fakeWith("ds", modelarts.SyncStatus{Status: modelarts.SyncRunning})
	env, activities := inHouse(t, fake)
	firstContext, lose := context.WithCancel(t.Context())
	env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { lose() })
	var attempts []int32
	var resumed []bool
	env.RegisterActivityWithOptions(func(ctx context.Context, dataset string) (*modelarts.SyncStatus, error) {
		attempts = append(attempts, activity.GetInfo(ctx).Attempt)
		resumed = append(resumed, activity.HasHeartbeatDetails(ctx))
		if len(attempts) > 1 {
			fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: modelarts.SyncCompleted, TaskID: "task", CreateTime: 1})
			return activities.SyncDataset(ctx, dataset)
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(firstContext, cancel)()
		_, err := activities.SyncDataset(ctx, dataset)
		return nil, errors.Join(errors.New("the worker is lost"), err)
	}, activity.RegisterOptions{Name: "SyncDataset"})
	env.ExecuteWorkflow(SyncDatasets, []string{"ds"})

	results := resultsOf(t, env)
	require.Len(t, results, 1)
	require.NotNil(t, results[0].Status, results[0].Error)
	assert.Equal(t, "task", results[0].Status.TaskID)
	assert.Equal(t, []int32{1, 2}, attempts)
	assert.Equal(t, []bool{false, true}, resumed)
	assert.Equal(t, 1, starts(fake))
}

func TestACanceledWorkflowSaysSo(t *testing.T) {
	env, activities := inHouse(t, fakeWith("ds", modelarts.SyncStatus{Status: modelarts.SyncRunning}))
	env.RegisterActivity(activities)
	env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { env.CancelWorkflow() })
	env.ExecuteWorkflow(SyncDatasets, []string{"ds"})
	require.True(t, env.IsWorkflowCompleted())
	var canceled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &canceled)
}
