package modelarts

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// APIError is an answer of the service, or of the gateway before it, that is not the success asked for: every
// status outside of 2xx, and a 2xx whose body is not what the call expects.
//
// Match it with [errors.Is] and the sentinels of this package, or take it apart with [errors.As]:
//
//	var apiErr *modelarts.APIError
//	if errors.As(err, &apiErr) {
//		log.Print(apiErr.Code, " ", apiErr.RequestID)
//	}
//
// Texts that came from outside are free of the secrets of the request and of control characters.
type APIError struct {
	StatusCode int
	// Code is such as "ModelArts.4352" or "APIGW.0301"; it is empty where the answer has none. Numbers mean
	// different things under different statuses, so compare both.
	Code    string
	Message string
	// RequestID names the answer to the service's support.
	RequestID string
	Method    string
	URL       string // without its query
	// RetryAfter is how long the service asks to wait before the next try, 0 if it does not say.
	RetryAfter time.Duration
	// Attempts is how often the request was sent, this answer's attempt included.
	Attempts int
	// Body holds the first 4 KiB of the answer's body, without secrets.
	Body []byte
}

// Error tells what happened on one line and, where the answer is known to mean something specific, what to
// do about it.
func (e *APIError) Error() string {
	var b strings.Builder
	b.WriteString("modelarts: ")
	if e.Method != "" || e.URL != "" {
		b.WriteString(strings.TrimSpace(oneLine(e.Method+" "+e.URL)) + ": ")
	}
	b.WriteString(strconv.Itoa(e.StatusCode))
	if e.Code != "" && e.Code != strconv.Itoa(e.StatusCode) {
		b.WriteString(" " + oneLine(e.Code))
	} else if text := http.StatusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	if e.Message != "" {
		b.WriteString(": " + oneLine(e.Message))
	}
	var notes []string
	if e.RequestID != "" {
		notes = append(notes, "request id "+oneLine(e.RequestID))
	}
	if e.Attempts > 1 {
		notes = append(notes, strconv.Itoa(e.Attempts)+" attempts")
	}
	if e.RetryAfter > 0 {
		notes = append(notes, "retry after "+e.RetryAfter.String())
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	if hint := e.hint(); hint != "" {
		b.WriteString("; " + hint)
	}
	return b.String()
}

// LogValue makes a group of the fields, the body and the empty ones left out.
func (e *APIError) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Int("status", e.StatusCode)}
	for _, field := range []struct{ key, value string }{
		{"code", e.Code}, {"message", e.Message}, {"request_id", e.RequestID}, {"method", e.Method}, {"url", e.URL},
	} {
		if field.value != "" {
			attrs = append(attrs, slog.String(field.key, oneLine(field.value)))
		}
	}
	if e.Attempts > 0 {
		attrs = append(attrs, slog.Int("attempts", e.Attempts))
	}
	if e.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	return slog.GroupValue(attrs...)
}

// A sentinel is an error to compare with. One that has a wider one behind it matches that too.
type sentinel struct {
	text  string
	wider error
}

func (s *sentinel) Error() string { return s.text }

func (s *sentinel) Unwrap() error { return s.wider }

// What an [APIError] can mean. Most answers tell it by their status; the service sends some under another
// one, which are found by status and code.
var (
	// ErrUnauthorized says that the credentials were not accepted (401), or are not tried because they were refused.
	ErrUnauthorized error = &sentinel{text: "modelarts: unauthorized"}
	// ErrForbidden says that the credentials were accepted and do not allow this (403).
	ErrForbidden error = &sentinel{text: "modelarts: forbidden"}
	// ErrNotFound says that something that the request names does not exist (404): the API, the project or the dataset.
	ErrNotFound error = &sentinel{text: "modelarts: not found"}
	// ErrDatasetNotFound says that the dataset does not exist, for certain. It also matches [ErrNotFound].
	ErrDatasetNotFound error = &sentinel{text: "modelarts: dataset not found", wider: ErrNotFound}
	// ErrThrottled says that there were too many requests (429).
	ErrThrottled error = &sentinel{text: "modelarts: throttled"}
	// ErrConflict says that another task of the dataset is in the way.
	ErrConflict error = &sentinel{text: "modelarts: conflict with another task of the dataset"}
	// ErrSyncRunning says that that other task is a synchronization. It also matches [ErrConflict].
	ErrSyncRunning error = &sentinel{text: "modelarts: a synchronization is already running", wider: ErrConflict}
)

