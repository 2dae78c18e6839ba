package modelarts

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

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

type errorFields struct{ code, message, requestID string }

// parseErrorBody finds code, message and request id in whatever JSON object the body is, on its first
// level or else inside "error" or the first of "results".
func parseErrorBody(body []byte) errorFields {
	if len(body) == maxBody { // there was more, as far as anybody can tell
		body = wholeMembers(body)
	}
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

// wholeMembers closes a JSON object that is cut off behind the last member that is all there. A code that came
// before an endless message still tells the class of the error.
func wholeMembers(body []byte) []byte {
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) || json.Valid(body) {
		return body
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return body
	}
	end := decoder.InputOffset()
	for {
		var value json.RawMessage
		if _, err := decoder.Token(); err != nil || decoder.Decode(&value) != nil {
			return append(body[:end:end], '}')
		}
		end = decoder.InputOffset()
	}
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

func first[T ~string](texts ...T) T {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
