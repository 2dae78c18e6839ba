package modelarts

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
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

const (
	bodyKept    = 4 << 10  // of an answer, in an APIError
	bodyScanned = 64 << 10 // of an answer, for secrets, before it is kept
	textKept    = 1 << 10  // of a message
	causeKept   = 4 << 10  // of what a transport or a source of credentials says
	wordKept    = 128      // of a code or a request id
)

// newAPIError makes an error of an answer that is not a success.
func newAPIError(sent *http.Request, resp *http.Response, body []byte, secrets scrubber) *APIError {
	fields := parseErrorBody(body)
	kept := secrets.scrub(unescapeASCII(string(body[:min(len(body), bodyScanned)])))
	if fields.message == "" && fields.code == "" {
		fields.message = plainText(kept) // which cuts, and could cut a secret beyond recognition
	}
	clean := func(text string, size int) string { return shorten(oneLine(secrets.scrub(text)), size) }
	e := &APIError{
		StatusCode: resp.StatusCode,
		Code:       clean(fields.code, wordKept),
		Message:    clean(fields.message, textKept),
		RequestID:  clean(requestID(resp, fields.requestID), wordKept),
		Method:     sent.Method,
		URL:        plainURL(sent.URL),
		RetryAfter: retryAfter(resp.Header),
	}
	e.Body = []byte(kept[:min(len(kept), bodyKept)])
	return e
}

// unescapeASCII undoes \/, and \u00XX for printable characters that JSON need not escape. Some encoders write
// "=" and "+" in that way, behind which a token would not be found.
func unescapeASCII(text string) string {
	text = strings.ReplaceAll(text, `\/`, "/")
	if !strings.Contains(text, `\u00`) {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, `\u00`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		text = after
		code, err := strconv.ParseUint(after[:min(2, len(after))], 16, 8)
		if err != nil || len(after) < 2 || code < ' ' || code >= 0x7f || code == '"' || code == '\\' {
			b.WriteString(`\u00`)
			continue
		}
		b.WriteByte(byte(code))
		text = after[2:]
	}
}

func requestID(resp *http.Response, inBody string) string {
	for _, name := range []string{"X-Request-Id", "X-Iam-Trace-Id"} {
		if id := resp.Header.Get(name); strings.TrimSpace(id) != "" {
			return id
		}
	}
	return inBody
}

// plainURL is u without what an error must not show.
func plainURL(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

type errorFields struct{ code, message, requestID string }

// errorText takes a string or a number from JSON, and nothing from anything else: an odd member must not
// cost the rest of an error.
type errorText string

func (t *errorText) UnmarshalJSON(data []byte) error {
	var text string
	var number json.Number
	switch {
	case json.Unmarshal(data, &text) == nil:
		*t = errorText(text)
	case json.Unmarshal(data, &number) == nil:
		*t = errorText(number)
	}
	return nil
}

// errorBody has the members of all the shapes in which the service, the gateways, IAM and their neighbors
// write an error.
type errorBody struct {
	ErrorCode    errorText `json:"error_code"`
	ErrorCode2   errorText `json:"errorCode"`
	Code         errorText `json:"code"`
	ErrorMsg     errorText `json:"error_msg"`
	ErrorMessage errorText `json:"error_message"`
	ErrorMsg2    errorText `json:"errorMessage"`
	Message      errorText `json:"message"`
	RequestID    errorText `json:"request_id"`
}

func (b *errorBody) fields() errorFields {
	return errorFields{
		code:      string(first(b.ErrorCode, b.ErrorCode2, b.Code)),
		message:   string(first(b.ErrorMsg, b.ErrorMessage, b.ErrorMsg2, b.Message)),
		requestID: string(b.RequestID),
	}
}

func first[T ~string](texts ...T) T {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// parseErrorBody finds code, message and request id in whatever JSON object the body is, on its first
// level or else inside "error" or the first of "results".
func parseErrorBody(body []byte) errorFields {
	var outer struct {
		errorBody
		Error   json.RawMessage   `json:"error"`
		Results []json.RawMessage `json:"results"`
	}
	if err := json.Unmarshal(body, &outer); err != nil {
		var wrongType *json.UnmarshalTypeError
		if !errors.As(err, &wrongType) {
			return errorFields{}
		}
	}
	fields := outer.fields()
	for _, inner := range append([]json.RawMessage{outer.Error}, outer.Results...) {
		var nested errorBody
		if len(inner) == 0 || json.Unmarshal(inner, &nested) != nil {
			continue
		}
		more := nested.fields()
		fields.code = first(fields.code, more.code)
		fields.message = first(fields.message, more.message)
		fields.requestID = first(fields.requestID, more.requestID)
	}
	return fields
}

// plainText is what a person can learn of a body that is no JSON error: its title if it is a page, else its
// beginning.
func plainText(text string) string {
	const shown = 160
	if indexFold(text, "<html") < 0 && indexFold(text, "<!doctype") < 0 {
		return shorten(strings.TrimSpace(text), shown)
	}
	const open, end = "<title>", "</title>"
	if start := indexFold(text, open); start >= 0 {
		title := text[start+len(open):]
		if length := indexFold(title, end); length >= 0 {
			return "a web page: " + shorten(strings.TrimSpace(title[:length]), shown)
		}
	}
	return "a web page"
}

// indexFold is strings.Index without regard to case.
func indexFold(text, part string) int {
	for i := 0; i+len(part) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

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
