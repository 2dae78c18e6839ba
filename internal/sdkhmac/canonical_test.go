package sdkhmac_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

func TestPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, escaped, want string }{
		{"no path is the root", "", "/"},
		{"root", "/", "/"},
		{"unreserved characters", "/AZaz09-_.~", "/AZaz09-_.~"},
		{"reserved characters", "/a:b@c$d&e=f+g,h;i!j*k'l(m)n", "/a%3Ab%40c%24d%26e%3Df%2Bg%2Ch%3Bi%21j%2Ak%27l%28m%29n"},
		{"a needless escape goes", "/%41%7e", "/A~"},
		{"digits of an escape become upper-case", "/%c3%bC", "/%C3%BC"},
		{"raw bytes", "/ü \x00\xff", "/%C3%BC%20%00%FF"},
		{"an encoded slash stays one", "/a%2Fb", "/a%2Fb"},
		{"an encoded slash in lower-case digits", "/a%2fb/", "/a%2Fb/"},
		{"an encoded percent sign", "/100%25", "/100%25"},
		{"an escape is read once", "/%2541", "/%2541"},
		{"plus is no space in a path", "/a+b", "/a%2Bb"},
		{"a percent sign at the end", "/a%", "/a%25"},
		{"half an escape at the end", "/a%4", "/a%254"},
		{"no hex digits", "/a%zzb", "/a%25zzb"},
		{"second digit is none", "/a%4gb", "/a%254gb"},
		{"first digit is none", "/a%g4b", "/a%25g4b"},
		{"a percent sign before an escape", "/%%41", "/%25A"},
		{"half an escape before a slash", "/a%/b%4/c", "/a%25/b%254/c"},
		{"empty segments stay", "//a///b//", "//a///b//"},
		{"dots stay", "/a/./../b", "/a/./../b"},
		{"not rooted", "a/b", "a/b"},
		{"star", "*", "%2A"},
		{"a question mark", "/a?b", "/a%3Fb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := string(sdkhmac.AppendPath([]byte("x"), c.escaped))
			assert.Equal(t, "x"+c.want, got)
			assert.Equal(t, c.want, string(sdkhmac.AppendPath(nil, c.want)), "the encoding is not stable")
			naive := naivePath(c.escaped)
			assert.Equal(t, naive, strings.TrimSuffix(c.want, "/")+"/", "the second implementation differs")
		})
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, escaped, want string }{
		{"none", "", ""},
		{"sorted by key", "b=2&a=1&c=3", "a=1&b=2&c=3"},
		{"sorted by byte", "b=1&a.b=6&a-b=5&a=3&B=2&A=4", "A=4&B=2&a=3&a-b=5&a.b=6&b=1"},
		{"sorted by what is meant, not by what is written", "%7E=2&z=1&%C3%BC=3&%20=0", "%20=0&z=1&~=2&%C3%BC=3"},
		{"a key before a longer one", "ab=1&a=2&a%00=3", "a=2&a%00=3&ab=1"},
		{"values of a repeated key", "tag=b&tag=a&tag=c", "tag=a&tag=b&tag=c"},
		{"values sorted by what is meant", "k=%7E&k=%2B&k=z", "k=%2B&k=z&k=~"},
		{"the same pair twice", "a=1&a=1", "a=1&a=1"},
		{"empty value", "b=&a=", "a=&b="},
		{"no equals sign", "b&a", "a=&b="},
		{"empty key", "=1&=", "=&=1"},
		{"empty parts go", "&&b=1&&&a=2&", "a=2&b=1"},
		{"nothing but empty parts", "&&", ""},
		{"plus is a space", "a+b=c+d", "a%20b=c%20d"},
		{"an encoded plus", "a=%2B", "a=%2B"},
		{"further equals signs", "a=b=c==", "a=b%3Dc%3D%3D"},
		{"encoded delimiters", "a%26b=%3D%23", "a%26b=%3D%23"},
		{"a semicolon separates nothing", "a=1;b=2", "a=1%3Bb%3D2"},
		{"unreserved characters", "k=AZaz09-_.~", "k=AZaz09-_.~"},
		{"raw reserved characters", "k=/?:@!$'()*,[]", "k=%2F%3F%3A%40%21%24%27%28%29%2A%2C%5B%5D"},
		{"raw bytes", "ü=\xff\x00 ", "%C3%BC=%FF%00%20"},
		{"a percent sign at the end", "a=%", "a=%25"},
		{"half an escape before a separator", "a%4=1&b=%", "a%254=1&b=%25"},
		{"no hex digits, and good escapes around them", "a=%41+%zz+%2b", "a=A%20%25zz%20%2B"},
		{"a percent sign before an escape", "%%41=1", "%25A=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := string(sdkhmac.AppendQuery([]byte("x"), c.escaped))
			assert.Equal(t, "x"+c.want, got)
			assert.Equal(t, c.want, string(sdkhmac.AppendQuery(nil, c.want)), "the encoding is not stable")
			assert.Equal(t, c.want, naiveQuery(c.escaped), "the second implementation differs")
		})
	}
}

