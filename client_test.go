package modelarts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
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

// clientSeen is a server that records what it is asked, and answers with answer.
type clientSeen struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	opened   atomic.Int64 // connections
}

func clientServer(t *testing.T, answer http.HandlerFunc) *clientSeen {
	t.Helper()
	s := &clientSeen{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		s.mu.Lock()
		s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
		s.mu.Unlock()
		answer(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *clientSeen) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func clientCompleted(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"status":"COMPLETED"}`)
}

// clientOf returns a client of an endpoint that tries once.
func clientOf(t *testing.T, endpoint string, auth modelarts.Authenticator, opts ...modelarts.Option) *modelarts.Client {
	t.Helper()
	opts = append([]modelarts.Option{modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1})}, opts...)
	client, err := modelarts.NewClient(endpoint, errsProject, auth, opts...)
	require.NoError(t, err)
	return client
}

// clientNilAuth is an authenticator whose pointer may be nil.
type clientNilAuth struct{}

func (*clientNilAuth) Authenticate(*http.Request) error { return nil }

func TestNewClientRefuses(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const hidden = "do-not-show"
	good := func(o ...modelarts.Option) []modelarts.Option { return o }
	signer := func(c modelarts.Credentials) modelarts.Authenticator { return modelarts.NewSigner(c) }
	retry := func(p modelarts.RetryPolicy) []modelarts.Option { return good(modelarts.WithRetryPolicy(p)) }
	for _, c := range []struct {
		name, endpoint, project string
		auth                    modelarts.Authenticator
		opts                    []modelarts.Option
		want                    string
	}{
		{name: "no endpoint", want: "endpoint is empty"},
		{name: "endpoint of blanks", endpoint: " ", want: "endpoint"},
		{name: "endpoint without a scheme", endpoint: "modelarts.example", want: "absolute"},
		{name: "endpoint of a port only", endpoint: "modelarts.example:443", want: "endpoint"},
		{name: "endpoint of another scheme", endpoint: "ftp://modelarts.example", want: "absolute"},
		{name: "endpoint of a script", endpoint: "javascript:alert(1)", want: "absolute"},
		{name: "opaque endpoint", endpoint: "https:modelarts.example", want: "absolute"},
		{name: "endpoint without a host", endpoint: "https:///v2", want: "absolute"},
		{name: "endpoint with only a port", endpoint: "https://:443", want: "absolute"},
		{name: "endpoint with a user", endpoint: "https://user@modelarts.example", want: "a user or a password"},
		{name: "endpoint with an empty user", endpoint: "https://@modelarts.example", want: "a user or a password"},
		{name: "endpoint with a password", endpoint: "https://user:" + hidden + "@modelarts.example", want: "a user or a password"},
		{name: "endpoint with a password and a fault", endpoint: "https://user:" + hidden + "%@modelarts.example", want: "not a URL"},
		{name: "endpoint with a query", endpoint: "https://modelarts.example?a=" + hidden, want: "query"},
		{name: "endpoint with an empty query", endpoint: "https://modelarts.example?", want: "query"},
		{name: "endpoint with a fragment", endpoint: "https://modelarts.example#f", want: "fragment"},
		{name: "endpoint with an empty fragment", endpoint: "https://modelarts.example/#", want: "fragment"},
		{name: "endpoint with a blank", endpoint: "https://modelarts .example", want: "not a URL"},
		{name: "endpoint with a newline", endpoint: "https://modelarts.example\n", want: "not a URL"},
		{name: "endpoint in another script", endpoint: "https://modelärts.example", want: "ASCII"},
		{name: "endpoint with a zone", endpoint: "https://[fe80::1%25eth0]", want: "zone"},
		{name: "endpoint with a dot segment", endpoint: "https://modelarts.example/a/../b", want: "dot segment"},
		{name: "endpoint with an escaped dot segment", endpoint: "https://modelarts.example/a/%2E%2e/b", want: "dot segment"},
		{name: "endpoint with a backslash", endpoint: `https://modelarts.example/a\b`, want: "backslash"},
		{name: "plain http", endpoint: "http://modelarts.example", want: "plain http"},
		{name: "plain http to what looks like loopback", endpoint: "http://127.0.0.1.example", want: "plain http"},
		{name: "plain http to a name with localhost", endpoint: "http://localhost.example", want: "plain http"},

		{name: "no project", project: " ", want: "project id is empty"},
		{name: "the placeholder as project", project: "{project_id}", want: "placeholder"},
		{name: "project with a slash", project: "a/b", want: "project id"},
		{name: "project of two dots", project: "..", want: "dot segment"},

		{name: "nil http.Client", opts: good(modelarts.WithHTTPClient(nil)), want: "WithHTTPClient"},
		{name: "negative attempts", opts: retry(modelarts.RetryPolicy{MaxAttempts: -1}), want: "negative"},
		{name: "negative MinDelay", opts: retry(modelarts.RetryPolicy{MinDelay: -1}), want: "negative"},
		{name: "negative MaxDelay", opts: retry(modelarts.RetryPolicy{MaxDelay: -1}), want: "negative"},
		{name: "MaxDelay below MinDelay", opts: retry(modelarts.RetryPolicy{MinDelay: time.Second, MaxDelay: time.Millisecond}), want: "below MinDelay"},
		{name: "empty user agent", opts: good(modelarts.WithUserAgent(" ")), want: "user agent"},
		{name: "user agent with a line break", opts: good(modelarts.WithUserAgent("a\r\nX-Evil: b")), want: "user agent"},
		{name: "user agent beyond ASCII", opts: good(modelarts.WithUserAgent("ü")), want: "user agent"},
		{name: "endless user agent", opts: good(modelarts.WithUserAgent(strings.Repeat("a", 10_000))), want: "user agent"},

		{name: "nil pointer as authenticator", auth: (*clientNilAuth)(nil), want: "nil *modelarts_test.clientNilAuth"},
		{name: "nil Signer", auth: (*modelarts.Signer)(nil), want: "nil *modelarts.Signer"},
		{name: "nil func as authenticator", auth: modelarts.AuthenticatorFunc(nil), want: "nil modelarts.AuthenticatorFunc"},
		{name: "Signer not made by NewSigner", auth: new(modelarts.Signer), want: "NewSigner"},
		{name: "Signer without a provider", auth: modelarts.NewSigner(nil), want: "provider"},
		{name: "empty token", auth: modelarts.TokenAuth(""), want: "token is empty"},
		{name: "token with a newline", auth: modelarts.TokenAuth(hidden + "\n"), want: "byte 11 of 12"},
		{name: "token with a blank", auth: modelarts.TokenAuth(hidden + " x"), want: "token"},
		{name: "token with a NUL", auth: modelarts.TokenAuth("\x00" + hidden), want: "byte 0 of 12"},
		{name: "token beyond ASCII", auth: modelarts.TokenAuth(hidden + "ü"), want: "token"},
		{name: "no access key", auth: signer(modelarts.Credentials{SecretKey: hidden}), want: "access key is empty"},
		{name: "no secret key", auth: signer(modelarts.Credentials{AccessKey: "AK"}), want: "secret key is empty"},
		{name: "access key with a newline", auth: signer(modelarts.Credentials{AccessKey: "AK\n", SecretKey: hidden}), want: "access key"},
		{name: "access key that would end its place", auth: signer(modelarts.Credentials{AccessKey: "AK, x", SecretKey: hidden}), want: "access key"},
		{name: "secret key with a newline", auth: signer(modelarts.Credentials{AccessKey: "AK", SecretKey: hidden + "\r"}), want: "secret key"},
		{name: "security token with a newline", auth: signer(modelarts.Credentials{AccessKey: "AK", SecretKey: hidden, SecurityToken: hidden + "\n"}), want: "security token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			endpoint, project := c.endpoint, c.project
			if endpoint == "" && c.name != "no endpoint" {
				endpoint = errsEndpoint
			}
			if project == "" {
				project = errsProject
			}
			client, err := modelarts.NewClient(endpoint, project, c.auth, c.opts...)
			require.Error(t, err)
			assert.Nil(t, client)
			assert.Contains(t, err.Error(), c.want)
			assert.True(t, strings.HasPrefix(err.Error(), "modelarts: "), err.Error())
			assert.NotContains(t, err.Error(), hidden)
			errsPlain(t, err.Error())
		})
	}
}

