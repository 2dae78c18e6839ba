package modelarts_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// syncStep is a status of a task, by its number, in a state. Number 0 is a status of which only the state is
// told.
func syncStep(task int, state modelarts.SyncState) modelarts.SyncStatus {
	status := modelarts.SyncStatus{DatasetID: syncDataset, Status: state}
	if task > 0 {
		status.TaskID = fmt.Sprintf("task-%d", task)
		status.CreateTime = 1605690595404 + int64(task)*86_400_000
	}
	return status
}

// syncTimed is a completed status that has a creation time and no task id.
func syncTimed(task int) modelarts.SyncStatus {
	status := syncStep(task, completed)
	status.TaskID = ""
	return status
}

// syncAfter is the task that a start returns after it has read status.
func syncAfter(status modelarts.SyncStatus) modelarts.SyncTask {
	return modelarts.SyncTask{
		DatasetID: syncDataset, PreviousTaskID: status.TaskID, PreviousCreateTime: status.CreateTime,
		PreviousStatus: status.Status, StartedAt: time.Now(),
	}
}

// syncEvery asserts that the intervals between polls lie between half and the whole of what they should be.
func syncEvery(t *testing.T, polls []time.Duration, least, most time.Duration) {
	t.Helper()
	nominal := least
	for i := 1; i < len(polls); i++ {
		interval := polls[i] - polls[i-1]
		assert.GreaterOrEqual(t, interval, nominal/2, "interval %d", i)
		assert.LessOrEqual(t, interval, nominal, "interval %d", i)
		nominal = min(nominal*3/2, most)
	}
}

const (
	queuing   = modelarts.SyncQueuing
	running   = modelarts.SyncRunning
	completed = modelarts.SyncCompleted
	failed    = modelarts.SyncFailed
	notExist  = modelarts.SyncNotExist
)

// Without a deadline a wait has no end of its own: how long a task may take only its caller knows, and every state
// but "no such task" and an outage is progress.
func TestWaitSyncPace(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("an hour by default", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			status, err := rig.WaitSync(ctx, modelarts.SyncTask{DatasetID: syncDataset}, nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, "task-2", status.TaskID)
			assert.Equal(t, time.Hour, time.Since(rig.began))

			polls := rig.times(http.MethodGet)
			assert.Zero(t, polls[0], "the first poll comes at once")
			last := len(polls) - 1
			syncEvery(t, polls[:last], time.Second, 30*time.Second)
			assert.Greater(t, polls[last], time.Hour-time.Second, "just before the deadline")
			// Between 30 s and 15 s each, but for the first few.
			assert.GreaterOrEqual(t, len(polls), 126)
			assert.LessOrEqual(t, len(polls), 250)
		})
	})
	tests := map[string]struct {
		opts        modelarts.WaitOptions
		least, most time.Duration
	}{
		"both given":                   {modelarts.WaitOptions{MinInterval: 4 * time.Second, MaxInterval: 10 * time.Second}, 4 * time.Second, 10 * time.Second},
		"the same":                     {modelarts.WaitOptions{MinInterval: 7 * time.Second, MaxInterval: 7 * time.Second}, 7 * time.Second, 7 * time.Second},
		"the first above the default":  {modelarts.WaitOptions{MinInterval: 2 * time.Minute}, 2 * time.Minute, 2 * time.Minute},
		"the second below the default": {modelarts.WaitOptions{MaxInterval: 200 * time.Millisecond}, 200 * time.Millisecond, 200 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(4)
				rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
				polls := 0
				for _, err := range rig.WatchSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, &test.opts) {
					require.NoError(t, err)
					if polls++; polls == 12 {
						break
					}
				}
				syncEvery(t, rig.times(http.MethodGet), test.least, test.most)
			})
		})
	}
	t.Run("never below 10 ms", func(t *testing.T) {
		t.Parallel()
		for name, opts := range map[string]modelarts.WaitOptions{
			"tiny":     {MinInterval: 1, MaxInterval: 1},
			"negative": {MinInterval: -time.Hour, MaxInterval: -1},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					rig := newSyncRig(4)
					rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
					ctx, cancel := context.WithTimeout(t.Context(), 105*time.Millisecond)
					defer cancel()
					_, err := rig.WaitSync(ctx, modelarts.SyncTask{DatasetID: syncDataset}, &opts)
					require.ErrorIs(t, err, context.DeadlineExceeded)
					polls := rig.times(http.MethodGet)
					require.Len(t, polls, 12)
					for i := range 10 {
						assert.Equal(t, time.Duration(i)*10*time.Millisecond, polls[i])
					}
				})
			})
		}
	})
	t.Run("without a deadline, for as long as it takes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			const long = 30 * 24 * time.Hour
			time.AfterFunc(long, func() { rig.fake.SetSyncStatus(syncDataset, syncStep(2, completed)) })
			opts := &modelarts.WaitOptions{MinInterval: time.Hour, MaxInterval: time.Hour}
			_, err := rig.WaitSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, opts)
			require.NoError(t, err)
			assert.GreaterOrEqual(t, time.Since(rig.began), long)
		})
	})
	t.Run("the longest durations", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(syncStep(1, completed), syncStep(0, notExist))
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502}))
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			const forever = time.Duration(math.MaxInt64)
			opts := modelarts.WaitOptions{MinInterval: forever, MaxInterval: forever, Grace: forever, Settle: forever, Patience: forever}
			_, err := rig.WaitSync(ctx, syncAfter(syncStep(1, completed)), &opts)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Len(t, rig.times(http.MethodGet), 2, "one at once, one at the end")
		})
	})
	t.Run("the options are not changed", func(t *testing.T) {
		t.Parallel()
		rig := newSyncRig(1)
		rig.fake.SetSyncStatus(syncDataset, syncStep(2, completed))
		opts := modelarts.WaitOptions{MinInterval: -1, MaxInterval: time.Second}
		before := opts
		_, err := rig.WaitSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, &opts)
		require.NoError(t, err)
		assert.Equal(t, before, opts)
	})
}

