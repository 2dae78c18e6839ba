package modelarts_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/internal/leaktest"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// rawPatience bounds what should take no time, on a machine that has other things to do.
const rawPatience = 10 * time.Second

// A rawServer speaks raw TCP and does to each connection what its test wants.
type rawServer struct {
	url       string
	accepted  atomic.Int32
	requests  atomic.Int32
	listener  net.Listener
	transport *http.Transport
	sent      atomic.Int32 // requests that the client gave to its transport
}

// A rawPeer is one connection as the server sees it.
type rawPeer struct {
	*net.TCPConn
	reader *bufio.Reader
	server *rawServer
}

// newRawServer serves the n-th connection by the n-th function, and all further ones by the last. When the
// test ends, every connection must have been closed by the client.
func newRawServer(t *testing.T, serve ...func(p *rawPeer)) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &rawServer{url: "http://" + listener.Addr().String(), listener: listener, transport: &http.Transport{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			n := int(s.accepted.Add(1))
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				tcp, ok := conn.(*net.TCPConn)
				if ok {
					serve[min(n, len(serve))-1](&rawPeer{TCPConn: tcp, reader: bufio.NewReader(tcp), server: s})
				}
			})
		}
	})
	t.Cleanup(func() {
		s.transport.CloseIdleConnections()
		_ = listener.Close()
		ended := make(chan struct{})
		go func() {
			wg.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(rawPatience):
			t.Error("the client has left a connection open")
		}
	})
	return s
}

// client makes a client of the server that counts its attempts in s.sent.
func (s *rawServer) client(t *testing.T, policy modelarts.RetryPolicy) *modelarts.Client {
	t.Helper()
	return retryClientAt(t, s.url, modelarts.TokenAuth(retryToken), modelarts.WithRetryPolicy(policy),
		modelarts.WithHTTPClient(&http.Client{Transport: retryTransportFunc(func(req *http.Request) (*http.Response, error) {
			s.sent.Add(1)
			return s.transport.RoundTrip(req)
		})}))
}

// request reads one request, and reports whether there was one.
func (p *rawPeer) request() bool {
	req, err := http.ReadRequest(p.reader)
	if err != nil {
		return false
	}
	p.server.requests.Add(1)
	_, err = io.Copy(io.Discard, req.Body)
	return err == nil
}

func (p *rawPeer) write(text string) { _, _ = io.WriteString(p, text) }

// reset closes the connection hard, so that the client finds a reset and not an end.
func (p *rawPeer) reset() {
	_ = p.SetLinger(0)
	_ = p.Close()
}

// stall waits until the client has had enough.
func (p *rawPeer) stall() { _, _ = io.Copy(io.Discard, p.reader) }

// retryServeWell answers all requests of a connection.
func retryServeWell(p *rawPeer) {
	for p.request() {
		p.write(retryOK)
	}
}

// retryServeCut makes a server's function that answers one request with text and ends the connection.
func retryServeCut(text string) func(p *rawPeer) {
	return func(p *rawPeer) {
		p.request()
		p.write(text)
	}
}

