package modelarts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// RetryPolicy says how often and how patiently one call is tried. The zero value is the default policy. What
// is retried at all is described in the package documentation.
type RetryPolicy struct {
	// MaxAttempts bounds all attempts of one call, the first included: 1 never retries, 0 is the default
	// of 4, a negative number is an error of [NewClient]. The one repeat that a renewed secret or a
	// corrected clock is worth comes on top.
	MaxAttempts int
	// MinDelay and MaxDelay bound the pauses. The pause before attempt n+1 is drawn evenly from zero up to
	// MinDelay doubled n-1 times, at most MaxDelay. 0 is the default: 200 ms and 20 s.
	//
	// The service's Retry-After replaces a pause; a longer one than MaxDelay ends the call at once.
	MinDelay, MaxDelay time.Duration
	// AttemptTimeout bounds one attempt, from authentication to the last byte of the answer. 0 is the
	// default of 30 s, a negative duration is no bound.
	AttemptTimeout time.Duration
}

const (
	defaultAttempts       = 4
	defaultMinDelay       = 200 * time.Millisecond
	defaultMaxDelay       = 20 * time.Second
	defaultAttemptTimeout = 30 * time.Second
	// throttledDelay is the least first ceiling of the pause after a 429 that does not say how long.
	throttledDelay = time.Second
)

// normalized fills in the defaults, or says what is wrong with the policy.
func (p RetryPolicy) normalized() (RetryPolicy, error) {
	if p.MaxAttempts < 0 || p.MinDelay < 0 || p.MaxDelay < 0 {
		return p, errors.New("modelarts: a retry policy has a negative number of attempts or a negative delay")
	}
	if p.MaxAttempts == 0 {
		p.MaxAttempts = defaultAttempts
	}
	if p.MaxDelay == 0 {
		p.MaxDelay = max(defaultMaxDelay, p.MinDelay)
	}
	if p.MinDelay == 0 {
		p.MinDelay = min(defaultMinDelay, p.MaxDelay)
	}
	if p.MaxDelay < p.MinDelay {
		return p, fmt.Errorf("modelarts: a retry policy has MaxDelay %v below MinDelay %v", p.MaxDelay, p.MinDelay)
	}
	if p.AttemptTimeout == 0 {
		p.AttemptTimeout = defaultAttemptTimeout
	}
	return p, nil
}

// pause draws how long to wait after so many retries of a call, with full jitter.
func (p RetryPolicy) pause(retries int, throttled bool) time.Duration {
	ceiling := p.MinDelay
	if throttled {
		ceiling = max(ceiling, throttledDelay)
	}
	for range retries {
		if ceiling >= p.MaxDelay/2 {
			ceiling = p.MaxDelay
			break
		}
		ceiling *= 2
	}
	return rand.N(min(ceiling, p.MaxDelay))
}

// verdict is what an attempt that did not succeed allows.
type verdict int

const (
	final     verdict = iota // nothing will change by another try
	retryRead                // another try is right, and harmless for a method that changes nothing
	retryAny                 // the request was certainly not carried out, so any method may be tried again
)

// judgeAnswer says what an answer of the service allows.
func judgeAnswer(e *APIError) verdict {
	switch e.StatusCode {
	case http.StatusTooManyRequests:
		return retryAny
	case http.StatusServiceUnavailable:
		if e.gatewayCode("0613") { // the gateway could not authenticate, so nothing went further
			return retryAny
		}
		return retryRead
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout:
		return retryRead
	case http.StatusInternalServerError:
		if e.hasCode("ModelArts.4360") { // the synchronization failed, and will again
			return final
		}
		return retryRead
	}
	return final
}

// Windows has numbers of its own for what a connection meets; no other system uses these.
const (
	errWindowsAborted = syscall.Errno(10053)
	errWindowsReset   = syscall.Errno(10054)
	errWindowsRefused = syscall.Errno(10061)
)

// judgeFailure says what a request without an answer allows. What it does not know is final: a caller's
// own transport may fail for reasons that no repeat mends.
func judgeFailure(err error) verdict {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.As(err, &dns):
		if dns.IsTemporary || dns.IsTimeout {
			return retryAny
		}
		return final
	case permanentTLS(err):
		return final
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, errWindowsRefused):
		return retryAny
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNABORTED), errors.Is(err, syscall.EPIPE),
		errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL),
		errors.Is(err, errWindowsReset), errors.Is(err, errWindowsAborted),
		errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENOBUFS):
		return retryRead
	case errors.As(err, &network) && network.Timeout():
		return retryRead
	}
	// net/http has no types for these.
	for _, text := range []string{"connection broken", "unexpected EOF", "server closed idle connection", "connection lost", "http2: ", "stream error"} {
		if strings.Contains(err.Error(), text) {
			return retryRead
		}
	}
	return final
}

// permanentTLS reports whether a connection failed because the two sides do not trust or understand each
// other.
func permanentTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.Is(err, http.ErrSchemeMismatch) ||
		errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// neverSent reports whether err proves that a request did not reach the service.
func neverSent(err error) bool {
	var dial *net.OpError
	return judgeFailure(err) == retryAny || permanentTLS(err) || errors.As(err, &dial) && dial.Op == "dial"
}

// A budget keeps an outage from turning into a retry storm: a token bucket that all calls of one client
// share, and of which each extra attempt takes one.
type budget struct {
	mu      sync.Mutex
	tokens  time.Duration // as the time in which they come back, so that tenths add up exactly
	updated time.Time
}

const (
	budgetToken      = time.Second // one comes back in this time
	budgetSize       = 50 * budgetToken
	budgetPerSuccess = budgetToken / 10
)

func newBudget() *budget { return &budget{tokens: budgetSize} }

// take reports whether one more extra attempt may be made.
func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if !b.updated.IsZero() {
		b.tokens = min(budgetSize, b.tokens+now.Sub(b.updated))
	}
	b.updated = now
	if b.tokens < budgetToken {
		return false
	}
	b.tokens -= budgetToken
	return true
}

func (b *budget) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(budgetSize, b.tokens+budgetPerSuccess)
}

// sleep waits, or returns the context's error as soon as that is done.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// outlasts reports whether a pause would go on beyond the context's deadline.
func outlasts(ctx context.Context, pause time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= pause
}

// ended is the error of a context that is over, or nil. Its deadline counts from the moment that it names:
// a dial may notice that before the context does.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// An attemptTimeoutError is an attempt that took too long. It is not context.DeadlineExceeded, which would tell
// the caller that its own deadline has passed.
type attemptTimeoutError struct{ text string }

func (e *attemptTimeoutError) Error() string { return e.text }

func (e *attemptTimeoutError) Timeout() bool { return true }

func (e *attemptTimeoutError) Temporary() bool { return true }

// retryAfter reads the Retry-After header, in seconds or as a date, and returns 0 where it says nothing of
// use. A date is measured against the answer's own Date, since the clocks of the two machines may differ.
func retryAfter(header http.Header) time.Duration {
	const longest = 365 * 24 * time.Hour
	for _, value := range header["Retry-After"] {
		value = strings.TrimSpace(value)
		if isDigits(value) {
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil || seconds > int64(longest/time.Second) {
				return longest // more than a number holds is longer than anybody waits
			}
			if seconds > 0 {
				return time.Duration(seconds) * time.Second
			}
			continue
		}
		until, err := http.ParseTime(value)
		if err != nil {
			continue
		}
		now := time.Now()
		if date, err := http.ParseTime(header.Get("Date")); err == nil {
			now = date
		}
		if pause := until.Sub(now); pause > 0 {
			return min(pause, longest)
		}
	}
	return 0
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
