package modelarts_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

// syncChance is a transport whose requests and answers take a random while, and which hides the order of
// goroutines that way.
type syncChance struct {
	next  http.RoundTripper
	mu    sync.Mutex
	rand  *rand.Rand
	login time.Time // when the last one was asked for
}

func (c *syncChance) sinceLogin() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.login)
}

func (c *syncChance) dawdle() {
	c.mu.Lock()
	took := time.Duration(c.rand.Int64N(int64(2 * time.Second)))
	c.mu.Unlock()
	time.Sleep(took)
}

// RoundTrip passes a request on.
func (c *syncChance) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/auth/tokens") {
		c.mu.Lock()
		c.login = time.Now()
		c.mu.Unlock()
	}
	c.dawdle()
	resp, err := c.next.RoundTrip(req)
	c.dawdle()
	return resp, err
}

// TestSyncsOfEveryKind synchronizes datasets through faults, delays and renewals that are drawn by lot. However
// they fall together, each dataset is started once, its end is told once, and each token is fetched once.
func TestSyncsOfEveryKind(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for seed := range uint64(100) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { syncByLot(t, rand.New(rand.NewPCG(seed, seed))) })
		})
	}
}

func syncByLot(t *testing.T, lot *rand.Rand) {
	t.Helper()
	const datasets, lifetime = 3, 20 * time.Minute
	upTo := func(d time.Duration) time.Duration { return time.Duration(lot.Int64N(int64(d) + 1)) }
	fake := modelartstest.New()
	iam := modelartstest.NewIAM(fake)
	iam.SetTokenLifetime(lifetime)
	if lot.IntN(2) == 0 {
		fake.SetRegistrationDelay(upTo(30 * time.Second))
	}
	ends := make([]modelarts.SyncState, datasets)
	for i := range ends {
		ends[i] = []modelarts.SyncState{completed, failed}[lot.IntN(2)]
		plan := []modelarts.SyncStatus{{Status: queuing}}
		for range lot.IntN(100) {
			plan = append(plan, modelarts.SyncStatus{Status: []modelarts.SyncState{running, running, queuing, "PAUSED"}[lot.IntN(4)]})
		}
		fake.AddDataset(modelarts.Dataset{ID: soakDataset(i)}, append(plan, modelarts.SyncStatus{Status: ends[i]})...)
		if lot.IntN(3) > 0 {
			fake.SetSyncStatus(soakDataset(i), modelarts.SyncStatus{
				TaskID: "yesterday", Status: []modelarts.SyncState{completed, failed}[lot.IntN(2)], CreateTime: 1,
			})
		}
		for range lot.IntN(5) {
			fault := []modelartstest.Fault{
				{Status: 429}, {Status: 429, RetryAfter: upTo(10 * time.Second)}, {Status: 500}, {Status: 502}, {Status: 503, RetryAfter: time.Second},
				{Status: 504}, {Status: 408}, {Drop: true}, {Delay: time.Minute}, {Delay: 5 * time.Second},
			}[lot.IntN(10)]
			fault.Path = soakDataset(i) + []string{syncStartPath, syncStatusPath}[lot.IntN(2)]
			// A throttled request is not served.
			fault.After = fault.Status != http.StatusTooManyRequests && lot.IntN(2) == 0
			time.AfterFunc(upTo(20*time.Second), func() { fake.Inject(fault) })
		}
	}
	transport := &syncChance{next: fake.HTTPClient().Transport, rand: rand.New(rand.NewPCG(lot.Uint64(), 0))}
	revoked := 0
	stop := make(chan struct{})
	gaps := make([]time.Duration, 20)
	for i := range gaps {
		gaps[i] = 12*time.Minute + upTo(20*time.Minute) // so that no call meets two of them
	}
	var revoking sync.WaitGroup
	revoking.Go(func() {
		for _, gap := range gaps {
			select {
			case <-time.After(gap):
				// A call that meets the end of two tokens is refused, as it should be.
				for transport.sinceLogin() < 10*time.Second {
					time.Sleep(time.Second)
				}
				iam.RevokeIssued()
				revoked++
			case <-stop:
				return
			}
		}
	})
	hc := modelarts.WithHTTPClient(&http.Client{Transport: transport})
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, credPassword(t, fake, hc),
		hc, modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 6}))
	require.NoError(t, err)

	began := time.Now()
	var group sync.WaitGroup
	for i, end := range ends {
		time.Sleep(upTo(time.Second))
		group.Go(func() {
			task, err := client.StartSync(t.Context(), soakDataset(i))
			told := 0
			if assert.NoError(t, err) {
				for status, err := range client.WatchSync(t.Context(), task, nil) {
					assert.Zero(t, told, "nothing comes after the end")
					assert.Equal(t, soakDataset(i)+"_00000001", status.TaskID, "started once")
					if status.Status.Finished() {
						told++
						assert.Equal(t, end, status.Status)
					}
					assert.Equal(t, status.Status == failed, errors.Is(err, modelarts.ErrSyncFailed))
					assert.True(t, err == nil || status.Status == failed, err)
				}
			}
			assert.Equal(t, 1, told, "the end is told once")
		})
	}
	group.Wait()
	took := time.Since(began)
	close(stop)
	revoking.Wait()
	logins := len(iam.Requests())
	// A tenth of its life before its end a token is renewed.
	assert.LessOrEqual(t, logins, 1+revoked+int(took/(lifetime-lifetime/10)))
	time.Sleep(time.Minute) // until all faults have come
}

// syncRaceEnabled reports whether the race detector is on, which has a memory of its own.
func syncRaceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