func TestAnswersCutOffAtEveryByte(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	const body = `{"ok":true,"name":"a name","list":[1,2,3]}`
	chunked := fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", 10, body[:10], len(body)-10, body[10:])
	for _, test := range []struct{ name, answer string }{
		{"with a length", fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Request-Id: r1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)},
		{"in chunks", chunked},
		{"until the connection ends", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body},
		{"by an old proxy", "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body},
		{"that says no", fmt.Sprintf("HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s", len(body), body)},
	} {
		for _, how := range []string{"end", "reset"} {
			t.Run(test.name+", by "+how, func(t *testing.T) {
				cut := 0
				server := newRawServer(t, func(p *rawPeer) {
					if !p.request() {
						return
					}
					if p.server.requests.Load()%2 == 0 { // every second request is answered in full
						p.write(test.answer)
						return
					}
					p.write(test.answer[:cut])
					if how == "reset" {
						p.reset()
					}
				})
				for cut = range len(test.answer) {
					if how == "reset" && cut%5 != 0 {
						continue // the same cases, and costly
					}
					before := server.requests.Load()
					var out struct {
						OK   bool
						Name string
						List []int
					}
					err := retryCall(t.Context(), t, server.client(t, retryAtOnce), http.MethodGet, &out)
					where := fmt.Sprintf("cut off after %q", test.answer[:cut])
					require.EqualValues(t, 2, server.requests.Load()-before, where)
					if test.name == "that says no" {
						assert.JSONEq(t, body, string(retryAPIError(t, err).Body), where)
						continue
					}
					require.NoError(t, err, where)
					assert.True(t, out.OK)
					assert.Equal(t, []int{1, 2, 3}, out.List)
				}
			})
		}
	}
}

func TestAnAnswerThatIsAlwaysCutOff(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	for _, answer := range []string{
		"HT", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\"", "HTTP/1.1 200 OK\r\n\r\n{\"ok\"",
	} {
		server := newRawServer(t, retryServeCut(answer))
		var out struct{ OK bool }
		err := retryCall(t.Context(), t, server.client(t, retryAtOnce), http.MethodGet, &out)
		require.Error(t, err)
		assert.EqualValues(t, 4, server.requests.Load(), "%q", answer)
		assert.False(t, out.OK, "nothing half decoded")
	}
}

func TestAPostIsSentOnceWhereverItsAnswerIsCutOff(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	cut := 0
	server := newRawServer(t, func(p *rawPeer) {
		p.request()
		p.write(retryOK[:cut])
	})
	head := strings.Index(retryOK, "\r\n\r\n") + 4
	for cut = range len(retryOK) + 1 {
		before := server.requests.Load()
		err := retryCall(t.Context(), t, server.client(t, retryAtOnce), http.MethodPost, nil)
		assert.EqualValues(t, 1, server.requests.Load()-before, "cut off after %q", retryOK[:cut])
		if cut < head {
			assert.Error(t, err, "cut off after %q", retryOK[:cut])
		} else {
			assert.NoError(t, err, "cut off after %q", retryOK[:cut])
		}
	}
}

