package modelarts_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

const (
	syncDataset    = "gfghHSokody6AJigS5A"
	syncStatusPath = "/sync-data/status"
	syncStartPath  = "/sync-data"
)

// A syncCall is a request that left the client.
type syncCall struct {
	method string
	poll   bool          // it asked for a status
	at     time.Duration // since the rig was made
}

// A syncRig is a client of the fake, with a record of when it sent what.
type syncRig struct {
	*modelarts.Client
	fake  *modelartstest.Server
	began time.Time

	mu     sync.Mutex
	calls  []syncCall
	before func(req *http.Request) error // fails requests on their way, if it is set
}

// newSyncRig makes a rig with one dataset, which goes through plan. Each call of its client has as many
// attempts.
func newSyncRig(attempts int, plan ...modelarts.SyncStatus) *syncRig {
	rig := &syncRig{fake: modelartstest.New(), began: time.Now()}
	rig.fake.AddDataset(modelarts.Dataset{ID: syncDataset, Name: "cats"}, plan...)
	rig.Client = rig.fake.Client(
		modelarts.WithHTTPClient(&http.Client{Transport: rig}),
		modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: attempts}),
	)
	return rig
}

// RoundTrip makes a rig its client's transport.
func (r *syncRig) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.calls = append(r.calls, syncCall{
		method: req.Method, poll: strings.HasSuffix(req.URL.Path, syncStatusPath), at: time.Since(r.began),
	})
	before := r.before
	r.mu.Unlock()
	if before != nil {
		if err := before(req); err != nil {
			return nil, err
		}
	}
	return r.fake.HTTPClient().Transport.RoundTrip(req)
}

func (r *syncRig) fail(before func(req *http.Request) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = before
}

// times returns when requests with this method were sent.
func (r *syncRig) times(method string) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var times []time.Duration
	for _, call := range r.calls {
		if call.method == method {
			times = append(times, call.at)
		}
	}
	return times
}

// methods returns the order of reads and posts, such as "GET POST GET".
func (r *syncRig) methods() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var methods []string
	for _, call := range r.calls {
		methods = append(methods, call.method)
	}
	return strings.Join(methods, " ")
}

// answer lets the next polls meet these statuses instead of the service's own.
func (r *syncRig) answer(statuses ...modelarts.SyncStatus) {
	for _, status := range statuses {
		r.fake.Inject(syncStatusAnswer(status))
	}
}

func syncStatusAnswer(status modelarts.SyncStatus) modelartstest.Fault {
	body, err := json.Marshal(status)
	if err != nil {
		panic(err) // cannot happen: it is strings and numbers
	}
	return modelartstest.Fault{Path: syncStatusPath, Body: string(body)}
}

func syncRefused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

var (
	syncYesterday = modelarts.SyncStatus{TaskID: "task-1", Status: modelarts.SyncCompleted, CreateTime: 1605690595404}
	syncMissing   = modelartstest.Fault{Status: 400, Code: "ModelArts.4352", Message: "Dataset does not exist"}
)

// on returns the fault for the requests of one kind.
func syncOn(method, path string, fault modelartstest.Fault) modelartstest.Fault {
	fault.Method, fault.Path = method, path
	return fault
}

func syncOnPost(fault modelartstest.Fault) modelartstest.Fault {
	return syncOn(http.MethodPost, syncStartPath, fault)
}

func syncOnPoll(fault modelartstest.Fault) modelartstest.Fault {
	return syncOn(http.MethodGet, syncStatusPath, fault)
}

func TestStartSyncRemembersWhatWasThereBefore(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	tests := map[string]struct {
		prepare func(rig *syncRig)
		want    modelarts.SyncTask
	}{
		"never synchronized": {
			prepare: func(*syncRig) {},
			want:    modelarts.SyncTask{PreviousStatus: modelarts.SyncNotExist},
		},
		"a finished task": {
			prepare: func(rig *syncRig) { rig.fake.SetSyncStatus(syncDataset, syncYesterday) },
			want: modelarts.SyncTask{
				PreviousTaskID: "task-1", PreviousCreateTime: 1605690595404, PreviousStatus: modelarts.SyncCompleted,
			},
		},
		"a finished task of which only the state is told": {
			prepare: func(rig *syncRig) {
				rig.fake.SetSparse(true)
				rig.fake.SetSyncStatus(syncDataset, syncYesterday)
			},
			want: modelarts.SyncTask{PreviousStatus: modelarts.SyncCompleted},
		},
		"the dataset is missing, but the start is accepted": {
			prepare: func(rig *syncRig) { rig.fake.Inject(syncOnPoll(syncMissing)) },
			want:    modelarts.SyncTask{PreviousStatus: modelarts.SyncNotExist},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(4)
				test.prepare(rig)
				task, err := rig.StartSync(t.Context(), syncDataset)
				require.NoError(t, err)
				assert.Equal(t, "GET POST", rig.methods())
				test.want.DatasetID, test.want.StartedAt = syncDataset, time.Now().UTC().Round(0)
				assert.Equal(t, test.want, task)
			})
		})
	}
}