// meanings lists what a code means under a status, beyond what the status itself says. The pairs come from
// the service's page "Error Codes" and from IAM's.
var meanings = []struct {
	sentinel error
	status   int
	codes    string
}{
	{ErrUnauthorized, 401, ""},
	{ErrForbidden, 403, ""},
	{ErrNotFound, 404, ""},
	{ErrConflict, 409, ""},
	{ErrThrottled, 429, ""},
	{ErrUnauthorized, 403, "ModelArts.0203 ModelArts.0206 ModelArts.2784"},
	{ErrUnauthorized, 400, "IAM.1105 IAM.1107 IAM.1108"},
	{ErrForbidden, 401, "ModelArts.0112 ModelArts.0428"},
	{ErrForbidden, 404, "ModelArts.2786"},
	{ErrDatasetNotFound, 400, "ModelArts.4352 ModelArts.4338 ModelArts.2783 ModelArts.6623"},
	{ErrDatasetNotFound, 404, "ModelArts.4352 ModelArts.4338 ModelArts.2783 ModelArts.6623"},
	{ErrThrottled, 500, "ModelArts.5039"},
	{ErrSyncRunning, 400, "ModelArts.4355"},
	{ErrConflict, 400, "ModelArts.4343 ModelArts.4344 ModelArts.4349 ModelArts.4356 ModelArts.4381 ModelArts.4409 ModelArts.4704"},
	{ErrConflict, 401, "ModelArts.4713"},
	{ErrConflict, 403, "ModelArts.4613 ModelArts.4803 ModelArts.4821 ModelArts.4850"},
	{ErrConflict, 501, "ModelArts.4385 ModelArts.4386 ModelArts.4387 ModelArts.4394"},
}

// Is makes [errors.Is] work with the sentinels of this package.
func (e *APIError) Is(target error) bool {
	if target == ErrUnauthorized && e.StatusCode == http.StatusUnauthorized && e.hasCode("ModelArts.4713 ModelArts.4750 ModelArts.4826") {
		return false // refusals of the data source
	}
	for _, m := range meanings {
		if m.status == e.StatusCode && errors.Is(m.sentinel, target) && (m.codes == "" || e.hasCode(m.codes)) {
			return true
		}
	}
	return false
}

// hasCode reports whether the error's code is one of the list, whole and in any case.
func (e *APIError) hasCode(list string) bool {
	for code := range strings.SplitSeq(list, " ") {
		if strings.EqualFold(code, e.Code) {
			return true
		}
	}
	return false
}

// gatewayCode reports whether the error has one of these numbers under a prefix of the gateways, which are
// APIGW (shared) and APIG (dedicated).
func (e *APIError) gatewayCode(numbers ...string) bool {
	prefix, number, _ := strings.Cut(e.Code, ".")
	return (strings.EqualFold(prefix, "APIGW") || strings.EqualFold(prefix, "APIG")) && slices.Contains(numbers, number)
}

// badSignature reports whether the gateway refused the signature, for whatever reason.
func (e *APIError) badSignature() bool { return e.gatewayCode("0301", "0303", "0305") }

// A transportError is a request that got no answer, or what such an error happened in. It prints without
// secrets, and unwraps to the cause.
type transportError struct {
	text  string
	cause error
}

func (e *transportError) Error() string { return e.text }

func (e *transportError) Unwrap() error { return e.cause }

// Timeout reports whether the attempt took too long.
func (e *transportError) Timeout() bool {
	var cause interface{ Timeout() bool }
	return errors.As(e.cause, &cause) && cause.Timeout()
}

// within adds to an error of this package what it happened in, with the package's name said once.
func within(what string, err error) error {
	return &transportError{text: "modelarts: " + what + ": " + bare(err), cause: err}
}

// bare is the text of an error without the package's name.
func bare(err error) string { return strings.TrimPrefix(err.Error(), "modelarts: ") }

// newTransportError tells of a request that got no answer. The text of cause is net/http's or that of a
// caller's transport, and may quote what it failed on, at any length.
func newTransportError(sent *http.Request, cause error, attempts int, secrets scrubber) error {
	text := fmt.Sprintf("modelarts: %s %s: %s", oneLine(sent.Method), plainURL(sent.URL),
		shorten(oneLine(secrets.scrub(withoutAddress(bare(cause)))), causeKept))
	if attempts > 1 {
		text += fmt.Sprintf(" (%d attempts)", attempts)
	}
	if hint := transportHint(cause); hint != "" {
		text += "; " + hint
	}
	return &transportError{text: text, cause: cause}
}
