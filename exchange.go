package modelarts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