func TestFaultsOfTheNetwork(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	policy := modelarts.RetryPolicy{MaxAttempts: 3, MinDelay: 1, MaxDelay: 1, AttemptTimeout: 25 * time.Millisecond}
	anError := func(t *testing.T, err error) {
		t.Helper()
		require.Error(t, err)
	}
	oneOf := func(targets ...error) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			t.Helper()
			for _, target := range targets {
				if errors.Is(err, target) {
					return
				}
			}
			require.ErrorIs(t, err, targets[0])
		}
	}
	timeout := func(t *testing.T, err error) {
		t.Helper()
		var network net.Error
		require.ErrorAs(t, err, &network)
		assert.True(t, network.Timeout())
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
	}
	// Where a request is cut off while it is written, the first thing seen is any of these.
	reset := oneOf(syscall.ECONNRESET, io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE)
	for _, test := range []struct {
		name      string
		serve     func(p *rawPeer)
		get, post int
		check     func(t *testing.T, err error)
	}{
		{"reset at once", func(p *rawPeer) { p.reset() }, 3, 1, reset},
		{"reset after the request", func(p *rawPeer) { p.request(); p.reset() }, 3, 1, reset},
		{"reset inside the headers", func(p *rawPeer) { p.request(); p.write(retryOK[:20]); p.reset() }, 3, 1, anError},
		{"reset inside the body", func(p *rawPeer) { p.request(); p.write(retryOK[:len(retryOK)-3]); p.reset() }, 3, 1, reset},
		{"end after the request", retryServeCut(""), 3, 1, oneOf(io.EOF, syscall.ECONNRESET)},
		{"end inside the body", retryServeCut(retryOK[:len(retryOK)-3]), 3, 1, oneOf(io.ErrUnexpectedEOF)},
		{"stall before reading", func(p *rawPeer) { p.stall() }, 3, 1, timeout},
		{"stall before the headers", func(p *rawPeer) { p.request(); p.stall() }, 3, 1, timeout},
		{"stall inside the headers", func(p *rawPeer) { p.request(); p.write(retryOK[:20]); p.stall() }, 3, 1, timeout},
		{"stall inside the body", func(p *rawPeer) { p.request(); p.write(retryOK[:len(retryOK)-3]); p.stall() }, 3, 1, timeout},
		{"drip", func(p *rawPeer) {
			p.request()
			p.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
			retryDrip(p)
		}, 3, 1, timeout},
		{"garbage", retryServeCut("SSH-2.0-OpenSSH_9.6\r\n"), 3, 1, anError},
		{"an answer of HTTP/0.9", retryServeCut(`{"ok":true}`), 3, 1, anError},
		{"garbage for a status", retryServeCut("HTTP/1.1 two hundred\r\n\r\n"), 3, 1, anError},
		{"garbage in the headers", retryServeCut("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"), 3, 1, anError},
		{"too many interim answers", retryServeCut(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 50)), 3, 1, anError},
	} {
		t.Run(test.name, func(t *testing.T) {
			for method, attempts := range map[string]int{http.MethodGet: test.get, http.MethodPost: test.post} {
				server := newRawServer(t, test.serve)
				var out struct{ OK bool }
				err := retryCall(t.Context(), t, server.client(t, policy), method, &out)
				test.check(t, err)
				assert.EqualValues(t, attempts, server.sent.Load(), method)
				assert.LessOrEqual(t, server.requests.Load(), server.sent.Load(), "nothing was sent twice for one attempt")
				assert.NotContains(t, err.Error(), "\n")
				assert.Contains(t, err.Error(), method+" "+server.url)
				if attempts > 1 {
					assert.Contains(t, err.Error(), "(3 attempts)")
				}
				var answer *modelarts.APIError
				assert.NotErrorAs(t, err, &answer)
			}
		})
	}
}

// retryDrip writes a byte now and then, until the client has had enough.
func retryDrip(p *rawPeer) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p.stall()
	}()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-gone:
			return
		case <-ticker.C:
			p.write(" ")
		}
	}
}

func TestAConnectionRefused(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		attempts := 0
		transport := new(http.Transport)
		client := retryClientAt(t, "http://"+address, nil, modelarts.WithRetryPolicy(retryAtOnce),
			modelarts.WithHTTPClient(&http.Client{Transport: retryTransportFunc(func(req *http.Request) (*http.Response, error) {
				attempts++
				return transport.RoundTrip(req)
			})}))
		err := retryCall(t.Context(), t, client, method, nil)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		assert.Equal(t, 4, attempts, method)
	}
}

func TestTheDeadlineIsKeptOnRealSockets(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	for name, serve := range map[string]func(p *rawPeer){
		"no answer":    func(p *rawPeer) { p.stall() },
		"half headers": func(p *rawPeer) { p.request(); p.write(retryOK[:20]); p.stall() },
		"half a body":  func(p *rawPeer) { p.request(); p.write(retryOK[:len(retryOK)-3]); p.stall() },
		"drip": func(p *rawPeer) {
			p.request()
			p.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
			retryDrip(p)
		},
	} {
		t.Run(name, func(t *testing.T) {
			// A machine that has other things to do may be late once, a client that waits for something else always is.
			late := time.Hour
			for try := 0; try < 5 && late > 100*time.Millisecond; try++ {
				late = min(late, deadlineMissedBy(t, serve))
			}
			assert.LessOrEqual(t, late, 100*time.Millisecond)
		})
	}
}

