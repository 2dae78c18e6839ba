package modelarts_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// retryPipes is a network in memory for net/http's own transport, whose connections live in the bubble of
// their test. serve speaks for the server: it gets each request of the n-th connection, from 1, and returns
// false to end the connection.
func retryPipes(t *testing.T, serve func(conn net.Conn, req *http.Request, n int) bool) *http.Transport {
	t.Helper()
	var dials atomic.Int32
	var servers sync.WaitGroup
	t.Cleanup(servers.Wait) // so that a connection which the client forgets to close is found out
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		n := int(dials.Add(1))
		client, server := net.Pipe()
		servers.Go(func() {
			defer func() { _ = server.Close() }()
			reader := bufio.NewReader(server)
			for {
				req, err := http.ReadRequest(reader)
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, req.Body); err != nil || !serve(server, req, n) {
					return
				}
			}
		})
		return client, nil
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

const retryLoopback = "http://127.0.0.1"

// retryPipeClient makes a client whose transport has retryPipes below it.
func retryPipeClient(t *testing.T, transport http.RoundTripper, policy modelarts.RetryPolicy, auth modelarts.Authenticator) *modelarts.Client {
	t.Helper()
	return retryClientAt(t, retryLoopback, auth,
		modelarts.WithHTTPClient(&http.Client{Transport: transport}), modelarts.WithRetryPolicy(policy))
}

// retryWaitForEnd blocks until the other side has closed the connection.
func retryWaitForEnd(conn io.Reader) { _, _ = io.Copy(io.Discard, conn) }

const (
	retryBusy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 35\r\n\r\n" +
		`{"error_code":"X.1","error_msg":""}`
	retryOK = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}"
)

func TestAContextThatIsOverBeforeTheCall(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for _, ctx := range []context.Context{cancelled, late} {
		script := newRetryScript(retryAnswers(200, ""))
		authenticated := false
		client := retryClientAt(t, modelartstest.Endpoint, modelarts.AuthenticatorFunc(func(*http.Request) error {
			authenticated = true
			return nil
		}), modelarts.WithHTTPClient(&http.Client{Transport: script}))
		err := retryCall(ctx, t, client, http.MethodGet, nil)
		require.ErrorIs(t, err, ctx.Err())
		assert.Zero(t, script.count())
		assert.False(t, authenticated)
	}
}

// TestAContextThatEndsOnTheWay ends the context in each phase of a call, in the first attempt and in the
// second, after the service has said that it is busy.
func TestAContextThatEndsOnTheWay(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	type phase struct {
		name         string
		authenticate func(req *http.Request) error
		dial         func(ctx context.Context) error
		answer       func(conn net.Conn)
	}
	half := func(head string) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = io.WriteString(conn, head)
			retryWaitForEnd(conn)
		}
	}
	phases := []phase{
		{name: "authenticating", authenticate: func(req *http.Request) error {
			<-req.Context().Done()
			return req.Context().Err()
		}},
		{name: "authenticating, with an error of its own", authenticate: func(req *http.Request) error {
			<-req.Context().Done()
			return errors.New("interrupted")
		}},
		{name: "dialing", dial: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		{name: "waiting for the answer", answer: half("")},
		{name: "inside the headers", answer: half("HTTP/1.1 200 OK\r\nContent-Le")},
		{name: "inside the body", answer: half("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\"")},
		{name: "inside the body of a refusal", answer: half("HTTP/1.1 400 Bad Request\r\nContent-Length: 99\r\n\r\n{\"error_code")},
		{name: "inside the body of an outage", answer: half("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 99\r\n\r\n{\"error_code")},
		{name: "pausing", answer: half("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 15\r\nContent-Length: 0\r\n\r\n")},
	}
	run := func(t *testing.T, p phase, busy int, deadline bool) {
		t.Helper()
		var attempts atomic.Int32
		transport := retryPipes(t, func(conn net.Conn, _ *http.Request, _ int) bool {
			if int(attempts.Load()) <= busy {
				_, _ = io.WriteString(conn, retryBusy)
				return false
			}
			p.answer(conn)
			return false
		})
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if p.dial != nil && int(attempts.Load()) > busy {
				return nil, p.dial(ctx)
			}
			return dial(ctx, network, address)
		}
		client := retryPipeClient(t, transport, modelarts.RetryPolicy{AttemptTimeout: -1}, modelarts.AuthenticatorFunc(func(req *http.Request) error {
			if int(attempts.Add(1)) > busy && p.authenticate != nil {
				return p.authenticate(req)
			}
			return nil
		}))
		const limit = 2500 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		want := context.DeadlineExceeded
		if deadline {
			defer cancel()
		} else {
			cancel()
			want = context.Canceled
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(limit, cancel)
		}
		began := time.Now()
		var out struct{ OK bool }
		err := retryCall(ctx, t, client, http.MethodGet, &out)
		if deadline && p.name == "pausing" {
			assert.Less(t, time.Since(began), limit, "such a pause does not begin")
		} else {
			assert.Equal(t, limit, time.Since(began), "the call ends with its context")
		}
		require.ErrorIs(t, err, want)
		assert.NotContains(t, err.Error(), "\n")
		assert.EqualValues(t, busy+1, attempts.Load())
		var answer *modelarts.APIError
		if busy > 0 || strings.Contains(p.name, "body of") || p.name == "pausing" {
			require.ErrorAs(t, err, &answer, "the last that the service said: %v", err)
		}
	}
	for _, p := range phases {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for _, deadline := range []bool{false, true} {
				for busy := range 3 {
					// The bubble would notice a goroutine that stays.
					synctest.Test(t, func(t *testing.T) { run(t, p, busy, deadline) })
				}
			}
		})
	}
}