func TestNewClientAccepts(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, c := range []struct {
		name, endpoint, want string
		opts                 []modelarts.Option
	}{
		{"usual", "https://modelarts.cn-north-4.myhuaweicloud.com", "https://modelarts.cn-north-4.myhuaweicloud.com", nil},
		{"final slash", "https://modelarts.example/", "https://modelarts.example", nil},
		{"default port", "https://modelarts.example:443/", "https://modelarts.example", nil},
		{"empty port", "https://modelarts.example:", "https://modelarts.example", nil},
		{"other port", "https://modelarts.example:8443", "https://modelarts.example:8443", nil},
		{"port of plain http", "https://modelarts.example:80", "https://modelarts.example:80", nil},
		{"upper case", "HTTPS://ModelArts.EXAMPLE/Prefix", "https://modelarts.example/Prefix", nil},
		{"prefix", "https://gateway.example/model/arts//", "https://gateway.example/model/arts", nil},
		{"prefix that needs escapes", "https://gateway.example/a:b c/%2fd", "https://gateway.example/a%3Ab%20c/%2Fd", nil},
		{"prefix with an escaped percent sign", "https://gateway.example/100%25/%252e", "https://gateway.example/100%25/%252e", nil},
		// What stays on the machine needs no option: a fake listens there in most tests.
		{"loopback by name", "http://localhost:80", "http://localhost", nil},
		{"loopback by name in upper case", "http://LOCALHOST:8080", "http://localhost:8080", nil},
		{"loopback", "http://127.0.0.1:8080", "http://127.0.0.1:8080", nil},
		{"other loopback", "http://127.8.9.1", "http://127.8.9.1", nil},
		{"loopback of IPv6", "http://[::1]:80", "http://[::1]", nil},
		{"IPv6", "https://[2001:DB8::443]", "https://[2001:db8::443]", nil},
		{"IPv6 and default port", "https://[2001:db8::1]:443", "https://[2001:db8::1]", nil},
		{"IPv6 and other port", "https://[2001:db8::1]:444", "https://[2001:db8::1]:444", nil},
		{"plain http that is allowed", "http://modelarts.example", "http://modelarts.example", []modelarts.Option{modelarts.WithInsecureHTTP()}},
		{"nil options", "https://modelarts.example", "https://modelarts.example", []modelarts.Option{nil, modelarts.WithLogger(nil), nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			transport := errsTransport(func(req *http.Request) (*http.Response, error) {
				got = req
				return errsResponse(req, 200, nil, `{"status":"COMPLETED"}`), nil
			})
			opts := append([]modelarts.Option{modelarts.WithHTTPClient(&http.Client{Transport: transport})}, c.opts...)
			client, err := modelarts.NewClient(c.endpoint, "p", nil, opts...)
			require.NoError(t, err)
			assert.Equal(t, c.want, client.Endpoint())
			assert.Equal(t, "p", client.ProjectID())
			_, err = client.GetSyncStatus(t.Context(), "d")
			require.NoError(t, err)
			assert.Equal(t, c.want+"/v2/p/datasets/d/sync-data/status", got.URL.String())
			assert.Equal(t, got.URL.Host, got.Host)
		})
	}
}

