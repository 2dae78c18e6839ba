package modelarts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

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
	switch {
	case e.StatusCode != http.StatusUnauthorized:
		a.observe(resp, nil)
	case !cut || e.Code != "":
		r.repeat = a.observe(resp, e)
	}
	// A refusal whose reason was cut off teaches nothing: neither that the key is wrong, nor that it is not.
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

func success(resp *http.Response) bool { return resp.StatusCode >= 200 && resp.StatusCode < 300 }

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