func TestStartSyncPostsNothingAfterAFailedRead(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	tests := map[string]struct {
		fault   modelartstest.Fault
		matches error
	}{
		"401":                {modelartstest.Fault{Status: 401, Code: "APIGW.0301"}, modelarts.ErrUnauthorized},
		"403":                {modelartstest.Fault{Status: 403, Code: "ModelArts.0108"}, modelarts.ErrForbidden},
		"an unknown API":     {modelartstest.Fault{Status: 404, Code: "APIGW.0101"}, modelarts.ErrNotFound},
		"another's project":  {modelartstest.Fault{Status: 404, Code: "ModelArts.2786"}, modelarts.ErrNotFound},
		"a proxy's 404":      {modelartstest.Fault{Status: 404, Body: "<html>not here</html>"}, modelarts.ErrNotFound},
		"an outage":          {modelartstest.Fault{Status: 502, Times: -1}, nil},
		"an unreadable 200":  {modelartstest.Fault{Status: 200, Body: "<html>welcome</html>"}, nil},
		"an empty 200":       {modelartstest.Fault{Status: 200}, nil},
		"another's status":   {modelartstest.Fault{Body: `{"status":"COMPLETED","dataset_id":"other"}`}, nil},
		"connections reset":  {modelartstest.Fault{Drop: true, Times: -1}, syscall.ECONNRESET},
		"throttled too long": {modelartstest.Fault{Status: 429, RetryAfter: time.Hour}, modelarts.ErrThrottled},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(2)
				rig.fake.Inject(syncOnPoll(test.fault))
				task, err := rig.StartSync(t.Context(), syncDataset)
				require.Error(t, err)
				if test.matches != nil {
					require.ErrorIs(t, err, test.matches)
				}
				require.NotErrorIs(t, err, modelarts.ErrStartUnknown)
				assert.Empty(t, rig.times(http.MethodPost))
				assert.Equal(t, modelarts.SyncTask{DatasetID: syncDataset}, task)
			})
		})
	}
	t.Run("nothing at all is sent for an id that is refused", func(t *testing.T) {
		t.Parallel()
		rig := newSyncRig(4)
		for _, id := range []string{"", "..", "a/b", "a%2fb"} {
			task, err := rig.StartSync(t.Context(), id)
			require.Error(t, err)
			assert.Equal(t, modelarts.SyncTask{DatasetID: id}, task)
		}
		assert.Empty(t, rig.methods())
	})
	t.Run("nothing at all is sent when the context has ended", func(t *testing.T) {
		t.Parallel()
		rig := newSyncRig(4)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := rig.StartSync(ctx, syncDataset)
		require.ErrorIs(t, err, context.Canceled)
		assert.Empty(t, rig.methods())
	})
}

// TestStartSyncOnTheWire reads the bytes of the POST.
func TestStartSyncOnTheWire(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { assert.NoError(t, listener.Close()) }()
	posted := make(chan string, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go syncServe(conn, posted)
		}
	}()
	client, err := modelarts.NewClient("http://"+listener.Addr().String(), modelartstest.ProjectID,
		modelarts.TokenAuth(modelartstest.Token), modelarts.WithHTTPClient(&http.Client{Transport: &http.Transport{}}))
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	_, err = client.StartSync(t.Context(), syncDataset)
	require.NoError(t, err, "a 2xx is a start, even when the connection breaks right after its header")

	head, body, _ := strings.Cut(<-posted, "\r\n\r\n")
	assert.Empty(t, body)
	lines := strings.Split(head, "\r\n")
	assert.Equal(t, "POST /v2/"+modelartstest.ProjectID+"/datasets/"+syncDataset+"/sync-data HTTP/1.1", lines[0])
	assert.Contains(t, lines, "Content-Length: 0")
	assert.Contains(t, lines, "Content-Type: application/json")
	assert.Contains(t, lines, "X-Project-Id: "+modelartstest.ProjectID)
	assert.NotContains(t, strings.ToLower(head), "idempotency-key", "net/http would repeat such a POST by itself")
	assert.NotContains(t, strings.ToLower(head), "transfer-encoding")
}