// TestWaitSyncBelieves has what a wait makes of statuses, of which some are of the task before.
func TestWaitSyncBelieves(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	later := syncStep(1, completed)
	later.CreateTime += 1000
	noted := syncStep(2, completed)
	noted.ErrorCode, noted.ErrorMsg = "ModelArts.4399", "finished with notes"
	tests := map[string]struct {
		task    modelarts.SyncTask
		answers []modelarts.SyncStatus // the wait has to end with the last one, and to yield …
		yields  int                    // … that many
	}{
		"nothing is remembered":                            {modelarts.SyncTask{}, []modelarts.SyncStatus{syncStep(1, completed)}, 1},
		"nothing is remembered or told":                    {modelarts.SyncTask{}, []modelarts.SyncStatus{syncStep(0, completed)}, 1},
		"a stale result, known by its id":                  {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{syncStep(1, completed), syncStep(1, completed), syncStep(2, completed)}, 1},
		"a stale failure, known by its id":                 {syncAfter(syncStep(1, failed)), []modelarts.SyncStatus{syncStep(1, failed), syncStep(2, running), syncStep(2, completed)}, 2},
		"the same id with another time":                    {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{later, syncStep(2, completed)}, 1},
		"a stale task that still runs":                     {syncAfter(syncStep(1, running)), []modelarts.SyncStatus{syncStep(1, running), syncStep(1, completed), syncStep(2, completed)}, 1},
		"a stale result, known by its time":                {syncAfter(syncTimed(1)), []modelarts.SyncStatus{syncTimed(1), syncTimed(2)}, 1},
		"a service whose clock was set back":               {syncAfter(syncTimed(3)), []modelarts.SyncStatus{syncTimed(3), syncTimed(2)}, 1},
		"an id only in what is remembered":                 {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{syncTimed(1), syncTimed(2)}, 1},
		"an id only in the answers":                        {syncAfter(syncTimed(1)), []modelarts.SyncStatus{syncStep(1, completed), syncStep(2, completed)}, 1},
		"nothing is told, and it is seen running":          {syncAfter(syncStep(0, completed)), []modelarts.SyncStatus{syncStep(0, completed), syncStep(0, running), syncStep(0, completed)}, 2},
		"nothing is told any more, and it is seen running": {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{syncStep(0, queuing), syncStep(0, completed)}, 2},
		"nothing is told, and one ran before":              {syncAfter(syncStep(0, running)), []modelarts.SyncStatus{syncStep(0, running), syncStep(0, completed)}, 2},
		"nothing is told after the first":                  {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{syncStep(2, running), syncStep(0, completed)}, 2},
		"the first task ever, of which nothing is told":    {syncAfter(syncStep(0, notExist)), []modelarts.SyncStatus{syncStep(0, notExist), syncStep(0, completed)}, 1},
		"a late registration":                              {syncAfter(syncStep(0, notExist)), []modelarts.SyncStatus{syncStep(0, notExist), syncStep(0, notExist), syncStep(1, queuing), syncStep(1, completed)}, 2},
		"a late registration with the old task between":    {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{syncStep(0, notExist), syncStep(1, completed), syncStep(2, completed)}, 1},
		// Somebody else has started it. The wait is for the dataset to be in step, so it is followed.
		"replaced by a third task":     {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{syncStep(2, running), syncStep(3, queuing), syncStep(3, completed)}, 3},
		"a replica that is behind":     {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{syncStep(2, running), syncStep(1, completed), syncStep(2, completed)}, 2},
		"states that go backwards":     {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{syncStep(2, running), syncStep(2, queuing), syncStep(2, running), syncStep(2, completed)}, 4},
		"states that nobody knows":     {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{syncStep(2, "PAUSED"), syncStep(2, "completed"), syncStep(2, "COMPLETED "), syncStep(2, completed)}, 4},
		"completed with an error code": {syncAfter(syncStep(1, completed)), []modelarts.SyncStatus{noted}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(1)
				test.task.DatasetID = syncDataset
				if !test.task.StartedAt.IsZero() {
					test.task.StartedAt = time.Now()
				}
				rig.answer(test.answers...)
				var yielded []modelarts.SyncStatus
				for status, err := range rig.WatchSync(t.Context(), test.task, nil) {
					require.NoError(t, err)
					yielded = append(yielded, *status)
				}
				require.Len(t, yielded, test.yields)
				assert.Equal(t, test.answers[len(test.answers)-1], yielded[test.yields-1])
				polls := rig.times(http.MethodGet)
				assert.Len(t, polls, len(test.answers), "neither a poll less nor one more")
				syncEvery(t, polls, time.Second, 30*time.Second)
			})
		})
	}
}

