package modelarts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// An exchange is the one way out: authenticate, send, classify, wait or return. Every call of the package
// goes through it, those of IAM too.
type exchange struct {
	client *http.Client
	auth   Authenticator // nil where the http.Client authenticates by itself
	retry  RetryPolicy
	budget *budget
	log    logger
}

// A call is what an exchange has to know beside the request.
type call struct {
	out      any                      // what a 2xx is decoded into; nil takes any 2xx
	valid    func() string            // what is wrong with a decoded answer
	header   func(http.Header) string // takes what it needs from the header of a 2xx, or says what is missing
	path     string                   // the request's path with its placeholders, for logs
	text     *string                  // what a 2xx that is no JSON is read into
	attempts int                      // instead of the policy's, if not 0
	secrets  []string                 // that the request's body holds
	// idempotent says that a repeat is harmless although the method would not tell.
	idempotent bool
	// sensitive says that a 2xx holds secrets, so that nothing of it gets into an error.
	sensitive bool
}

// reads reports whether the body of a 2xx is wanted.
func (c *call) reads() bool { return c.out != nil || c.text != nil }

// takesAny reports whether every 2xx will do, however it goes on.
func (c *call) takesAny() bool { return !c.reads() && c.header == nil }

// An outcome is what a failed call leaves behind at the service.
type outcome int

const (
	notSent  outcome = iota // the service never saw the request
	answered                // the service, or the gateway before it, said what became of it
	unknown                 // it may have been carried out or not
)

// A result is how one attempt ended.
type result struct {
	err     error // nil for success
	outcome outcome
	verdict verdict
	repeat  bool // the authenticator has learned something and asks for one repeat
}

// A report says what a call took.
type report struct {
	outcome outcome // of the last attempt
	tries   int     // attempts, but for repeats that the authenticator asked for
}

// do carries out a call.
func (x *exchange) do(req *http.Request, c call) (report, error) {
	if x == nil {
		return report{}, errors.New("modelarts: a Client is made by NewClient, and an IAM by NewIAM")
	}
	ctx := &callContext{Context: req.Context(), logger: x.log}
	_, ctx.observed = x.auth.(Observer)
	attempts := c.attempts
	if attempts == 0 {
		attempts = x.retry.MaxAttempts
	}
	once := req.Body != nil && req.Body != http.NoBody && req.GetBody == nil // the body can be read but once
	if once {
		attempts = 1
	}
	if err := ctx.Err(); err != nil {
		return report{}, newTransportError(req, err, 0, nil)
	}
	repeats := 0
	var before error // what the attempt before said
	for number := 1; ; number++ {
		r := x.attempt(ctx, req, &c, number)
		before, r.err = r.err, remembering(ctx, r.err, before)
		done := report{outcome: r.outcome, tries: number - repeats}
		switch {
		case r.err == nil:
			x.budget.succeeded()
			return done, nil
		case r.repeat && !once && repeats < ctx.repeatsAllowed():
			if err := ended(ctx); err != nil {
				return done, fmt.Errorf("%w; ended before the next attempt: %w", r.err, err)
			}
			repeats++
			continue
		case done.tries >= attempts || !r.verdict.allows(req.Method, c.idempotent):
			return done, r.err
		}
		if err := x.wait(ctx, req, &c, r, number, done.tries); err != nil {
			return done, err
		}
	}
}

// remembering adds to the error of an attempt that the end of ctx cut short what the attempt before it said,
// which is the last that is known of the service.
func remembering(ctx context.Context, err, before error) error {
	if err == nil || before == nil || ended(ctx) == nil {
		return err
	}
	var answer *APIError
	if errors.As(err, &answer) {
		return err
	}
	return fmt.Errorf("%w; the attempt before: %w", err, before)
}

// allows reports whether a verdict allows another try with this method.
func (v verdict) allows(method string, idempotent bool) bool {
	return v == retryAny || v == retryRead && (idempotent || method == http.MethodGet || method == http.MethodHead)
}

// wait pauses before another attempt, or returns why there will be none. Every such error is still the one
// that the last attempt left.
func (x *exchange) wait(ctx context.Context, req *http.Request, c *call, r result, attempt, tries int) error {
	pause := retryAfterOf(r.err)
	if pause == 0 {
		pause = x.retry.pause(tries-1, errors.Is(r.err, ErrThrottled))
	}
	switch {
	case outlasts(ctx, pause):
		return fmt.Errorf("%w; the next attempt would come after the deadline: %w", r.err, context.DeadlineExceeded)
	case pause > x.retry.MaxDelay:
		return r.err
	case !x.budget.take():
		return fmt.Errorf("%w; not tried again: the client's retry budget is used up", r.err)
	}
	x.recordRetry(ctx, req, c, attempt, pause, r.err)
	if err := sleep(ctx, pause); err != nil {
		return fmt.Errorf("%w; ended before the next attempt: %w", r.err, err)
	}
	return nil
}

