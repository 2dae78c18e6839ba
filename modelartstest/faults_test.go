package modelartstest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func TestFaultAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		fault  modelartstest.Fault
		status int
		body   string // with ID for the request id
		header http.Header
	}{
		"status": {modelartstest.Fault{Status: 503}, 503, "", http.Header{"Content-Type": nil}},
		"service": {
			modelartstest.Fault{Status: 429, Code: "ModelArts.4395", Message: "Too many"},
			429, `{"error_code":"ModelArts.4395","error_msg":"Too many"}`, http.Header{"Content-Type": {"application/json"}},
		},
		"gateway": {
			modelartstest.Fault{Status: 503, Code: "APIGW.0613"},
			503, `{"error_code":"APIGW.0613","error_msg":"","request_id":"00000000000000000000000000000001"}`, nil,
		},
		"code":    {modelartstest.Fault{Code: "ModelArts.4900"}, 200, `{"error_code":"ModelArts.4900"}`, nil},
		"message": {modelartstest.Fault{Message: "hello"}, 200, `{"error_msg":"hello"}`, nil},
		"page":    {modelartstest.Fault{Body: "<html>"}, 200, "<html>", nil},
		"json": {
			modelartstest.Fault{Status: 400, Code: "no", Body: ` {"a":1}`},
			400, ` {"a":1}`, http.Header{"Content-Type": {"application/json"}},
		},
		"header": {
			modelartstest.Fault{Status: 302, Header: http.Header{"location": {"http://else.test/"}, "X-Request-Id": nil, "Date": {"then"}}},
			302, "", http.Header{"Location": {"http://else.test/"}, "X-Request-Id": nil, "Date": {"then"}},
		},
		"retry after": {modelartstest.Fault{Status: 429, RetryAfter: 1500 * time.Millisecond}, 429, "", http.Header{"Retry-After": {"2"}}},
		"other retry after": {
			modelartstest.Fault{Status: 429, RetryAfter: time.Second, Header: http.Header{"Retry-After": {"soon"}}},
			429, "", http.Header{"Retry-After": {"soon"}},
		},
		"no content":         {modelartstest.Fault{Status: 204, Body: "lost"}, 204, "", nil},
		"only a header":      {modelartstest.Fault{Header: http.Header{"Age": {"7"}}}, 401, "", http.Header{"Age": {"7"}}},
		"after, replaced":    {modelartstest.Fault{After: true, Status: 504}, 504, "", nil},
		"after, with header": {modelartstest.Fault{After: true, Header: http.Header{"Age": {"7"}}}, 401, "", http.Header{"Age": {"7"}}},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, withDataset(), func(s site, fake *modelartstest.Server) {
				t := s.t
				fake.Inject(c.fault)
				s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				r := s.do(s.request("GET", statusPath, ""))
				assert.Equal(t, c.status, r.status)
				if r.status != 401 {
					assert.Equal(t, c.body, r.body)
				}
				for name, values := range c.header {
					assert.Equal(t, values, r.header[name], name)
				}
			})
		})
	}
}

func TestFaultSelection(t *testing.T) {
	fake := withDataset()()
	s := inMemory(t, fake)
	fake.Inject(
		modelartstest.Fault{Method: "POST", Status: 501},
		modelartstest.Fault{Path: "/status", Times: 2, Status: 502},
		modelartstest.Fault{Status: 503},
	)
	fake.Inject(modelartstest.Fault{Path: "/ds", Times: -1, Status: 504})
	var got []int
	for _, path := range []string{statusPath, statusPath, statusPath, statusPath, datasetsPath + "/ds", datasetsPath + "/ds"} {
		got = append(got, s.signed("GET", path).status)
	}
	got = append(got, s.start().status, s.start().status)
	assert.Equal(t, []int{502, 502, 503, 200, 504, 504, 501, 200}, got)
	fake.ClearFaults()
	assert.Equal(t, 200, s.signed("GET", datasetsPath+"/ds").status)
	assert.Len(t, fake.Requests(), 9, "what met a fault is recorded too")
}

func TestDrop(t *testing.T) {
	everywhere(t, withDataset(), func(s site, fake *modelartstest.Server) {
		t := s.t
		fake.Inject(modelartstest.Fault{Drop: true})
		_, err := s.send(s.request("POST", syncPath, ""))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Equal(t, modelarts.SyncNotExist, s.status().Status, "the request did not reach the service")

		fake.Inject(modelartstest.Fault{Method: "POST", Drop: true, After: true})
		req := s.request("POST", syncPath, "")
		require.NoError(t, modelarts.NewSigner(keys).Authenticate(req))
		_, err = s.send(req)
		require.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Equal(t, modelarts.SyncQueuing, s.status().Status, "its effect stays")
	})
}

func TestDropOverTLS(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			fake := withDataset()()
			server := httptest.NewUnstartedServer(fake)
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			s := site{t, server.Client(), server.URL}
			fake.Inject(modelartstest.Fault{Method: "POST", Drop: true})
			_, err := s.send(s.request("POST", syncPath, "x"))
			require.Error(t, err)
			if !http2 {
				require.ErrorIs(t, err, syscall.ECONNRESET)
			}
			assert.Equal(t, 200, s.signed("GET", statusPath).status)
		})
	}
}

func TestTruncatedAnswer(t *testing.T) {
	everywhere(t, withDataset(), func(s site, fake *modelartstest.Server) {
		t := s.t
		fake.Inject(modelartstest.Fault{
			Body: `{"status":"COMP`, Header: http.Header{"Content-Length": {"40"}},
		})
		r, err := s.send(s.request("GET", statusPath, ""))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, 200, r.status)
		assert.Len(t, r.body, len(`{"status":"COMP`))
	})
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := withDataset()()
		s := inMemory(t, fake)
		fake.Inject(
			modelartstest.Fault{Method: "GET", Delay: 15 * time.Minute},
			modelartstest.Fault{Method: "GET", Delay: time.Hour},
			modelartstest.Fault{Method: "POST", Delay: time.Minute},
			modelartstest.Fault{Method: "POST", Delay: time.Minute, After: true},
		)
		start := time.Now()
		assert.Equal(t, 200, s.signed("GET", datasetsPath).status, "late, but served")
		assert.Equal(t, 15*time.Minute, time.Since(start))
		assert.Contains(t, s.signed("GET", datasetsPath).body, "signature expired")

		post := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			req := s.request("POST", syncPath, "").WithContext(ctx)
			require.NoError(t, modelarts.NewSigner(keys).Authenticate(req))
			start := time.Now()
			_, err := s.send(req)
			assert.Equal(t, time.Second, time.Since(start))
			return err
		}
		require.ErrorIs(t, post(), context.DeadlineExceeded)
		assert.Equal(t, modelarts.SyncNotExist, s.status().Status)
		require.ErrorIs(t, post(), context.DeadlineExceeded)
		assert.Equal(t, modelarts.SyncQueuing, s.status().Status)
	})
}

func TestDelayOverSockets(t *testing.T) {
	fake := withDataset()()
	server := httptest.NewServer(fake)
	defer server.Close() // waits for the handler, which leaves with the client
	s := site{t, server.Client(), server.URL}
	fake.Inject(modelartstest.Fault{Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.send(s.request("GET", statusPath, "").WithContext(ctx))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