// syncEndsAt asserts that a wait ended when it should, or with the least interval after that.
func syncEndsAt(t *testing.T, want, got time.Duration) {
	t.Helper()
	assert.GreaterOrEqual(t, got, want)
	assert.LessOrEqual(t, got, want+10*time.Millisecond)
}

// TestWaitSyncSettles has finished statuses of which nobody can tell whose they are.
func TestWaitSyncSettles(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	old := syncStep(0, completed)
	wait := func(t *testing.T, rig *syncRig, opts *modelarts.WaitOptions) *modelarts.SyncStatus {
		t.Helper()
		rig.fake.SetSyncStatus(syncDataset, old)
		status, err := rig.WaitSync(t.Context(), syncAfter(old), opts)
		require.NoError(t, err)
		return status
	}
	t.Run("believed when they have stood for a while", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			assert.Equal(t, completed, wait(t, rig, nil).Status)
			syncEndsAt(t, 15*time.Second, time.Since(rig.began))
			polls := rig.times(http.MethodGet)
			syncEvery(t, polls[:len(polls)-1], time.Second, 30*time.Second)
		})
	})
	t.Run("a service that tells the state only, from the start on", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4, syncStep(0, completed)) // done before anybody looks
			rig.fake.SetSparse(true)
			rig.fake.SetSyncStatus(syncDataset, syncYesterday)
			_, err := rig.Sync(t.Context(), syncDataset, nil)
			require.NoError(t, err)
			syncEndsAt(t, 15*time.Second, time.Since(rig.began))
		})
	})
	t.Run("for as long as is asked for", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			wait(t, rig, &modelarts.WaitOptions{Settle: 5 * time.Minute})
			syncEndsAt(t, 5*time.Minute, time.Since(rig.began))
		})
	})
	t.Run("at once, if that is asked for", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			wait(t, rig, &modelarts.WaitOptions{Settle: -1})
			assert.Zero(t, time.Since(rig.began))
			assert.Len(t, rig.times(http.MethodGet), 1)
		})
	})
	t.Run("from the last change on", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			other := old
			other.AddSampleCount = 3
			rig.answer(other, other, other)
			wait(t, rig, nil)
			syncEndsAt(t, rig.times(http.MethodGet)[3]+15*time.Second, time.Since(rig.began))
		})
	})
	t.Run("a failure settles too", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.SetSyncStatus(syncDataset, syncStep(0, failed))
			status, err := rig.WaitSync(t.Context(), syncAfter(syncStep(0, failed)), nil)
			require.ErrorIs(t, err, modelarts.ErrSyncFailed)
			assert.Equal(t, failed, status.Status)
			syncEndsAt(t, 15*time.Second, time.Since(rig.began))
		})
	})
	for name, between := range map[string]modelarts.SyncStatus{
		"not if there was no task meanwhile":         syncStep(0, notExist),
		"not if it was the task before in between":   syncStep(1, completed),
		"not if another finished one was in between": syncStep(0, failed),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(1)
				rig.answer(old, old, between)
				rig.fake.SetSyncStatus(syncDataset, old)
				_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
				require.NoError(t, err)
				syncEndsAt(t, rig.times(http.MethodGet)[3]+15*time.Second, time.Since(rig.began))
			})
		})
	}
	t.Run("the task before shows again, and the polls do not hurry", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(old)
			rig.fake.SetSyncStatus(syncDataset, syncStep(1, completed))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			_, err := rig.WaitSync(ctx, syncAfter(syncStep(1, completed)), nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			polls := rig.times(http.MethodGet)
			syncEvery(t, polls[:len(polls)-1], time.Second, 30*time.Second)
		})
	})
	t.Run("an outage does not make the polls hurry", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(old)
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502, Times: 20}))
			wait(t, rig, nil)
			syncEvery(t, rig.times(http.MethodGet), time.Second, 30*time.Second)
		})
	})
	t.Run("nor do they when the service asks for a pause", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(old)
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 429, RetryAfter: time.Minute}))
			wait(t, rig, nil)
			polls := rig.times(http.MethodGet)
			assert.Equal(t, polls[1]+time.Minute, polls[2])
			assert.Len(t, polls, 3, "it has stood long enough by then")
		})
	})
}