// TestAContextThatEndsInTheTLSHandshake has a server that never says hello.
func TestAContextThatEndsInTheTLSHandshake(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for method, attempts := range map[string]int{http.MethodGet: 3, http.MethodPost: 1} {
		synctest.Test(t, func(t *testing.T) {
			var dials atomic.Int32
			var servers sync.WaitGroup
			transport := modelarts.SharedTransport()
			transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				dials.Add(1)
				client, server := net.Pipe()
				servers.Go(func() { retryWaitForEnd(server) })
				return client, nil
			}
			client := retryClientAt(t, "https://127.0.0.1", nil, modelarts.WithHTTPClient(&http.Client{Transport: transport}),
				modelarts.WithRetryPolicy(modelarts.RetryPolicy{MinDelay: 1, MaxDelay: 1, AttemptTimeout: 5 * time.Second}))
			ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
			defer cancel()
			began := time.Now()
			err := retryCall(ctx, t, client, method, nil)
			if method == http.MethodGet {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, 12*time.Second, time.Since(began))
			} else {
				assert.Equal(t, 5*time.Second, time.Since(began))
			}
			var network net.Error
			require.ErrorAs(t, err, &network)
			assert.True(t, network.Timeout())
			assert.EqualValues(t, attempts, dials.Load())
			synctest.Wait()
			servers.Wait() // net/http lets a handshake go on for ten seconds in all, for whoever comes next
		})
	}
}

func TestTheCauseOfACancellationIsKept(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		transport := retryPipes(t, func(conn net.Conn, _ *http.Request, _ int) bool {
			retryWaitForEnd(conn)
			return false
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("the shop is closing")
		time.AfterFunc(time.Second, func() { cancel(cause) })
		err := retryCall(ctx, t, retryPipeClient(t, transport, modelarts.RetryPolicy{}, nil), http.MethodGet, nil)
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, cause)
	})
}

// TestADialThatNoticesTheDeadlineFirst is about a network that counts the context's deadline down itself.
func TestADialThatNoticesTheDeadlineFirst(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := retryLateContext{Context: t.Context(), deadline: time.Now()}
		script := newRetryScript(retryFails(&net.OpError{Op: "dial", Net: "tcp", Err: retryTimeoutError{}}))
		err := retryCall(ctx, t, retryClient(t, script, retryAtOnce), http.MethodPost, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 1, script.count())
	})
}

// retryLateContext is a context whose deadline has come, and whose timer has not gone off yet.
type retryLateContext struct {
	context.Context
	deadline time.Time
}

func (c retryLateContext) Deadline() (time.Time, bool) { return c.deadline, true }

