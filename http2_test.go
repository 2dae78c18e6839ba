package modelarts_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
)

// The parts of HTTP/2 that a server needs to misbehave.
const (
	h2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	h2Data, h2Headers, h2Reset, h2Settings, h2Ping, h2GoAway byte = 0, 1, 3, 4, 6, 7

	h2Ack, h2EndStream, h2EndHeaders byte = 1, 1, 4

	h2NoError, h2InternalError, h2RefusedStream, h2EnhanceYourCalm = 0, 2, 7, 11

	h2Status200 = 0x88 // ":status: 200" as HPACK writes it
)

const h2Answer = `{"ok":true}`

// An h2Network is a network in memory, inside the bubble of its test, whose servers speak HTTP/2 over TLS. The
// package's own transport is above it.
type h2Network struct {
	transport *http.Transport
	dialed    atomic.Int32
	closed    atomic.Int32 // connections that the client has closed
	requests  atomic.Int32 // that a server has read, those that it refused included
	pings     atomic.Int32 // that a server has answered

	mu   sync.Mutex
	sent []string // methods of the requests that the client gave to its transport
}

// An h2Peer is one connection as its server sees it.
type h2Peer struct {
	net.Conn
	network *h2Network
	gone    chan struct{} // closed when the client has closed the connection
	early   []uint32      // requests that came before the acknowledgement of the settings
}

// h2Conn is a client's connection that tells when it is closed.
type h2Conn struct {
	net.Conn
	network *h2Network
	once    sync.Once
	gone    chan struct{}
}

func (c *h2Conn) Close() error {
	c.once.Do(func() {
		c.network.closed.Add(1)
		close(c.gone)
	})
	return c.Conn.Close()
}

// newH2Network serves the n-th connection by the n-th function, and all further ones by the last. A connection
// ends with its function.
func newH2Network(t *testing.T, serve ...func(p *h2Peer)) *h2Network {
	t.Helper()
	certificate, pool := retryCertificate(t, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
		SessionTicketsDisabled: true, // nobody would read them while both sides still write
	}
	n := &h2Network{transport: modelarts.SharedTransport()}
	n.transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	var servers sync.WaitGroup
	t.Cleanup(servers.Wait)
	n.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		number := int(n.dialed.Add(1))
		client, server := net.Pipe()
		gone := make(chan struct{})
		servers.Go(func() {
			defer func() { _ = server.Close() }()
			p := &h2Peer{Conn: tls.Server(server, config), network: n, gone: gone}
			if p.begin() {
				serve[min(number, len(serve))-1](p)
			}
		})
		return &h2Conn{Conn: client, network: n, gone: gone}, nil
	}
	t.Cleanup(n.transport.CloseIdleConnections)
	return n
}

// client makes a client of the network that remembers its attempts in n.sent.
func (n *h2Network) client(t *testing.T, policy modelarts.RetryPolicy) *modelarts.Client {
	t.Helper()
	return retryClientAt(t, "https://127.0.0.1", modelarts.TokenAuth(retryToken), modelarts.WithRetryPolicy(policy),
		modelarts.WithHTTPClient(&http.Client{Transport: retryTransportFunc(func(req *http.Request) (*http.Response, error) {
			n.mu.Lock()
			n.sent = append(n.sent, req.Method)
			n.mu.Unlock()
			return n.transport.RoundTrip(req)
		})}))
}

func (n *h2Network) attempts() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.sent, " ")
}

// begin opens the connection. The client's acknowledgement of the settings is waited for, since it would write
// that, and read nothing, while the server writes an answer.
func (p *h2Peer) begin() bool {
	preface := make([]byte, len(h2Preface))
	if _, err := io.ReadFull(p, preface); err != nil || string(preface) != h2Preface {
		return false
	}
	p.write(h2Settings, 0, 0)
	for {
		kind, flags, stream, ok := p.read()
		switch {
		case !ok:
			return false
		case kind == h2Headers:
			p.early = append(p.early, stream)
		case kind == h2Settings && flags&h2Ack != 0:
			return true
		}
	}
}