// syncServe answers one connection: reads with a status, and a POST with a header that promises more than
// comes.
func syncServe(conn net.Conn, posted chan<- string) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for {
		var head strings.Builder
		for {
			line, err := reader.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			if line == "\r\n" {
				break
			}
		}
		if strings.HasPrefix(head.String(), "POST ") {
			posted <- head.String()
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n"+`{"status":"NOT_EXIST"}`)
	}
}

func TestStartSyncTakesAnySuccess(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	tests := map[string]modelartstest.Fault{
		"200 without a body":         {Status: 200},
		"200 with {}":                {Status: 200, Body: "{}"},
		"200 with null":              {Status: 200, Body: "null"},
		"200 with text":              {Status: 200, Body: "OK"},
		"200 with a page":            {Status: 200, Body: "<html><title>hello</title></html>"},
		"200 with broken JSON":       {Status: 200, Body: `{"task_id":`},
		"200 with an error code":     {Status: 200, Code: "ModelArts.0000", Message: "ok"},
		"200 with a body cut short":  {Status: 200, Body: "{", Header: http.Header{"Content-Length": {"100"}}},
		"200 in an odd encoding":     {Status: 200, Body: "xyz", Header: http.Header{"Content-Encoding": {"br"}}},
		"200 with two million bytes": {Status: 200, Body: strings.Repeat("x", 2_000_000)},
		"201":                        {Status: 201, Body: "{}"},
		"202":                        {Status: 202},
		"204":                        {Status: 204},
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(4)
				rig.fake.Inject(syncOnPost(fault))
				_, err := rig.StartSync(t.Context(), syncDataset)
				require.NoError(t, err)
				assert.Equal(t, "GET POST", rig.methods())
				assert.Zero(t, time.Since(rig.began))
			})
		})
	}
}

// TestStartSyncIsMadeOnce goes through all that can leave the outcome of a POST unknown.
func TestStartSyncIsMadeOnce(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	unknown := map[string]modelartstest.Fault{
		"a timeout":          {Delay: time.Hour},
		"a reset":            {Drop: true},
		"408":                {Status: 408},
		"500":                {Status: 500, Code: "ModelArts.0010"},
		"500 without a code": {Status: 500},
		"502":                {Status: 502, Body: "<html>bad gateway</html>"},
		"503":                {Status: 503},
		"504":                {Status: 504, Code: "ModelArts.4503"},
	}
	for name, fault := range unknown {
		for _, attempts := range []int{1, 4} {
			policy := map[int]string{1: ", without retries", 4: ", with retries"}[attempts]
			t.Run(name+policy, func(t *testing.T) {
				t.Parallel()
				// The timeout is that of one attempt.
				var lost time.Duration
				if fault.Delay > 0 {
					lost = 30 * time.Second
				}
				t.Run("started after all", func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						rig := newSyncRig(attempts)
						rig.fake.SetSyncStatus(syncDataset, syncYesterday)
						fault := syncOnPost(fault)
						fault.After = true
						rig.fake.Inject(fault)
						task, err := rig.StartSync(t.Context(), syncDataset)
						require.NoError(t, err)
						assert.Equal(t, "GET POST GET", rig.methods())
						assert.Equal(t, lost+time.Second, time.Since(rig.began))
						status, err := rig.WaitSync(t.Context(), task, nil)
						require.NoError(t, err)
						assert.NotEqual(t, "task-1", status.TaskID)
						assert.Len(t, rig.times(http.MethodPost), 1)
					})
				})
				t.Run("not started", func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						rig := newSyncRig(attempts)
						rig.fake.SetSyncStatus(syncDataset, syncYesterday)
						rig.fake.Inject(syncOnPost(fault))
						task, err := rig.StartSync(t.Context(), syncDataset)
						assert.Equal(t, "task-1", task.PreviousTaskID)
						assert.GreaterOrEqual(t, time.Since(rig.began), lost+7*time.Second, "three looks take a while")
						if attempts == 1 {
							require.ErrorContains(t, err, "no new task")
							assert.NotContains(t, err.Error(), "\n")
							assert.Equal(t, "GET POST GET GET GET", rig.methods())
							return
						}
						require.NoError(t, err)
						assert.Equal(t, "GET POST GET GET GET POST", rig.methods())
					})
				})
				t.Run("never started", func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						rig := newSyncRig(attempts)
						fault := syncOnPost(fault)
						fault.Times = -1
						rig.fake.Inject(fault)
						task, err := rig.StartSync(t.Context(), syncDataset)
						require.Error(t, err)
						assert.Equal(t, syncDataset, task.DatasetID)
						assert.Len(t, rig.times(http.MethodPost), attempts)
						assert.Len(t, rig.times(http.MethodGet), 1+3*attempts)
						var apiErr *modelarts.APIError
						if fault.Status != 0 {
							require.ErrorAs(t, err, &apiErr)
							assert.Equal(t, fault.Status, apiErr.StatusCode)
						}
					})
				})
			})
		}
	}
}