func TestCanonicalHeaders(t *testing.T) {
	t.Parallel()
	r := &sdkhmac.Request{
		Method: "PUT", Host: "example.com:8443", Path: "/a", Query: "b", Date: winter, Payload: "UNSIGNED-PAYLOAD",
		Signed: []string{"Absent", "Accept", "Host", "X-Project-Id", "X-Sdk-Date"},
		Header: http.Header{
			"Accept":       {" a/b ", "\tc/d"},
			"X-Project-Id": {"  inner  spaces stay  "},
			// These two are not where the values come from: net/http keeps the host elsewhere, and the date
			// has to be the one that the second text of the signature names.
			"Host":       {"other.example.com"},
			"X-Sdk-Date": {"20010101T000000Z"},
			"Unsigned":   {"unsigned"},
		},
	}
	want := "PUT\n/a/\nb=\nabsent:\naccept:a/b,c/d\nhost:example.com:8443\nx-project-id:inner  spaces stay\n" +
		"x-sdk-date:" + winter + "\n\nabsent;accept;host;x-project-id;x-sdk-date\nUNSIGNED-PAYLOAD"
	assert.Equal(t, want, string(sdkhmac.AppendCanonicalRequest(nil, r)))
	assert.Equal(t, want, naiveCanonical(r))
}

// TestShortDate makes sure that a date which is none is signed as it is, since a server has to be able to
// check whatever it is sent.
func TestShortDate(t *testing.T) {
	t.Parallel()
	for _, date := range []string{"", "2026", "20260115", "20260115T"} {
		r := &sdkhmac.Request{Method: "GET", Path: "/", Date: date, Payload: sdkhmac.EmptyPayload, Signed: []string{"X-Sdk-Date"}}
		key := sdkhmac.Key{Access: "AK", Secret: "SK", Scope: &sdkhmac.Scope{Region: "r", Service: "s"}}
		assert.Equal(t, naiveAuthorization(r, key), string(sdkhmac.AppendAuthorization(nil, r, key)))
	}
}

// headerName turns any text into a header name, which spares the fuzzer from guessing valid ones.
func headerName(text string) string {
	name := strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.ContainsRune("!#$%&'*+-.^_`|~", c) {
			return c
		}
		return 'a' + c%26
	}, strings.ToValidUTF8(text, "-"))
	return http.CanonicalHeaderKey(name)
}

func FuzzCanonical(f *testing.F) {
	add := func(method, path, query string) {
		f.Add(method, "example.com", path, query, "X-Project-Id", " p ", []byte("{}"), false)
		f.Add(method, "", path, query, "", "", []byte(nil), true)
	}
	for _, v := range readVectors(f) {
		_, path, query := v.split()
		add(v.Method, path, query)
	}
	for _, path := range []string{"", "//", "/a%2Fb", "/%", "/%4", "/%zz/%%41", "*", "/ü\x00", "/a+b%2b"} {
		add("GET", path, "")
	}
	for _, query := range []string{"&&", "=", "a", "a+b=c%2B", "%=%&%4=%zz", "b=2&a&b=1", "a=b=c;d", "ü\xff"} {
		add("POST", "/", query)
	}
	f.Fuzz(func(t *testing.T, method, host, path, query, name, value string, body []byte, scoped bool) {
		name = headerName(name)
		signed := []string{"Host", "X-Sdk-Date", name}
		slices.SortFunc(signed, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
		r := &sdkhmac.Request{
			Method: method, Host: host, Path: path, Query: query, Date: winter, Payload: sdkhmac.HashPayload(body),
			Signed: slices.Compact(signed), Header: http.Header{name: {value, host}},
		}
		key := sdkhmac.Key{Access: "AccessKey", Secret: value}
		if scoped {
			key.Scope = &sdkhmac.Scope{Region: name, Service: method}
		}
		if got, want := string(sdkhmac.AppendCanonicalRequest([]byte("x"), r)), "x"+naiveCanonical(r); got != want {
			t.Fatalf("canonical request:\n%q\nwant:\n%q", got, want)
		}
		if got, want := string(sdkhmac.AppendAuthorization([]byte("x"), r, key)), "x"+naiveAuthorization(r, key); got != want {
			t.Fatalf("authorization:\n%q\nwant:\n%q", got, want)
		}

		// A client sends the canonical forms, so they have to sign like the texts they were made of.
		wire := *r
		wire.Path = string(sdkhmac.AppendPath(nil, path))
		wire.Query = string(sdkhmac.AppendQuery(nil, query))
		if got, want := string(sdkhmac.AppendCanonicalRequest(nil, &wire)), naiveCanonical(r); got != want {
			t.Fatalf("canonical request of the canonical path and query:\n%q\nwant:\n%q", got, want)
		}
		if rest := strings.Trim(wire.Path, strict+"/%"); rest != "" {
			t.Fatalf("path %q holds %q", wire.Path, rest)
		}
		if rest := strings.Trim(wire.Query, strict+"=&%"); rest != "" {
			t.Fatalf("query %q holds %q", wire.Query, rest)
		}
		if got, want := strings.Count(wire.Path, "/"), strings.Count(path, "/"); path != "" && got != want {
			t.Fatalf("path %q has %d slashes, and %d in %q", path, want, got, wire.Path)
		}
	})
}

// strict lists what the signature's encoding leaves alone.
const strict = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