// read reads one frame. It answers pings, and throws away what else a frame carries.
func (p *h2Peer) read() (kind, flags byte, stream uint32, ok bool) {
	var head [9]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return 0, 0, 0, false
	}
	payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err := io.ReadFull(p, payload)
	switch head[3] {
	case h2Headers:
		p.network.requests.Add(1)
	case h2Ping:
		p.network.pings.Add(1)
		p.write(h2Ping, h2Ack, 0, payload...)
	}
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]), err == nil
}

// request returns the stream of the next request, or 0 when the client has gone. Requests have no bodies here.
func (p *h2Peer) request() uint32 {
	if len(p.early) > 0 {
		stream := p.early[0]
		p.early = p.early[1:]
		return stream
	}
	for {
		kind, _, stream, ok := p.read()
		if !ok {
			return 0
		}
		if kind == h2Headers {
			return stream
		}
	}
}

func (p *h2Peer) write(kind, flags byte, stream uint32, payload ...byte) {
	frame := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	frame = binary.BigEndian.AppendUint32(frame, stream)
	_, _ = p.Write(append(frame, payload...))
}

// answer begins an answer, and ends it if text is all of it.
func (p *h2Peer) answer(stream uint32, text string, whole bool) {
	p.write(h2Headers, h2EndHeaders, stream, h2Status200)
	var flags byte
	if whole {
		flags = h2EndStream
	}
	p.write(h2Data, flags, stream, []byte(text)...)
}

func (p *h2Peer) reset(stream, code uint32) {
	p.write(h2Reset, 0, stream, binary.BigEndian.AppendUint32(nil, code)...)
}

// goAway says that nothing after the last stream was looked at, or will be.
func (p *h2Peer) goAway(last, code uint32) {
	p.write(h2GoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code)...)
}

// stall takes all that comes and says nothing, as a network that loses every packet does.
func (p *h2Peer) stall() { _, _ = io.Copy(io.Discard, p) }

// h2ServeWell answers all requests of a connection.
func h2ServeWell(p *h2Peer) {
	for {
		stream := p.request()
		if stream == 0 {
			return
		}
		p.answer(stream, h2Answer, true)
	}
}

// TestHTTP2Faults is about what only HTTP/2 has: a server that tells which requests it never looked at, and
// requests that end alone. What was certainly not looked at is sent again, by net/http, whatever its method;
// anything else is only if it reads.
func TestHTTP2Faults(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const half = `{"ok":`
	type count struct {
		attempts, requests, dialed int
		fails                      bool
	}
	for _, test := range []struct {
		name      string
		serve     []func(p *h2Peer)
		get, post count
	}{
		{"all is well", []func(*h2Peer){h2ServeWell}, count{1, 1, 1, false}, count{1, 1, 1, false}},
		{
			"GOAWAY before the request was looked at", []func(*h2Peer){func(p *h2Peer) {
				p.request()
				p.goAway(0, h2NoError)
			}, h2ServeWell}, count{1, 2, 2, false}, count{1, 2, 2, false},
		},
		{ // net/http does not believe that another connection would do better
			"GOAWAY with an error", []func(*h2Peer){func(p *h2Peer) {
				p.request()
				p.goAway(0, h2EnhanceYourCalm)
			}, h2ServeWell}, count{2, 2, 2, false}, count{1, 1, 1, true},
		},
		{
			"GOAWAY after the request was looked at", []func(*h2Peer){func(p *h2Peer) {
				stream := p.request()
				p.goAway(stream, h2NoError)
			}, h2ServeWell}, count{2, 2, 2, false}, count{1, 1, 1, true},
		},
		{
			"GOAWAY inside an answer that is cut off", []func(*h2Peer){func(p *h2Peer) {
				stream := p.request()
				p.answer(stream, half, false)
				p.goAway(stream, h2NoError)
			}, h2ServeWell}, count{2, 2, 2, false}, count{1, 1, 1, true},
		},
		{
			"GOAWAY inside an answer that goes on", []func(*h2Peer){func(p *h2Peer) {
				stream := p.request()
				p.answer(stream, half, false)
				p.goAway(stream, h2NoError)
				p.write(h2Data, h2EndStream, stream, []byte(h2Answer[len(half):])...)
				p.stall()
			}}, count{1, 1, 1, false}, count{1, 1, 1, false},
		},
		{
			"the connection ends before the answer", []func(*h2Peer){func(p *h2Peer) { p.request() }, h2ServeWell},
			count{2, 2, 2, false}, count{1, 1, 1, true},
		},
		{
			"the connection ends inside the answer", []func(*h2Peer){func(p *h2Peer) {
				p.answer(p.request(), half, false)
			}, h2ServeWell}, count{2, 2, 2, false}, count{1, 1, 1, true},
		},
		{
			"a refused stream", []func(*h2Peer){func(p *h2Peer) {
				p.reset(p.request(), h2RefusedStream)
				h2ServeWell(p)
			}}, count{1, 2, 1, false}, count{1, 2, 1, false},
		},
		{
			"a stream that ends before the answer", []func(*h2Peer){func(p *h2Peer) {
				p.reset(p.request(), h2InternalError)
				h2ServeWell(p)
			}}, count{2, 2, 1, false}, count{1, 1, 1, true},
		},
		{
			"a stream that ends inside the answer", []func(*h2Peer){func(p *h2Peer) {
				stream := p.request()
				p.answer(stream, half, false)
				p.reset(stream, h2InternalError)
				h2ServeWell(p)
			}}, count{2, 2, 1, false}, count{1, 1, 1, true},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for method, want := range map[string]count{http.MethodGet: test.get, http.MethodPost: test.post} {
				synctest.Test(t, func(t *testing.T) {
					network := newH2Network(t, test.serve...)
					var out struct{ OK bool }
					err := retryCall(t.Context(), t, network.client(t, retryAtOnce), method, &out)
					assert.Equal(t, want.fails, err != nil, "%s: %v", method, err)
					assert.Equal(t, !want.fails, out.OK, "nothing half decoded")
					got := count{len(strings.Fields(network.attempts())), int(network.requests.Load()), int(network.dialed.Load()), err != nil}
					assert.Equal(t, want, got, method)
					if err != nil {
						var answer *modelarts.APIError
						require.NotErrorAs(t, err, &answer)
						errsPlain(t, err.Error())
					}
				})
			}
		})
	}
}