func TestStartSyncReturnsWhatIsDecided(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	tests := map[string]struct {
		fault   modelartstest.Fault
		matches error
	}{
		"a synchronization runs":   {modelartstest.Fault{Status: 400, Code: "ModelArts.4355"}, modelarts.ErrSyncRunning},
		"an import runs":           {modelartstest.Fault{Status: 400, Code: "ModelArts.4356"}, modelarts.ErrConflict},
		"hashing is not done":      {modelartstest.Fault{Status: 401, Code: "ModelArts.4713"}, modelarts.ErrConflict},
		"409":                      {modelartstest.Fault{Status: 409}, modelarts.ErrConflict},
		"the dataset is missing":   {syncMissing, modelarts.ErrDatasetNotFound},
		"the data source failed":   {modelartstest.Fault{Status: 500, Code: "ModelArts.4360"}, nil},
		"text datasets":            {modelartstest.Fault{Status: 501, Code: "ModelArts.4383"}, nil},
		"403":                      {modelartstest.Fault{Status: 403, Code: "ModelArts.4310"}, modelarts.ErrForbidden},
		"401":                      {modelartstest.Fault{Status: 401, Code: "APIGW.0301"}, modelarts.ErrUnauthorized},
		"a redirect":               {modelartstest.Fault{Status: 307, Header: http.Header{"Location": {"https://other.test/"}}}, nil},
		"too many running tasks":   {modelartstest.Fault{Status: 400, Code: "ModelArts.4409"}, modelarts.ErrConflict},
		"throttled for very long":  {modelartstest.Fault{Status: 429, RetryAfter: time.Hour}, modelarts.ErrThrottled},
		"a bad path in the bucket": {modelartstest.Fault{Status: 400, Code: "ModelArts.4340"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(4)
				rig.fake.SetSyncStatus(syncDataset, syncYesterday)
				rig.fake.Inject(syncOnPost(test.fault))
				task, err := rig.StartSync(t.Context(), syncDataset)
				var apiErr *modelarts.APIError
				require.ErrorAs(t, err, &apiErr)
				assert.Equal(t, test.fault.Status, apiErr.StatusCode)
				if test.matches != nil {
					require.ErrorIs(t, err, test.matches)
				}
				if test.fault.Code != "ModelArts.4355" {
					require.NotErrorIs(t, err, modelarts.ErrSyncRunning)
				}
				require.NotErrorIs(t, err, modelarts.ErrStartUnknown)
				assert.Equal(t, "GET POST", rig.methods(), "no repeat, no look")
				assert.Equal(t, syncDataset, task.DatasetID)
				assert.Equal(t, "task-1", task.PreviousTaskID)
			})
		})
	}
	t.Run("the fake refuses a text dataset", func(t *testing.T) {
		t.Parallel()
		rig := newSyncRig(4)
		rig.fake.AddDataset(modelarts.Dataset{ID: "words", Type: modelarts.DatasetTextClassification})
		_, err := rig.Sync(t.Context(), "words", nil)
		var apiErr *modelarts.APIError
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, http.StatusNotImplemented, apiErr.StatusCode)
		assert.Equal(t, "ModelArts.4383", apiErr.Code)
	})
	t.Run("a dataset that is missing everywhere", func(t *testing.T) {
		t.Parallel()
		rig := newSyncRig(4)
		task, err := rig.StartSync(t.Context(), "gone")
		require.ErrorIs(t, err, modelarts.ErrDatasetNotFound)
		assert.Equal(t, "GET POST", rig.methods(), "the answer to the POST decides")
		assert.Equal(t, "gone", task.DatasetID)
	})
}

