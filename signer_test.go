package modelarts_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/internal/sdkhmac"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// credRequest is a request that no client has made.
func credRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	return req
}

// credSigned parses the Authorization of a request.
func credSigned(t *testing.T, req *http.Request) sdkhmac.Authorization {
	t.Helper()
	auth, err := sdkhmac.Parse(req.Header.Get("Authorization"))
	require.NoError(t, err)
	return auth
}

// Others have computed the signatures of these requests, at a time to which the bubble's clock is set.
func TestSignerMakesTheSignaturesOfOthers(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	text, err := os.ReadFile("testdata/signing-vectors.json")
	require.NoError(t, err)
	var file struct {
		Vectors []struct {
			Name          string            `json:"name"`
			AccessKey     string            `json:"access_key"`
			SecretKey     string            `json:"secret_key"`
			Method        string            `json:"method"`
			URL           string            `json:"url"`
			Headers       map[string]string `json:"headers"`
			Body          string            `json:"body"`
			Authorization string            `json:"authorization"`
		} `json:"vectors"`
	}
	require.NoError(t, json.Unmarshal(text, &file))
	same := 0
	for _, v := range file.Vectors {
		synctest.Test(t, func(t *testing.T) {
			date, err := time.Parse(sdkhmac.DateLayout, v.Headers["X-Sdk-Date"])
			require.NoError(t, err)
			time.Sleep(time.Until(date))
			req := credRequest(t, v.Method, v.URL, v.Body)
			for name, value := range v.Headers {
				if name != "X-Sdk-Date" && name != "X-Security-Token" {
					req.Header.Set(name, value)
				}
			}
			signer := modelarts.NewSigner(modelarts.Credentials{
				AccessKey: v.AccessKey, SecretKey: v.SecretKey, SecurityToken: v.Headers["X-Security-Token"],
			})
			require.NoError(t, signer.Authenticate(req), v.Name)
			assert.Equal(t, v.Headers["X-Sdk-Date"], req.Header.Get("X-Sdk-Date"), v.Name)
			assert.True(t, credSigned(t, req).Verify(req, []byte(v.Body), v.SecretKey), v.Name)
			if !strings.Contains(v.Authorization, "SignedHeaders=x-sdk-date,") { // the Signer always signs the host
				assert.Equal(t, v.Authorization, req.Header.Get("Authorization"), v.Name)
				same++
			}
		})
	}
	assert.Equal(t, 24, same)
}

func TestSignerSignsWhatTheRequestHas(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, c := range map[string]struct {
		header http.Header
		token  string
		signed string
	}{
		"nothing":   {nil, "", "host;x-sdk-date"},
		"a project": {http.Header{"X-Project-Id": {"p"}}, "", "host;x-project-id;x-sdk-date"},
		"a token":   {nil, "a/token+==", "host;x-sdk-date;x-security-token"},
		"a project and a token": {
			http.Header{"X-Project-Id": {"p"}}, "a/token+==", "host;x-project-id;x-sdk-date;x-security-token",
		},
		"what proxies rewrite": {http.Header{
			"User-Agent": {"u"}, "Accept": {"a"}, "Accept-Encoding": {"gzip"}, "Content-Type": {"application/json"},
			"Via": {"v"}, "Connection": {"close"}, "X-Domain-Id": {"d"},
		}, "", "host;x-sdk-date"},
		"an old signature": {http.Header{
			"Authorization": {"old"}, "X-Sdk-Date": {"old"}, "X-Security-Token": {"old"},
		}, "new", "host;x-sdk-date;x-security-token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				req := credRequest(t, "GET", "https://modelarts.test/v2/p/datasets?b=2&a=1", "")
				for header, values := range c.header {
					req.Header[header] = values
				}
				keys := modelarts.Credentials{AccessKey: "AK", SecretKey: "SK", SecurityToken: c.token}
				require.NoError(t, modelarts.NewSigner(keys).Authenticate(req))
				value := req.Header.Get("Authorization")
				assert.True(t, strings.HasPrefix(value, "SDK-HMAC-SHA256 Access=AK, SignedHeaders="+c.signed+", Signature="), value)

				want := &sdkhmac.Request{
					Method: "GET", Host: "modelarts.test", Path: "/v2/p/datasets", Query: "a=1&b=2", Date: "20000101T000000Z",
					Payload: sdkhmac.EmptyPayload, Header: req.Header,
				}
				for signed := range strings.SplitSeq(c.signed, ";") {
					want.Signed = append(want.Signed, http.CanonicalHeaderKey(signed))
				}
				assert.Equal(t, string(sdkhmac.AppendAuthorization(nil, want, sdkhmac.Key{Access: "AK", Secret: "SK"})), value)

				// A proxy on the way may touch all the rest.
				req.Header.Set("User-Agent", "proxy")
				req.Header.Set("Via", "1.1 proxy")
				req.Header.Del("Accept-Encoding")
				assert.True(t, credSigned(t, req).Verify(req, nil, "SK"))
			})
		})
	}
}