// Keys are signed with host and path as they are sent, whatever the endpoint looks like.
func TestEndpointFormsAreSignedAsSent(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds"})
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
	for _, endpoint := range []string{
		"https://modelarts.example:443", "https://MODELARTS.example", "https://[2001:DB8::1]:443", "https://[2001:db8::1]:8443", "https://modelarts.example:",
	} {
		client, err := modelarts.NewClient(endpoint, modelartstest.ProjectID, signer, modelarts.WithHTTPClient(fake.HTTPClient()))
		require.NoError(t, err)
		_, err = client.GetSyncStatus(t.Context(), "ds")
		require.NoError(t, err, endpoint)
	}

	prefixed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var found bool
		r.URL.Path, found = strings.CutPrefix(r.URL.Path, "/a:b/c d")
		r.URL.RawPath = ""
		assert.True(t, found)
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(prefixed.Close)
	client, err := modelarts.NewClient(prefixed.URL+"/a:b/c%20d/", modelartstest.ProjectID, signer)
	require.NoError(t, err)
	_, err = client.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err)
}

func TestIDsThatAreRefusedNeverLeave(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client := errsClient(t, modelarts.AuthenticatorFunc(func(*http.Request) error {
		t.Error("credentials were used")
		return nil
	}), func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, errors.New("unexpected")
	})
	for _, id := range []string{
		"", " ", "\t\n", "\u00a0", ".", "..", "a/b", "/", "../../v9/x", `a\b`, `..\x`, "a?x=1", "a#f", "%2e", "%2e%2e", "a%2Fb", "%252e", "%",
		"a\nb", "\x00", "a\x7f", "a\u0085b", "\u009b31m", "a\xff", "\xc0\xae\xc0\xae", strings.Repeat("a", 257), strings.Repeat("é", 129), strings.Repeat("a", 1<<20),
	} {
		_, err := client.GetSyncStatus(t.Context(), id)
		if assert.Error(t, err, "%q", id) {
			assert.Contains(t, err.Error(), "dataset id")
			errsPlain(t, err.Error())
			assert.Less(t, len(err.Error()), 500)
		}
		_, err = modelarts.NewClient(errsEndpoint, id, nil)
		if assert.Error(t, err, "%q", id) {
			assert.Contains(t, err.Error(), "project id")
			errsPlain(t, err.Error())
		}
	}
}