func TestOneAttemptHasItsTime(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	write := func(conn net.Conn, text string) { _, _ = io.WriteString(conn, text) }
	drip := func(conn net.Conn, text string) {
		for i := range len(text) {
			if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	const limit = 10 * time.Second
	for _, test := range []struct {
		name   string
		answer func(conn net.Conn)
	}{
		{"no answer", func(net.Conn) {}},
		{"the status line drips", func(conn net.Conn) { drip(conn, retryOK) }},
		{"the headers stall", func(conn net.Conn) { write(conn, "HTTP/1.1 200 OK\r\nContent-Le") }},
		{"the body does not come", func(conn net.Conn) { write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n") }},
		{"the body drips", func(conn net.Conn) {
			write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
			drip(conn, strings.Repeat(" ", 100))
		}},
		{"half a body", func(conn net.Conn) { write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\"") }},
		{"half a chunked body", func(conn net.Conn) {
			write(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ok\"\r\n")
		}},
		{"half an error of the service", func(conn net.Conn) { write(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 11\r\n\r\n{") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for method, attempts := range map[string]int{http.MethodGet: 2, http.MethodPost: 1} {
				synctest.Test(t, func(t *testing.T) {
					var requests atomic.Int32
					transport := retryPipes(t, func(conn net.Conn, _ *http.Request, _ int) bool {
						requests.Add(1)
						test.answer(conn)
						retryWaitForEnd(conn)
						return false
					})
					policy := modelarts.RetryPolicy{MaxAttempts: 2, MinDelay: 1, MaxDelay: 1, AttemptTimeout: limit}
					began := time.Now()
					var out struct{ OK bool }
					err := retryCall(t.Context(), t, retryPipeClient(t, transport, policy, nil), method, &out)
					assert.Equal(t, time.Duration(attempts)*limit, time.Since(began))
					assert.EqualValues(t, attempts, requests.Load())
					require.Error(t, err)
					require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's deadline has not passed")
					var answer *modelarts.APIError
					if errors.As(err, &answer) {
						assert.Equal(t, http.StatusBadGateway, answer.StatusCode, "the status is known, and says more than the time")
						return
					}
					var network net.Error
					require.ErrorAs(t, err, &network)
					assert.True(t, network.Timeout())
					assert.Contains(t, err.Error(), "10s")
				})
			}
		})
	}
}

func TestTheTimeOfAnAttemptCoversAuthentication(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for method, attempts := range map[string]int{http.MethodGet: 3, http.MethodPost: 1} {
		synctest.Test(t, func(t *testing.T) {
			script := newRetryScript(retryAnswers(200, ""))
			calls := 0
			client := retryClientAt(t, modelartstest.Endpoint, modelarts.AuthenticatorFunc(func(req *http.Request) error {
				calls++
				<-req.Context().Done()
				return req.Context().Err()
			}), modelarts.WithHTTPClient(&http.Client{Transport: script}), modelarts.WithRetryPolicy(modelarts.RetryPolicy{
				MaxAttempts: 3, MinDelay: 1, MaxDelay: 1, AttemptTimeout: time.Minute,
			}))
			began := time.Now()
			err := retryCall(t.Context(), t, client, method, nil)
			assert.Equal(t, time.Duration(attempts)*time.Minute, time.Since(began))
			assert.Equal(t, attempts, calls)
			assert.Zero(t, script.count())
			var network net.Error
			require.ErrorAs(t, err, &network)
			assert.True(t, network.Timeout())
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			assert.Contains(t, err.Error(), "credentials")
		})
	}
}

func TestAnAttemptMayTakeForEver(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		transport := retryPipes(t, func(conn net.Conn, _ *http.Request, _ int) bool {
			time.Sleep(24 * time.Hour)
			_, _ = io.WriteString(conn, retryOK)
			return true
		})
		client := retryPipeClient(t, transport, modelarts.RetryPolicy{AttemptTimeout: -1}, nil)
		require.NoError(t, retryCall(t.Context(), t, client, http.MethodGet, nil))
	})
}

func TestTheTimeoutOfTheCallersClient(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, test := range []struct{ name, head string }{
		{"before the headers", ""}, {"inside the body", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for method, attempts := range map[string]int{http.MethodGet: 2, http.MethodPost: 1} {
				synctest.Test(t, func(t *testing.T) {
					transport := retryPipes(t, func(conn net.Conn, _ *http.Request, _ int) bool {
						_, _ = io.WriteString(conn, test.head)
						retryWaitForEnd(conn)
						return false
					})
					client := retryClientAt(t, retryLoopback, nil,
						modelarts.WithHTTPClient(&http.Client{Transport: transport, Timeout: 3 * time.Second}),
						modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 2, MinDelay: 1, MaxDelay: 1}))
					began := time.Now()
					var out struct{ OK bool }
					err := retryCall(t.Context(), t, client, method, &out)
					assert.Equal(t, time.Duration(attempts)*3*time.Second, time.Since(began))
					var network net.Error
					require.ErrorAs(t, err, &network)
					assert.True(t, network.Timeout())
					assert.NotErrorIs(t, err, context.DeadlineExceeded)
				})
			}
		})
	}
}

func TestAuthenticationThatFailsIsNotRetried(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	broken := errors.New("no key in the drawer")
	script := newRetryScript(retryAnswers(200, ""))
	calls := 0
	client := retryClientAt(t, modelartstest.Endpoint, modelarts.AuthenticatorFunc(func(*http.Request) error {
		calls++
		return broken
	}), modelarts.WithHTTPClient(&http.Client{Transport: script}), modelarts.WithRetryPolicy(retryAtOnce))
	err := retryCall(t.Context(), t, client, http.MethodGet, nil)
	require.ErrorIs(t, err, broken)
	assert.Equal(t, 1, calls)
	assert.Zero(t, script.count())
}