func TestSignerScope(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		for _, scope := range [][2]string{{"eu-de", "modelarts"}, {"", ""}} {
			signer := modelarts.NewSigner(credKeys, nil, modelarts.WithScope(scope[0], scope[1]))
			require.NoError(t, credPoll(t.Context(), credClient(t, fake, signer)))
			requests := fake.Requests()
			assert.Contains(t, requests[len(requests)-1].Header.Get("Authorization"),
				" Credential="+modelartstest.AccessKey+"/20000101/"+scope[0]+"/"+scope[1]+"/sdk_request, ")
		}
		assert.Len(t, fake.Requests(), 2)

		// The brake knows such requests, too.
		wrong := credClient(t, fake, modelarts.NewSigner(credWrongKeys, modelarts.WithScope("", "")))
		credBraked(t, fake, wrong)
		credStopped(t, fake, wrong)
	})
}

func TestSignerScopeVectors(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const path = "https://modelarts.eu-de.otc.t-systems.com/v2/0123456789abcdef0123456789abcdef/datasets/gfghHSokody6AJigS5A/sync-data"
	for _, c := range []struct{ method, url, region, service, signature string }{
		{"GET", path + "/status", "", "", "382bd356224e20e960dc9fb07b1a2f3d30e5862e25e4a47bcab468272488a7df"},
		{"GET", path + "/status", "eu-de", "modelarts", "2bca4bb00730bee16a9510630617a4f976b8ccd45e09d7ff9cf93357f57eaecf"},
		{"POST", path, "", "", "1682018848f70b3758cac9601254476c03a0560884734c3701d9df25ab562257"},
		{"POST", path, "eu-de", "modelarts", "beb1a1c239adc6137a35ced893fb06091aef6d3e4eefc8c582fde1507ab52491"},
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2026, 1, 15, 8, 30, 0, 0, time.UTC)))
			req := credRequest(t, c.method, c.url, "")
			keys := modelarts.Credentials{AccessKey: "AccessKey", SecretKey: "SecretKey"}
			require.NoError(t, modelarts.NewSigner(keys, modelarts.WithScope(c.region, c.service)).Authenticate(req))
			assert.Equal(t, c.signature, credSigned(t, req).Signature)
		})
	}
}

