package modelarts

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const redacted = "REDACTED"

// A secret keeps a text where fmt cannot see it: fmt walks unexported fields without asking their methods,
// and prints a func value as an address.
type secret func() string

func newSecret(text string) secret { return func() string { return text } }

// hidden is embedded by types that hold secrets or other people's authenticators. It makes them print as
// this one text under every verb of fmt, in slog, and in encoding/json.
type hidden string

// String describes the value without its secrets.
func (h hidden) String() string { return string(h) }

// Format describes the value without its secrets, whatever the verb.
func (h hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, string(h)) }

// LogValue describes the value without its secrets.
func (h hidden) LogValue() slog.Value { return slog.StringValue(string(h)) }

// MarshalText describes the value without its secrets.
func (h hidden) MarshalText() ([]byte, error) { return []byte(h), nil }

// checkSecret refuses what cannot be sent, by its position, since the value must not be shown. A secret key
// may hold any bytes but control characters, since it never leaves this machine.
func checkSecret(what, text string, anyText bool) error {
	if text == "" {
		return fmt.Errorf("modelarts: the %s is empty", what)
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == 0x7f || !anyText && (c == ' ' || c >= utf8.RuneSelf) {
			return fmt.Errorf("modelarts: the %s has a character that no header may hold, at byte %d of %d", what, i, len(text))
		}
	}
	return nil
}

// Where the value behind a secret's name ends, if it is not quoted.
const (
	wordEnd = "|\r\n\"',;& "
	lineEnd = "|\r\n\"" // for values with blanks and commas
)

// secretNames are the names, in lower case and without "-" and "_", behind which a text holds a secret.
var secretNames = map[string]string{
	"authorization": lineEnd, "proxyauthorization": lineEnd, "cookie": lineEnd, "setcookie": lineEnd,
	"signature": wordEnd, "xauthtoken": wordEnd, "xsecuritytoken": wordEnd, "xsubjecttoken": wordEnd,
	"xmetadatatoken": wordEnd, "xmetadatasessiontoken": wordEnd,
	"password": wordEnd, "userpassword": wordEnd, "secret": wordEnd, "secretkey": wordEnd,
	"secretaccesskey": wordEnd, "securitytoken": wordEnd, "idtoken": wordEnd, "accesstoken": wordEnd,
}

// secretEnd returns where a value behind this name ends, or "" if the name is not that of a secret.
func secretEnd(name string) string {
	var buffer [32]byte // longer than all of them
	plain := buffer[:0]
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '-' || c == '_':
			continue
		case len(plain) == len(buffer):
			return ""
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		plain = append(plain, c)
	}
	return secretNames[string(plain)]
}

// A secretKeeper is an authenticator that knows secrets which a request does not show.
type secretKeeper interface{ secrets() []string }

// A scrubber takes secrets out of texts that come from outside: the ones that it is told, and whatever
// stands behind a name that is known for secrets.
type scrubber []string

// newScrubber knows the secrets of a request and of whoever authenticated it.
func newScrubber(sent *http.Request, auth Authenticator, more ...string) scrubber {
	s := make(scrubber, 0, 8)
	for _, text := range more {
		s.add(text)
	}
	if sent != nil {
		for name, values := range sent.Header {
			if secretEnd(name) == "" {
				continue
			}
			for _, value := range values {
				if _, signature, ok := strings.Cut(value, "Signature="); ok {
					// The rest may be shown, and is taken out only because it would look like a leak.
					s.add(signature)
					s = append(s, value)
					continue
				}
				s.add(value)
				if _, secret, ok := strings.Cut(value, " "); ok {
					s.add(secret) // behind a scheme such as Bearer
				}
			}
		}
	}
	if keeper, ok := auth.(secretKeeper); ok {
		for _, text := range keeper.secrets() {
			s.add(text)
		}
	}
	// The longest first, so that no secret is torn by another one that it contains.
	slices.SortFunc(s, func(a, b string) int { return len(b) - len(a) })
	return s
}

// add takes in a secret and the forms in which JSON and URLs would quote it. Very short ones are left out:
// replacing them would tear other words and hide nothing.
func (s *scrubber) add(text string) {
	const shortest = 4
	if len(text) < shortest {
		return
	}
	*s = append(*s, text)
	if !strings.ContainsFunc(text, needsQuoting) {
		return
	}
	for _, quote := range quotings {
		once := quote(text)
		for _, form := range []string{once, quote(once)} { // JSON in a string of JSON, and so on
			if !slices.Contains(*s, form) {
				*s = append(*s, form)
			}
		}
	}
}

