package modelarts_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// syncCrowd is how many waiters share one client.
const syncCrowd = 10_000

// syncMemory is what is in use after everything unused is gone.
func syncMemory() (heap, stacks uint64) {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // the first one only empties the pools
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc, stats.StackInuse
}

// A syncService answers polls as lightly as can be, and counts them by the second.
type syncService struct {
	mu     sync.Mutex
	status string
	polls  map[int64]int
}

func (s *syncService) set(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// RoundTrip makes the service its clients' transport.
func (s *syncService) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls[time.Now().Unix()]++
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(s.status)), ContentLength: int64(len(s.status)), Request: req,
	}, nil
}

func newSyncService(t *testing.T) (*syncService, *modelarts.Client) {
	t.Helper()
	service := &syncService{polls: make(map[int64]int)}
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, modelarts.TokenAuth(modelartstest.Token),
		modelarts.WithHTTPClient(&http.Client{Transport: service}))
	require.NoError(t, err)
	return service, client
}

// TestTenThousandWaiters holds them on one client, through a plan, to its end. It is not parallel, since it
// measures memory.
func TestTenThousandWaiters(t *testing.T) {
	noLeaks(t)
	synctest.Test(t, func(t *testing.T) { // which fails when a goroutine is left
		service, client := newSyncService(t)
		service.set(`{"status":"COMPLETED","task_id":"task-1","create_time":1605690595404}`)
		task, err := client.StartSync(t.Context(), syncDataset)
		require.NoError(t, err)
		service.set(`{"status":"QUEUING","task_id":"task-2","create_time":1605690596404}`)

		heapBefore, stacksBefore := syncMemory()
		goroutines := runtime.NumGoroutine()
		began := time.Now()
		opts := &modelarts.WaitOptions{MinInterval: 30 * time.Second}
		var wg sync.WaitGroup
		var finished atomic.Int64
		for range syncCrowd {
			wg.Go(func() {
				status, err := client.WaitSync(t.Context(), task, opts)
				if err == nil && status.TaskID == "task-2" && status.Status == modelarts.SyncCompleted {
					finished.Add(1)
				}
			})
		}
		time.Sleep(14 * time.Second) // all have polled once, and are parked
		synctest.Wait()
		heap, stacks := syncMemory()
		assert.Equal(t, goroutines+syncCrowd, runtime.NumGoroutine(), "the callers, and nobody else")
		each := (float64(heap) - float64(heapBefore)) / syncCrowd
		t.Logf("a parked waiter: %.0f bytes of heap, %.0f of stack", each, (float64(stacks)-float64(stacksBefore))/syncCrowd)
		if !syncRaceEnabled() {
			assert.LessOrEqual(t, each, 2048.0, "bytes of heap for a parked waiter")
		}

		service.set(`{"status":"RUNNING","task_id":"task-2","create_time":1605690596404}`)
		time.Sleep(17 * time.Second)
		assert.Zero(t, finished.Load())
		service.set(`{"status":"COMPLETED","task_id":"task-2","create_time":1605690596404}`)
		wg.Wait()
		assert.EqualValues(t, syncCrowd, finished.Load())
		assert.LessOrEqual(t, time.Since(began), 61*time.Second, "none sleeps longer than the longest interval")

		// The first polls come at once; the next ones spread over 15 s. No limiter holds them: the service says
		// itself when it has had enough, and a client cannot know what is left for it.
		most := 0
		for second, polls := range service.polls {
			if second > began.Unix()+1 {
				most = max(most, polls)
			}
		}
		t.Logf("at most %d polls in one second", most)
		assert.Positive(t, most)
		assert.Less(t, most, syncCrowd/10, "they do not march in step")
	})
}

// TestWaitersAreCancelled ends many waits at one moment.
func TestWaitersAreCancelled(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which fails when a goroutine is left
		const waiters = 1000
		service, client := newSyncService(t)
		service.set(`{"status":"RUNNING","task_id":"task-2"}`)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		began := time.Now()
		var wg sync.WaitGroup
		var told atomic.Int64
		for range waiters {
			wg.Go(func() {
				status, err := client.WaitSync(ctx, modelarts.SyncTask{DatasetID: syncDataset}, nil)
				if errors.Is(err, context.Canceled) && status != nil && status.TaskID == "task-2" {
					told.Add(1)
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, waiters, told.Load())
		assert.Equal(t, 10*time.Second, time.Since(began))
	})
}

// TestManySyncs synchronizes many datasets at once through a service that fails a lot.
func TestManySyncs(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const datasets = 50
		fake := modelartstest.New()
		for i := range datasets {
			id := fmt.Sprintf("dataset-%d", i)
			fake.AddDataset(modelarts.Dataset{ID: id})
			fake.SetSyncStatus(id, modelarts.SyncStatus{TaskID: "task-1", Status: modelarts.SyncFailed, CreateTime: 1})
		}
		fake.SetRegistrationDelay(2 * time.Second)
		for range datasets / 5 {
			fake.Inject(
				modelartstest.Fault{Method: http.MethodGet, Status: 502}, modelartstest.Fault{},
				modelartstest.Fault{Method: http.MethodPost, Status: 504, After: true},
				modelartstest.Fault{Method: http.MethodGet, Drop: true}, modelartstest.Fault{},
			)
		}
		client := fake.Client()
		var wg sync.WaitGroup
		for i := range datasets {
			wg.Go(func() {
				status, err := client.Sync(t.Context(), fmt.Sprintf("dataset-%d", i), nil)
				if assert.NoError(t, err) {
					assert.Equal(t, modelarts.SyncCompleted, status.Status)
				}
			})
		}
		wg.Wait()
		posts := make(map[string]int)
		for _, request := range fake.Requests() {
			if request.Method == http.MethodPost {
				posts[request.Path]++
			}
		}
		assert.Len(t, posts, datasets)
		for path, count := range posts {
			assert.Equal(t, 1, count, strings.TrimSuffix(path, syncStartPath))
		}
	})
}

// syncRaceEnabled reports whether the race detector is on, which has a memory of its own.
func syncRaceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