// No page of the service says which characters an id may have, or how long it is at most. So only what could
// change the meaning of a URL is refused; anything else is escaped, and the service decides.
func TestIDsOnTheWire(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	s := clientServer(t, clientCompleted)
	for _, c := range []struct{ id, wire string }{
		{"gfghHSokody6AJigS5A", "gfghHSokody6AJigS5A"},
		{"a-b_c.d~e", "a-b_c.d~e"},
		{"...", "..."},
		{".a", ".a"},
		{":@$&+,;=", "%3A%40%24%26%2B%2C%3B%3D"},
		{"a b", "a%20b"},
		{"!*'()", "%21%2A%27%28%29"},
		{"ü", "%C3%BC"},
		{"a;b&c", "a%3Bb%26c"},
		{"\uff0e\uff0e", "%EF%BC%8E%EF%BC%8E"}, // full-width dots
		{"a\u202eb\u200f", "a%E2%80%AEb%E2%80%8F"},
		{"{project_id}", "%7Bproject_id%7D"},
		{`"<>^|`, "%22%3C%3E%5E%7C"},
		{strings.Repeat("a", 256), strings.Repeat("a", 256)},
	} {
		for _, project := range []string{errsProject, c.id} {
			wireProject := c.wire
			if project == errsProject {
				wireProject = errsProject
			} else if project == "{project_id}" {
				continue
			}
			client, err := modelarts.NewClient(s.URL, project, nil)
			require.NoError(t, err)
			_, err = client.GetSyncStatus(t.Context(), c.id)
			require.NoError(t, err)
			seen := s.seen()
			last := seen[len(seen)-1]
			assert.Equal(t, "/v2/"+wireProject+"/datasets/"+c.wire+"/sync-data/status", last.RequestURI)
			assert.Equal(t, project, last.Header.Get("X-Project-Id"))
		}
	}
}

// Both the fake and the service compute a signature from what they receive.
func TestOddIDsAreSignedAsSent(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
	client, err := modelarts.NewClient(server.URL, modelartstest.ProjectID, signer)
	require.NoError(t, err)
	for _, id := range []string{":@$&+,;=", "a b", "ü~*'()!", "{project_id}", "a+b c"} {
		fake.AddDataset(modelarts.Dataset{ID: id})
		status, err := client.GetSyncStatus(t.Context(), id)
		require.NoError(t, err, id)
		assert.Equal(t, id, status.DatasetID)
	}
}

func TestRequestHeaders(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client, err := modelarts.NewClient(errsEndpoint, errsProject, nil)
	require.NoError(t, err)
	agent := "modelarts-go/0.1.0 (" + runtime.Version() + "; " + runtime.GOOS + "/" + runtime.GOARCH + ")"
	for _, c := range []struct {
		method      string
		body        any
		contentType string
	}{
		{"GET", nil, ""},
		{"DELETE", nil, ""},
		{"POST", nil, "application/json"},
		{"PUT", nil, "application/json"},
		{"POST", struct{}{}, "application/json"},
		{"PATCH", map[string]int{"a": 1}, "application/json"},
	} {
		req, err := client.NewRequest(t.Context(), c.method, "/v2/x", nil, c.body)
		require.NoError(t, err)
		want := http.Header{"Accept": {"application/json"}, "User-Agent": {agent}, "X-Project-Id": {errsProject}}
		if c.contentType != "" {
			want.Set("Content-Type", c.contentType)
		}
		assert.Equal(t, want, req.Header, c.method)
		// Adding a value to one header must not reach into another one.
		req.Header.Add("Accept", "text/plain")
		assert.Equal(t, []string{agent}, req.Header["User-Agent"])
	}
}

// Headers that a caller sets on a request are the caller's; those of authentication are written anew for each
// attempt, and what no header may hold never leaves.
func TestHeadersOfTheCaller(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds"})
	request := func(name, value string) (*modelarts.Client, *http.Request) {
		client := fake.Client()
		req, err := client.NewRequest(t.Context(), "GET", "/v2/{project_id}/datasets/ds/sync-data/status", nil, nil)
		require.NoError(t, err)
		req.Header[name] = []string{value}
		return client, req
	}
	for _, name := range []string{"Authorization", "X-Sdk-Date"} {
		client, req := request(name, "mine")
		require.NoError(t, client.Do(req, nil), name)
		sent := fake.Requests()
		assert.NotEqual(t, "mine", sent[len(sent)-1].Header.Get(name))
	}
	before := len(fake.Requests())
	s := clientServer(t, clientCompleted)
	for name, value := range map[string]string{
		"X-Note": "do-not-show\r\nX-Evil: 1", "X-Evil\r\nX-Note": "do-not-show", "X-Other": "do-not-show\x00", "": "do-not-show",
	} {
		client := clientOf(t, s.URL, modelarts.TokenAuth(errsToken))
		req, err := client.NewRequest(t.Context(), "GET", "/x", nil, nil)
		require.NoError(t, err)
		req.Header[name] = []string{value}
		err = client.Do(req, nil)
		require.Error(t, err, "%q", name)
		errsPlain(t, err.Error())
		assert.NotContains(t, err.Error(), "do-not-show")
	}
	assert.Empty(t, s.seen())
	assert.Len(t, fake.Requests(), before)
}