// quotings are the ways in which servers write a text into another one.
var quotings = []func(string) string{
	quoteJSON,
	func(text string) string { return strings.ReplaceAll(quoteJSON(text), "/", `\/`) },
	func(text string) string { return asciiJSON.Replace(quoteJSON(text)) },
	url.QueryEscape, url.PathEscape,
	func(text string) string { return lowerEscapes(url.QueryEscape(text)) },
	func(text string) string { return lowerEscapes(url.PathEscape(text)) },
	htmlNumbers.Replace, htmlNames.Replace,
}

var (
	asciiJSON   = strings.NewReplacer("=", `\u003d`, "'", `\u0027`) // in the way of Java's Gson
	htmlNames   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")
	htmlNumbers = strings.NewReplacer("&", "&#38;", "<", "&#60;", ">", "&#62;", `"`, "&#34;", "'", "&#39;",
		"+", "&#43;", "/", "&#47;", "=", "&#61;")
)

func quoteJSON(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		return text
	}
	return string(encoded[1 : len(encoded)-1])
}

// lowerEscapes writes percent escapes with lower-case digits.
func lowerEscapes(text string) string {
	lower := []byte(text)
	for i := range lower {
		if i > 0 && text[i-1] == '%' || i > 1 && text[i-2] == '%' {
			lower[i] |= 0x20 // which leaves digits as they are
		}
	}
	return string(lower)
}

// needsQuoting reports whether JSON or a URL would write a character in another way.
func needsQuoting(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// scrub returns text without secrets.
func (s scrubber) scrub(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return scrubUserInfo(scrubNamed(s.scrubEnd(text)))
}

// scrubEnd takes away the beginning of a secret at the end of a text, where an answer was cut off within it.
func (s scrubber) scrubEnd(text string) string {
	const shortest = 8
	for _, secret := range s {
		for begin := max(0, len(text)-len(secret)+1); begin <= len(text)-shortest; begin++ {
			skipped := strings.IndexByte(text[begin:], secret[0])
			if skipped < 0 {
				break
			}
			begin += skipped
			if begin <= len(text)-shortest && strings.HasPrefix(secret, text[begin:]) {
				return text[:begin] + redacted
			}
		}
	}
	return text
}

// scrubNamed replaces what stands behind "name:" or "name=", quoted or not, where the name is known for
// secrets. The gateway echoes signed headers in this way, with "|" between them.
func scrubNamed(text string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); i++ {
		if text[i] != ':' && text[i] != '=' {
			continue
		}
		ends := secretEnd(nameBefore(text[done:i]))
		if ends == "" {
			continue
		}
		start := i + 1
		for start < len(text) && strings.IndexByte(` \[`, text[start]) >= 0 {
			start++
		}
		if start < len(text) && (text[start] == '"' || text[start] == '\'') {
			ends = text[start : start+1]
			start++
		}
		length := strings.IndexAny(text[start:], ends)
		if length < 0 {
			length = len(text) - start
		}
		b.WriteString(text[done:start])
		if length > 0 {
			b.WriteString(redacted)
		}
		done = start + length
		i = max(i, done-1)
	}
	if done == 0 {
		return text
	}
	return b.String() + text[done:]
}

// nameBefore returns the name at the end of text.
func nameBefore(text string) string {
	text = strings.TrimRight(text, `"' \`)
	start := len(text)
	for start > 0 {
		c := text[start-1]
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			break
		}
		start--
	}
	return text[start:]
}

// scrubUserInfo replaces the user and password of URLs, such as those of a proxy.
func scrubUserInfo(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "://")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("://")
		authority := len(after)
		if end := strings.IndexAny(after, "/?# \"'"); end >= 0 {
			authority = end
		}
		if at := strings.LastIndexByte(after[:authority], '@'); at >= 0 {
			b.WriteString(redacted)
			after = after[at:]
		}
		text = after
	}
}

// withoutAddress cuts a text where net/http or net/url quotes an address that they cannot read. It may be that
// of a proxy with a password, which can stand anywhere in it then.
func withoutAddress(text string) string {
	for _, mark := range []string{"invalid proxy address ", `parse "`} {
		if before, _, found := strings.Cut(text, mark); found {
			return before + "an address, such as that of the proxy, is not a URL (not shown, since it may hold a password)"
		}
	}
	return text
}

// oneLine makes a text from outside safe to print: one line, no control characters, valid UTF-8.
func oneLine(text string) string {
	plain := true
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return text
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "\uFFFD")))
}

// shorten cuts a text to at most size bytes, with a mark, and not within a character.
func shorten(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size] + "…"
}

// quote makes a value from outside safe to name in an error.
func quote(text string) string { return strconv.Quote(shorten(text, 64)) }