// deadlineMissedBy returns how long after its deadline a call returns.
func deadlineMissedBy(t *testing.T, serve func(p *rawPeer)) time.Duration {
	t.Helper()
	server := newRawServer(t, serve)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	deadline, _ := ctx.Deadline()
	var out struct{ OK bool }
	err := retryCall(ctx, t, server.client(t, modelarts.RetryPolicy{AttemptTimeout: -1}), http.MethodGet, &out)
	late := time.Since(deadline)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.EqualValues(t, 1, server.sent.Load())
	return late
}

func TestManyCallsCancelledAtOnce(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	server := newRawServer(t, func(p *rawPeer) { p.request(); p.stall() })
	client := server.client(t, modelarts.RetryPolicy{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { assert.ErrorIs(t, retryCall(ctx, t, client, http.MethodGet, nil), context.Canceled) })
	}
	require.Eventually(t, func() bool { return server.requests.Load() == 50 }, rawPatience, time.Millisecond)
	cancel()
	wg.Wait()
}

// TestAKeptConnectionThatDies closes a connection just when the next request is on its way. net/http itself
// repeats a GET then; what became of a POST is not known.
func TestAKeptConnectionThatDies(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	dying := func(p *rawPeer) {
		p.request()
		p.write(retryOK)
		p.request()
	}
	t.Run("a GET", func(t *testing.T) {
		server := newRawServer(t, dying, retryServeWell)
		client := server.client(t, modelarts.RetryPolicy{MaxAttempts: 1})
		for range 2 {
			var out struct{ OK bool }
			require.NoError(t, retryCall(t.Context(), t, client, http.MethodGet, &out))
			assert.True(t, out.OK)
		}
		assert.EqualValues(t, 2, server.accepted.Load())
	})
	t.Run("a POST", func(t *testing.T) {
		server := newRawServer(t, dying, retryServeWell)
		client := server.client(t, retryAtOnce)
		require.NoError(t, retryCall(t.Context(), t, client, http.MethodPost, nil))
		require.Error(t, retryCall(t.Context(), t, client, http.MethodPost, nil))
		assert.EqualValues(t, 2, server.requests.Load(), "it is not sent again")
		assert.EqualValues(t, 1, server.accepted.Load())
	})
}

func TestBytesBehindAnAnswer(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	log.SetOutput(io.Discard) // net/http complains there
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	server := newRawServer(t, func(p *rawPeer) {
		for p.request() {
			p.write(retryOK + "and more")
		}
	})
	for range 10 {
		var out struct{ OK bool }
		require.NoError(t, retryCall(t.Context(), t, server.client(t, retryAtOnce), http.MethodGet, &out))
		assert.True(t, out.OK)
	}
}

// TestAnAnswerThatNobodyAskedFor sends a second answer behind the first, on a connection that is idle by then.
// (One that comes in time with the first may be taken for the answer to a request that follows at once; only
// net/http could tell. A status that is about another dataset is refused for that reason too.)
func TestAnAnswerThatNobodyAskedFor(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	log.SetOutput(io.Discard) // net/http complains there
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	idle, closed := make(chan struct{}), make(chan struct{})
	server := newRawServer(t, func(p *rawPeer) {
		p.request()
		p.write(retryOK)
		<-idle
		p.write(strings.Replace(retryOK, "true}", "null}", 1))
		p.stall()
		close(closed)
	}, retryServeWell)
	client := server.client(t, retryAtOnce)
	for n := range 2 {
		var out struct{ OK bool }
		require.NoError(t, retryCall(t.Context(), t, client, http.MethodGet, &out))
		assert.True(t, out.OK)
		if n == 0 {
			close(idle)
			<-closed
		}
	}
	assert.EqualValues(t, 2, server.accepted.Load(), "such a connection is not used again")
}

