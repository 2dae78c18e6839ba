package modelartstest

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault is what a matching request meets instead of the service, or on the way to it. It acts before the
// credentials are looked at, and the request is recorded all the same.
//
// A Fault that neither answers nor drops lets the request through to the service: after Delay, and with
// RetryAfter and Header added to the real answer.
type Fault struct {
	// Method and Path select requests; an empty one selects all. Path matches the end of the request's
	// escaped path, such as "/sync-data/status".
	Method, Path string
	// Times is how many requests meet the fault. 0 is once, negative is always.
	Times int
	// Status is the answer's status. With 0, a Fault that has a Body, a Code or a Message answers with 200.
	Status int
	// Code and Message make the JSON error of the answer: in the gateway's shape when Code begins with APIG,
	// else in the service's. Body is sent as it is instead of them. Without any of the three the answer has
	// no body.
	Code, Message, Body string
	// RetryAfter is sent in seconds, rounded up. For a date, or for nonsense, use Header.
	RetryAfter time.Duration
	// Header replaces headers of the answer; nil values remove one. A Content-Length above the length of the
	// body makes an answer that breaks off.
	Header http.Header
	// Delay is how long the answer takes. It ends early when the request's context does. The time passes on
	// the way to the service, so a signature ages, or with After on the way back.
	Delay time.Duration
	// Drop resets the connection instead of answering.
	Drop bool
	// After serves the request first: its effect stays, and only its answer is late, lost or replaced.
	After bool
}

// Inject adds faults behind those that are still waiting. A request meets the first one that matches it, and
// only that one. A Status that HTTP does not have panics: it is a mistake in the test.
func (f *fake) Inject(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		if fault.Status != 0 && (fault.Status < 200 || fault.Status > 999) {
			panic(fmt.Sprintf("modelartstest: a fault cannot answer with status %d", fault.Status))
		}
		fault.Header = fault.Header.Clone()
		f.faults = append(f.faults, fault)
	}
}

// ClearFaults takes back all faults, and so ends an outage that was injected with negative Times.
func (f *fake) ClearFaults() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// takeFault finds the fault for r, and uses it up by one.
func (f *fake) takeFault(r *http.Request) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.faults {
		fault := &f.faults[i]
		if !fault.matches(r) {
			continue
		}
		met := *fault
		switch {
		case fault.Times > 1:
			fault.Times--
		case fault.Times >= 0:
			f.faults = slices.Delete(f.faults, i, i+1)
		}
		return &met
	}
	return nil
}

func (f *Fault) matches(r *http.Request) bool {
	return (f.Method == "" || f.Method == r.Method) && strings.HasSuffix(r.URL.EscapedPath(), f.Path)
}

// act carries the fault out. serve is the service behind it.
func (f *Fault) act(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	reply := newAnswer(w.Header())
	if f.After {
		serve(reply, r)
	}
	if !pause(r.Context(), f.Delay) {
		return // nobody is there to be answered
	}
	if f.Drop {
		drop(w)
		return
	}
	switch {
	case f.answers():
		reply = newAnswer(w.Header())
		f.answer(reply)
	case !f.After:
		serve(reply, r)
	}
	if f.RetryAfter > 0 {
		reply.header.Set("Retry-After", strconv.FormatFloat(math.Ceil(f.RetryAfter.Seconds()), 'f', 0, 64))
	}
	for name, values := range f.Header {
		reply.header[http.CanonicalHeaderKey(name)] = values
	}
	reply.sendTo(w)
}

func (f *Fault) answers() bool {
	return f.Status != 0 || f.Code != "" || f.Message != "" || f.Body != ""
}

func (f *Fault) answer(w http.ResponseWriter) {
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	switch {
	case f.Body != "":
		if trimmed := strings.TrimSpace(f.Body); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(f.Body))
	case strings.HasPrefix(f.Code, "APIG"):
		(&problem{status, f.Code, f.Message}).write(w)
	case f.Code != "" || f.Message != "":
		writeJSON(w, status, serviceError{Code: f.Code, Message: f.Message})
	default:
		w.WriteHeader(status)
	}
}

// pause waits, and reports whether it could do so to the end.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// drop ends the connection without an answer, as a peer does that crashed or a firewall that lost its state.
func drop(w http.ResponseWriter) {
	if a, ok := w.(*answer); ok {
		a.dropped = true
		return
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler) // HTTP/2 resets the stream
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	raw := conn
	if secure, ok := conn.(*tls.Conn); ok {
		raw = secure.NetConn() // a TLS close would say goodbye first
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // close with a reset
	}
	_ = raw.Close()
}
