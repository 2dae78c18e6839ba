package modelartstest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

const (
	datasetsPath = "/v2/" + modelartstest.ProjectID + "/datasets"
	syncPath     = datasetsPath + "/ds/sync-data"
	statusPath   = syncPath + "/status"
)

var keys = modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey}

// A site is where a fake is reached, in memory or over sockets.
type site struct {
	t      *testing.T
	client *http.Client
	url    string
}

// inMemory needs no network and may be used inside a synctest bubble.
func inMemory(t *testing.T, h interface{ HTTPClient() *http.Client }) site {
	t.Helper()
	return site{t, h.HTTPClient(), "https://any.test"}
}

// everywhere runs a test over both ways to a fake.
func everywhere(t *testing.T, fake func() *modelartstest.Server, test func(s site, fake *modelartstest.Server)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		fake := fake()
		test(inMemory(t, fake), fake)
	})
	t.Run("sockets", func(t *testing.T) {
		fake := fake()
		server := httptest.NewServer(fake)
		t.Cleanup(server.Close)
		test(site{t, server.Client(), server.URL}, fake)
	})
}

type reply struct {
	status int
	header http.Header
	body   string
}

// decode reads the JSON of an answer.
func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(r.body), &v), r.body)
	return v
}

type errorAnswer struct {
	Code      string `json:"error_code"`
	Message   string `json:"error_msg"`
	RequestID string `json:"request_id"`
}

// code is the error code of the answer.
func (r reply) code(t *testing.T) string {
	t.Helper()
	return decode[errorAnswer](t, r).Code
}

func (s site) request(method, path, body string) *http.Request {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	return req
}

func (s site) send(req *http.Request) (reply, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body)}, err
}

// do sends a request as it is.
func (s site) do(req *http.Request) reply {
	s.t.Helper()
	r, err := s.send(req)
	require.NoError(s.t, err)
	assert.NotEmpty(s.t, r.header.Get("Date"))
	return r
}

// signed sends a request signed with the fake's keys.
func (s site) signed(method, path string) reply {
	s.t.Helper()
	req := s.request(method, path, "")
	require.NoError(s.t, modelarts.NewSigner(keys).Authenticate(req))
	return s.do(req)
}

// withToken sends a request with a token and a JSON body.
func (s site) withToken(method, path, token, body string) reply {
	s.t.Helper()
	req := s.request(method, path, body)
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	return s.do(req)
}
