// Package sdkhmac is the signature SDK-HMAC-SHA256 of Huawei Cloud APIs as a pure function: a request,
// a key and a time go in, the value of the Authorization header comes out. Nothing here reads a clock,
// touches the network or changes its arguments. The client signs with it, and the fake service checks
// signatures with it.
//
// The algorithm is that of Huawei Cloud's "API Request Signing Guide". The scoped form, with Credential=
// and a derived key, is the one that Open Telekom Cloud's clients use.
package sdkhmac

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	// Algorithm is the first word of the Authorization header.
	Algorithm = "SDK-HMAC-SHA256"
	// DateLayout is the layout of X-Sdk-Date, always in UTC.
	DateLayout = "20060102T150405Z"
	// DateHeader is the canonical key of the header that dates a signature.
	DateHeader = "X-Sdk-Date"
	// ContentHeader names a payload hash that replaces the one of the body, "UNSIGNED-PAYLOAD" included.
	ContentHeader = "X-Sdk-Content-Sha256"
	// EmptyPayload is the hash of no body at all.
	EmptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	hostHeader      = "Host"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	scopeEnd        = "sdk_request"
	dayLength       = len("20060102")
)

// FormatDate returns t in DateLayout. It is written out since time.Format takes more than three times as
// long, which is an eighth of a signature.
func FormatDate(t time.Time) string {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 0 || year > 9999 {
		return t.Format(DateLayout)
	}
	text := [...]byte{
		'0' + byte(year/1000), '0' + byte(year/100%10), '0' + byte(year/10%10), '0' + byte(year%10),
		'0' + byte(int(month)/10), '0' + byte(int(month)%10), '0' + byte(day/10), '0' + byte(day%10), 'T',
		'0' + byte(hour/10), '0' + byte(hour%10), '0' + byte(minute/10), '0' + byte(minute%10),
		'0' + byte(second/10), '0' + byte(second%10), 'Z',
	}
	return string(text[:])
}

// A Request is what a signature covers.
type Request struct {
	Method string
	Host   string // as sent, with a port only where one is sent
	Path   string // escaped, as sent
	Query  string // escaped, as sent
	Date   string // in DateLayout
	// Payload is the lower-case hex SHA-256 of the body, or what the ContentHeader says instead.
	Payload string
	// Signed holds the canonical keys of the signed headers, in the order of their lower-case names.
	// "Host" and "X-Sdk-Date" stand for the fields above, all others are looked up in Header.
	Signed []string
	Header http.Header
}

// A Key is what a request is signed with.
type Key struct {
	Access, Secret string
	Scope          *Scope // nil for the plain form, which Huawei Cloud documents
}

// A Scope makes the form Credential=<access>/<day>/<region>/<service>/sdk_request. Both may be empty.
type Scope struct{ Region, Service string }

