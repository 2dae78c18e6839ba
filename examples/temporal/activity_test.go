package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

// A machine is a worker of its own, with its own client, and a context that ends when it is lost.
type machine struct {
	*testsuite.TestActivityEnvironment
	activities *Activities
}

func newMachine(ctx context.Context, fake *modelartstest.Server) *machine {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	m := &machine{suite.NewTestActivityEnvironment(), &Activities{Client: fake.Client()}}
	m.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
	m.RegisterActivity(m.activities)
	return m
}

// sync runs the activity.
func (m *machine) sync(dataset string) (*modelarts.SyncStatus, error) {
	value, err := m.ExecuteActivity(m.activities.SyncDataset, dataset)
	if err != nil {
		return nil, err
	}
	var status *modelarts.SyncStatus
	return status, value.Get(&status)
}

// starts counts the POSTs that a fake has seen.
func starts(fake *modelartstest.Server) int {
	n := 0
	for _, r := range fake.Requests() {
		if r.Method == http.MethodPost {
			n++
		}
	}
	return n
}

func fakeWith(dataset string, plan ...modelarts.SyncStatus) *modelartstest.Server {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: dataset}, plan...)
	return fake
}

// kindOf is the type of an error that is not retried, or nothing.
func kindOf(err error) string {
	var failure *temporal.ApplicationError
	if errors.As(err, &failure) && failure.NonRetryable() {
		return failure.Type()
	}
	return ""
}

func TestADatasetIsSynchronized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeWith("ds")
		status, err := newMachine(t.Context(), fake).sync("ds")
		require.NoError(t, err)
		assert.Equal(t, modelarts.SyncCompleted, status.Status)
		assert.Equal(t, "ds_00000001", status.TaskID)
		assert.Equal(t, 1, starts(fake))
	})
}

// The first machine is lost while the synchronization runs. The second one gets what the first one's heartbeat
// has left at the server, and neither starts again nor takes the task of the day before for its own.
func TestAnotherWorkerResumesTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeWith("ds", modelarts.SyncStatus{Status: modelarts.SyncRunning})
		fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: modelarts.SyncCompleted, TaskID: "yesterday", CreateTime: 1})
		ctx, lose := context.WithCancel(t.Context())
		first := newMachine(ctx, fake)
		var left modelarts.SyncTask
		var unread error
		first.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			unread = errors.Join(unread, details.Get(&left))
			time.AfterFunc(2*time.Minute, lose)
		})
		_, err := first.sync("ds")
		require.ErrorContains(t, err, "context canceled")
		require.NoError(t, unread)
		assert.Equal(t, "ds", left.DatasetID)
		assert.Equal(t, "yesterday", left.PreviousTaskID)
		require.Equal(t, 1, starts(fake))

		second := newMachine(t.Context(), fake)
		second.SetHeartbeatDetails(left)
		time.AfterFunc(2*time.Minute, func() {
			fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: modelarts.SyncCompleted, TaskID: "today", CreateTime: 2})
		})
		status, err := second.sync("ds")
		require.NoError(t, err)
		assert.Equal(t, "today", status.TaskID)
		assert.Equal(t, 1, starts(fake), "the second attempt must not start another synchronization")
	})
}

// A worker lost between the POST and its first heartbeat leaves nothing behind.
func TestARunningSynchronizationIsJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeWith("ds")
		_, err := fake.Client().StartSync(t.Context(), "ds")
		require.NoError(t, err)
		status, err := newMachine(t.Context(), fake).sync("ds")
		require.NoError(t, err)
		assert.Equal(t, "ds_00000001", status.TaskID)
	})
}

func TestHeartbeatsGoOnWhileNoPollSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeWith("ds")
		m := newMachine(t.Context(), fake)
		var beats atomic.Int32
		m.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) {
			if beats.Add(1) == 1 {
				fake.Inject(modelartstest.Fault{Status: http.StatusServiceUnavailable, Times: -1})
				time.AfterFunc(5*time.Minute, fake.ClearFaults)
			}
		})
		_, err := m.sync("ds")
		require.NoError(t, err)
		assert.GreaterOrEqual(t, int(beats.Load()), int(5*time.Minute/heartbeatTimeout))
	})
}

// An attempt must have left its task at the server before that gives up on it.
func TestAStartIsDoneBeforeTheHeartbeatTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeWith("ds")
		fake.Inject(modelartstest.Fault{Delay: time.Hour, Times: -1})
		began := time.Now()
		_, err := newMachine(t.Context(), fake).sync("ds")
		require.Error(t, err)
		assert.Empty(t, kindOf(err), "the next attempt may do better")
		assert.Less(t, time.Since(began), heartbeatTimeout)
	})
}

func TestWhatIsNotRetried(t *testing.T) {
	answer := func(status int, code string) *modelartstest.Fault {
		return &modelartstest.Fault{Status: status, Code: code, Times: -1}
	}
	failed := modelarts.SyncStatus{Status: modelarts.SyncFailed, ErrorCode: "ModelArts.4360", ErrorMsg: "no such bucket"}
	for _, c := range []struct {
		name, dataset string
		fault         *modelartstest.Fault
		plan          []modelarts.SyncStatus
		kind          string
	}{
		{name: "failed", dataset: "ds", plan: []modelarts.SyncStatus{failed}, kind: SyncFailed},
		{name: "never registered", dataset: "ds", plan: []modelarts.SyncStatus{{Status: modelarts.SyncNotExist}}, kind: NoSyncTask},
		{name: "401", dataset: "ds", fault: answer(401, "APIGW.0301"), kind: Unauthorized},
		{name: "403", dataset: "ds", fault: answer(403, "APIGW.0302"), kind: Forbidden},
		{name: "no such dataset", dataset: "missing", kind: NotFound},
		{name: "404", dataset: "ds", fault: answer(404, "APIGW.0101"), kind: NotFound},
		{name: "501", dataset: "ds", fault: answer(501, "ModelArts.4383"), kind: Unsupported},
		{name: "501 while another task is in the way", dataset: "ds", fault: answer(501, "ModelArts.4385")},
		{name: "another task in the way", dataset: "ds", fault: answer(409, "")},
		{name: "an outage", dataset: "ds", fault: answer(503, "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := fakeWith("ds", c.plan...)
				if c.fault != nil {
					fake.Inject(*c.fault)
				}
				_, err := newMachine(t.Context(), fake).sync(c.dataset)
				require.Error(t, err)
				assert.Equal(t, c.kind, kindOf(err), err)
			})
		})
	}
}