func TestUserAgent(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client, err := modelarts.NewClient(errsEndpoint, errsProject, nil, modelarts.WithUserAgent(" trainer/1.4 (x; y) "))
	require.NoError(t, err)
	req, err := client.NewRequest(t.Context(), "GET", "/", nil, nil)
	require.NoError(t, err)
	assert.Regexp(t, `^trainer/1\.4 \(x; y\) modelarts-go/\d+\.\d+\.\d+ \(go.*; [a-z0-9]+/[a-z0-9]+\)$`, req.UserAgent())
}

func TestNewRequestPaths(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client, err := modelarts.NewClient("https://modelarts.example/pre/", "p:1", nil)
	require.NoError(t, err)
	for _, c := range []struct{ path, want string }{
		{"/v2/{project_id}/datasets", "/pre/v2/p%3A1/datasets"},
		{"v2/{project_id}", "/pre/v2/p%3A1"},
		{"/{project_id}/{project_id}", "/pre/p%3A1/p%3A1"},
		{"/v2/" + url.PathEscape("a/b:c"), "/pre/v2/a%2Fb%3Ac"},
		{"/v2/%C3%BC%20%7e", "/pre/v2/%C3%BC%20~"},
		{"/v2/ü x", "/pre/v2/%C3%BC%20x"},
		{"/v2/%25", "/pre/v2/%25"},
		{"/a//b/", "/pre/a//b/"},
		{"", "/pre/"},
		{"//evil.example/x", "/pre//evil.example/x"},
		{"@evil.example", "/pre/%40evil.example"},
		{"https://evil.example/x", "/pre/https%3A//evil.example/x"},
		{"/...", "/pre/..."},
		{"/a..b/.c", "/pre/a..b/.c"},
	} {
		req, err := client.NewRequest(t.Context(), "GET", c.path, nil, nil)
		require.NoError(t, err, c.path)
		assert.Equal(t, "https://modelarts.example"+c.want, req.URL.String(), c.path)
		assert.Equal(t, "modelarts.example", req.Host)
	}
	for _, path := range []string{
		"/a?b", "/a#b", "/a\\b", "/a\nb", "/a\x7f", "/.", "/..", "..", ".", "/a/../b", "/a/./b", "/%2e", "/%2E%2e", "/.%2e/b", "/a/%2e%2E",
		"/a/..%2fb", "/a%2F..%2Fb", "/a/%2E%2E%5Cb", "/a/" + url.PathEscape("../../v9/x"), "/%", "/%4", "/%zz",
	} {
		_, err := client.NewRequest(t.Context(), "GET", path, nil, nil)
		if assert.Error(t, err, "%q", path) {
			errsPlain(t, err.Error())
		}
	}
}

func TestNewRequestRefusesMethodsAndContexts(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client, err := modelarts.NewClient(errsEndpoint, errsProject, nil)
	require.NoError(t, err)
	_, err = client.NewRequest(t.Context(), "BAD METHOD", "/", nil, nil)
	require.ErrorContains(t, err, "method")
	_, err = client.NewRequest(nil, "GET", "/", nil, nil) //nolint:staticcheck // it is what is tested
	require.ErrorContains(t, err, "Context")
	req, err := client.NewRequest(t.Context(), "", "/", nil, nil)
	require.NoError(t, err)
	assert.Equal(t, "GET", req.Method)
}

func TestNewRequestQueries(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client, err := modelarts.NewClient(errsEndpoint, errsProject, nil)
	require.NoError(t, err)
	type options struct {
		Text    string   `url:"search_content,omitempty"`
		Limit   int      `url:"limit,omitempty"`
		Kind    *int     `url:"kind,omitempty"`
		Flag    *bool    `url:"flag,omitempty"`
		Many    []string `url:"many,omitempty"`
		Ignored string   `url:"-"`
	}
	zero, no := 0, false
	for _, c := range []struct {
		name  string
		query any
		want  string
	}{
		{"none", nil, ""},
		{"empty struct", options{}, ""},
		{"nil pointer", (*options)(nil), ""},
		{"struct", options{Text: "a b+c/ü~*", Limit: 100, Ignored: "x"}, "limit=100&search_content=a%20b%2Bc%2F%C3%BC~%2A"},
		{"pointer", &options{Limit: 1}, "limit=1"},
		{"pointers to zero values", options{Kind: &zero, Flag: &no}, "flag=false&kind=0"},
		{"repeated key", options{Many: []string{"b", "a", ""}}, "many=&many=a&many=b"},
		{"value with separators", options{Text: "x&limit=9#?"}, "search_content=x%26limit%3D9%23%3F"},
		{"the type of image classification", &modelarts.DatasetListOptions{DatasetType: new(modelarts.DatasetType)}, "dataset_type=0"},
	} {
		req, err := client.NewRequest(t.Context(), "GET", "/x", c.query, nil)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, req.URL.RawQuery, c.name)
	}
	pointer := &options{}
	for _, query := range []any{url.Values{"a": {"b"}}, map[string]string{}, "a=b", 5, []options{}, &pointer} {
		_, err := client.NewRequest(t.Context(), "GET", "/x", query, nil)
		require.ErrorContains(t, err, "a query must be a struct", "%T", query)
	}
}