// A retryBody is a request body that knows whether it was closed.
type retryBody struct {
	io.Reader
	closed *atomic.Int32
}

func (b retryBody) Close() error {
	b.closed.Add(1)
	return nil
}

func TestRequestBodies(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	type note struct {
		Text string `json:"text"`
	}
	newRequest := func(t *testing.T, client *modelarts.Client) *http.Request {
		t.Helper()
		req, err := client.NewRequest(t.Context(), http.MethodPost, "/v2/{project_id}/notes", nil, note{Text: "hello"})
		require.NoError(t, err)
		return req
	}
	t.Run("every attempt has the whole body", func(t *testing.T) {
		t.Parallel()
		script := newRetryScript(retryAnswers(429, ""), retryFails(syscall.ECONNREFUSED), retryAnswers(200, ""))
		client := retryClient(t, script, retryAtOnce)
		req := newRequest(t, client)
		for range 2 { // and so has every call
			require.NoError(t, client.Do(req, nil))
		}
		require.Equal(t, 4, script.count())
		for _, sent := range script.sent {
			assert.JSONEq(t, `{"text":"hello"}`, sent.body)
		}
	})
	t.Run("a body that can be read but once is sent but once", func(t *testing.T) {
		t.Parallel()
		for name, step := range map[string]retryStep{
			"throttled": retryAnswers(429, ""), "refused": retryFails(syscall.ECONNREFUSED), "outage": retryAnswers(503, `{"error_code":"APIGW.0613"}`),
		} {
			script := newRetryScript(step)
			client := retryClient(t, script, retryAtOnce)
			req := newRequest(t, client)
			req.GetBody = nil
			require.Error(t, client.Do(req, nil), name)
			assert.Equal(t, 1, script.count(), name)
		}
	})
	t.Run("a body that can be read but once is not repeated for the authenticator", func(t *testing.T) {
		t.Parallel()
		script := newRetryScript(retryAnswers(401, ""), retryAnswers(200, ""))
		client := retryClientAt(t, modelartstest.Endpoint, &retryObserver{repeat: true},
			modelarts.WithHTTPClient(&http.Client{Transport: script}), modelarts.WithRetryPolicy(retryAtOnce))
		req := newRequest(t, client)
		req.GetBody = nil
		require.ErrorIs(t, client.Do(req, nil), modelarts.ErrUnauthorized)
		assert.Equal(t, 1, script.count())
	})
	t.Run("a body that cannot be had again ends the call", func(t *testing.T) {
		t.Parallel()
		script := newRetryScript(retryAnswers(429, ""))
		client := retryClient(t, script, retryAtOnce)
		req := newRequest(t, client)
		gone := errors.New("the file is gone")
		req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
		require.ErrorIs(t, client.Do(req, nil), gone)
		assert.Zero(t, script.count())
	})
	t.Run("every body is closed", func(t *testing.T) {
		t.Parallel()
		var opened, closed atomic.Int32
		refuse := false
		script := newRetryScript(retryAnswers(429, ""), retryFails(syscall.ECONNREFUSED), retryAnswers(200, ""))
		client := retryClientAt(t, modelartstest.Endpoint, modelarts.AuthenticatorFunc(func(*http.Request) error {
			if refuse {
				return errors.New("no key")
			}
			return nil
		}), modelarts.WithHTTPClient(&http.Client{Transport: script}), modelarts.WithRetryPolicy(retryAtOnce))
		req := newRequest(t, client)
		req.GetBody = func() (io.ReadCloser, error) {
			opened.Add(1)
			return retryBody{strings.NewReader(`{"text":"hello"}`), &closed}, nil
		}
		require.NoError(t, client.Do(req, nil))
		refuse = true
		require.Error(t, client.Do(req, nil))
		assert.EqualValues(t, 4, opened.Load())
		assert.Equal(t, opened.Load(), closed.Load())
	})
}