func TestWaitSyncWithoutATask(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	missing := map[string]struct {
		prepare func(rig *syncRig)
		cause   bool
	}{
		"no task":    {func(*syncRig) {}, false},
		"no dataset": {func(rig *syncRig) { fault := syncOnPoll(syncMissing); fault.Times = -1; rig.fake.Inject(fault) }, true},
	}
	for name, test := range missing {
		t.Run(name+", for ever", func(t *testing.T) {
			t.Parallel()
			tests := map[string]struct {
				opts      *modelarts.WaitOptions
				startedAt time.Duration // against the beginning of the wait
				grace     time.Duration
			}{
				"just started":                 {nil, 0, time.Minute},
				"started a while ago":          {nil, -40 * time.Second, 20 * time.Second},
				"started long ago":             {nil, -time.Hour, 0},
				"started by a clock far ahead": {nil, time.Hour, time.Minute},
				"with more grace":              {&modelarts.WaitOptions{Grace: 10 * time.Minute}, 0, 10 * time.Minute},
				"with no grace":                {&modelarts.WaitOptions{Grace: -1}, 0, 0},
			}
			for name, when := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						rig := newSyncRig(1)
						test.prepare(rig)
						task := syncAfter(syncStep(0, notExist))
						task.StartedAt = task.StartedAt.Add(when.startedAt)
						status, err := rig.WaitSync(t.Context(), task, when.opts)
						require.ErrorIs(t, err, modelarts.ErrNoSyncTask)
						assert.Equal(t, test.cause, errors.Is(err, modelarts.ErrDatasetNotFound))
						require.ErrorContains(t, err, syncDataset)
						assert.Nil(t, status)
						polls := rig.times(http.MethodGet)
						assert.GreaterOrEqual(t, polls[len(polls)-1], when.grace)
						if len(polls) > 1 {
							assert.Less(t, polls[len(polls)-2], when.grace, "the first poll after the grace decides")
						}
						syncEvery(t, polls, time.Second, 30*time.Second)
					})
				})
			}
		})
	}
	t.Run("nothing was started", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			status, err := rig.WaitSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil)
			require.ErrorIs(t, err, modelarts.ErrNoSyncTask)
			assert.Nil(t, status)
			assert.Len(t, rig.times(http.MethodGet), 1)
		})
	})
	t.Run("nothing was started, and there is no dataset", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			_, err := rig.WaitSync(t.Context(), modelarts.SyncTask{DatasetID: "gone"}, nil)
			require.ErrorIs(t, err, modelarts.ErrDatasetNotFound)
			require.NotErrorIs(t, err, modelarts.ErrNoSyncTask)
			assert.Len(t, rig.times(http.MethodGet), 1)
		})
	})
	t.Run("the dataset shows late", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.Inject(syncOnPoll(syncMissing), syncOnPoll(syncMissing))
			rig.fake.SetSyncStatus(syncDataset, syncStep(1, completed))
			_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(0, notExist)), nil)
			require.NoError(t, err)
		})
	})
	t.Run("the service forgets the task", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(syncStep(2, running))
			status, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
			require.ErrorIs(t, err, modelarts.ErrNoSyncTask)
			assert.Equal(t, syncStep(2, running), *status, "the last one seen")
			assert.GreaterOrEqual(t, time.Since(rig.began), time.Minute)
		})
	})
}

func TestWaitSyncFailed(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	detailed := syncStep(2, failed)
	detailed.ErrorCode, detailed.ErrorMsg, detailed.AddSampleCount = "ModelArts.4340", "no valid file\nunder the path", 3
	for name, last := range map[string]modelarts.SyncStatus{
		"with details": detailed, "without details": {Status: failed, DatasetID: syncDataset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(1)
				rig.answer(syncStep(2, running), last)
				status, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
				require.ErrorIs(t, err, modelarts.ErrSyncFailed)
				assert.Equal(t, last, *status)
				var failure *modelarts.SyncFailedError
				require.ErrorAs(t, err, &failure)
				assert.Equal(t, last, *failure.Status)
				assert.Contains(t, err.Error(), last.ErrorCode)
				assert.NotContains(t, err.Error(), "\n")
				var apiErr *modelarts.APIError
				assert.NotErrorAs(t, err, &apiErr, "the task failed, not the call")
			})
		})
	}
	t.Run("made by hand", func(t *testing.T) {
		t.Parallel()
		err := error(&modelarts.SyncFailedError{})
		require.ErrorIs(t, err, modelarts.ErrSyncFailed)
		require.NotErrorIs(t, err, modelarts.ErrNoSyncTask)
		assert.NotEmpty(t, err.Error())
	})
	t.Run("in a log", func(t *testing.T) {
		t.Parallel()
		var text strings.Builder
		logger := slog.New(slog.NewTextHandler(&text, nil))
		logger.Error("sync", "err", &modelarts.SyncFailedError{Status: &detailed})
		for _, part := range []string{
			"err.dataset_id=" + syncDataset, "err.task_id=task-2", "err.code=ModelArts.4340", `err.message="no valid file under the path"`,
		} {
			assert.Contains(t, text.String(), part)
		}
		logger.Error("sync", "err", &modelarts.SyncFailedError{})
		assert.Contains(t, text.String(), "no status")
	})
}

// syncFailures are failures of a poll that pass.
var syncFailures = map[string]func(rig *syncRig, until time.Duration){
	"502":           syncOutage(modelartstest.Fault{Status: 502}),
	"500":           syncOutage(modelartstest.Fault{Status: 500, Code: "ModelArts.0010"}),
	"503":           syncOutage(modelartstest.Fault{Status: 503}),
	"504":           syncOutage(modelartstest.Fault{Status: 504}),
	"408":           syncOutage(modelartstest.Fault{Status: 408}),
	"resets":        syncOutage(modelartstest.Fault{Drop: true}),
	"timeouts":      syncOutage(modelartstest.Fault{Delay: time.Hour}),
	"a page":        syncOutage(modelartstest.Fault{Body: "<html><title>Welcome</title></html>"}),
	"nothing":       syncOutage(modelartstest.Fault{Status: 200}),
	"no status":     syncOutage(modelartstest.Fault{Body: `{"error_code":"ModelArts.0010"}`}),
	"another's":     syncOutage(modelartstest.Fault{Body: `{"status":"COMPLETED","dataset_id":"other"}`}),
	"refused":       syncTrouble(syncRefused()),
	"no such host":  syncTrouble(&net.DNSError{Err: "no such host", Name: "modelarts.test", IsNotFound: true}),
	"DNS is down":   syncTrouble(&net.DNSError{Err: "server misbehaving", Name: "modelarts.test", IsTemporary: true}),
	"a cut network": syncTrouble(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETUNREACH}),
}