// recordRetry logs that another attempt follows.
func (x *exchange) recordRetry(ctx context.Context, req *http.Request, c *call, attempt int, pause time.Duration, err error) {
	if !x.log.enabled(ctx, slog.LevelWarn) {
		return
	}
	attrs := append(recordAttrs(req, c, attempt), slog.Duration("wait", pause))
	var e *APIError
	if errors.As(err, &e) {
		attrs = append(attrs, slog.Int("status", e.StatusCode))
		err = nil
	}
	x.log.LogAttrs(ctx, slog.LevelWarn, "modelarts: retry", append(attrs, failure(e, err)...)...)
}

// An attempt sends the request of a call once.
type attempt struct {
	*exchange
	call   *call
	caller *callContext
	ctx    context.Context // the caller's, with the bound on one attempt
	sent   *http.Request
	number int
	began  time.Time
}

func (x *exchange) attempt(caller *callContext, req *http.Request, c *call, number int) result {
	ctx, cancel := x.attemptContext(caller)
	defer cancel()
	sent, err := cloneRequest(ctx, req)
	if err != nil {
		return result{err: newTransportError(req, err, number, nil)}
	}
	a := attempt{exchange: x, call: c, caller: caller, ctx: ctx, sent: sent, number: number, began: time.Now()}
	if x.auth != nil {
		if err := x.auth.Authenticate(sent); err != nil {
			if sent.Body != nil {
				_ = sent.Body.Close() // as sending would have
			}
			return a.failed(err, notSent)
		}
	}
	resp, err := x.client.Do(sent)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the rest is method and URL, with the query
		}
		return a.failed(err, unknown)
	}
	if success(resp) && c.takesAny() {
		defer time.AfterFunc(drainTime, cancel).Stop()
	}
	body, readErr := readBody(resp, c.reads())
	// A body that has more to give is cut off here: to read on could take for ever.
	_ = resp.Body.Close()
	resp.Body = http.NoBody
	return a.answered(resp, body, readErr)
}

// attemptContext bounds one attempt. It always ends with the attempt, for those who wait for that.
func (x *exchange) attemptContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if x.retry.AttemptTimeout > 0 {
		return context.WithTimeout(ctx, x.retry.AttemptTimeout)
	}
	return context.WithCancel(ctx)
}

// answered makes the result of an attempt that got an answer, and lets the authenticator learn from it.
func (a *attempt) answered(resp *http.Response, body []byte, readErr error) result {
	fault, cut := "", readErr != nil && !errors.Is(readErr, errTooLarge)
	switch {
	case !success(resp):
	case a.call.takesAny():
		cut = false // that it is a success is all that was asked
	case errors.Is(readErr, errTooLarge):
		fault = readErr.Error()
	case cut:
		r := a.failed(readErr, answered)
		a.observe(resp, nil)
		return r
	default:
		fault, cut = a.take(resp, body)
	}
	if success(resp) && fault == "" {
		a.record(resp.StatusCode, nil, nil)
		a.observe(resp, nil)
		return result{outcome: answered}
	}
	e := a.apiError(resp, body, fault)
	r := result{err: e, outcome: answered, verdict: judgeAnswer(e)}
	if r.verdict == retryRead {
		r.outcome = unknown
	}
	if cut && r.verdict == final && a.ctx.Err() == nil && e.StatusCode != http.StatusUnauthorized {
		r.verdict = retryRead // the rest of the answer would have said more
	}
	if err := ended(a.caller); err != nil && cut {
		r.err, r.verdict = fmt.Errorf("%w; ended before all of the answer was there: %w", e, err), final
	}
	a.record(resp.StatusCode, e, nil)
	if e.StatusCode == http.StatusUnauthorized {
		r.repeat = a.observe(resp, e)
	} else {
		a.observe(resp, nil)
	}
	return r
}

// take decodes a success, or says what is wrong with it, and whether its body may have been cut off.
func (a *attempt) take(resp *http.Response, body []byte) (fault string, cut bool) {
	if encoded(resp.Header.Get("Content-Encoding")) {
		return "the answer has a content encoding that was not asked for", false
	}
	if a.call.header != nil {
		if fault := a.call.header(resp.Header); fault != "" {
			return fault, false
		}
	}
	if a.call.text != nil {
		*a.call.text = string(body)
	}
	if a.call.out == nil {
		return "", false
	}
	err := decode(body, a.call.out)
	if answer, ok := a.call.out.(*syncStatusAnswer); ok && answer.ErrorMsg != "" {
		answer.ErrorMsg = a.scrubber().scrub(answer.ErrorMsg) // it may echo anything
	}
	if err != nil {
		// The end of the connection is the only end that such a body has.
		unbounded := resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && resp.ProtoMajor == 1 && !resp.Uncompressed
		return "the answer is not the JSON expected: " + err.Error(), unbounded && errors.Is(err, io.ErrUnexpectedEOF)
	}
	if a.call.valid != nil {
		return a.call.valid(), false
	}
	return "", false
}

