package modelartstest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// HTTPClient returns a client that reaches the fakes without a network. Each call is served in the goroutine
// of its caller, so that nothing is left running, and a testing/synctest bubble sees all of it.
//
// The host of a request decides who answers: those of [Endpoint], [IAMEndpoint] and [MetadataEndpoint] belong
// to the [Server] and to the latest [IAM] and [Metadata] made for it, and every other host to the fake whose
// method this is. So one client serves a program that talks to all three.
func (f *fake) HTTPClient() *http.Client {
	return &http.Client{Transport: &transport{fake: f}}
}

// transport is an http.RoundTripper that calls handlers.
type transport struct{ fake *fake }

// RoundTrip follows the context of the request before, during and after it is served, as a network would.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	received, err := receive(req)
	if err != nil {
		return nil, err
	}
	reply := newAnswer(http.Header{})
	t.handler(req.URL).ServeHTTP(reply, received)
	if ctx := req.Context(); ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if reply.dropped {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return reply.response(req), nil
}

func (t *transport) handler(u *url.URL) http.Handler {
	s := t.fake.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hosts[u.Host]; h != nil {
		return h
	}
	return t.fake
}

// receive turns a request as a client sends it into one as a server sees it, by writing and reading it as
// HTTP/1.1 does. It leaves req itself alone and, like every transport, closes its body.
func receive(req *http.Request) (*http.Request, error) {
	body, err := readAll(req)
	if err != nil {
		return nil, err
	}
	if ctx := req.Context(); ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if req.URL == nil || req.URL.Host == "" {
		return nil, errors.New("http: no Host in request URL")
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, fmt.Errorf("unsupported protocol scheme %q", req.URL.Scheme)
	}
	for name, values := range req.Header {
		for _, value := range values {
			if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				return nil, fmt.Errorf("net/http: invalid header field value for %q", name)
			}
		}
	}
	sent := req.WithContext(context.WithoutCancel(req.Context())) // a copy; what is written below never blocks
	sent.Close = false
	sent.TransferEncoding = nil
	sent.ContentLength = int64(len(body))
	sent.Body = http.NoBody
	if len(body) > 0 {
		sent.Body = io.NopCloser(bytes.NewReader(body))
	}
	var wire bytes.Buffer
	if err := sent.Write(&wire); err != nil {
		return nil, err
	}
	received, err := http.ReadRequest(bufio.NewReaderSize(&wire, min(wire.Len(), 4096)))
	if err != nil {
		return nil, err
	}
	received.RemoteAddr = "192.0.2.1:1234" // reserved for documentation
	if req.URL.Scheme == "https" {
		received.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: req.URL.Hostname()}
	}
	return received.WithContext(req.Context()), nil
}

// readAll reads the body of a request, and closes it.
func readAll(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if declared := req.ContentLength; declared > 0 && declared != int64(len(body)) {
		return nil, fmt.Errorf("http: ContentLength=%d with Body length %d", declared, len(body))
	}
	return body, nil
}

// body is the body of an answer. It fails once the request's context has ended, as one from a network does.
type body struct {
	reader io.Reader
	ended  func() error
	closed bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if err := b.ended(); err != nil {
		return 0, err
	}
	return b.reader.Read(p)
}

func (b *body) Close() error {
	b.closed = true
	return nil
}