// syncOutage lets every poll meet a fault for a while.
func syncOutage(fault modelartstest.Fault) func(*syncRig, time.Duration) {
	return func(rig *syncRig, until time.Duration) {
		fault := syncOnPoll(fault)
		fault.Times = -1
		rig.fake.Inject(fault)
		time.AfterFunc(until, rig.fake.ClearFaults)
	}
}

// syncTrouble keeps every poll from arriving for a while.
func syncTrouble(err error) func(*syncRig, time.Duration) {
	return func(rig *syncRig, until time.Duration) {
		rig.fail(func(*http.Request) error { return err })
		time.AfterFunc(until, func() { rig.fail(nil) })
	}
}

func TestWaitSyncOutages(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, fail := range syncFailures {
		t.Run(name+" for five minutes", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(1)
				rig.fake.SetSyncStatus(syncDataset, syncStep(2, completed))
				fail(rig, 5*time.Minute)
				status, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
				require.NoError(t, err)
				assert.Equal(t, "task-2", status.TaskID)
				assert.GreaterOrEqual(t, time.Since(rig.began), 5*time.Minute)
			})
		})
		t.Run(name+" for longer than patience lasts", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(4)
				rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
				began := time.Now()
				seen := 0
				var last *modelarts.SyncStatus
				var lastErr error
				for status, err := range rig.WatchSync(t.Context(), syncAfter(syncStep(1, completed)), nil) {
					last, lastErr = status, err
					if seen++; seen == 2 {
						fail(rig, 24*time.Hour)
						began = time.Now()
					}
				}
				require.Error(t, lastErr)
				assert.NotContains(t, lastErr.Error(), "\n")
				require.NotErrorIs(t, lastErr, modelarts.ErrSyncFailed)
				assert.Equal(t, 3, seen, "two statuses, and the error with the last one")
				assert.Equal(t, syncStep(2, running), *last)
				// A call takes its time, and the next poll comes up to 30 s later.
				const call = 4*30*time.Second + 20*time.Second
				assert.GreaterOrEqual(t, time.Since(began), 10*time.Minute)
				assert.LessOrEqual(t, time.Since(began), 10*time.Minute+2*call+30*time.Second)
			})
		})
	}
	// What a poll fails of is not yielded, which only a log is told; the loop gets statuses.
	t.Run("the pace is kept", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, completed))
			syncOutage(modelartstest.Fault{Status: 502})(rig, 9*time.Minute)
			_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
			require.NoError(t, err)
			syncEvery(t, rig.times(http.MethodGet), time.Second, 30*time.Second)
		})
	})
	t.Run("without any extra attempt when the client's budget is used up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			greedy := rig.fake.Client(modelarts.WithHTTPClient(&http.Client{Transport: rig}),
				modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 200, MinDelay: 1, MaxDelay: 1}))
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502, Times: -1}))
			_, err := greedy.GetSyncStatus(t.Context(), syncDataset)
			require.ErrorContains(t, err, "budget")
			drained := len(rig.times(http.MethodGet))
			assert.Equal(t, 51, drained)
			rig.fake.ClearFaults()
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502, Times: 8}))
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, completed))
			// Less than a second each, so that no more than the polls themselves are left to come.
			opts := &modelarts.WaitOptions{MinInterval: 100 * time.Millisecond, MaxInterval: 100 * time.Millisecond}
			_, err = greedy.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), opts)
			require.NoError(t, err)
			syncEvery(t, rig.times(http.MethodGet)[drained:], 100*time.Millisecond, 100*time.Millisecond)
		})
	})
	t.Run("patience starts anew after an answer", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			opts := modelarts.WaitOptions{MinInterval: time.Minute, MaxInterval: time.Minute, Patience: 5 * time.Minute}
			outage := syncOnPoll(modelartstest.Fault{Status: 502, Times: 4})
			for range 5 {
				rig.fake.Inject(outage)
				rig.answer(syncStep(2, running))
			}
			rig.answer(syncStep(2, completed))
			_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), &opts)
			require.NoError(t, err)
			assert.Len(t, rig.times(http.MethodGet), 26)
		})
	})
	t.Run("patience begins with the first failure", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			opts := modelarts.WaitOptions{MinInterval: time.Minute, MaxInterval: time.Minute, Patience: 2 * time.Minute}
			rig.answer(syncStep(2, running), syncStep(2, running), syncStep(2, running), syncStep(2, running))
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502, Times: -1}))
			_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), &opts)
			require.Error(t, err)
			polls := rig.times(http.MethodGet)
			first, last := polls[4], polls[len(polls)-1]
			assert.GreaterOrEqual(t, last-first, 2*time.Minute)
			assert.Less(t, polls[len(polls)-2]-first, 2*time.Minute)
		})
	})
	t.Run("no patience", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(syncStep(2, running))
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502}))
			status, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), &modelarts.WaitOptions{Patience: -1})
			var apiErr *modelarts.APIError
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, http.StatusBadGateway, apiErr.StatusCode)
			assert.Equal(t, running, status.Status)
			assert.Len(t, rig.times(http.MethodGet), 2)
		})
	})
}

