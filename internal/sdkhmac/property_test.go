package sdkhmac_test

import (
	"bufio"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

var propertySeed = flag.Uint64("seed", 0, "the `seed` of the random requests, which a failure prints; 0 chooses one")

// A trial is a random request together with what it is signed with.
type trial struct {
	request sdkhmac.Request
	body    string
	key     sdkhmac.Key
}

// A maker makes random things.
type maker struct{ *rand.Rand }

func (m maker) text(alphabet string, least, most int) string {
	text := make([]byte, least+m.IntN(most-least+1))
	for i := range text {
		text[i] = alphabet[m.IntN(len(alphabet))]
	}
	return string(text)
}

func (m maker) bytes(most int) string {
	text := make([]byte, m.IntN(most+1))
	for i := range text {
		text[i] = byte(m.Uint32())
	}
	return string(text)
}

// encoded is a text of random bytes as the canonical form has it. Half of the texts are short ones of few
// letters, so that keys repeat and one is the beginning of another.
func (m maker) encoded() string {
	if m.IntN(2) == 0 {
		return m.text("ab", 0, 2)
	}
	return naiveEncode(m.bytes(8))
}

func (m maker) trial() trial {
	var path strings.Builder
	for range m.IntN(6) {
		path.WriteString("/" + m.encoded())
	}
	if path.Len() == 0 || m.IntN(4) == 0 {
		path.WriteString("/")
	}
	var query []string
	for range m.IntN(5) {
		query = append(query, m.encoded()+"="+m.encoded())
	}
	header := http.Header{}
	signed := []string{"X-Sdk-Date"}
	if m.IntN(4) > 0 {
		signed = append(signed, "Host")
	}
	for range m.IntN(4) {
		name := http.CanonicalHeaderKey("X-" + m.text(strings.Trim(strict, "~."), 1, 6))
		for range 1 + m.IntN(2) {
			header.Add(name, m.text(strict+"+/=;,:", 1, 20))
		}
		signed = append(signed, name)
	}
	slices.SortFunc(signed, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	body := m.bytes(60)
	r := sdkhmac.Request{
		Method: []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}[m.IntN(7)],
		Host:   m.text(strings.Trim(strict, "_~"), 1, 20), Path: path.String(), Query: naiveQuery(strings.Join(query, "&")),
		Date: "2026" + m.text("0123456789", 4, 4) + "T" + m.text("0123456789", 6, 6) + "Z", Payload: naiveHash(body),
		Signed: slices.Compact(signed), Header: header,
	}
	key := sdkhmac.Key{Access: m.text(strict, 1, 20), Secret: m.bytes(100)}
	if m.IntN(2) == 0 {
		key.Scope = &sdkhmac.Scope{Region: m.text(strict, 0, 8), Service: m.text(strict, 0, 8)}
	}
	return trial{request: r, body: body, key: key}
}

// flip changes one byte of a text that is not empty. Every other change is to a character that means
// something in a URL, since a random byte hardly ever is one.
func (m maker) flip(text string) string {
	flipped := []byte(text)
	at := m.IntN(len(flipped))
	for flipped[at] == text[at] {
		if m.IntN(2) == 0 {
			flipped[at] ^= 1 << m.IntN(8)
		} else {
			const special = "/%&=+;?# .~0aAfF"
			flipped[at] = special[m.IntN(len(special))]
		}
	}
	return string(flipped)
}

// accepted sends a request through net/http's parser to Verify. What the parser or Parse refuses never
// gets as far as a signature.
func accepted(r *sdkhmac.Request, body, authorization, secret string) (parsed, valid bool) {
	received, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wireForm(r, body, authorization))))
	if err != nil {
		return false, false
	}
	text, err := io.ReadAll(received.Body)
	if err != nil {
		return false, false
	}
	auth, err := sdkhmac.Parse(received.Header.Get("Authorization"))
	return true, err == nil && auth.Verify(received, text, secret)
}