func TestTheCallersRequestIsNotChanged(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	script := newRetryScript(retryAnswers(429, ""), retryAnswers(429, ""), retryAnswers(200, ""))
	client := retryClientAt(t, modelartstest.Endpoint, modelarts.AuthenticatorFunc(func(req *http.Request) error {
		// No attempt may see what the one before was given.
		if req.Header.Get("X-Attempt") != "" || req.URL.RawQuery != "" || len(req.Header["X-Own"]) != 1 {
			return errors.New("the request was seen before")
		}
		req.Header.Set("X-Attempt", "1")
		req.Header.Add("X-Own", "another")
		req.Header["Accept"][0] = "everything"
		req.URL.RawQuery = "signed=1"
		return nil
	}), modelarts.WithHTTPClient(&http.Client{Transport: script}), modelarts.WithRetryPolicy(retryAtOnce))
	req, err := client.NewRequest(t.Context(), http.MethodPost, "/v2/{project_id}/notes", nil, "hello")
	require.NoError(t, err)
	req.Header.Set("X-Own", "mine")
	header, target, body := req.Header.Clone(), *req.URL, req.Body
	require.NoError(t, client.Do(req, nil))
	require.Equal(t, 3, script.count())
	assert.Equal(t, header, req.Header)
	assert.Equal(t, target, *req.URL)
	assert.Equal(t, body, req.Body)
	content, err := io.ReadAll(req.Body)
	require.NoError(t, err)
	assert.Equal(t, `"hello"`, string(content), "the body is still to be read")
	for _, sent := range script.sent {
		assert.Equal(t, "1", sent.header.Get("X-Attempt"))
		assert.Contains(t, sent.url, "?signed=1")
		assert.NotContains(t, sent.header, "Idempotency-Key", "it would make net/http repeat a POST by itself")
	}
}

func TestARequestWithoutHeaders(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	script := newRetryScript(retryAnswers(200, ""))
	client := retryClient(t, script, retryAtOnce)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, modelartstest.Endpoint+"/v2/things", nil)
	require.NoError(t, err)
	req.Header = nil
	require.NoError(t, client.Do(req, nil))
	assert.Nil(t, req.Header)
	assert.Equal(t, retryToken, script.sent[0].header.Get("X-Auth-Token"))
}

