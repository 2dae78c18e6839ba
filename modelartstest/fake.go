package modelartstest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	requestIDHeader = "X-Request-Id"
	traceIDHeader   = "X-Iam-Trace-Id"
	largestBody     = 12 << 20 // of a request, at the gateway
)

// fake is what all fakes of this package have in common: they take a request in, record it, and let a fault
// or the service answer it.
type fake struct {
	server   *Server // whose clock and accounts count
	serve    http.HandlerFunc
	idHeader string // which header names an answer, if any

	mu       sync.Mutex
	faults   []Fault
	requests []Request
	silent   bool // nothing is recorded
	answered int
}

// A Request is one that reached a fake, whatever became of it.
type Request struct {
	Method, Path, RawQuery string // Path is escaped, as it was sent
	Header                 http.Header
	Body                   []byte
}

// Requests returns the requests so far, in the order of their arrival. Nothing in them is masked: the keys and
// tokens of a fake are public.
func (f *fake) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// SetRecording says whether requests are recorded from now on, which they are by default, and forgets those so
// far. A test with very many requests switches it off to save memory.
func (f *fake) SetRecording(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent = !on
	f.requests = nil
}

// ServeHTTP answers a request. It makes the fake a handler for net/http/httptest, and also works behind
// http.StripPrefix, where the signature still covers the path that was sent.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil {
		r.Body = http.NoBody // in a request made by hand
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, largestBody+1))
	if err != nil {
		panic(http.ErrAbortHandler) // the client left before its request was complete
	}
	id := f.record(r, body)
	w.Header().Set("Date", f.server.now().UTC().Format(http.TimeFormat))
	if f.idHeader != "" {
		w.Header().Set(f.idHeader, id)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if fault := f.takeFault(r); fault != nil {
		fault.act(w, r, f.serve)
		return
	}
	if len(body) > largestBody {
		(&problem{http.StatusRequestEntityTooLarge, "APIGW.0201", "Request entity too large"}).write(w)
		return
	}
	f.serve(w, r)
}

// record remembers the request and returns the id of its answer.
func (f *fake) record(r *http.Request, body []byte) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered++
	if !f.silent {
		f.requests = append(f.requests, Request{
			Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
			Header: r.Header.Clone(), Body: body,
		})
	}
	return fmt.Sprintf("%032x", f.answered)
}

// readBody returns the body that ServeHTTP has put back into memory, and leaves it there for the next reader.
func readBody(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil // cannot happen: it is in memory
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// now is the service's clock.
func (s *Server) now() time.Time { return time.Now().Add(time.Duration(s.clockOffset.Load())) }