func TestNewRequestBodies(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client, err := modelarts.NewClient(errsEndpoint, errsProject, nil)
	require.NoError(t, err)
	req, err := client.NewRequest(t.Context(), "POST", "/x", nil, map[string]any{"a": 1})
	require.NoError(t, err)
	assert.EqualValues(t, 7, req.ContentLength)
	for range 2 {
		body, err := req.GetBody()
		require.NoError(t, err)
		content, err := io.ReadAll(body)
		require.NoError(t, err)
		assert.JSONEq(t, `{"a":1}`, string(content))
	}
	_, err = client.NewRequest(t.Context(), "POST", "/x", nil, func() {})
	require.ErrorContains(t, err, "encoding the request body")
	var unsupported *json.UnsupportedTypeError
	require.ErrorAs(t, err, &unsupported)
}

func TestDoRefusesOtherHosts(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client := errsClient(t, modelarts.TokenAuth(errsToken), func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, errors.New("unexpected")
	})
	made := func(target string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		require.NoError(t, err)
		return req
	}
	otherHost := made(errsEndpoint)
	otherHost.Host = "evil.example"
	opaque := made(errsEndpoint)
	opaque.URL.Opaque = "//evil.example/x"
	for name, req := range map[string]*http.Request{
		"other host":         made("https://evil.example/"),
		"plain http":         made("http://modelarts.example/"),
		"other port":         made("https://modelarts.example:8443/"),
		"longer host":        made("https://modelarts.example.evil.example/"),
		"no host":            made("/v2"),
		"other Host header":  otherHost,
		"opaque":             opaque,
		"nil":                nil,
		"without a URL":      {},
		"host with newlines": {URL: &url.URL{Scheme: "https", Host: "a\nb"}},
	} {
		err := client.Do(req, nil)
		if assert.Error(t, err, name) {
			assert.Contains(t, err.Error(), "modelarts: ")
			errsPlain(t, err.Error())
		}
	}
}

func TestDoDecodes(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	do := func(t *testing.T, body string, out any) error {
		t.Helper()
		client := errsClient(t, nil, func(req *http.Request) (*http.Response, error) {
			return errsResponse(req, 201, nil, body), nil
		})
		req, err := client.NewRequest(t.Context(), "POST", "/x", nil, nil)
		require.NoError(t, err)
		return client.Do(req, out)
	}
	type answer struct {
		ID string `json:"id"`
	}
	t.Run("out nil takes any body", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{"", "null", "<html>", `{"id":`, "{}"} {
			require.NoError(t, do(t, body, nil), body)
		}
	})
	t.Run("unknown members are fine", func(t *testing.T) {
		t.Parallel()
		var out answer
		require.NoError(t, do(t, ` {"id":"x","more":{"id":[1]}} `, &out))
		assert.Equal(t, answer{"x"}, out)
	})
	t.Run("a value of any kind", func(t *testing.T) {
		t.Parallel()
		var out any
		require.NoError(t, do(t, `[1,"2"]`, &out))
		assert.Equal(t, []any{1.0, "2"}, out)
		var raw json.RawMessage
		require.NoError(t, do(t, `{"a": 1}`, &raw))
		assert.JSONEq(t, `{"a":1}`, string(raw))
	})
	t.Run("null is not what was expected", func(t *testing.T) {
		t.Parallel()
		out := answer{"before"}
		require.ErrorContains(t, do(t, "null", &out), "it is null")
		assert.Equal(t, answer{"before"}, out)
	})
	t.Run("more than one value is not either", func(t *testing.T) {
		t.Parallel()
		require.ErrorContains(t, do(t, `{"id":"x"}{"id":"y"}`, new(answer)), "after top-level value")
	})
	t.Run("nothing to decode into", func(t *testing.T) {
		t.Parallel()
		for _, out := range []any{answer{}, (*answer)(nil), map[string]any{}} {
			err := do(t, "{}", out)
			require.ErrorContains(t, err, "pointer")
			var apiErr *modelarts.APIError
			assert.NotErrorAs(t, err, &apiErr, "nothing was sent")
		}
	})
}

func TestDoLeavesTheRequestAsItIs(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	s := clientServer(t, clientCompleted)
	client := clientOf(t, s.URL, modelarts.TokenAuth(errsToken))
	req, err := client.NewRequest(t.Context(), "POST", "/v2/{project_id}/x", nil, map[string]int{"a": 1})
	require.NoError(t, err)
	header := req.Header.Clone()
	for range 3 {
		require.NoError(t, client.Do(req, nil))
		assert.Equal(t, header, req.Header)
	}
	assert.Len(t, s.seen(), 3)
	for i, r := range s.seen() {
		assert.Equal(t, errsToken, r.Header.Get("X-Auth-Token"))
		assert.JSONEq(t, `{"a":1}`, s.bodies[i])
	}
}