// TestStartSyncRepeatsWhatWasNotCarriedOut has the cases in which a POST may be repeated without a look.
func TestStartSyncRepeatsWhatWasNotCarriedOut(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("429 with a pause", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 429, RetryAfter: 3 * time.Second, Times: 2}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			assert.Equal(t, "GET POST POST POST", rig.methods())
			assert.Equal(t, 6*time.Second, time.Since(rig.began))
		})
	})
	t.Run("429 for ever", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 429, Times: -1}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.ErrorIs(t, err, modelarts.ErrThrottled)
			require.NotErrorIs(t, err, modelarts.ErrStartUnknown)
			assert.Equal(t, "GET POST POST POST POST", rig.methods())
		})
	})
	t.Run("the gateway could not authenticate", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 503, Code: "APIGW.0613"}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			assert.Equal(t, "GET POST POST", rig.methods())
		})
	})
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			left := 2
			rig.fail(func(req *http.Request) error {
				if req.Method == http.MethodPost && left > 0 {
					left--
					return syncRefused()
				}
				return nil
			})
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			assert.Equal(t, "GET POST POST POST", rig.methods())
		})
	})
	t.Run("connection refused for ever", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fail(func(req *http.Request) error {
				if req.Method == http.MethodPost {
					return syncRefused()
				}
				return nil
			})
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			require.NotErrorIs(t, err, modelarts.ErrStartUnknown)
			assert.Equal(t, "GET POST POST POST POST", rig.methods())
		})
	})
	t.Run("all posts together stay within the policy", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(
				syncOnPost(modelartstest.Fault{Status: 429, Times: 2}),
				syncOnPost(modelartstest.Fault{Status: 504}),
				syncOnPost(modelartstest.Fault{Status: 429, Times: -1}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.ErrorIs(t, err, modelarts.ErrThrottled)
			assert.Equal(t, "GET POST POST POST GET GET GET POST", rig.methods())
		})
	})
}

// A running synchronization is never joined silently: it may have looked at the source before the caller's last
// change. Nor is a busy dataset tried again until it is free; the caller knows whether that is worth the wait.
func TestStartSyncMeetsARunningSynchronization(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("by the first POST", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			first, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			task, err := rig.StartSync(t.Context(), syncDataset)
			require.ErrorIs(t, err, modelarts.ErrSyncRunning)
			require.ErrorIs(t, err, modelarts.ErrConflict)
			assert.Equal(t, modelarts.SyncQueuing, task.PreviousStatus)

			// Both can wait for it, each in its way.
			one, err := rig.WaitSync(t.Context(), first, nil)
			require.NoError(t, err)
			other, err := rig.WaitSync(t.Context(), modelarts.SyncTask{DatasetID: syncDataset}, nil)
			require.NoError(t, err)
			assert.Equal(t, one.TaskID, other.TaskID)
		})
	})
	t.Run("by the POST after one that was throttled", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(
				syncOnPost(modelartstest.Fault{Status: 429}),
				syncOnPost(modelartstest.Fault{Status: 400, Code: "ModelArts.4355"}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.ErrorIs(t, err, modelarts.ErrSyncRunning, "the throttled one has started nothing")
		})
	})
	t.Run("its own, started by a POST of unknown outcome", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.SetSyncStatus(syncDataset, syncYesterday)
			rig.fake.SetRegistrationDelay(30 * time.Second)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 504, After: true}))
			task, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			assert.Equal(t, "GET POST GET GET GET POST", rig.methods())
			status, err := rig.WaitSync(t.Context(), task, nil)
			require.NoError(t, err)
			assert.NotEqual(t, "task-1", status.TaskID)
		})
	})
	t.Run("the previous one, after a POST of unknown outcome", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			running := syncYesterday
			running.Status = modelarts.SyncRunning
			rig.fake.SetSyncStatus(syncDataset, running)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 504}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.ErrorIs(t, err, modelarts.ErrSyncRunning, "to wait for a new task would never end")
			assert.Equal(t, "GET POST GET GET GET POST", rig.methods())
		})
	})
}

// TestStartSyncByTwoProcesses lets several start the same dataset at once: one wins, the others can join.
func TestStartSyncByTwoProcesses(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rig := newSyncRig(4)
		rig.fake.SetSyncStatus(syncDataset, syncYesterday)
		rig.fake.Inject(syncOnPoll(modelartstest.Fault{Delay: time.Second, Times: 2})) // both read before either posts
		finished := make([]*modelarts.SyncStatus, 2)
		started := make([]error, 2)
		var wg sync.WaitGroup
		for i := range 2 {
			wg.Go(func() {
				client := rig.fake.Client()
				task, err := client.StartSync(t.Context(), syncDataset)
				started[i] = err
				if errors.Is(err, modelarts.ErrSyncRunning) {
					task = modelarts.SyncTask{DatasetID: task.DatasetID}
				}
				status, err := client.WaitSync(t.Context(), task, nil)
				assert.NoError(t, err)
				finished[i] = status
			})
		}
		wg.Wait()
		if started[0] == nil {
			started[0], started[1] = started[1], started[0]
		}
		require.ErrorIs(t, started[0], modelarts.ErrSyncRunning)
		require.NoError(t, started[1])
		assert.Equal(t, finished[0].TaskID, finished[1].TaskID)
		assert.NotEqual(t, "task-1", finished[0].TaskID)
	})
}

