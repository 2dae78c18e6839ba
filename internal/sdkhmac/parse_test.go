package sdkhmac_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		want        sdkhmac.Authorization
	}{{
		"plain", "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature=00ff",
		sdkhmac.Authorization{Access: "AK", Signed: []string{"Host", "X-Sdk-Date"}, Signature: "00ff"},
	}, {
		"scoped", "SDK-HMAC-SHA256 Credential=AK/20260115/eu-de/modelarts/sdk_request, SignedHeaders=x-sdk-date, Signature=00ff",
		sdkhmac.Authorization{
			Access: "AK", Scope: &sdkhmac.Scope{Region: "eu-de", Service: "modelarts"}, Day: "20260115",
			Signed: []string{"X-Sdk-Date"}, Signature: "00ff",
		},
	}, {
		"empty scope", "SDK-HMAC-SHA256 Credential=AK/20260115///sdk_request, SignedHeaders=x-sdk-date, Signature=00ff",
		sdkhmac.Authorization{Access: "AK", Scope: &sdkhmac.Scope{}, Day: "20260115", Signed: []string{"X-Sdk-Date"}, Signature: "00ff"},
	}, {
		"no spaces behind the commas", "SDK-HMAC-SHA256 Access=AK,SignedHeaders=x-sdk-date,Signature=00ff",
		sdkhmac.Authorization{Access: "AK", Signed: []string{"X-Sdk-Date"}, Signature: "00ff"},
	}, {
		"another order and an unknown part", "SDK-HMAC-SHA256 Signature=00ff, New=1, Access=AK, SignedHeaders=x-sdk-date",
		sdkhmac.Authorization{Access: "AK", Signed: []string{"X-Sdk-Date"}, Signature: "00ff"},
	}, {
		"names in another order and case", "SDK-HMAC-SHA256 Access=AK, SignedHeaders=X-SDK-Date;x-project-id;Accept;HOST, Signature=00ff",
		sdkhmac.Authorization{
			Access: "AK", Signed: []string{"Accept", "Host", "X-Project-Id", "X-Sdk-Date"}, Signature: "00ff",
		},
	}, {
		"an underscore sorts behind a hyphen", "SDK-HMAC-SHA256 Access=AK, SignedHeaders=x_a;x-sdk-date, Signature=00ff",
		sdkhmac.Authorization{Access: "AK", Signed: []string{"X-Sdk-Date", "X_a"}, Signature: "00ff"},
	}, {
		"an equals sign in a key", "SDK-HMAC-SHA256 Access=A=K=, SignedHeaders=x-sdk-date, Signature=00ff",
		sdkhmac.Authorization{Access: "A=K=", Signed: []string{"X-Sdk-Date"}, Signature: "00ff"},
	}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			auth, err := sdkhmac.Parse(c.value)
			require.NoError(t, err)
			assert.Equal(t, c.want, auth)
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const algorithm = "SDK-HMAC-SHA256"
	for _, c := range []struct{ name, value string }{
		{"empty", ""},
		{"only the algorithm", algorithm},
		{"nothing behind the algorithm", algorithm + " "},
		{"another algorithm", "AWS4-HMAC-SHA256 Access=SECRETKEY1, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"a longer algorithm", algorithm + "X Access=SECRETKEY1, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"the algorithm in lower case", "sdk-hmac-sha256 Access=SECRETKEY1, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"no space behind the algorithm", algorithm + "Access=SECRETKEY1, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"a space before the algorithm", " " + algorithm + " Access=SECRETKEY1, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"a token", "Bearer SECRETKEY1"},
		{"no parts", algorithm + " SECRETKEY1"},
		{"no access", algorithm + " SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"empty access", algorithm + " Access=, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"access of spaces", algorithm + " Access=  , SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"no signed headers", algorithm + " Access=SECRETKEY1, Signature=c0ffee"},
		{"empty signed headers", algorithm + " Access=SECRETKEY1, SignedHeaders=, Signature=c0ffee"},
		{"date not signed", algorithm + " Access=SECRETKEY1, SignedHeaders=host;x-project-id, Signature=c0ffee"},
		{"names separated by commas", algorithm + " Access=SECRETKEY1, SignedHeaders=host,x-sdk-date, Signature=c0ffee"},
		{"no signature", algorithm + " Access=SECRETKEY1, SignedHeaders=x-sdk-date"},
		{"empty signature", algorithm + " Access=SECRETKEY1, SignedHeaders=x-sdk-date, Signature="},
		{"parts separated by semicolons", algorithm + " Access=SECRETKEY1; SignedHeaders=x-sdk-date; Signature=c0ffee"},
		{"parts in lower case", algorithm + " access=SECRETKEY1, signedheaders=x-sdk-date, signature=c0ffee"},
		{"scope without access", algorithm + " Credential=/20260115/r/s/sdk_request, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"credential without scope", algorithm + " Credential=SECRETKEY1, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"scope too short", algorithm + " Credential=SECRETKEY1/20260115/r/sdk_request, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"scope too long", algorithm + " Credential=SECRETKEY1/20260115/r/s/t/sdk_request, SignedHeaders=x-sdk-date, Signature=c0ffee"},
		{"another end of the scope", algorithm + " Credential=SECRETKEY1/20260115/r/s/aws4_request, SignedHeaders=x-sdk-date, Signature=c0ffee"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			auth, err := sdkhmac.Parse(c.value)
			require.Error(t, err)
			assert.Zero(t, auth)
			// Logs and error messages are where keys leak to. An error that is the same for every header can
			// quote none.
			_, other := sdkhmac.Parse("")
			require.EqualError(t, err, other.Error())
			for _, secret := range []string{"SECRETKEY1", "c0ffee"} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}

// TestVerifyPayload covers the header that replaces the hash of the body. It does so whether or not it is
// signed itself, since the replaced hash is part of what is signed.
func TestVerifyPayload(t *testing.T) {
	t.Parallel()
	const body = `{"a":1}`
	sign := func(payload string, signed ...string) (sdkhmac.Authorization, *http.Request) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://example.com/a", http.NoBody)
		require.NoError(t, err)
		r.Header.Set(sdkhmac.DateHeader, winter)
		request := &sdkhmac.Request{
			Method: r.Method, Host: r.Host, Path: "/a", Date: winter, Payload: payload, Signed: signed,
			Header: http.Header{sdkhmac.ContentHeader: {payload}},
		}
		authorization := sdkhmac.AppendAuthorization(nil, request, sdkhmac.Key{Access: "AK", Secret: "SK"})
		auth, err := sdkhmac.Parse(string(authorization))
		require.NoError(t, err)
		return auth, r
	}

	auth, r := sign("UNSIGNED-PAYLOAD", "Host", "X-Sdk-Date")
	assert.False(t, auth.Verify(r, []byte(body), "SK"), "the header is missing")
	r.Header.Set(sdkhmac.ContentHeader, "UNSIGNED-PAYLOAD")
	assert.True(t, auth.Verify(r, []byte(body), "SK"))
	assert.True(t, auth.Verify(r, nil, "SK"), "the body is not signed")

	auth, r = sign("UNSIGNED-PAYLOAD", "Host", "X-Sdk-Content-Sha256", "X-Sdk-Date")
	r.Header.Set(sdkhmac.ContentHeader, "UNSIGNED-PAYLOAD")
	assert.True(t, auth.Verify(r, []byte(body), "SK"))
	r.Header.Set(sdkhmac.ContentHeader, sdkhmac.HashPayload([]byte(body)))
	assert.False(t, auth.Verify(r, []byte(body), "SK"))

	auth, r = sign(sdkhmac.HashPayload([]byte(body)), "Host", "X-Sdk-Date")
	assert.True(t, auth.Verify(r, []byte(body), "SK"))
	assert.False(t, auth.Verify(r, nil, "SK"))
	r.Header.Set(sdkhmac.ContentHeader, sdkhmac.HashPayload([]byte(body)))
	assert.True(t, auth.Verify(r, []byte(body), "SK"))
	assert.False(t, auth.Verify(r, []byte("another body"), "SK"), "the header has the hash of another body")
}

// TestVerifyScopeDay covers a scope whose day is not that of the request.
func TestVerifyScopeDay(t *testing.T) {
	t.Parallel()
	authorization := string(sdkhmac.AppendAuthorization(nil, &sdkhmac.Request{
		Method: http.MethodGet, Host: "example.com", Path: "/", Date: winter, Payload: sdkhmac.EmptyPayload, Signed: []string{"X-Sdk-Date"},
	}, sdkhmac.Key{Access: "AK", Secret: "SK", Scope: &sdkhmac.Scope{}}))
	r := &http.Request{Method: http.MethodGet, Host: "example.com", URL: &url.URL{Path: "/"}, Header: http.Header{sdkhmac.DateHeader: {winter}}}
	for day, good := range map[string]bool{winter[:8]: true, "19990101": false} {
		auth, err := sdkhmac.Parse(strings.Replace(authorization, "AK/"+winter[:8], "AK/"+day, 1))
		require.NoError(t, err)
		assert.Equal(t, good, auth.Verify(r, nil, "SK"), day)
	}
}

// TestVerifyHost covers requests that were made by hand, where only the URL tells the host.
func TestVerifyHost(t *testing.T) {
	t.Parallel()
	request := &sdkhmac.Request{
		Method: http.MethodGet, Host: "example.com:8443", Path: "/a%2Fb", Date: winter, Payload: sdkhmac.EmptyPayload,
		Signed: []string{"Host", "X-Sdk-Date"},
	}
	authorization := sdkhmac.AppendAuthorization(nil, request, sdkhmac.Key{Access: "AK", Secret: "SK"})
	auth, err := sdkhmac.Parse(string(authorization))
	require.NoError(t, err)

	r := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: "example.com:8443", Path: "/a/b", RawPath: "/a%2Fb"},
		Header: http.Header{sdkhmac.DateHeader: {winter}},
	}
	assert.True(t, auth.Verify(r, nil, "SK"))
	r.Host = "other.example.com"
	assert.False(t, auth.Verify(r, nil, "SK"), "the host that is sent is the one of the request")
	r.Host = "example.com:8443"
	assert.True(t, auth.Verify(r, nil, "SK"))
	r.URL.RawPath = ""
	assert.False(t, auth.Verify(r, nil, "SK"), "an encoded slash is none between segments")
}

// TestVerifyKeepsRequest matters because a handler reads the request after its signature was checked.
func TestVerifyKeepsRequest(t *testing.T) {
	t.Parallel()
	v := readVectors(t)[0]
	r, before := v.client(t), v.client(t)
	auth, err := sdkhmac.Parse(v.Authorization)
	require.NoError(t, err)
	require.True(t, auth.Verify(r, nil, v.SecretKey))
	assert.Equal(t, before.Header, r.Header)
	assert.Equal(t, before.URL, r.URL)
	assert.Equal(t, before.Host, r.Host)
}

// serialize writes an Authorization the way a client does.
func serialize(a sdkhmac.Authorization) string {
	who := "Access=" + a.Access
	if a.Scope != nil {
		who = "Credential=" + a.Access + "/" + a.Day + "/" + a.Scope.Region + "/" + a.Scope.Service + "/sdk_request"
	}
	return "SDK-HMAC-SHA256 " + who + ", SignedHeaders=" + strings.ToLower(strings.Join(a.Signed, ";")) +
		", Signature=" + a.Signature
}

func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add(v.Authorization)
	}
	for _, value := range []string{
		"",
		"SDK-HMAC-SHA256",
		"SDK-HMAC-SHA256 ",
		"SDK-HMAC-SHA256 Credential=AK/20260115///sdk_request, SignedHeaders=host;x-sdk-date, Signature=00ff",
		"SDK-HMAC-SHA256 Credential=AK/20260115/eu-de/modelarts/sdk_request,SignedHeaders=x-sdk-date,Signature=00ff",
		"SDK-HMAC-SHA256 Credential=////sdk_request, SignedHeaders=x-sdk-date, Signature=00ff",
		"SDK-HMAC-SHA256 Signature= a=b , Access= a=b , SignedHeaders=;X-SDK-DATE;;x_a;\u00e9\xff;",
		"SDK-HMAC-SHA256 Access=a, Access=b, SignedHeaders=x-sdk-date, SignedHeaders=a, Signature=00, Signature=ff",
		"SDK-HMAC-SHA256 Credential=a/b/c/d/sdk_request, Access=b/c, SignedHeaders=x-sdk-date, Signature=00",
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date;z , Signature=00",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		auth, err := sdkhmac.Parse(value)
		if err != nil {
			assert.Equal(t, "sdkhmac: malformed Authorization header", err.Error())
			assert.Zero(t, auth)
			return
		}
		assert.NotEmpty(t, auth.Access)
		assert.NotEmpty(t, auth.Signature)
		assert.Contains(t, auth.Signed, sdkhmac.DateHeader)
		r := &http.Request{
			Method: http.MethodGet, Host: "example.com", URL: &url.URL{Path: "/"}, Header: http.Header{sdkhmac.DateHeader: {winter}},
		}
		assert.False(t, auth.Verify(r, nil, "secret"))
		assert.True(t, slices.IsSortedFunc(auth.Signed, func(a, b string) int {
			return strings.Compare(strings.ToLower(a), strings.ToLower(b))
		}), "unsorted: %q", auth.Signed)
		again, err := sdkhmac.Parse(serialize(auth))
		require.NoError(t, err)
		assert.Equal(t, auth, again)

		// Signing with what was parsed gives a header that says the same and passes.
		signed := sdkhmac.AppendAuthorization(nil, &sdkhmac.Request{
			Method: http.MethodGet, Host: "example.com", Path: "/", Date: winter, Payload: sdkhmac.EmptyPayload, Signed: auth.Signed,
		}, sdkhmac.Key{Access: auth.Access, Secret: "secret", Scope: auth.Scope})
		again, err = sdkhmac.Parse(string(signed))
		require.NoError(t, err)
		assert.True(t, again.Verify(r, nil, "secret"))
		again.Signature, again.Day = auth.Signature, auth.Day
		assert.Equal(t, auth, again)
	})
}
