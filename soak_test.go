package modelarts_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

var soakFor = flag.Duration("soak", 0, "run TestSoak for about this long, with 2,000 waiters; 2m is a good time")

// TestSoak synchronizes many datasets at once, over TLS, from a service in its worst mood: it throttles,
// resets connections before and after it has done what was asked, is slow, revokes tokens, and its clock
// jumps. Every wait has to end with the right status, and every start has to happen exactly once.
func TestSoak(t *testing.T) {
	noLeaks(t)
	before := soakFootprint()
	s := soak(t)
	after := soakFootprint() // the fake and the clients are gone
	for range 1000 {
		if after.goroutines <= before.goroutines {
			break
		}
		time.Sleep(10 * time.Millisecond)
		after = soakFootprint()
	}
	t.Logf("%d waiters, %v, %d requests, %d of them spoiled; goroutines %d before, %d after; heap %d KiB before, %d KiB after",
		s.waiters, s.took.Round(100*time.Millisecond), s.requests, s.spoiled,
		before.goroutines, after.goroutines, before.heap>>10, after.heap>>10)
	assert.LessOrEqual(t, after.goroutines, before.goroutines)
	assert.NotZero(t, s.spoiled)
	// The runtime keeps the descriptors of goroutines that have ended, half a kilobyte each, and every waiter
	// had some for itself, its connections and both their ends.
	slack := uint64(1<<20 + s.waiters*4<<10)
	assert.Less(t, after.heap, before.heap+slack)
}

// A soaking is what a soak was.
type soaking struct {
	waiters           int
	took              time.Duration
	requests, spoiled int64
}

func soak(t *testing.T) soaking {
	t.Helper()
	waiters, polls, options := 150, 8, modelarts.WaitOptions{MinInterval: 50 * time.Millisecond, MaxInterval: 200 * time.Millisecond}
	moods, spread := 3*time.Second, time.Second
	if *soakFor > 0 {
		options = modelarts.WaitOptions{MinInterval: time.Second, MaxInterval: 6 * time.Second}
		waiters, polls, moods = 2000, max(1, int(*soakFor/(4500*time.Millisecond))), 10*time.Second
		spread = 20 * time.Second
	}

	fake := modelartstest.New()
	fake.SetRecording(false)
	iam := modelartstest.NewIAM(fake)
	iam.SetRecording(false)
	for i := range waiters {
		plan := make([]modelarts.SyncStatus, 0, polls+1)
		for range polls {
			plan = append(plan, modelarts.SyncStatus{Status: modelarts.SyncRunning})
		}
		fake.AddDataset(modelarts.Dataset{ID: soakDataset(i)}, append(plan, modelarts.SyncStatus{Status: soakEnd(i)})...)
		fake.SetSyncStatus(soakDataset(i), modelarts.SyncStatus{TaskID: "yesterday", Status: modelarts.SyncCompleted, CreateTime: 1})
	}
	mood := &soakService{service: fake, identity: iam}
	server := httptest.NewTLSServer(mood)
	stopMoods := make(chan struct{})
	var background sync.WaitGroup
	background.Go(func() {
		ticker := time.NewTicker(moods)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-ticker.C:
				if i%2 == 0 {
					iam.RevokeIssued()
				} else {
					fake.SetClockOffset(time.Duration(rand.IntN(5)-2) * 20 * time.Minute)
				}
			case <-stopMoods:
				return
			}
		}
	})

	hc := server.Client()
	transport, ok := hc.Transport.(*http.Transport)
	require.True(t, ok)
	transport.MaxIdleConnsPerHost = 512
	// A tenth of all attempts fails, and among so many calls some have no luck four times in a row.
	stubborn := modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 12, MaxDelay: 2 * time.Second})
	identity, err := modelarts.NewIAM(server.URL+"/iam", modelarts.WithHTTPClient(hc), stubborn)
	require.NoError(t, err)
	clients := make([]*modelarts.Client, 0, 2)
	for _, auth := range []modelarts.Authenticator{
		modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey}),
		identity.PasswordAuth(modelarts.PasswordLogin{
			DomainName: modelartstest.DomainName, UserName: modelartstest.UserName, Password: modelartstest.Password,
			ProjectID: modelartstest.ProjectID,
		}),
	} {
		client, err := modelarts.NewClient(server.URL, modelartstest.ProjectID, auth, modelarts.WithHTTPClient(hc), stubborn)
		require.NoError(t, err)
		clients = append(clients, client)
	}

	began := time.Now()
	var group sync.WaitGroup
	for i := range waiters {
		group.Go(func() {
			// Not all at once: a thousand starts in the same instant are another test.
			time.Sleep(rand.N(spread))
			status, err := clients[i%len(clients)].Sync(t.Context(), soakDataset(i), &options)
			var failed *modelarts.SyncFailedError
			if soakEnd(i) == modelarts.SyncFailed && assert.ErrorAs(t, err, &failed) {
				err = nil
			}
			if assert.NoError(t, err) && assert.NotNil(t, status) {
				assert.Equal(t, soakEnd(i), status.Status)
				assert.Equal(t, soakDataset(i)+"_00000001", status.TaskID, "started exactly once")
			}
		})
	}
	group.Wait()
	close(stopMoods)
	background.Wait()
	took := time.Since(began)
	hc.CloseIdleConnections()
	server.Close()

	return soaking{waiters, took, mood.requests.Load(), mood.spoiled.Load()}
}

func soakDataset(i int) string { return fmt.Sprintf("dataset%05d", i) }

func soakEnd(i int) modelarts.SyncState {
	if i%3 == 0 {
		return modelarts.SyncFailed
	}
	return modelarts.SyncCompleted
}

type soakSize struct {
	goroutines int
	heap       uint64
}

func soakFootprint() soakSize {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return soakSize{runtime.NumGoroutine(), m.HeapAlloc}
}

// A soakService spoils a part of what it is asked for.
type soakService struct {
	service, identity http.Handler
	requests, spoiled atomic.Int64
}

func (s *soakService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	next := s.service
	if strings.HasPrefix(r.URL.Path, "/iam/") {
		next = http.StripPrefix("/iam", s.identity)
	}
	const spoil = 40
	switch rand.IntN(spoil) {
	case 0:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case 1:
		soakReset(w)
	case 2:
		lost := httptest.NewRecorder()
		next.ServeHTTP(lost, r) // it is done, and nobody hears of it
		soakReset(w)
	case 3:
		time.Sleep(rand.N(200 * time.Millisecond))
		next.ServeHTTP(w, r)
		return
	case 4:
		w.WriteHeader(http.StatusBadGateway)
	default:
		next.ServeHTTP(w, r)
		return
	}
	s.spoiled.Add(1)
}

// soakReset ends the connection without an answer.
func soakReset(w http.ResponseWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(errors.Join(http.ErrAbortHandler, err))
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