func TestStartSyncWhenTheLooksFail(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	tests := map[string]struct {
		look    modelartstest.Fault
		methods string
		matches error
	}{
		"an outage":         {modelartstest.Fault{Status: 503, Times: -1}, "GET POST GET GET GET", nil},
		"connections reset": {modelartstest.Fault{Drop: true, Times: -1}, "GET POST GET GET GET", syscall.ECONNRESET},
		"unreadable":        {modelartstest.Fault{Body: "<html>", Times: -1}, "GET POST GET GET GET", nil},
		"forbidden":         {modelartstest.Fault{Status: 403, Times: -1}, "GET POST GET", modelarts.ErrForbidden},
		"throttled too long": {
			modelartstest.Fault{Status: 429, RetryAfter: time.Hour, Times: -1}, "GET POST GET", modelarts.ErrThrottled,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(1)
				rig.fake.SetSyncStatus(syncDataset, syncYesterday)
				post := syncOnPost(modelartstest.Fault{Status: 504, Code: "ModelArts.4503", After: true})
				rig.fake.Inject(syncOnPoll(modelartstest.Fault{}), post, syncOnPoll(test.look))
				task, err := rig.StartSync(t.Context(), syncDataset)
				require.ErrorIs(t, err, modelarts.ErrStartUnknown)
				if test.matches != nil {
					require.ErrorIs(t, err, test.matches)
				}
				var apiErr *modelarts.APIError
				require.ErrorAs(t, err, &apiErr)
				assert.Equal(t, http.StatusGatewayTimeout, apiErr.StatusCode, "the answer to the POST")
				assert.NotContains(t, err.Error(), "\n")
				assert.Equal(t, test.methods, rig.methods())
				assert.Equal(t, modelarts.SyncTask{
					DatasetID: syncDataset, PreviousTaskID: "task-1", PreviousCreateTime: syncYesterday.CreateTime,
					PreviousStatus: modelarts.SyncCompleted, StartedAt: rig.began.UTC().Round(0),
				}, task)

				// It had been started, and can be waited for when the service is back.
				rig.fake.ClearFaults()
				status, err := rig.WaitSync(t.Context(), task, nil)
				require.NoError(t, err)
				assert.NotEqual(t, "task-1", status.TaskID)
			})
		})
	}
	t.Run("all but the last", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.Inject(
				syncOnPoll(modelartstest.Fault{}), syncOnPoll(modelartstest.Fault{Status: 502, Times: 2}),
				syncOnPost(modelartstest.Fault{Drop: true, After: true}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			assert.Equal(t, "GET POST GET GET GET", rig.methods())
		})
	})
	t.Run("the last one only", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.Inject(
				syncOnPoll(modelartstest.Fault{Times: 3}), syncOnPoll(modelartstest.Fault{Status: 502}),
				syncOnPost(modelartstest.Fault{Drop: true}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.ErrorIs(t, err, modelarts.ErrStartUnknown)
		})
	})
	t.Run("the dataset does not show yet", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(
				syncOnPoll(syncMissing), syncOnPoll(syncMissing), syncOnPoll(syncMissing),
				syncOnPost(modelartstest.Fault{Status: 500, After: true}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			assert.Equal(t, "GET POST GET GET GET", rig.methods())
		})
	})
}

// TestStartSyncLeavesTheServiceAlone has answers of unknown outcome that also ask to come back later.
func TestStartSyncLeavesTheServiceAlone(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("it looks and posts no earlier than that", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 503, RetryAfter: 15 * time.Second}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			assert.Equal(t, []time.Duration{0, 15 * time.Second, 17 * time.Second, 21 * time.Second}, rig.times(http.MethodGet))
			assert.Equal(t, []time.Duration{0, 21 * time.Second}, rig.times(http.MethodPost))
		})
	})
	t.Run("a look that is sent away is obeyed too", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(1)
			rig.fake.Inject(
				syncOnPost(modelartstest.Fault{Status: 504, After: true}),
				syncOnPoll(modelartstest.Fault{}), syncOnPoll(modelartstest.Fault{Status: 429, RetryAfter: 9 * time.Second}))
			_, err := rig.StartSync(t.Context(), syncDataset)
			require.NoError(t, err)
			assert.Equal(t, []time.Duration{0, time.Second, 10 * time.Second}, rig.times(http.MethodGet))
		})
	})
	t.Run("for longer than the policy's longest pause", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 503, RetryAfter: time.Minute}))
			task, err := rig.StartSync(t.Context(), syncDataset)
			require.ErrorIs(t, err, modelarts.ErrStartUnknown)
			var apiErr *modelarts.APIError
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, time.Minute, apiErr.RetryAfter)
			assert.Equal(t, "GET POST", rig.methods())
			assert.Zero(t, time.Since(rig.began))
			assert.False(t, task.StartedAt.IsZero())
		})
	})
	t.Run("for longer than the context has left", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 503, RetryAfter: 10 * time.Second}))
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := rig.StartSync(ctx, syncDataset)
			require.ErrorIs(t, err, modelarts.ErrStartUnknown)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Zero(t, time.Since(rig.began))
		})
	})
}

