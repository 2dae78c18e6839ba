package modelarts

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

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