// HashPayload returns the payload hash of a body.
func HashPayload(body []byte) string {
	if len(body) == 0 {
		return EmptyPayload
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// AppendAuthorization appends the value of the Authorization header that signs r with key.
func AppendAuthorization(dst []byte, r *Request, key Key) []byte {
	dst = append(dst, Algorithm...)
	if key.Scope == nil {
		dst = append(dst, " Access="...)
		dst = append(dst, key.Access...)
	} else {
		dst = append(dst, " Credential="...)
		dst = append(dst, key.Access...)
		dst = append(dst, '/')
		dst = key.Scope.append(dst, r.Date)
	}
	dst = append(dst, ", SignedHeaders="...)
	dst = appendNames(dst, r.Signed)
	dst = append(dst, ", Signature="...)
	return appendSignature(dst, r, key)
}

func (s *Scope) append(dst []byte, date string) []byte {
	dst = append(dst, day(date)...)
	dst = append(dst, '/')
	dst = append(dst, s.Region...)
	dst = append(dst, '/')
	dst = append(dst, s.Service...)
	dst = append(dst, '/')
	return append(dst, scopeEnd...)
}

func day(date string) string { return date[:min(dayLength, len(date))] }

func appendSignature(dst []byte, r *Request, key Key) []byte {
	// Both texts fit these buffers in the usual case, which keeps them off the heap.
	var canonical [512]byte
	hash := sha256.Sum256(AppendCanonicalRequest(canonical[:0], r))

	var buffer [192]byte
	text := append(buffer[:0], Algorithm...)
	text = append(text, '\n')
	text = append(text, r.Date...)
	text = append(text, '\n')
	if key.Scope != nil {
		text = key.Scope.append(text, r.Date)
		text = append(text, '\n')
	}
	text = hex.AppendEncode(text, hash[:])

	var sum [sha256.Size]byte
	if key.Scope == nil {
		sum = mac(append(make([]byte, 0, sha256.BlockSize), key.Secret...), text) // off the heap, like the texts
	} else {
		sum = mac(key.Scope.derive(key.Secret, r.Date), text)
	}
	return hex.AppendEncode(dst, sum[:])
}

func (s *Scope) derive(secret, date string) []byte {
	key := []byte("SDK" + secret)
	for _, part := range []string{day(date), s.Region, s.Service, scopeEnd} {
		sum := mac(key, []byte(part))
		key = sum[:]
	}
	return key
}

// The pads of HMAC.
var innerPad, outerPad = pad(0x36), pad(0x5c)

func pad(b byte) (block [sha256.BlockSize]byte) {
	for i := range block {
		block[i] = b
	}
	return block
}

// mac is HMAC-SHA-256 (RFC 2104). crypto/hmac computes the same, in six allocations and more than twice
// the time, which is half the price of a signature; the tests compare the two.
func mac(key, message []byte) [sha256.Size]byte {
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	var buffer [sha256.BlockSize + 192]byte
	inner := append(buffer[:0], innerPad[:]...)
	subtle.XORBytes(inner, inner, key)
	sum := sha256.Sum256(append(inner, message...))

	outer := append(buffer[:0], outerPad[:]...)
	subtle.XORBytes(outer, outer, key)
	return sha256.Sum256(append(outer, sum[:]...))
}

// An Authorization is a parsed Authorization header of either form.
type Authorization struct {
	Access    string
	Scope     *Scope // nil for the plain form
	Day       string // of the scope, which must be that of X-Sdk-Date
	Signed    []string
	Signature string
}

var errMalformed = errors.New("sdkhmac: malformed Authorization header")

// Parse reads the value of an Authorization header. Its errors never quote the value.
func Parse(value string) (Authorization, error) {
	rest, ok := strings.CutPrefix(value, Algorithm+" ")
	if !ok {
		return Authorization{}, errMalformed
	}
	var auth Authorization
	for part := range strings.SplitSeq(rest, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		if (auth.Access != "" || auth.Scope != nil) && (name == "Access" || name == "Credential") ||
			auth.Signed != nil && name == "SignedHeaders" || auth.Signature != "" && name == "Signature" ||
			name == "SignedHeaders" && strings.ContainsFunc(text, unicode.IsSpace) {
			return Authorization{}, errMalformed // a thing said twice, or what is no header name
		}
		switch name {
		case "Access":
			auth.Access = text
		case "Credential":
			fields := strings.Split(text, "/")
			if len(fields) != 5 || fields[4] != scopeEnd {
				return Authorization{}, errMalformed
			}
			auth.Access, auth.Day = fields[0], fields[1]
			auth.Scope = &Scope{Region: fields[2], Service: fields[3]}
		case "SignedHeaders":
			names := strings.Split(strings.ToLower(text), ";")
			slices.Sort(names)
			for _, name := range names {
				auth.Signed = append(auth.Signed, http.CanonicalHeaderKey(name))
			}
		case "Signature":
			auth.Signature = text
		}
	}
	if auth.Access == "" || auth.Signature == "" || !slices.Contains(auth.Signed, DateHeader) {
		return Authorization{}, errMalformed
	}
	return auth, nil
}

// Verify reports whether r, with the given body, is what auth signs with secret. It takes a request as a
// server receives it or as a client is about to send it.
func (a Authorization) Verify(r *http.Request, body []byte, secret string) bool {
	date, payload := r.Header.Get(DateHeader), HashPayload(body)
	switch r.Header.Get(ContentHeader) {
	case "", payload:
	case unsignedPayload:
		payload = unsignedPayload
	default:
		return false
	}
	if a.Scope != nil && a.Day != day(date) {
		return false
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	want := appendSignature(nil, &Request{
		Method: r.Method, Host: host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Date: date, Payload: payload, Signed: a.Signed, Header: r.Header,
	}, Key{Access: a.Access, Secret: secret, Scope: a.Scope})
	return hmac.Equal(want, []byte(a.Signature))
}