// TestHTTP2RefusesForEver has a server that never takes a request. net/http repeats it ever more slowly, and
// the time of the attempt bounds that.
func TestHTTP2RefusesForEver(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for method, attempts := range map[string]int{http.MethodGet: 2, http.MethodPost: 1} {
		synctest.Test(t, func(t *testing.T) {
			network := newH2Network(t, func(p *h2Peer) {
				for {
					stream := p.request()
					if stream == 0 {
						return
					}
					p.reset(stream, h2RefusedStream)
				}
			})
			began := time.Now()
			err := retryCall(t.Context(), t, network.client(t, modelarts.RetryPolicy{MaxAttempts: 2, MinDelay: 1, MaxDelay: 1}), method, nil)
			var timeout net.Error
			require.ErrorAs(t, err, &timeout)
			assert.True(t, timeout.Timeout())
			assert.Equal(t, time.Duration(attempts)*30*time.Second, time.Since(began))
			assert.Len(t, strings.Fields(network.attempts()), attempts)
			assert.LessOrEqual(t, network.requests.Load(), int32(attempts*7))
			assert.EqualValues(t, 1, network.dialed.Load())
		})
	}
}

// TestHTTP2CutsOffAStart cuts off the POST that starts a synchronization. Whether it was carried out is looked
// up, unless the server says for certain that it was not.
func TestHTTP2CutsOffAStart(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const before, after = `{"status":"COMPLETED","task_id":"t1"}`, `{"status":"RUNNING","task_id":"t2"}`
	serve := func(p *h2Peer) {
		for stream := p.request(); stream != 0; stream = p.request() {
			p.answer(stream, after, true)
		}
	}
	for _, test := range []struct {
		name     string
		post     func(p *h2Peer, stream uint32)
		attempts string
		requests int32
	}{
		{"GOAWAY, and the POST was looked at", func(p *h2Peer, stream uint32) { p.goAway(stream, h2NoError) }, "GET POST GET", 3},
		{"GOAWAY, and the POST was not looked at", func(p *h2Peer, stream uint32) { p.goAway(stream-2, h2NoError) }, "GET POST", 3},
		{"the stream ends", func(p *h2Peer, stream uint32) { p.reset(stream, h2InternalError) }, "GET POST GET", 3},
		{"the connection ends", func(*h2Peer, uint32) {}, "GET POST GET", 3},
		{"the answer is cut off, but it was a success", func(p *h2Peer, stream uint32) {
			p.answer(stream, "{", false)
			p.goAway(stream, h2NoError)
		}, "GET POST", 2},
		{"the stream of the answer ends, but it was a success", func(p *h2Peer, stream uint32) {
			p.answer(stream, "{", false)
			p.reset(stream, h2InternalError)
		}, "GET POST", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := newH2Network(t, func(p *h2Peer) {
					p.answer(p.request(), before, true)
					test.post(p, p.request())
				}, serve)
				task, err := network.client(t, modelarts.RetryPolicy{}).StartSync(t.Context(), "ds")
				require.NoError(t, err)
				assert.Equal(t, "t1", task.PreviousTaskID)
				assert.Equal(t, test.attempts, network.attempts())
				assert.Equal(t, test.requests, network.requests.Load(), "nothing is sent behind the client's back but what was refused")
			})
		})
	}
}