// TestProperty signs random requests, and changes one byte in each part of each. A change passes exactly
// when the second implementation says that it means the same.
func TestProperty(t *testing.T) {
	t.Parallel()
	seed := *propertySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	m := maker{rand.New(rand.NewPCG(seed, 0))}
	verified := map[string]int{}
	for range 200 {
		one := m.trial()
		r := &one.request
		canonical := naiveCanonical(r)
		authorization := string(sdkhmac.AppendAuthorization(nil, r, one.key))
		require.Equal(t, naiveAuthorization(r, one.key), authorization, "-seed %d: %+q", seed, one)
		_, valid := accepted(r, one.body, authorization, one.key.Secret)
		require.True(t, valid, "-seed %d: refused: %+q", seed, one)
		_, valid = accepted(r, one.body, authorization, one.key.Secret+"x")
		require.False(t, valid, "-seed %d: accepted with another secret: %+q", seed, one)

		change := func(part string, edit func(r *sdkhmac.Request, body *string)) {
			changed, body := *r, one.body
			changed.Header = r.Header.Clone()
			edit(&changed, &body)
			changed.Payload = naiveHash(body)
			same := naiveCanonical(&changed) == canonical
			again := string(sdkhmac.AppendAuthorization(nil, &changed, one.key))
			require.Equal(t, same, again == authorization, "-seed %d: another %s signed: %+q\n%+q", seed, part, one, changed)

			// On the wire the first question mark begins the query, wherever it came from.
			target := changed.Path
			if changed.Query != "" {
				target += "?" + changed.Query
			}
			wire := changed
			wire.Path, wire.Query, _ = strings.Cut(target, "?")
			same = naiveCanonical(&wire) == canonical
			parsed, valid := accepted(&changed, body, authorization, one.key.Secret)
			if parsed {
				verified[part]++
				require.Equal(t, same, valid, "-seed %d: another %s received: %+q\n%+q", seed, part, one, changed)
			}
		}
		change("method", func(r *sdkhmac.Request, _ *string) { r.Method = m.flip(r.Method) })
		change("date", func(r *sdkhmac.Request, _ *string) { r.Date = m.flip(r.Date) })
		for range 3 {
			change("path", func(r *sdkhmac.Request, _ *string) { r.Path = m.flip(r.Path) })
		}
		if slices.Contains(r.Signed, "Host") {
			change("host", func(r *sdkhmac.Request, _ *string) { r.Host = m.flip(r.Host) })
		}
		if r.Query != "" {
			for range 3 {
				change("query", func(r *sdkhmac.Request, _ *string) { r.Query = m.flip(r.Query) })
			}
		}
		for name, values := range r.Header {
			for i := range values {
				change("header", func(r *sdkhmac.Request, _ *string) { r.Header[name][i] = m.flip(r.Header[name][i]) })
			}
		}
		if one.body != "" {
			change("body", func(_ *sdkhmac.Request, body *string) { *body = m.flip(*body) })
		}

		head, signature, _ := strings.Cut(authorization, ", Signature=")
		parsed, valid := accepted(r, one.body, head+", Signature="+m.flip(signature), one.key.Secret)
		require.False(t, valid, "-seed %d: another signature accepted: %+q", seed, one)
		if parsed {
			verified["signature"]++
		}
		if one.key.Scope != nil {
			scope := *one.key.Scope
			if scope.Region == "" {
				scope.Region = "x"
			} else {
				scope.Region = m.flip(scope.Region)
			}
			auth, err := sdkhmac.Parse(authorization)
			require.NoError(t, err)
			auth.Scope = &scope
			received, _ := receive(t, wireForm(r, one.body, authorization))
			require.False(t, auth.Verify(received, []byte(one.body), one.key.Secret), "-seed %d: another scope: %+q", seed, one)
		}
	}
	// The parser of net/http refuses much of what the changes make. Enough has to be left for the signature.
	for _, part := range []string{"method", "date", "path", "host", "query", "header", "body", "signature"} {
		require.Greater(t, verified[part], 40, "-seed %d: %s", seed, part)
	}
}
