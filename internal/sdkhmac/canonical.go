package sdkhmac

import (
	"net/url"
	"slices"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// AppendCanonicalRequest appends the six lines that are hashed into a signature.
func AppendCanonicalRequest(dst []byte, r *Request) []byte {
	dst = append(dst, r.Method...)
	dst = append(dst, '\n')
	dst = AppendPath(dst, r.Path)
	if dst[len(dst)-1] != '/' {
		dst = append(dst, '/') // in the canonical form only, never on the wire
	}
	dst = append(dst, '\n')
	dst = AppendQuery(dst, r.Query)
	dst = append(dst, '\n')
	for _, name := range r.Signed {
		dst = append(dst, lower(name)...)
		dst = append(dst, ':')
		dst = r.appendValue(dst, name)
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	dst = appendNames(dst, r.Signed)
	dst = append(dst, '\n')
	return append(dst, r.Payload...)
}

func (r *Request) appendValue(dst []byte, name string) []byte {
	switch name {
	case hostHeader:
		return append(dst, r.Host...)
	case DateHeader:
		return append(dst, r.Date...)
	}
	for i, value := range r.Header[name] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, strings.TrimSpace(value)...)
	}
	return dst
}

func appendNames(dst []byte, names []string) []byte {
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = append(dst, lower(name)...)
	}
	return dst
}

// lower returns a header's name in lower case. It is asked three times a signature, so it knows the usual ones.
func lower(name string) string {
	switch name {
	case hostHeader:
		return "host"
	case DateHeader:
		return "x-sdk-date"
	case "X-Project-Id":
		return "x-project-id"
	case "X-Security-Token":
		return "x-security-token"
	}
	return strings.ToLower(name)
}

// AppendPath appends an escaped path in the signature's strict encoding: everything but letters, digits,
// "-", "_", ".", "~" and the slashes between segments is percent-encoded. A slash that arrives encoded
// stays encoded, and a text in the strict encoding stays as it is.
func AppendPath(dst []byte, escaped string) []byte {
	if escaped == "" {
		return append(dst, '/')
	}
	plain := 0 // the beginning of a run that stays as it is
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if unreserved[c] || c == '/' {
			continue
		}
		dst = append(dst, escaped[plain:i]...)
		if c == '%' {
			if decoded, ok := unhex(escaped[i+1:]); ok {
				c = decoded
				i += 2
			}
		}
		dst = appendEncoded(dst, c)
		plain = i + 1
	}
	return append(dst, escaped[plain:]...)
}

// AppendQuery appends an escaped query in canonical form: strictly encoded, sorted by key and then by
// value (the decoded texts decide), every key with a "=".
func AppendQuery(dst []byte, escaped string) []byte {
	if escaped == "" {
		return dst
	}
	type pair struct{ key, value string }
	var pairs []pair
	for part := range strings.SplitSeq(escaped, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, pair{unescape(key), unescape(value)})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if order := strings.Compare(a.key, b.key); order != 0 {
			return order
		}
		return strings.Compare(a.value, b.value)
	})
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = appendText(dst, p.key)
		dst = append(dst, '=')
		dst = appendText(dst, p.value)
	}
	return dst
}

// unescape decodes a part of a query. What is no escape stands for itself, so that no byte of a query
// can ever be outside of the signature.
func unescape(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	decoded := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if d, ok := unhex(text[i+1:]); ok {
				c = d
				i += 2
			}
		}
		decoded = append(decoded, c)
	}
	return string(decoded)
}

func appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		dst = appendEncoded(dst, text[i])
	}
	return dst
}

func appendEncoded(dst []byte, c byte) []byte {
	if unreserved[c] {
		return append(dst, c)
	}
	return append(dst, '%', upperHex[c>>4], upperHex[c&15])
}

// unreserved are the bytes that are never percent-encoded.
var unreserved = func() (table [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~" {
		table[c] = true
	}
	return table
}()

// unhex reads the two digits behind a percent sign.
func unhex(text string) (byte, bool) {
	if len(text) < 2 {
		return 0, false
	}
	high, low := hexDigit(text[0]), hexDigit(text[1])
	return high<<4 | low, high < 16 && low < 16
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}