// A request made by hand works as one of NewRequest does.
func TestDoWithAHandMadeRequest(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds:1"})
	client := fake.Client()
	target, err := url.Parse(modelartstest.Endpoint + "/v2/" + modelartstest.ProjectID + "/datasets/ds:1/sync-data/status")
	require.NoError(t, err)
	var status modelarts.SyncStatus
	require.NoError(t, client.Do((&http.Request{Method: http.MethodGet, URL: target}).WithContext(t.Context()), &status))
	assert.Equal(t, modelarts.SyncNotExist, status.Status)
}

func TestClientsShareConnections(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	s := clientServer(t, clientCompleted)
	one, two := clientOf(t, s.URL, nil), clientOf(t, s.URL, nil)
	for _, client := range []*modelarts.Client{one, two, one} {
		_, err := client.GetSyncStatus(t.Context(), "ds")
		require.NoError(t, err)
	}
	// Other tests may close what is idle in between, so only the least number is certain.
	shared := s.opened.Load()
	assert.LessOrEqual(t, shared, int64(3))
	one.CloseIdleConnections()
	_, err := two.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err)
	assert.Equal(t, shared+1, s.opened.Load(), "the idle connection was closed")
}

func TestOwnHTTPClientIsNotModified(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	s := clientServer(t, func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("affinity"); err == nil {
			w.Header().Set("X-Request-Id", cookie.Value)
		}
		http.SetCookie(w, &http.Cookie{Name: "affinity", Value: "node-1"})
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
	})
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	var followed atomic.Int64
	own := &http.Client{
		Transport: transport, Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { followed.Add(1); return http.ErrUseLastResponse },
	}
	client := clientOf(t, s.URL, nil, modelarts.WithHTTPClient(own))
	for _, want := range []string{"", "node-1"} {
		_, err := client.GetSyncStatus(t.Context(), "ds")
		var apiErr *modelarts.APIError
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, want, apiErr.RequestID, "the jar holds")
	}
	assert.Zero(t, followed.Load())
	assert.Same(t, transport, own.Transport)
	assert.Equal(t, jar, own.Jar)
	assert.Equal(t, time.Minute, own.Timeout)

	// It still follows redirects for its owner.
	resp, err := own.Get(s.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.EqualValues(t, 1, followed.Load())

	// What the owner changes later has no effect.
	own.Transport = errsTransport(func(*http.Request) (*http.Response, error) { return nil, errors.New("changed") })
	_, err = client.GetSyncStatus(t.Context(), "ds")
	require.ErrorContains(t, err, ": 302 Found")
}

func TestOwnHTTPClientTimeout(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	released := make(chan struct{})
	s := clientServer(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-released:
		case <-r.Context().Done():
		}
	})
	defer close(released)
	client := clientOf(t, s.URL, nil, modelarts.WithHTTPClient(&http.Client{Timeout: 20 * time.Millisecond}))
	_, err := client.GetSyncStatus(t.Context(), "ds")
	var timeout interface{ Timeout() bool }
	require.ErrorAs(t, err, &timeout)
	assert.True(t, timeout.Timeout())
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's deadline has not passed")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	other := clientServer(t, clientCompleted)
	var status atomic.Int64
	var location atomic.Value
	s := clientServer(t, func(w http.ResponseWriter, _ *http.Request) {
		if to, ok := location.Load().(string); ok && to != "" {
			w.Header()["Location"] = []string{to}
		}
		w.WriteHeader(int(status.Load()))
	})
	_, port, _ := strings.Cut(strings.TrimPrefix(other.URL, "http://"), ":")
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "secret-key"})
	eager := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	sent := 0
	for _, code := range []int{300, 301, 302, 303, 304, 305, 307, 308, 399} {
		for _, to := range []string{
			"", other.URL + "/v2/x?a=b", "http://localhost:" + port + "/", "//" + strings.TrimPrefix(other.URL, "http://"), "/elsewhere", "?", "%zz", "://", "http://[::1", " ",
		} {
			status.Store(int64(code))
			location.Store(to)
			for _, auth := range []modelarts.Authenticator{modelarts.TokenAuth(errsToken), signer} {
				client := clientOf(t, s.URL, auth, modelarts.WithHTTPClient(eager))
				for _, method := range []string{"GET", "POST"} {
					req, err := client.NewRequest(t.Context(), method, "/x", nil, nil)
					require.NoError(t, err)
					err = client.Do(req, nil)
					sent++
					var apiErr *modelarts.APIError
					require.ErrorAs(t, err, &apiErr, "%d %q", code, to)
					assert.Equal(t, code, apiErr.StatusCode)
					assert.Contains(t, err.Error(), "redirects are never followed")
					if strings.HasPrefix(to, other.URL) {
						assert.Contains(t, apiErr.Message, other.URL, "it says where it would have gone")
						assert.NotContains(t, err.Error(), "a=b")
					}
					errsPlain(t, err.Error())
					last := s.seen()[len(s.seen())-1]
					assert.Equal(t, method, last.Method)
				}
			}
		}
	}
	assert.Len(t, s.seen(), sent, "one request each")
	assert.Empty(t, other.seen(), "nothing goes to the other host")
}