func TestInterimAnswers(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	server := newRawServer(t, func(p *rawPeer) {
		for p.request() {
			p.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + retryOK)
		}
	})
	client := server.client(t, retryAtOnce)
	for range 3 {
		var out struct{ OK bool }
		require.NoError(t, retryCall(t.Context(), t, client, http.MethodGet, &out))
		assert.True(t, out.OK)
	}
	assert.EqualValues(t, 3, server.requests.Load())
	assert.EqualValues(t, 1, server.accepted.Load())
}

func TestSwitchingProtocolsIsNoSuccess(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	server := newRawServer(t, func(p *rawPeer) {
		p.request()
		p.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\nodd talk")
		p.stall()
	})
	err := retryCall(t.Context(), t, server.client(t, retryAtOnce), http.MethodGet, nil)
	assert.Equal(t, 101, retryAPIError(t, err).StatusCode)
	assert.EqualValues(t, 1, server.requests.Load())
}

func TestHeadersOfManyMegabytes(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	const size = 64 << 20
	var written atomic.Int64
	server := newRawServer(t, func(p *rawPeer) {
		p.request()
		p.write("HTTP/1.1 200 OK\r\n")
		line := []byte("X-Filler: " + strings.Repeat("x", 1<<16) + "\r\n")
		for written.Load() < size {
			n, err := p.Write(line)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	// Without an http.Client, the package's own transport is used.
	client := retryClientAt(t, server.url, nil, modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 2, MinDelay: 1, MaxDelay: 1}))
	defer client.CloseIdleConnections()
	require.Error(t, retryCall(t.Context(), t, client, http.MethodGet, nil))
	assert.Less(t, written.Load(), int64(size))
	assert.LessOrEqual(t, server.requests.Load(), int32(2))
}

// retryCounted is a server of net/http that counts its connections.
func retryCounted(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	accepted := new(atomic.Int32)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			accepted.Add(1)
		}
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server, accepted
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	large := strings.Repeat("x", 60<<10)
	for _, test := range []struct {
		name   string
		status int
		body   string
		header string // of the answer, with its value
		wanted bool   // whether the call wants the body
	}{
		{"after a success", 200, `{"ok":true}`, "", true},
		{"after a success that is not JSON", 200, "<html>" + large, "", true},
		{"after a success that nobody reads", 200, large, "", false},
		{"after a success without a body", 204, "", "", false},
		{"after a refusal", 404, `{"error_code":"ModelArts.4352","error_msg":"no"}`, "", true},
		{"after a large refusal", 403, strings.Repeat(large, 10), "", false},
		{"after an outage", 503, large, "", true},
		{"after throttling", 429, "", "", false},
		{"after a redirect", 302, "moved", "Location /elsewhere", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, accepted := retryCounted(t, func(w http.ResponseWriter, _ *http.Request) {
				if name, value, ok := strings.Cut(test.header, " "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			client := retryClientAt(t, server.URL, nil, modelarts.WithHTTPClient(server.Client()), modelarts.WithRetryPolicy(retryAtOnce))
			for range 10 {
				var out any
				if test.wanted {
					out = new(map[string]bool)
				}
				_ = retryCall(t.Context(), t, client, http.MethodGet, out)
			}
			assert.EqualValues(t, 1, accepted.Load())
		})
	}
}

// retryFlood answers every request with 64 MiB, of which few should be taken.
func retryFlood(written *atomic.Int64, status int) http.HandlerFunc {
	chunk := []byte(strings.Repeat("x", 1<<16))
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		for range 64 << 20 / len(chunk) {
			n, err := w.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

func TestAFloodIsCutOff(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	for _, status := range []int{200, 404} {
		for _, wanted := range []bool{true, false} {
			t.Run(fmt.Sprintf("status %d, wanted %v", status, wanted), func(t *testing.T) {
				var written atomic.Int64
				server, accepted := retryCounted(t, retryFlood(&written, status))
				client := retryClientAt(t, server.URL, nil, modelarts.WithHTTPClient(server.Client()), modelarts.WithRetryPolicy(retryAtOnce))
				var out any
				if wanted {
					out = new(string)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range 2 {
					err := retryCall(t.Context(), t, client, http.MethodGet, out)
					if status == 200 && !wanted {
						require.NoError(t, err)
						continue
					}
					assert.Equal(t, status, retryAPIError(t, err).StatusCode)
				}
				runtime.ReadMemStats(&after)
				assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20))
				assert.EqualValues(t, 2, accepted.Load(), "such a connection is not used again")
				assert.Less(t, written.Load(), int64(64<<20))
			})
		}
	}
}

func TestCompressedAnswers(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	zip := func(parts ...string) []byte {
		var buffer bytes.Buffer
		writer, err := gzip.NewWriterLevel(&buffer, gzip.BestSpeed)
		require.NoError(t, err)
		for _, part := range parts {
			_, err := io.WriteString(writer, part)
			require.NoError(t, err)
		}
		require.NoError(t, writer.Close())
		return buffer.Bytes()
	}
	whole := zip(`{"ok":true}`)
	bomb := slices.Repeat([]string{strings.Repeat(" ", 1<<20)}, 16)
	for _, test := range []struct {
		name     string
		body     []byte
		says     string
		requests int32
	}{
		{"are read", whole, "", 1},
		{"that swell up are cut off", zip(bomb...), "larger than 1048576 bytes", 1},
		{"that are cut off", whole[:len(whole)-10], "EOF", 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			var requests atomic.Int32
			server, _ := retryCounted(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(test.body)
			})
			client := retryClientAt(t, server.URL, nil, modelarts.WithHTTPClient(server.Client()), modelarts.WithRetryPolicy(retryAtOnce))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var out struct{ OK bool }
			err := retryCall(t.Context(), t, client, http.MethodGet, &out)
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
			assert.Equal(t, test.requests, requests.Load())
			if test.says == "" {
				require.NoError(t, err)
				assert.True(t, out.OK)
				return
			}
			require.ErrorContains(t, err, test.says)
		})
	}
}

// retryTLS starts a server with TLS that answers everything well, and counts the attempts of its client.
func retryTLS(t *testing.T, config *tls.Config, clientConfig func(server *httptest.Server) *tls.Config) (*modelarts.Client, *atomic.Int32) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	server.TLS = config
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return retryCountAttempts(t, server.URL, &http.Transport{TLSClientConfig: clientConfig(server)})
}