func TestWaitSyncThrottled(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("the next poll comes no earlier than asked for", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4) // the call itself does not wait that long
			rig.answer(syncStep(2, running))
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 429, RetryAfter: time.Minute}))
			rig.answer(syncStep(2, completed))
			_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
			require.NoError(t, err)
			polls := rig.times(http.MethodGet)
			require.Len(t, polls, 3)
			assert.Equal(t, polls[1]+time.Minute, polls[2])
		})
	})
	t.Run("nor does it after a 503 that asks for it", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 503, RetryAfter: 2 * time.Minute}))
			rig.answer(syncStep(2, completed))
			_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
			require.NoError(t, err)
			assert.Equal(t, []time.Duration{0, 2 * time.Minute}, rig.times(http.MethodGet))
		})
	})
	t.Run("a short request does not make it hurry", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 429, RetryAfter: time.Second, Times: 20}))
			rig.answer(syncStep(2, completed))
			opts := modelarts.WaitOptions{MinInterval: 20 * time.Second, MaxInterval: 20 * time.Second}
			_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), &opts)
			require.NoError(t, err)
			syncEvery(t, rig.times(http.MethodGet), 20*time.Second, 20*time.Second)
		})
	})
	t.Run("it uses up no patience", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			for range 10 {
				rig.fake.Inject(
					syncOnPoll(modelartstest.Fault{Status: 502, Times: 3}),
					syncOnPoll(modelartstest.Fault{Status: 429, RetryAfter: 10 * time.Minute}))
			}
			rig.answer(syncStep(2, completed))
			_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), &modelarts.WaitOptions{Patience: 5 * time.Minute})
			require.NoError(t, err)
			assert.Greater(t, time.Since(rig.began), 100*time.Minute)
		})
	})
	t.Run("not even when there is none", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 429}))
			rig.answer(syncStep(2, completed))
			_, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), &modelarts.WaitOptions{Patience: -1})
			require.NoError(t, err)
		})
	})
	t.Run("nor does the last poll, if that is before the deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 429, RetryAfter: 10 * time.Second}))
			rig.answer(syncStep(2, completed))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+100*time.Millisecond)
			defer cancel()
			_, err := rig.WaitSync(ctx, syncAfter(syncStep(1, completed)), nil)
			require.NoError(t, err)
			assert.Equal(t, []time.Duration{0, 10 * time.Second}, rig.times(http.MethodGet))
		})
	})
	// Nobody is left to come back when the service asks for it, and one request more is little against a
	// task whose end nobody hears of.
	t.Run("one last poll is made where the pause would outlast the deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 429, RetryAfter: time.Hour}))
			rig.answer(syncStep(2, completed))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			_, err := rig.WaitSync(ctx, syncAfter(syncStep(1, completed)), nil)
			require.NoError(t, err)
			assert.Equal(t, []time.Duration{0, 10*time.Minute - 500*time.Millisecond}, rig.times(http.MethodGet))
		})
	})
}

func TestWaitSyncEndsAtOnce(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	tests := map[string]struct {
		fault   modelartstest.Fault
		matches error
	}{
		"401":              {modelartstest.Fault{Status: 401, Code: "APIGW.0301"}, modelarts.ErrUnauthorized},
		"403":              {modelartstest.Fault{Status: 403, Code: "ModelArts.0108"}, modelarts.ErrForbidden},
		"404":              {modelartstest.Fault{Status: 404, Code: "APIGW.0101"}, modelarts.ErrNotFound},
		"another project":  {modelartstest.Fault{Status: 404, Code: "ModelArts.2786"}, modelarts.ErrForbidden},
		"409":              {modelartstest.Fault{Status: 409}, modelarts.ErrConflict},
		"a conflict":       {modelartstest.Fault{Status: 400, Code: "ModelArts.4344"}, modelarts.ErrConflict},
		"a conflict's 401": {modelartstest.Fault{Status: 401, Code: "ModelArts.4713"}, modelarts.ErrConflict},
		"400":              {modelartstest.Fault{Status: 400, Code: "ModelArts.0104"}, nil},
		"501":              {modelartstest.Fault{Status: 501, Code: "ModelArts.4383"}, nil},
		"500 4360":         {modelartstest.Fault{Status: 500, Code: "ModelArts.4360"}, nil},
		"a redirect":       {modelartstest.Fault{Status: 302, Header: http.Header{"Location": {"/login"}}}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(4)
				rig.answer(syncStep(2, running))
				fault := syncOnPoll(test.fault)
				fault.Times = -1
				rig.fake.Inject(fault)
				status, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
				var apiErr *modelarts.APIError
				require.ErrorAs(t, err, &apiErr)
				assert.Equal(t, test.fault.Status, apiErr.StatusCode)
				if test.matches != nil {
					require.ErrorIs(t, err, test.matches)
				}
				assert.Equal(t, syncStep(2, running), *status)
				assert.Len(t, rig.times(http.MethodGet), 2)
			})
		})
	}
	t.Run("before any status was seen", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 403}))
			status, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
			require.ErrorIs(t, err, modelarts.ErrForbidden)
			assert.Nil(t, status)
		})
	})
	t.Run("an id that is refused", func(t *testing.T) {
		t.Parallel()
		rig := newSyncRig(4)
		_, err := rig.WaitSync(t.Context(), modelarts.SyncTask{DatasetID: "..", StartedAt: time.Now()}, nil)
		require.Error(t, err)
		assert.Empty(t, rig.methods())
	})
	t.Run("a finished task, whatever it says later", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.answer(syncStep(2, running), syncStep(2, completed))
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			status, err := rig.WaitSync(t.Context(), syncAfter(syncStep(1, completed)), nil)
			require.NoError(t, err)
			assert.Equal(t, completed, status.Status)
			assert.Len(t, rig.times(http.MethodGet), 2)
		})
	})
	t.Run("a finished task needs one request", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.SetSyncStatus(syncDataset, syncStep(1, completed))
			_, err := rig.WaitSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil)
			require.NoError(t, err)
			assert.Equal(t, "GET", rig.methods())
			assert.Zero(t, time.Since(rig.began))
		})
	})
}