// A transport may keep the answers that it gives, to give them again.
func TestAnswersOfATransportAreNotModified(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	header := http.Header{"Location": {"https://evil.example/"}}
	kept := &http.Response{StatusCode: http.StatusFound, Header: header, Body: http.NoBody}
	var transport errsTransport = func(*http.Request) (*http.Response, error) { return kept, nil }
	client := errsClient(t, nil, transport)
	_, err := client.GetSyncStatus(t.Context(), "ds")
	require.ErrorContains(t, err, "a redirect to")
	assert.Equal(t, http.Header{"Location": {"https://evil.example/"}}, header)
	assert.Equal(t, header, kept.Header)
}

func TestTransportsThatMisbehave(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client := errsClient(t, nil, func(*http.Request) (*http.Response, error) { return nil, nil })
	_, err := client.GetSyncStatus(t.Context(), "ds")
	require.Error(t, err)
	errsPlain(t, err.Error())

	// One without CloseIdleConnections is left alone.
	client.CloseIdleConnections()
}

func TestCloseIdleConnectionsOfOwnTransport(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	var transport clientClosable
	client := clientOf(t, errsEndpoint, nil, modelarts.WithHTTPClient(&http.Client{Transport: &transport}))
	client.CloseIdleConnections()
	assert.Equal(t, 1, transport.closed)
}

type clientClosable struct {
	http.Transport
	closed int
}

func (c *clientClosable) CloseIdleConnections() { c.closed++ }

// One client serves many goroutines, and what it gives out belongs to the caller alone.
func TestClientIsSharedByGoroutines(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds"})
	client := fake.Client()
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			req, err := client.NewRequest(t.Context(), "GET", "/v2/{project_id}/datasets/ds/sync-data/status", nil, nil)
			if assert.NoError(t, err) {
				req.Header.Set("User-Agent", fmt.Sprint("goroutine ", i))
				req.Header.Add("Accept", "text/plain")
				assert.NoError(t, client.Do(req, new(modelarts.SyncStatus)))
			}
			_, err = client.GetSyncStatus(t.Context(), "ds")
			require.NoError(t, err)
			assert.NotEmpty(t, fmt.Sprint(client))
		})
	}
	group.Wait()
	assert.Len(t, fake.Requests(), 64)
}

// It is not parallel, since the tests that are close what is idle.
func TestManyCallsKeepTheirConnections(t *testing.T) {
	noLeaks(t)
	const calls = 256
	var gate sync.WaitGroup
	s := clientServer(t, func(w http.ResponseWriter, r *http.Request) {
		gate.Done()
		gate.Wait() // so that all are under way at once
		clientCompleted(w, r)
	})
	client := clientOf(t, s.URL, nil)
	round := func() {
		gate.Add(calls)
		for _, err := range credAll(calls, func(int) error { return credPoll(t.Context(), client) }) {
			require.NoError(t, err)
		}
	}
	round()
	warm := s.opened.Load()
	for range 4 {
		round()
	}
	assert.LessOrEqual(t, s.opened.Load()-warm, int64(calls/10), "they are used again")
}

func TestConnectionsAreClosedUnderCalls(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	s := clientServer(t, clientCompleted)
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	client := clientOf(t, s.URL, nil, modelarts.WithHTTPClient(&http.Client{Transport: transport}),
		modelarts.WithRetryPolicy(modelarts.RetryPolicy{}))
	for _, err := range credAll(8, func(int) error {
		for range 50 {
			if err := credPoll(t.Context(), client); err != nil {
				return err
			}
			client.CloseIdleConnections()
		}
		return nil
	}) {
		require.NoError(t, err)
	}
	assert.Len(t, s.seen(), 8*50, "and none was sent twice")
}

func TestNoClientOfItsOwnUsesTheSharedTransport(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	before := http.DefaultTransport
	client := clientOf(t, errsEndpoint, nil)
	client.CloseIdleConnections()
	assert.Same(t, before, http.DefaultTransport)
	standard, ok := http.DefaultTransport.(*http.Transport)
	require.True(t, ok)
	assert.NotEqual(t, 512, standard.MaxIdleConnsPerHost, "the default one is not touched")
	var b bytes.Buffer
	fmt.Fprintf(&b, "%+v", client)
	assert.Equal(t, "modelarts.Client("+errsEndpoint+", project "+errsProject+")", b.String())
}
