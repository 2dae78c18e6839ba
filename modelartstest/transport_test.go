package modelartstest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// Both ways must record the same request and give the same answer, but for what only a network has.
func TestMemoryIsLikeSockets(t *testing.T) {
	type exchange struct {
		request modelartstest.Request
		status  string
		proto   string
		length  int64
		header  http.Header
		body    string
	}
	var got []exchange
	everywhere(t, withDataset(), func(s site, fake *modelartstest.Server) {
		t := s.t
		req := s.request("POST", "/v2/p%2Fq/:x?b=2&a=%20", `{"a":1}`)
		req.Header.Set("X-Auth-Token", "t")
		req.Header["X-Many"] = []string{"1", "2"}
		req.Header.Set("Accept-Encoding", "identity") // net/http adds gzip otherwise
		resp, err := s.client.Do(req)
		require.NoError(t, err)
		assert.Same(t, req, resp.Request)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		_, err = resp.Body.Read(make([]byte, 1))
		require.Error(t, err)
		resp.Header.Del("Date")
		requests := fake.Requests()
		require.Len(t, requests, 1)
		got = append(got, exchange{requests[0], resp.Status, resp.Proto, resp.ContentLength, resp.Header, string(body)})
	})
	require.Len(t, got, 2)
	assert.Equal(t, got[1], got[0])
	assert.Equal(t, "/v2/p%2Fq/:x", got[0].request.Path)
	assert.Equal(t, "b=2&a=%20", got[0].request.RawQuery)
	assert.JSONEq(t, `{"a":1}`, string(got[0].request.Body))
}

type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error {
	c.closed = true
	return nil
}

func TestTransportContract(t *testing.T) {
	fake := withDataset()()
	transport := fake.HTTPClient().Transport
	request := func() *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, modelartstest.Endpoint+syncPath, nil)
		require.NoError(t, err)
		return req
	}
	fails := func(req *http.Request, text string) {
		t.Helper()
		body := &closer{Reader: strings.NewReader("12345")}
		if req.Body == nil {
			req.Body = body
			defer func() { assert.True(t, body.closed) }()
		}
		resp, err := transport.RoundTrip(req)
		if resp != nil {
			_ = resp.Body.Close()
		}
		require.ErrorContains(t, err, text)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("had enough"))
	fails(request().WithContext(ctx), "had enough")

	short := request()
	short.ContentLength = 7
	fails(short, "ContentLength=7 with Body length 5")

	broken := request()
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("1"), errorReader{}))
	fails(broken, "broken")

	lines := request()
	lines.Header.Set("X-Auth-Token", "a\r\nX-Evil: 1")
	fails(lines, `invalid header field value for "X-Auth-Token"`)

	ftp := request()
	ftp.URL.Scheme = "ftp"
	fails(ftp, "unsupported protocol scheme")

	hostless := request()
	hostless.URL.Host = ""
	fails(hostless, "no Host")

	assert.Empty(t, fake.Requests(), "none of these was sent")

	req := request()
	before := req.Clone(t.Context())
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, before.Header, req.Header)
	assert.Equal(t, before.URL, req.URL)
	assert.Equal(t, before.Host, req.Host)

	head, err := fake.HTTPClient().Head(modelartstest.Endpoint + "/")
	require.NoError(t, err)
	assert.Equal(t, 404, head.StatusCode)
	assert.Positive(t, head.ContentLength)
	body, err := io.ReadAll(head.Body)
	require.NoError(t, err)
	require.NoError(t, head.Body.Close())
	assert.Empty(t, body)
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestBodyFollowsTheContext(t *testing.T) {
	fake := modelartstest.New()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, modelartstest.Endpoint, nil)
	require.NoError(t, err)
	resp, err := fake.HTTPClient().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	cancel()
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, context.Canceled)
}

func TestLargeRequest(t *testing.T) {
	s := inMemory(t, modelartstest.New())
	r := s.do(s.request("POST", syncPath, strings.Repeat("x", 12<<20+1)))
	assert.Equal(t, 413, r.status)
	assert.Equal(t, "APIGW.0201", r.code(t))
}

// What is recorded is not masked: the fake's keys are public, and a test may want to look at a signature.
func TestRecording(t *testing.T) {
	fake := modelartstest.New()
	s := inMemory(t, fake)
	s.signed("GET", datasetsPath)
	require.Len(t, fake.Requests(), 1)
	assert.NotEmpty(t, fake.Requests()[0].Header.Get("Authorization"))
	fake.SetRecording(false)
	s.signed("GET", datasetsPath)
	assert.Empty(t, fake.Requests())
	fake.SetRecording(true)
	s.signed("GET", datasetsPath)
	assert.Len(t, fake.Requests(), 1)
}

func TestClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := withDataset()()
		fake.Inject(modelartstest.Fault{Status: 503, Times: 2})
		client := fake.Client()
		assert.Equal(t, modelartstest.Endpoint, client.Endpoint())
		status, err := client.GetSyncStatus(t.Context(), "ds")
		require.NoError(t, err)
		assert.Equal(t, modelarts.SyncNotExist, status.Status)
		assert.Len(t, fake.Requests(), 3)

		_, err = client.GetSyncStatus(t.Context(), "other")
		require.ErrorIs(t, err, modelarts.ErrDatasetNotFound)

		fake.Inject(modelartstest.Fault{Drop: true})
		once := fake.Client(modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1}))
		_, err = once.GetSyncStatus(t.Context(), "ds")
		require.Error(t, err)
	})
}

// In a bubble: it ends only when every goroutine started in it has ended, so that nothing can be left behind.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, manyAtOnce)
}

func manyAtOnce(t *testing.T) {
	fake := modelartstest.New()
	iam, metadata := modelartstest.NewIAM(fake), modelartstest.NewMetadata(fake)
	fake.AddDataset(modelarts.Dataset{ID: "ds"})
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			s := inMemory(t, fake)
			for range 20 {
				s.start()
				s.status()
				s.list("?")
				fake.AddDataset(modelarts.Dataset{ID: "other"})
				fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: "COMPLETED"})
				fake.Inject(modelartstest.Fault{Path: "/nowhere", Times: -1})
				fake.SetClockOffset(0)
				fake.SetSparse(false)
				fake.Requests()
				iam.RevokeIssued()
				metadata.RevokeIssued()
				inMemory(t, metadata).do(s.request("GET", "/openstack/latest/securitykey", ""))
			}
		})
	}
	group.Wait()
}

func TestFakesAreIndependent(t *testing.T) {
	a, b := modelartstest.New(), modelartstest.New()
	modelartstest.NewIAM(a)
	a.AddKey(modelarts.Credentials{AccessKey: "A", SecretKey: "a"})
	a.SetClockOffset(time.Hour)
	a.AddDataset(modelarts.Dataset{ID: "ds"})
	assert.Equal(t, 400, inMemory(t, b).signed("GET", statusPath).status)
	assert.Panics(t, func() { b.SetAccepted("A", false) })
	r := site{t, b.HTTPClient(), modelartstest.IAMEndpoint}.signed("GET", "/v3/projects")
	assert.Equal(t, "APIGW.0101", r.code(t))
}

func TestManyFakesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				fake := withDataset()()
				status, err := fake.Client().Sync(t.Context(), "ds", nil)
				if assert.NoError(t, err) {
					assert.Equal(t, "ds_00000001", status.TaskID)
					assert.Len(t, fake.Requests(), 5, "each has what it was asked itself, and nothing else")
				}
			})
		}
		group.Wait()
	})
}