// TestHTTP2ConnectionThatDies is about connections on which suddenly nothing moves, as behind a firewall that
// has forgotten them. Nothing but pings tells; requests would wait on such a connection until their time is up,
// one after the other.
func TestHTTP2ConnectionThatDies(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	call := func(t *testing.T, client *modelarts.Client, method string) error {
		t.Helper()
		var out struct{ OK bool }
		err := retryCall(t.Context(), t, client, method, &out)
		assert.Equal(t, err == nil, out.OK)
		return err
	}
	for name, dead := range map[string]func(p *h2Peer){
		"nothing comes back":  func(p *h2Peer) { p.stall() },
		"nothing is taken up": func(p *h2Peer) { <-p.gone },
	} {
		t.Run("unused, and "+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := newH2Network(t, func(p *h2Peer) {
					p.answer(p.request(), h2Answer, true)
					dead(p)
				}, h2ServeWell)
				client := network.client(t, retryAtOnce)
				require.NoError(t, call(t, client, http.MethodGet))
				time.Sleep(31 * time.Second)
				assert.EqualValues(t, 1, network.closed.Load(), "it is found out while nobody uses it")
				began := time.Now()
				require.NoError(t, call(t, client, http.MethodPost))
				assert.Zero(t, time.Since(began))
				assert.EqualValues(t, 2, network.dialed.Load())
				assert.Equal(t, "GET POST", network.attempts())
			})
		})
	}
	for method, attempts := range map[string]string{http.MethodGet: "GET GET GET", http.MethodPost: "GET POST GET"} {
		t.Run("while a "+method+" waits", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := newH2Network(t, func(p *h2Peer) {
					p.answer(p.request(), h2Answer, true)
					p.stall()
				}, h2ServeWell)
				client := network.client(t, modelarts.RetryPolicy{MinDelay: 1, MaxDelay: 1})
				require.NoError(t, call(t, client, http.MethodGet))
				time.Sleep(time.Second)
				began := time.Now()
				err := call(t, client, method)
				if method == http.MethodPost {
					require.ErrorContains(t, err, "connection lost", "it may have been carried out")
					require.NoError(t, call(t, client, http.MethodGet))
				} else {
					require.NoError(t, err)
				}
				assert.Less(t, time.Since(began), 30*time.Second, "sooner than the time of an attempt ends")
				assert.EqualValues(t, 1, network.closed.Load())
				assert.EqualValues(t, 2, network.dialed.Load())
				assert.Equal(t, attempts, network.attempts())
			})
		})
	}
	t.Run("one that lives is kept", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			network := newH2Network(t, func(p *h2Peer) {
				stream := p.request()
				for p.network.pings.Load() < 4 {
					if _, _, _, ok := p.read(); !ok {
						return
					}
				}
				p.answer(stream, h2Answer, true)
				p.stall()
			})
			began := time.Now()
			require.NoError(t, call(t, network.client(t, modelarts.RetryPolicy{AttemptTimeout: -1}), http.MethodGet))
			assert.Greater(t, time.Since(began), 30*time.Second, "such an answer is slow, and not lost")
			assert.EqualValues(t, 1, network.requests.Load())
			assert.EqualValues(t, 1, network.dialed.Load())
		})
	})
}