// A complete answer that is useless, the empty one among them, is not asked for again: whatever stands between
// makes the same of the next. A wait takes it for an outage and polls on.
func TestASuccessThatIsNotTheJSONExpected(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, test := range []struct{ name, body, says string }{
		{"empty", "", "empty"},
		{"blank", " \n", "empty"},
		{"null", "null", "null"},
		{"a web page", "<!DOCTYPE html><html><title>Portal login</title></html>", "Portal login"},
		{"text", "all is well", "all is well"},
		{"cut off", `{"ok":tr`, "EOF"},
		{"two values", `{"ok":true}{"ok":true}`, "after top-level value"},
		{"trailing bytes", `{"ok":true} and more`, "after top-level value"},
		{"another type", `["ok"]`, "array"},
		{"another type in a field", `{"ok":"yes"}`, `"ok"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, status := range []int{200, 201, 206} {
				script := newRetryScript(retryAnswers(status, test.body, "X-Request-Id", "r-17", "Content-Type", "application/json"))
				client := retryClient(t, script, retryAtOnce)
				var out struct {
					OK bool `json:"ok"`
				}
				err := retryCall(t.Context(), t, client, http.MethodGet, &out)
				answer := retryAPIError(t, err)
				assert.Equal(t, 1, script.count(), "the same would come again")
				assert.Equal(t, status, answer.StatusCode)
				assert.Equal(t, "r-17", answer.RequestID)
				assert.Equal(t, test.body, string(answer.Body))
				assert.Contains(t, err.Error(), "not the JSON expected")
				assert.Contains(t, err.Error(), test.says)
				assert.NotContains(t, err.Error(), "\n")
				for _, sentinel := range []error{
					modelarts.ErrUnauthorized, modelarts.ErrForbidden, modelarts.ErrNotFound, modelarts.ErrDatasetNotFound,
					modelarts.ErrThrottled, modelarts.ErrConflict, modelarts.ErrSyncRunning,
				} {
					require.NotErrorIs(t, err, sentinel)
				}
				require.NoError(t, retryCall(t.Context(), t, client, http.MethodPost, nil), "without out, any 2xx is a success")
			}
		})
	}
	t.Run("no content", func(t *testing.T) {
		t.Parallel()
		script := newRetryScript(retryAnswers(204, ""))
		client := retryClient(t, script, retryAtOnce)
		var out map[string]any
		assert.Equal(t, 204, retryAPIError(t, retryCall(t.Context(), t, client, http.MethodGet, &out)).StatusCode)
		require.NoError(t, retryCall(t.Context(), t, client, http.MethodGet, nil))
		assert.Equal(t, 2, script.count())
	})
	t.Run("any content type will do", func(t *testing.T) {
		t.Parallel()
		for _, contentType := range []string{"text/plain", "text/html; charset=utf-8", ""} {
			var out map[string]bool
			script := newRetryScript(retryAnswers(200, `{"ok":true}`, "Content-Type", contentType))
			require.NoError(t, retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, &out))
			assert.True(t, out["ok"])
		}
	})
}

func TestAnEncodingThatWasNotAskedFor(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, encoding := range []string{"br", "gzip", "zstd", "identity, br"} {
		script := newRetryScript(retryAnswers(200, `{"ok":true}`, "Content-Encoding", encoding))
		client := retryClient(t, script, retryAtOnce)
		var out map[string]bool
		err := retryCall(t.Context(), t, client, http.MethodGet, &out)
		assert.Equal(t, 200, retryAPIError(t, err).StatusCode)
		assert.Contains(t, err.Error(), "content encoding that was not asked for")
		assert.Empty(t, out)
		require.NoError(t, retryCall(t.Context(), t, client, http.MethodGet, nil))
		assert.Equal(t, 2, script.count())

		script = newRetryScript(retryAnswers(404, "\x1b\x2c\x00", "Content-Encoding", encoding))
		err = retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, &out)
		require.ErrorIs(t, err, modelarts.ErrNotFound)
		assert.Empty(t, retryAPIError(t, err).Body)
	}
	var out map[string]bool
	script := newRetryScript(retryAnswers(200, `{"ok":true}`, "Content-Encoding", "Identity"))
	require.NoError(t, retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, &out))
	assert.True(t, out["ok"])
}

func TestTheLargestAnswer(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const largest = 1 << 20
	text := func(size int) string { return `"` + strings.Repeat("x", size-2) + `"` }
	var out string
	script := newRetryScript(retryAnswers(200, text(largest)))
	require.NoError(t, retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, &out))
	assert.Len(t, out, largest-2)
	for _, status := range []int{200, 404} {
		script = newRetryScript(retryAnswers(status, text(largest+1)))
		err := retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, &out)
		answer := retryAPIError(t, err)
		assert.Equal(t, status, answer.StatusCode)
		assert.Len(t, answer.Body, 4<<10)
		assert.Equal(t, 1, script.count())
		assert.Less(t, len(err.Error()), 4<<10)
		if status == 200 {
			assert.Contains(t, err.Error(), "larger than 1048576 bytes")
		}
	}
}

// A retryStream is the body of an answer that never ends and counts what is read of it.
type retryStream struct {
	read   atomic.Int64
	closed atomic.Bool
}

func (s *retryStream) Read(p []byte) (int, error) {
	s.read.Add(int64(len(p)))
	return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
}

func (s *retryStream) Close() error {
	s.closed.Store(true)
	return nil
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, out := range map[string]any{"wanted": new(string), "not wanted": nil} {
		stream := new(retryStream)
		script := newRetryScript(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, ContentLength: -1, Body: stream, Request: req}, nil
		})
		err := retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, out)
		assert.Equal(t, out == nil, err == nil, name)
		assert.True(t, stream.closed.Load(), name)
		assert.LessOrEqual(t, stream.read.Load(), int64(1<<20+1), name)
		assert.Equal(t, 1, script.count(), name)
	}
}

// TestASuccessWhoseBodyNobodyWants is about calls without out: their 2xx counts, however it goes on, and
// nobody waits long for the rest.
func TestASuccessWhoseBodyNobodyWants(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, test := range []struct{ name, rest string }{
		{"stalls at once", ""}, {"stalls in the middle", "half"}, {"is a web page", strings.Repeat("<p>", 4)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				transport := retryPipes(t, func(conn net.Conn, _ *http.Request, _ int) bool {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"+test.rest)
					retryWaitForEnd(conn)
					return false
				})
				client := retryPipeClient(t, transport, modelarts.RetryPolicy{AttemptTimeout: -1}, nil)
				began := time.Now()
				require.NoError(t, retryCall(t.Context(), t, client, http.MethodPost, nil))
				assert.LessOrEqual(t, time.Since(began), time.Second)
			})
		})
	}
	t.Run("its context ends", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			transport := retryPipes(t, func(conn net.Conn, _ *http.Request, _ int) bool {
				_, _ = io.WriteString(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 12\r\n\r\n")
				retryWaitForEnd(conn)
				return false
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			require.NoError(t, retryCall(ctx, t, retryPipeClient(t, transport, modelarts.RetryPolicy{}, nil), http.MethodPost, nil))
		})
	})
}

func TestATransportThatReturnsNothing(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	script := newRetryScript(func(*http.Request) (*http.Response, error) { return nil, nil }) //nolint:nilnil // A mistake that callers make.
	err := retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, nil)
	require.Error(t, err)
	assert.Equal(t, 1, script.count())
}

func TestATransportThatReturnsNoBody(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	script := newRetryScript(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Request: req}, nil
	})
	client := retryClient(t, script, retryAtOnce)
	require.NoError(t, retryCall(t.Context(), t, client, http.MethodGet, nil))
	var out map[string]any
	assert.Equal(t, 200, retryAPIError(t, retryCall(t.Context(), t, client, http.MethodGet, &out)).StatusCode)
}

func TestAPanicPassesThrough(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
	next := fake.HTTPClient().Transport
	panicking := true
	client := fake.Client(modelarts.WithHTTPClient(&http.Client{Transport: retryTransportFunc(func(req *http.Request) (*http.Response, error) {
		if panicking {
			panic("boom")
		}
		return next.RoundTrip(req)
	})}))
	for range 10 {
		assert.PanicsWithValue(t, "boom", func() { _, _ = client.GetSyncStatus(t.Context(), "flowers") })
	}
	panicking = false
	// The key is unproven, so that what the panics had left behind would hold this call up.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := client.GetSyncStatus(ctx, "flowers")
	require.NoError(t, err)
}

type retryTransportFunc func(req *http.Request) (*http.Response, error)

func (f retryTransportFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A retrySight is what an Observer was shown.
type retrySight struct {
	status  int
	refused *modelarts.APIError
	body    string
	token   string // of the request
}

// A retryObserver authenticates with tokens that it counts, and remembers what it was shown.
type retryObserver struct {
	mu     sync.Mutex
	repeat bool // what it says to every answer
	tokens int
	seen   []retrySight
}

func (o *retryObserver) Authenticate(req *http.Request) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tokens++
	req.Header.Set("X-Auth-Token", strings.Repeat("t", o.tokens))
	return nil
}

func (o *retryObserver) Observe(sent *http.Request, resp *http.Response, refused *modelarts.APIError) bool {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		body = []byte(err.Error())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, retrySight{resp.StatusCode, refused, string(body), sent.Header.Get("X-Auth-Token")})
	return o.repeat
}

func (o *retryObserver) statuses() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	var statuses []int
	for _, sight := range o.seen {
		statuses = append(statuses, sight.status)
	}
	return statuses
}

// A retryWrapper is an authenticator of a caller that forwards Observe, as the interface asks.
type retryWrapper struct {
	modelarts.Authenticator
}

func (w retryWrapper) Observe(sent *http.Request, resp *http.Response, refused *modelarts.APIError) bool {
	observer, ok := w.Authenticator.(modelarts.Observer)
	return ok && observer.Observe(sent, resp, refused)
}

func TestObserver(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	refusal := retryAnswers(401, `{"error_code":"APIGW.0307","error_msg":"The token must be updated"}`)
	run := func(t *testing.T, observer *retryObserver, attempts int, method string, steps ...retryStep) (*retryScript, error) {
		t.Helper()
		script := newRetryScript(steps...)
		policy := retryAtOnce
		policy.MaxAttempts = attempts
		client := retryClientAt(t, modelartstest.Endpoint, retryWrapper{observer},
			modelarts.WithHTTPClient(&http.Client{Transport: script}), modelarts.WithRetryPolicy(policy))
		var out map[string]bool
		return script, retryCall(t.Context(), t, client, method, &out)
	}
	t.Run("sees every answer", func(t *testing.T) {
		t.Parallel()
		observer := new(retryObserver)
		_, err := run(t, observer, 9, http.MethodGet,
			retryAnswers(503, "busy"), retryFails(io.EOF), retryAnswers(429, ""), retryAnswers(500, ""), retryAnswers(200, `{"ok":true}`))
		require.NoError(t, err)
		assert.Equal(t, []int{503, 429, 500, 200}, observer.statuses())
		for i, token := range []string{"t", "ttt", "tttt", "ttttt"} {
			assert.Equal(t, token, observer.seen[i].token, "it sees the request of that answer")
			assert.Nil(t, observer.seen[i].refused)
			assert.Empty(t, observer.seen[i].body, "the body is gone")
		}
	})
	t.Run("sees a success that is useless", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{"", "<html>", strings.Repeat(" ", 2<<20)} {
			observer := new(retryObserver)
			_, err := run(t, observer, 4, http.MethodGet, retryAnswers(200, body))
			require.Error(t, err)
			assert.Equal(t, []int{200}, observer.statuses())
		}
	})
	t.Run("sees an answer that is cut off", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{200, 404} {
			observer := new(retryObserver)
			cut := func(req *http.Request) (*http.Response, error) {
				resp, err := retryAnswers(status, "")(req)
				resp.ContentLength, resp.Body = 100, io.NopCloser(io.MultiReader(strings.NewReader("{"), retryBroken{}))
				return resp, err
			}
			script, err := run(t, observer, 3, http.MethodGet, cut)
			require.Error(t, err)
			assert.Equal(t, 3, script.count())
			assert.Equal(t, []int{status, status, status}, observer.statuses())
		}
	})
	t.Run("is told of a refusal", func(t *testing.T) {
		t.Parallel()
		observer := new(retryObserver)
		script, err := run(t, observer, 4, http.MethodGet, refusal)
		require.ErrorIs(t, err, modelarts.ErrUnauthorized)
		assert.Equal(t, 1, script.count())
		require.Len(t, observer.seen, 1)
		require.NotNil(t, observer.seen[0].refused)
		assert.Equal(t, "APIGW.0307", observer.seen[0].refused.Code)
		assert.Empty(t, observer.seen[0].body)
	})
	t.Run("gets one repeat, with fresh credentials", func(t *testing.T) {
		t.Parallel()
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			for _, attempts := range []int{1, 4} { // the repeat comes on top
				observer := &retryObserver{repeat: true}
				script, err := run(t, observer, attempts, method, refusal, retryAnswers(200, `{"ok":true}`))
				require.NoError(t, err)
				require.Equal(t, 2, script.count())
				assert.Equal(t, "tt", script.sent[1].header.Get("X-Auth-Token"))
			}
		}
	})
	t.Run("gets no second repeat", func(t *testing.T) {
		t.Parallel()
		observer := &retryObserver{repeat: true}
		script, err := run(t, observer, 4, http.MethodGet, refusal)
		assert.Equal(t, 2, script.count())
		assert.Equal(t, 2, retryAPIError(t, err).Attempts, "the repeat is counted")
		assert.Contains(t, err.Error(), "2 attempts")
	})
	t.Run("the repeat does not use up attempts", func(t *testing.T) {
		t.Parallel()
		observer := &retryObserver{repeat: true}
		script, err := run(t, observer, 3, http.MethodGet, retryAnswers(503, ""), refusal, retryAnswers(503, ""))
		assert.Equal(t, 4, script.count())
		assert.Equal(t, 4, retryAPIError(t, err).Attempts)
	})
	t.Run("is not asked about other answers", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{403, 404, 500} {
			observer := &retryObserver{repeat: true}
			script, err := run(t, observer, 1, http.MethodGet, retryAnswers(status, ""))
			require.Error(t, err)
			assert.Equal(t, 1, script.count(), status)
		}
	})
	t.Run("a plain authenticator gets no repeat", func(t *testing.T) {
		t.Parallel()
		script := newRetryScript(refusal)
		require.Error(t, retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, nil))
		assert.Equal(t, 1, script.count())
	})
	t.Run("a context that ends meanwhile", func(t *testing.T) {
		t.Parallel()
		script := newRetryScript(refusal)
		ctx, cancel := context.WithCancel(t.Context())
		observer := &retryObserver{repeat: true}
		authenticator := retryEnder{retryObserver: observer, cancel: cancel}
		client := retryClientAt(t, modelartstest.Endpoint, authenticator, modelarts.WithHTTPClient(&http.Client{Transport: script}))
		err := retryCall(ctx, t, client, http.MethodGet, nil)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, modelarts.ErrUnauthorized, "and what the service said")
		assert.Equal(t, 1, script.count())
		assert.Equal(t, 1, observer.tokens, "nothing is authenticated any more")
	})
}

// retryEnder is an Observer during which the caller's context ends.
type retryEnder struct {
	*retryObserver
	cancel context.CancelFunc
}

func (e retryEnder) Observe(sent *http.Request, resp *http.Response, refused *modelarts.APIError) bool {
	e.cancel()
	return e.retryObserver.Observe(sent, resp, refused)
}

// retryBroken is the rest of a body whose connection was reset.
type retryBroken struct{}

func (retryBroken) Read([]byte) (int, error) { return 0, syscall.ECONNRESET }

func TestAWrappedSignerStillLearns(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "flowers"})
		fake.SetClockOffset(20 * time.Minute)
		signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
		client := retryClientAt(t, modelartstest.Endpoint, retryWrapper{signer},
			modelarts.WithHTTPClient(fake.HTTPClient()), modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1}))
		for call := range 3 {
			_, err := client.GetSyncStatus(t.Context(), "flowers")
			require.NoError(t, err)
			assert.Len(t, fake.Requests(), call+2, "the clock is corrected once")
		}
	})
}
