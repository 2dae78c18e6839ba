package modelarts

import (
	"context"
	"log/slog"
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

// A logger writes the records of this package. Its zero value is silent.
type logger struct{ *slog.Logger }

// loggerFrom returns the logger of the call that a context belongs to.
func loggerFrom(ctx context.Context) logger { return callFrom(ctx).logger }

func (l logger) warn(message string, err error) {
	if l.Logger != nil {
		l.Warn(message, slog.Any("error", err))
	}
}

func (l logger) enabled(ctx context.Context, level slog.Level) bool {
	return l.Logger != nil && l.Enabled(ctx, level)
}

// failure is what a record tells of an answer that is an error, or of none.
func failure(e *APIError, err error) []slog.Attr {
	var attrs []slog.Attr
	if e != nil {
		for _, field := range []struct{ key, value string }{{"code", e.Code}, {"request_id", e.RequestID}} {
			if field.value != "" {
				attrs = append(attrs, slog.String(field.key, field.value))
			}
		}
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	return attrs
}