func TestSignerHashesTheBody(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	signer := modelarts.NewSigner(credKeys)
	const body = "dataset_name=猫"
	req := credRequest(t, "POST", "https://h.test/v2/p/datasets", body)
	require.NoError(t, signer.Authenticate(req))
	assert.True(t, credSigned(t, req).Verify(req, []byte(body), modelartstest.SecretKey))
	assert.False(t, credSigned(t, req).Verify(req, []byte(body+"\n"), modelartstest.SecretKey))
	left, err := io.ReadAll(req.Body)
	require.NoError(t, err)
	assert.Equal(t, body, string(left), "the body itself is not touched")

	t.Run("a hash that is there already", func(t *testing.T) {
		t.Parallel()
		for _, hash := range []string{"UNSIGNED-PAYLOAD", sdkhmac.HashPayload([]byte(body))} {
			req := credRequest(t, "POST", "https://h.test/v2/p/datasets", "")
			req.Body = io.NopCloser(strings.NewReader(body)) // which can be read but once
			req.GetBody = nil
			req.Header.Set("X-Sdk-Content-Sha256", hash)
			require.NoError(t, signer.Authenticate(req), hash)
			assert.True(t, credSigned(t, req).Verify(req, []byte(body), modelartstest.SecretKey), hash)
			left, err := io.ReadAll(req.Body)
			require.NoError(t, err)
			assert.Equal(t, body, string(left), hash)
		}
	})
	t.Run("a body that can be read but once", func(t *testing.T) {
		t.Parallel()
		req := credRequest(t, "POST", "https://h.test/", body)
		req.GetBody = nil
		require.ErrorContains(t, signer.Authenticate(req), "GetBody")
		assert.Empty(t, req.Header.Get("Authorization"))
	})
	t.Run("a body that cannot be read", func(t *testing.T) {
		t.Parallel()
		broken := errors.New("the disk is gone")
		req := credRequest(t, "POST", "https://h.test/", body)
		req.GetBody = func() (io.ReadCloser, error) { return nil, broken }
		require.ErrorIs(t, signer.Authenticate(req), broken)
		closed := false
		req.GetBody = func() (io.ReadCloser, error) { return credBrokenBody{broken, &closed}, nil }
		require.ErrorIs(t, signer.Authenticate(req), broken)
		assert.True(t, closed)
	})
	t.Run("no body", func(t *testing.T) {
		t.Parallel()
		for _, none := range []io.ReadCloser{nil, http.NoBody} {
			req := credRequest(t, "POST", "https://h.test/", "")
			req.Body, req.GetBody = none, nil
			require.NoError(t, signer.Authenticate(req))
			assert.True(t, credSigned(t, req).Verify(req, nil, modelartstest.SecretKey))
		}
	})
}

type credBrokenBody struct {
	err    error
	closed *bool
}

func (b credBrokenBody) Read([]byte) (int, error) { return 0, b.err }

func (b credBrokenBody) Close() error { *b.closed = true; return nil }

func TestSignerTouchesHeadersOnly(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	req := credRequest(t, "PUT", "https://User.Test:8443/a%2Fb/c:d?z=1&a=%20+", `{}`)
	req.Header.Set("Accept", "x")
	before, url := *req, *req.URL
	require.NoError(t, modelarts.NewSigner(credKeys).Authenticate(req))
	assert.Equal(t, url, *req.URL)
	assert.Equal(t, before.Method, req.Method)
	assert.Equal(t, before.Host, req.Host)
	assert.Equal(t, before.ContentLength, req.ContentLength)
	assert.Equal(t, before.Body, req.Body)
	assert.Equal(t, before.Context(), req.Context())
	assert.Len(t, req.Header, 3, "Accept, X-Sdk-Date and Authorization")

	bare := &http.Request{URL: &url} // without a method, a host and a header
	require.NoError(t, modelarts.NewSigner(credKeys).Authenticate(bare))
	bare.Method = "GET"
	assert.True(t, credSigned(t, bare).Verify(bare, nil, modelartstest.SecretKey))
}

// The host that is signed is the host that arrives.
func TestSignerHost(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, address := range map[string]string{
		"name":           "http://modelarts.test/",
		"port":           "http://modelarts.test:8080/",
		"default port":   "http://modelarts.test:80/",
		"empty port":     "http://modelarts.test:/",
		"upper case":     "http://ModelArts.TEST/",
		"IPv6":           "http://[2001:db8::1]/",
		"IPv6 with port": "http://[2001:db8::1]:8080/",
		"IPv6 zone":      "http://[fe80::1%25eth0]:8080/",
		"IDN":            "http://xn--mnchen-3ya.test/",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(address)
			require.NoError(t, err)
			req := &http.Request{Method: http.MethodGet, URL: u}
			require.NoError(t, modelarts.NewSigner(credKeys).Authenticate(req))
			var wire bytes.Buffer
			require.NoError(t, req.Write(&wire))
			_, line, _ := strings.Cut(wire.String(), "\r\nHost: ")
			arrived, _, _ := strings.Cut(line, "\r\n")
			received := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			received.Host, received.Header = arrived, req.Header
			assert.True(t, credSigned(t, req).Verify(received, nil, modelartstest.SecretKey), arrived)
		})
	}
	req := credRequest(t, "GET", "https://münchen.test/", "")
	require.ErrorContains(t, modelarts.NewSigner(credKeys).Authenticate(req), "xn--", "what net/http would send is not what is written here")
	req = credRequest(t, "GET", "https://proxy.test/", "")
	req.Host = "modelarts.test"
	require.NoError(t, modelarts.NewSigner(credKeys).Authenticate(req))
	assert.True(t, credSigned(t, req).Verify(req, nil, modelartstest.SecretKey))
}