func TestStartSyncWhenTheContextEnds(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("during the POST", func(t *testing.T) {
		t.Parallel()
		for name, effect := range map[string]bool{"before it arrives": false, "after it was carried out": true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					rig := newSyncRig(4)
					rig.fake.Inject(syncOnPost(modelartstest.Fault{Delay: 20 * time.Second, After: effect}))
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					defer cancel()
					task, err := rig.StartSync(ctx, syncDataset)
					require.ErrorIs(t, err, modelarts.ErrStartUnknown)
					require.ErrorIs(t, err, context.DeadlineExceeded)
					assert.Equal(t, "GET POST", rig.methods())
					assert.Equal(t, 10*time.Second, time.Since(rig.began))
					assert.Equal(t, modelarts.SyncTask{
						DatasetID: syncDataset, PreviousStatus: modelarts.SyncNotExist, StartedAt: rig.began.UTC().Round(0),
					}, task)
				})
			})
		}
	})
	t.Run("by cancellation during the POST", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Delay: 20 * time.Second}))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, cancel)
			_, err := rig.StartSync(ctx, syncDataset)
			require.ErrorIs(t, err, modelarts.ErrStartUnknown)
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, 3*time.Second, time.Since(rig.began))
		})
	})
	t.Run("between the looks", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 502}))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := rig.StartSync(ctx, syncDataset)
			require.ErrorIs(t, err, modelarts.ErrStartUnknown)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, "GET POST GET", rig.methods())
			assert.Equal(t, 2*time.Second, time.Since(rig.began))
		})
	})
	t.Run("during the pause after a POST that was throttled", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 429, RetryAfter: 10 * time.Second}))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, cancel)
			_, err := rig.StartSync(ctx, syncDataset)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, modelarts.ErrThrottled)
			require.NotErrorIs(t, err, modelarts.ErrStartUnknown, "nothing was started, for certain")
		})
	})
}

// TestStartSyncAgainstASparseService has answers that tell the state and nothing else.
func TestStartSyncAgainstASparseService(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	completed := modelarts.SyncStatus{Status: modelarts.SyncCompleted}
	running := modelarts.SyncStatus{Status: modelarts.SyncRunning}
	failed := modelarts.SyncStatus{Status: modelarts.SyncFailed}
	never := modelarts.SyncStatus{Status: modelarts.SyncNotExist}
	tests := map[string]struct {
		before modelarts.SyncStatus
		looks  []modelarts.SyncStatus
		posts  int
	}{
		"a new one runs":                    {completed, []modelarts.SyncStatus{running}, 1},
		"a new one has failed":              {completed, []modelarts.SyncStatus{failed}, 1},
		"a new one has completed":           {failed, []modelarts.SyncStatus{completed}, 1},
		"the first one ever has completed":  {never, []modelarts.SyncStatus{never, completed}, 1},
		"nothing has changed":               {completed, []modelarts.SyncStatus{completed, completed, completed}, 2},
		"the one before has just completed": {running, []modelarts.SyncStatus{completed, completed, completed}, 2},
		"there is none":                     {never, []modelarts.SyncStatus{never, never, never}, 2},
		"one runs, and nobody knows which":  {running, []modelarts.SyncStatus{running, running, running}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rig := newSyncRig(4)
				rig.answer(test.before)
				rig.answer(test.looks...)
				rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 504}))
				_, err := rig.StartSync(t.Context(), syncDataset)
				require.NoError(t, err)
				assert.Len(t, rig.times(http.MethodPost), test.posts)
				assert.Len(t, rig.times(http.MethodGet), 1+len(test.looks))
			})
		})
	}
}

