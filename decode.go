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

func isInteger(kind reflect.Kind) bool { return reflect.Int <= kind && kind <= reflect.Uint64 }

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
type unquoter map[reflect.Type][]jsonField

type jsonField struct {
	name   string
	quoted bool // by the option "string": it is to be one
	reflect.Type
}

func (u unquoter) fields(t reflect.Type) []jsonField {
	fields, known := u[t]
	if !known {
		for _, f := range reflect.VisibleFields(t) {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields = append(fields, jsonField{first(name, f.Name), strings.Contains(options, "string"), f.Type})
		}
		u[t] = fields
	}
	return fields
}

// field returns the field that encoding/json would decode a member into: the one of that very name, else one
// that differs only in case.
func (u unquoter) field(t reflect.Type, member string) (field jsonField, found bool) {
	for _, f := range u.fields(t) {
		if f.name == member {
			return f, true
		}
		if !found && strings.EqualFold(f.name, member) {
			field, found = f, true
		}
	}
	return field, found
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (u unquoter) unquote(value any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return value // such as json.RawMessage: it is to see what was sent
	}
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			switch t.Kind() {
			case reflect.Struct:
				if f, found := u.field(t, name); found && !f.quoted {
					v[name] = u.unquote(member, f.Type)
				}
			case reflect.Map:
				v[name] = u.unquote(member, t.Elem())
			default:
			}
		}
	case []any:
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
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
		if !isDigits(strings.TrimPrefix(v, "-")) {
			break
		}
		var number any
		var err error
		if t.Kind() >= reflect.Uint {
			number, err = strconv.ParseUint(v, 10, t.Bits())
		} else {
			number, err = strconv.ParseInt(v, 10, t.Bits())
		}
		if err == nil {
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
