package modelarts

import (
	"context"
)

// A callContext goes with all attempts of one call. It lets authenticators, which see only the request, know
// what the call has been through.
type callContext struct {
	context.Context
	logger   logger
	observed bool // the authenticator will see the answer
	renewed  bool // a secret was renewed for this call
	clocked  bool // the clock was corrected for this call
}

type callKey struct{}

// Value finds the call itself under its key, and else what the caller's context holds.
func (c *callContext) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// callFrom returns the call that a context belongs to, or a blank one for a request of somebody else.
func callFrom(ctx context.Context) *callContext {
	if c, ok := ctx.Value(callKey{}).(*callContext); ok {
		return c
	}
	return &callContext{Context: ctx}
}

// repeatsAllowed is how many repeats this call is worth: one for a renewed secret and one for a corrected
// clock. Whoever asks for a repeat without telling why gets one.
func (c *callContext) repeatsAllowed() int {
	if c.renewed && c.clocked {
		return 2
	}
	return 1
}