// A Signer without a client gets no answers, and never waits for one.
func TestSignerStandsAlone(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		signer := modelarts.NewSigner(credWrongKeys)
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				for range 10 {
					req := credRequest(t, "GET", "https://modelarts.test/v2/p/datasets", "")
					if assert.NoError(t, signer.Authenticate(req)) {
						resp, err := fake.HTTPClient().Do(req)
						if assert.NoError(t, err) {
							assert.Equal(t, 401, resp.StatusCode)
							assert.NoError(t, resp.Body.Close())
						}
					}
				}
			})
		}
		group.Wait()
		assert.Len(t, fake.Requests(), 1000)
	})
}

func TestSignerObserveWithoutAClient(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signer := modelarts.NewSigner(credKeys)
		refusal := &modelarts.APIError{StatusCode: http.StatusUnauthorized, Code: "APIGW.0301", Message: "signature expired"}
		req := credRequest(t, "GET", "https://modelarts.test/", "")
		require.NoError(t, signer.Authenticate(req))
		answer := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Date": {"Sat, 01 Jan 2000 01:00:00 GMT"}}}
		assert.True(t, signer.Observe(req, answer, refusal), "one's own loop can use it")
		require.NoError(t, signer.Authenticate(req))
		assert.Equal(t, "20000101T010000Z", req.Header.Get("X-Sdk-Date"))
		assert.False(t, signer.Observe(req, answer, refusal), "the clock explains nothing any more")

		stranger := credRequest(t, "GET", "https://modelarts.test/", "")
		for range 5 {
			assert.False(t, signer.Observe(stranger, &http.Response{StatusCode: http.StatusUnauthorized}, refusal), "an answer to somebody else's request")
			assert.False(t, signer.Observe(stranger, &http.Response{StatusCode: http.StatusOK}, nil))
		}
		require.NoError(t, signer.Authenticate(req), "which does not count")
		for range 2 {
			assert.False(t, signer.Observe(req, answer, refusal))
		}
		require.ErrorIs(t, signer.Authenticate(req), modelarts.ErrUnauthorized)
	})
}

func TestSignerAllocatesLittle(t *testing.T) {
	noLeaks(t)
	for name, keys := range map[string]modelarts.Credentials{
		"permanent": credKeys,
		"temporary": {AccessKey: "AK", SecretKey: "SK", SecurityToken: strings.Repeat("t", 500), Expires: time.Now().Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			signer := modelarts.NewSigner(keys)
			req := credRequest(t, "GET", "https://modelarts.test/v2/p/datasets/ds/sync-data/status", "")
			req.Header.Set("X-Project-Id", "0123456789abcdef0123456789abcdef")
			sign := func() {
				if err := signer.Authenticate(req); err != nil {
					t.Error(err)
				}
			}
			sign()
			most := 3.0
			if keys.SecurityToken != "" {
				most++ // the canonical request is larger than what fits on the stack
			}
			assert.LessOrEqual(t, testing.AllocsPerRun(100, sign), most, "nobody has proven the key")
			signer.Observe(req, &http.Response{StatusCode: http.StatusOK}, nil)
			assert.LessOrEqual(t, testing.AllocsPerRun(100, sign), most, "proven")
			accepted := &http.Response{StatusCode: http.StatusOK}
			assert.Zero(t, testing.AllocsPerRun(100, func() { signer.Observe(req, accepted, nil) }))
		})
	}
}