// apiError makes the error that an answer is. A fault is what is wrong with a success.
func (a *attempt) apiError(resp *http.Response, body []byte, fault string) *APIError {
	secrets := a.scrubber()
	e := newAPIError(a.sent, resp, body, secrets)
	e.Attempts = a.number
	if a.call.sensitive && success(resp) {
		e.Body, e.Message = nil, ""
	}
	switch location := resp.Header[hiddenLocation]; {
	case fault != "":
		e.Message = strings.TrimSuffix(shorten(oneLine(secrets.scrub(fault)), textKept)+": "+e.Message, ": ")
	case e.StatusCode/100 == 3 && len(location) > 0:
		if to, err := url.Parse(location[0]); err == nil && to.Host != "" {
			e.Message = "a redirect to " + quote(to.Scheme+"://"+to.Host)
		}
	}
	return e
}

// failed makes the result of an attempt that got no whole answer. What ended it is told apart: the caller's
// context, the time of the attempt, or the network.
func (a *attempt) failed(err error, o outcome) result {
	r := result{outcome: o, verdict: judgeFailure(err)}
	if o == unknown && neverSent(err) {
		r.outcome = notSent
	}
	over := ended(a.caller)
	switch {
	case over != nil:
		r.verdict = final
		if !errors.Is(err, over) {
			err = fmt.Errorf("%w: %w", over, err)
		}
	case ended(a.ctx) != nil:
		r.verdict = retryRead
		text := "no complete answer within the attempt's "
		if o == notSent {
			text = "no credentials within the attempt's "
		}
		err = &attemptTimeoutError{text: text + a.retry.AttemptTimeout.String()}
	case o == notSent:
		r.verdict = final // whoever fetches credentials has its own retries
	case errors.Is(err, context.DeadlineExceeded):
		r.verdict = max(r.verdict, retryRead)
		err = &attemptTimeoutError{text: err.Error()}
	}
	r.err = newTransportError(a.sent, err, a.number, a.scrubber())
	a.record(0, nil, r.err)
	return r
}

func (a *attempt) observe(resp *http.Response, refused *APIError) bool {
	if location := resp.Header[hiddenLocation]; len(location) > 0 {
		resp.Header["Location"] = location // as it came
		delete(resp.Header, hiddenLocation)
	}
	observer, ok := a.auth.(Observer)
	return ok && observer.Observe(a.sent, resp, refused)
}

// scrubber knows the secrets of this attempt. It is made only when something has failed.
func (a *attempt) scrubber() scrubber {
	return newScrubber(a.sent, a.auth, a.call.secrets...)
}

// record logs how the attempt ended.
func (a *attempt) record(status int, e *APIError, err error) {
	if !a.log.enabled(a.ctx, slog.LevelDebug) {
		return
	}
	attrs := append(recordAttrs(a.sent, a.call, a.number), slog.Duration("duration", time.Since(a.began)))
	if status != 0 {
		attrs = append(attrs, slog.Int("status", status))
	}
	a.log.LogAttrs(a.ctx, slog.LevelDebug, "modelarts: attempt", append(attrs, failure(e, err)...)...)
}

// attrs are what every record of a call has.
func recordAttrs(req *http.Request, c *call, number int) []slog.Attr {
	return []slog.Attr{
		slog.String("method", req.Method), slog.String("path", c.path), slog.Int("attempt", number),
	}
}

func success(resp *http.Response) bool { return resp.StatusCode >= 200 && resp.StatusCode < 300 }

func encoded(contentEncoding string) bool {
	return contentEncoding != "" && !strings.EqualFold(contentEncoding, "identity")
}

// cloneRequest makes what one attempt sends, so that no attempt sees what the last one added, and the
// caller's request stays as it was.
func cloneRequest(ctx context.Context, req *http.Request) (*http.Request, error) {
	sent := req.WithContext(ctx)
	target := *req.URL
	sent.URL = &target
	sent.Header = req.Header.Clone()
	if sent.Header == nil {
		sent.Header = make(http.Header)
	}
	if req.GetBody != nil && req.Body != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("rewinding the request body: %w", err)
		}
		sent.Body = body
	}
	return sent, nil
}

const (
	maxBody     = 1 << 20 // of an answer
	drainedBody = 64 << 10
	drainTime   = time.Second // for a body that nobody wants
	firstRead   = 512
)

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxBody)

// readBody reads an answer's body. Where nothing of it is wanted, a success is only drained, within reason,
// so that its connection can be used again.
func readBody(resp *http.Response, wanted bool) ([]byte, error) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, nil // what follows is not an answer
	}
	if !wanted && success(resp) {
		_, err := io.CopyN(io.Discard, resp.Body, drainedBody)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return nil, err
	}
	if encoded(resp.Header.Get("Content-Encoding")) {
		return nil, nil // not asked for, and no text
	}
	size := firstRead
	if resp.ContentLength > 0 {
		size = int(min(resp.ContentLength, drainedBody)) + 1 // one more, so that the end is seen
	}
	body := make([]byte, 0, size)
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := resp.Body.Read(body[len(body):min(cap(body), maxBody+1)])
		body = body[:len(body)+n]
		switch {
		case len(body) > maxBody:
			return body[:maxBody], errTooLarge
		case err == io.EOF:
			return body, nil
		case err != nil:
			return body, err
		}
	}
}