func retryCountAttempts(t *testing.T, endpoint string, transport *http.Transport) (*modelarts.Client, *atomic.Int32) {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	attempts := new(atomic.Int32)
	client := retryClientAt(t, endpoint, nil, modelarts.WithRetryPolicy(retryAtOnce),
		modelarts.WithHTTPClient(&http.Client{Transport: retryTransportFunc(func(req *http.Request) (*http.Response, error) {
			attempts.Add(1)
			return transport.RoundTrip(req)
		})}))
	return client, attempts
}

func retryTrust(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}

// retryCertificate makes a certificate for 127.0.0.1 that signs itself.
func retryCertificate(t *testing.T, from, to time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: to,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLSThatFailsIsNotRetried(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	check := func(t *testing.T, client *modelarts.Client, attempts *atomic.Int32, says string) {
		t.Helper()
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			attempts.Store(0)
			err := retryCall(t.Context(), t, client, method, nil)
			require.ErrorContains(t, err, says)
			assert.EqualValues(t, 1, attempts.Load(), method)
			assert.NotContains(t, err.Error(), "\n")
		}
	}
	t.Run("unknown authority", func(t *testing.T) {
		client, attempts := retryTLS(t, nil, func(*httptest.Server) *tls.Config { return nil })
		check(t, client, attempts, "RootCAs")
		var authority x509.UnknownAuthorityError
		require.ErrorAs(t, retryCall(t.Context(), t, client, http.MethodGet, nil), &authority)
	})
	t.Run("certificate of another host", func(t *testing.T) {
		client, attempts := retryTLS(t, nil, func(server *httptest.Server) *tls.Config {
			return &tls.Config{RootCAs: retryTrust(server), ServerName: "modelarts.test", MinVersion: tls.VersionTLS12}
		})
		check(t, client, attempts, "the certificate is that of another host")
	})
	t.Run("certificate that is out of date", func(t *testing.T) {
		certificate, pool := retryCertificate(t, time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour))
		client, attempts := retryTLS(t, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
			func(*httptest.Server) *tls.Config { return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12} })
		check(t, client, attempts, "the certificate is out of date, or this machine's clock is off")
	})
	t.Run("certificate that is not valid yet", func(t *testing.T) {
		certificate, pool := retryCertificate(t, time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour))
		client, attempts := retryTLS(t, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
			func(*httptest.Server) *tls.Config { return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12} })
		check(t, client, attempts, "this machine's clock is off")
	})
	t.Run("server that knows only old versions", func(t *testing.T) {
		client, attempts := retryTLS(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			func(server *httptest.Server) *tls.Config {
				return &tls.Config{RootCAs: retryTrust(server), MinVersion: tls.VersionTLS12}
			})
		check(t, client, attempts, "protocol version not supported")
	})
	t.Run("server that asks for a certificate", func(t *testing.T) {
		client, attempts := retryTLS(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}, func(server *httptest.Server) *tls.Config {
			return &tls.Config{RootCAs: retryTrust(server), MinVersion: tls.VersionTLS12}
		})
		check(t, client, attempts, "certificate required")
	})
	t.Run("plain HTTP on that port", func(t *testing.T) {
		server, _ := retryCounted(t, func(http.ResponseWriter, *http.Request) {})
		client, attempts := retryCountAttempts(t, "https"+strings.TrimPrefix(server.URL, "http"), &http.Transport{})
		check(t, client, attempts, "the endpoint does not speak TLS on this port")
	})
	t.Run("something else on that port", func(t *testing.T) {
		server := newRawServer(t, func(p *rawPeer) { p.write("SSH-2.0-OpenSSH_9.6\r\n"); p.stall() })
		client, attempts := retryCountAttempts(t, "https"+strings.TrimPrefix(server.url, "http"), &http.Transport{})
		check(t, client, attempts, "the endpoint does not speak TLS on this port")
	})
	t.Run("all is well", func(t *testing.T) {
		client, attempts := retryTLS(t, nil, func(server *httptest.Server) *tls.Config {
			return &tls.Config{RootCAs: retryTrust(server), MinVersion: tls.VersionTLS12}
		})
		var out struct{ OK bool }
		require.NoError(t, retryCall(t.Context(), t, client, http.MethodGet, &out))
		assert.EqualValues(t, 1, attempts.Load())
	})
}

func TestAProxyThatRefuses(t *testing.T) {
	noLeaks(t)
	leaktest.Files(t)
	for _, answer := range []string{"407 Proxy Authentication Required", "502 Bad Gateway"} {
		proxy := newRawServer(t, retryServeCut("HTTP/1.1 "+answer+"\r\nContent-Length: 0\r\n\r\n"))
		transport := modelarts.SharedTransport()
		transport.Proxy = func(req *http.Request) (*url.URL, error) {
			return req.URL.Parse("http://user:proxy-password@" + strings.TrimPrefix(proxy.url, "http://"))
		}
		client, _ := retryCountAttempts(t, modelartstest.Endpoint, transport)
		err := retryCall(t.Context(), t, client, http.MethodPost, nil)
		require.ErrorContains(t, err, "the proxy refused to connect: "+answer)
		var api *modelarts.APIError
		require.NotErrorAs(t, err, &api, "it is not the service that says no")
		assert.NotContains(t, err.Error(), "proxy-password")
		assert.EqualValues(t, 1, proxy.accepted.Load())
	}
}
