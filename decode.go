package modelarts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// decode reads the JSON of an answer into out. Unknown members are fine; anything but exactly one value is
// not, nor is null. An integer may come as a string of digits, since Huawei Cloud's services have switched
// between the two from one region to another; an empty string is no value then.
func decode(body []byte, out any) error {
	switch trimmed := bytes.TrimSpace(body); {
	case len(trimmed) == 0:
		return fmt.Errorf("it is empty: %w", io.ErrUnexpectedEOF)
	case string(trimmed) == "null":
		return errors.New("it is null")
	}
	err := json.Unmarshal(body, out)
	if err == nil {
		return nil
	}
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) && mismatch.Value == "string" && isInteger(mismatch.Type.Kind()) {
		if relaxed, ok := unquoteIntegers(body, reflect.TypeOf(out)); ok {
			err = json.Unmarshal(relaxed, out)
		}
	}
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mismatch):
		if mismatch.Field == "" {
			return errors.New("it cannot be " + mismatch.Value)
		}
		field := mismatch.Field[strings.LastIndexByte(mismatch.Field, '.')+1:]
		return fmt.Errorf("the field %s cannot be %s", strconv.Quote(field), mismatch.Value)
	case errors.As(err, &syntax) && cutOff(body):
		return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return err
}

// cutOff reports whether a JSON text ends before its first value does.
func cutOff(body []byte) bool {
	var value json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(body)).Decode(&value), io.ErrUnexpectedEOF)
}

func isInteger(kind reflect.Kind) bool { return reflect.Int <= kind && kind <= reflect.Int64 }

// unquoteIntegers rewrites a JSON text so that integers are numbers wherever t has an integer. It is slow,
// and needed only where a service sends them as strings.
func unquoteIntegers(body []byte, t reflect.Type) ([]byte, bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	relaxed, err := json.Marshal(unquoter{}.unquote(value, t))
	return relaxed, err == nil
}

// An unquoter remembers the fields of structs, since an answer may hold very many of one type.
type unquoter map[reflect.Type][]reflect.StructField

func (u unquoter) fields(t reflect.Type) []reflect.StructField {
	if _, known := u[t]; !known {
		u[t] = reflect.VisibleFields(t)
	}
	return u[t]
}

func (u unquoter) unquote(value any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := value.(type) {
	case map[string]any:
		if t.Kind() == reflect.Struct {
			for _, field := range u.fields(t) {
				name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
				name = first(name, field.Name)
				// With the option "string" it is to be one.
				if member, ok := v[name]; ok && !strings.Contains(options, "string") {
					v[name] = u.unquote(member, field.Type)
				}
			}
		}
		if t.Kind() == reflect.Map {
			for name, member := range v {
				v[name] = u.unquote(member, t.Elem())
			}
		}
	case []any:
		if t.Kind() == reflect.Slice {
			for i, element := range v {
				v[i] = u.unquote(element, t.Elem())
			}
		}
	case string:
		if !isInteger(t.Kind()) {
			break
		}
		if v == "" {
			return nil
		}
		if number, err := strconv.ParseInt(v, 10, 64); err == nil {
			return number
		}
	}
	return value
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

func encoded(contentEncoding string) bool {
	return contentEncoding != "" && !strings.EqualFold(contentEncoding, "identity")
}