func TestWaitSyncWhenTheContextEnds(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	task := modelarts.SyncTask{DatasetID: syncDataset}
	t.Run("before the first poll", func(t *testing.T) {
		t.Parallel()
		rig := newSyncRig(4)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		status, err := rig.WaitSync(ctx, task, nil)
		require.ErrorIs(t, err, context.Canceled)
		require.NotNil(t, status)
		assert.Equal(t, modelarts.SyncStatus{DatasetID: syncDataset}, *status)
		assert.Empty(t, rig.methods())
	})
	t.Run("the last poll comes just before the deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
			defer cancel()
			time.AfterFunc(99*time.Second, func() { rig.fake.SetSyncStatus(syncDataset, syncStep(2, completed)) })
			status, err := rig.WaitSync(ctx, task, nil)
			require.NoError(t, err, "what the last poll shows counts")
			assert.Equal(t, completed, status.Status)
			assert.GreaterOrEqual(t, time.Since(rig.began), 99*time.Second)
			assert.Less(t, time.Since(rig.began), 100*time.Second)
		})
	})
	t.Run("there is but one last poll", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			status, err := rig.WaitSync(ctx, task, nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, "RUNNING")
			assert.Equal(t, syncStep(2, running), *status)
			assert.Equal(t, []time.Duration{0, 300 * time.Millisecond}, rig.times(http.MethodGet), "a quarter early, if time is short")
			assert.Equal(t, 400*time.Millisecond, time.Since(rig.began))
		})
	})
	t.Run("a limit of one millisecond", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4, syncStep(2, running), syncStep(2, completed))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_, err = rig.WaitSync(ctx, task, nil)
			require.NoError(t, err)
		})
	})
	t.Run("during a pause", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, "PAUSED"))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			status, err := rig.WaitSync(ctx, task, nil)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorContains(t, err, "PAUSED")
			assert.Equal(t, "task-2", status.TaskID)
			assert.Equal(t, 100*time.Millisecond, time.Since(rig.began))
			assert.Len(t, rig.times(http.MethodGet), 1)
		})
	})
	t.Run("during a request", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.answer(syncStep(2, running))
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Delay: time.Hour}))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Second, cancel)
			status, err := rig.WaitSync(ctx, task, nil)
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, syncStep(2, running), *status)
			assert.Equal(t, 5*time.Second, time.Since(rig.began))
		})
	})
	t.Run("after the task before was all that showed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.SetSyncStatus(syncDataset, syncStep(1, completed))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			status, err := rig.WaitSync(ctx, syncAfter(syncStep(1, completed)), nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, modelarts.SyncStatus{DatasetID: syncDataset}, *status, "never the status of another task")
		})
	})
	outage := func(rig *syncRig) {
		rig.answer(syncStep(2, running))
		rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502, Code: "ModelArts.4302", Times: -1}))
	}
	lastFailure := func(t *testing.T, status *modelarts.SyncStatus, err error) {
		t.Helper()
		var apiErr *modelarts.APIError
		require.ErrorAs(t, err, &apiErr, "the last failure")
		assert.Equal(t, "ModelArts.4302", apiErr.Code)
		require.ErrorContains(t, err, "RUNNING")
		assert.NotContains(t, err.Error(), "\n")
		assert.Equal(t, syncStep(2, running), *status)
	}
	t.Run("in an outage", func(t *testing.T) {
		t.Parallel()
		for _, attempts := range []int{1, 4} {
			t.Run(fmt.Sprintf("with %d attempts", attempts), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					rig := newSyncRig(attempts)
					outage(rig)
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
					defer cancel()
					status, err := rig.WaitSync(ctx, task, nil)
					require.ErrorIs(t, err, context.DeadlineExceeded)
					lastFailure(t, status, err)
					assert.Equal(t, 3*time.Minute, time.Since(rig.began))
				})
			})
		}
	})
	t.Run("in an outage, by cancellation", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			outage(rig)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Minute, cancel)
			status, err := rig.WaitSync(ctx, task, nil)
			require.ErrorIs(t, err, context.Canceled)
			lastFailure(t, status, err)
		})
	})
	t.Run("in an outage, during a request", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(syncStep(2, running))
			rig.fake.Inject(
				syncOnPoll(modelartstest.Fault{Status: 502, Code: "ModelArts.4302"}),
				syncOnPoll(modelartstest.Fault{Delay: 20 * time.Second, Status: 502, Times: -1}))
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			status, err := rig.WaitSync(ctx, task, nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			lastFailure(t, status, err)
		})
	})
	t.Run("an outage that is over is not told of", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502}))
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := rig.WaitSync(ctx, task, nil)
			var apiErr *modelarts.APIError
			assert.NotErrorAs(t, err, &apiErr)
		})
	})
}