// It has no version, no checksum and no secret, on purpose: whoever can change what was stored can as well store the
// id of another dataset. What comes back is checked like any other argument.
func TestSyncTaskIsPlainData(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	task := modelarts.SyncTask{
		DatasetID: syncDataset, PreviousTaskID: "task-1", PreviousCreateTime: 1605690595404,
		PreviousStatus: modelarts.SyncCompleted, StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
	text, err := json.Marshal(task)
	require.NoError(t, err)
	assert.JSONEq(t, `{
		"dataset_id": "gfghHSokody6AJigS5A", "previous_task_id": "task-1", "previous_create_time": 1605690595404,
		"previous_status": "COMPLETED", "started_at": "2026-01-02T03:04:05.000000006Z"
	}`, string(text))
	var back modelarts.SyncTask
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, task, back)

	text, err = json.Marshal(modelarts.SyncTask{DatasetID: syncDataset})
	require.NoError(t, err)
	assert.JSONEq(t, `{"dataset_id": "gfghHSokody6AJigS5A"}`, string(text))
}

// TestSyncTaskInAnotherProcess stores a task, and waits for it with another client that knows nothing else.
func TestSyncTaskInAnotherProcess(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rig := newSyncRig(4)
		rig.fake.SetSyncStatus(syncDataset, syncYesterday)
		rig.fake.SetRegistrationDelay(20 * time.Second)
		task, err := rig.StartSync(t.Context(), syncDataset)
		require.NoError(t, err)
		stored, err := json.Marshal(task)
		require.NoError(t, err)

		time.Sleep(5 * time.Second)
		var restored modelarts.SyncTask
		require.NoError(t, json.Unmarshal(stored, &restored))
		assert.Equal(t, task, restored)
		status, err := rig.fake.Client().WaitSync(t.Context(), restored, nil)
		require.NoError(t, err)
		assert.NotEqual(t, "task-1", status.TaskID)
		assert.Equal(t, modelarts.SyncCompleted, status.Status)
		assert.GreaterOrEqual(t, time.Since(rig.began), 20*time.Second)
	})
}

func TestSync(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("from the start to the end", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			status, err := rig.Sync(t.Context(), syncDataset, nil)
			require.NoError(t, err)
			assert.Equal(t, modelarts.SyncCompleted, status.Status)
			assert.Equal(t, "GET POST GET GET GET", rig.methods())
		})
	})
	t.Run("a failure comes with its status", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4, modelarts.SyncStatus{Status: modelarts.SyncFailed, ErrorCode: "ModelArts.4340"})
			status, err := rig.Sync(t.Context(), syncDataset, nil)
			require.ErrorIs(t, err, modelarts.ErrSyncFailed)
			assert.Equal(t, "ModelArts.4340", status.ErrorCode)
		})
	})
	t.Run("an error of the start has no status", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := newSyncRig(4)
			rig.fake.Inject(syncOnPost(modelartstest.Fault{Status: 403}))
			status, err := rig.Sync(t.Context(), syncDataset, nil)
			require.ErrorIs(t, err, modelarts.ErrForbidden)
			assert.Nil(t, status)
			assert.Equal(t, "GET POST", rig.methods())
		})
	})
}

// TestSyncAgainstTheNaiveLoop is why this package remembers what was there: the service registers a start a
// little late, and the obvious loop takes yesterday's result for today's.
func TestSyncAgainstTheNaiveLoop(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	trap := func() *syncRig {
		rig := newSyncRig(4, modelarts.SyncStatus{Status: modelarts.SyncRunning}, modelarts.SyncStatus{
			Status: modelarts.SyncFailed, ErrorCode: "ModelArts.4340", ErrorMsg: "no valid file",
		})
		rig.fake.SetSyncStatus(syncDataset, syncYesterday)
		rig.fake.SetRegistrationDelay(3 * time.Second)
		return rig
	}
	t.Run("the naive loop reports a success that is not there", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := trap()
			req, err := rig.NewRequest(t.Context(), http.MethodPost, "/v2/{project_id}/datasets/"+syncDataset+"/sync-data", nil, nil)
			require.NoError(t, err)
			require.NoError(t, rig.Do(req, nil))
			var status *modelarts.SyncStatus
			for {
				status, err = rig.GetSyncStatus(t.Context(), syncDataset)
				require.NoError(t, err)
				if status.Status == modelarts.SyncCompleted {
					break
				}
				time.Sleep(time.Second)
			}
			assert.Equal(t, "task-1", status.TaskID, "of yesterday")
			assert.Zero(t, time.Since(rig.began))
		})
	})
	t.Run("Sync reports what became of the new task", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rig := trap()
			status, err := rig.Sync(t.Context(), syncDataset, nil)
			require.ErrorIs(t, err, modelarts.ErrSyncFailed)
			assert.NotEqual(t, "task-1", status.TaskID)
			assert.Equal(t, "no valid file", status.ErrorMsg)
			assert.Greater(t, time.Since(rig.began), 3*time.Second)
		})
	})
}