func TestWatchSync(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("every poll of its task and nothing else", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(syncStep(0, notExist), syncStep(1, completed), syncStep(2, queuing), syncStep(2, running))
			rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502}), syncOnPoll(modelartstest.Fault{Status: 429}))
			rig.answer(syncStep(2, running), syncStep(1, completed), syncStep(2, running), syncStep(2, failed))
			var states []modelarts.SyncState
			var lastErr error
			for status, err := range rig.WatchSync(t.Context(), syncAfter(syncStep(1, completed)), nil) {
				require.NoError(t, lastErr, "an error comes last")
				assert.Equal(t, "task-2", status.TaskID)
				states, lastErr = append(states, status.Status), err
			}
			assert.Equal(t, []modelarts.SyncState{queuing, running, running, running, failed}, states)
			require.ErrorIs(t, lastErr, modelarts.ErrSyncFailed)
			assert.Len(t, rig.times(http.MethodGet), 10)
		})
	})
	t.Run("a status is the caller's to keep", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(syncStep(2, queuing), syncStep(2, running), syncStep(2, completed))
			var kept []*modelarts.SyncStatus
			for status, err := range rig.WatchSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil) {
				require.NoError(t, err)
				kept = append(kept, status)
			}
			assert.Equal(t, queuing, kept[0].Status)
			assert.Equal(t, running, kept[1].Status)
			assert.Equal(t, completed, kept[2].Status)
		})
	})
	t.Run("nothing is sent before the loop, and a second loop is a second wait", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, completed))
			watch := rig.WatchSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil)
			assert.Empty(t, rig.methods())
			for range 2 {
				for status, err := range watch {
					require.NoError(t, err)
					assert.Equal(t, completed, status.Status)
				}
			}
			assert.Equal(t, "GET GET", rig.methods())
		})
	})
	t.Run("breaking out leaves nothing behind", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { // which fails when a goroutine is left
			rig := newSyncRig(1)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			polls := 0
			for _, err := range rig.WatchSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil) {
				require.NoError(t, err)
				if polls++; polls == 3 {
					break
				}
			}
			time.Sleep(time.Hour)
			assert.Len(t, rig.times(http.MethodGet), 3)
		})
	})
	t.Run("a panic passes through", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			assert.PanicsWithValue(t, "no", func() {
				for _, err := range rig.WatchSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil) {
					require.NoError(t, err)
					panic("no")
				}
			})
			_, err := rig.GetSyncStatus(t.Context(), syncDataset)
			require.NoError(t, err)
		})
	})
	t.Run("the client can be used inside the loop", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(syncStep(2, running), syncStep(2, running), syncStep(2, running), syncStep(2, completed))
			for _, err := range rig.WatchSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil) {
				require.NoError(t, err)
				_, err = rig.GetDataset(t.Context(), syncDataset)
				require.NoError(t, err)
			}
		})
	})
	t.Run("a loop that takes its time delays its own polls only", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.answer(syncStep(2, running), syncStep(2, completed))
			other := make(chan error)
			for status, err := range rig.WatchSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil) {
				require.NoError(t, err)
				if status.Status == running {
					go func() {
						_, err := rig.WaitSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil)
						other <- err
					}()
					require.NoError(t, <-other)
					assert.Zero(t, time.Since(rig.began))
					rig.answer(syncStep(2, completed))
					time.Sleep(time.Hour)
				}
			}
			polls := rig.times(http.MethodGet)
			require.Len(t, polls, 3)
			assert.Greater(t, polls[2], time.Hour, "the pause begins when the loop has done its work")
		})
	})
	t.Run("the caller may end it from inside the loop", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.SetSyncStatus(syncDataset, syncStep(2, running))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pairs := 0
			var lastErr error
			for status, err := range rig.WatchSync(ctx, modelarts.SyncTask{DatasetID: syncDataset}, nil) {
				assert.Equal(t, syncStep(2, running), *status)
				pairs++
				lastErr = err
				cancel()
			}
			require.ErrorIs(t, lastErr, context.Canceled)
			assert.Equal(t, 2, pairs)
			assert.Zero(t, time.Since(rig.began))
		})
	})
}

// syncGoroutine names the goroutine that it is called in.
func syncGoroutine() string {
	var stack [64]byte
	name, _, _ := strings.Cut(string(stack[:runtime.Stack(stack[:], false)]), " [")
	return name
}

func TestWaitSyncRunsInItsCaller(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which fails when a goroutine is left
		rig := newSyncRig(4)
		caller := syncGoroutine()
		rig.fail(func(*http.Request) error {
			assert.Equal(t, caller, syncGoroutine())
			return nil
		})
		rig.fake.Inject(syncOnPoll(modelartstest.Fault{Status: 502, Times: 3}))
		_, err := rig.Sync(t.Context(), syncDataset, nil)
		require.NoError(t, err)
		assert.Len(t, rig.times(http.MethodGet), 7)
	})
}
