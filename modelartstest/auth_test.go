package modelartstest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func TestAuthentication(t *testing.T) {
	sign := func(credentials modelarts.Credentials, opts ...modelarts.SignerOption) func(*http.Request) {
		return func(req *http.Request) {
			require.NoError(t, modelarts.NewSigner(credentials, opts...).Authenticate(req))
		}
	}
	signed := func(change func(*http.Request)) func(*http.Request) {
		return func(req *http.Request) {
			req.Header.Set("X-Project-Id", modelartstest.ProjectID)
			sign(keys)(req)
			change(req)
		}
	}
	wrongSecret := modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: "wrong"}
	wrongAccess := modelarts.Credentials{AccessKey: "NOBODY", SecretKey: modelartstest.SecretKey}

	for name, c := range map[string]struct {
		prepare func(*http.Request)
		message string // of the refusal
	}{
		"signed":        {sign(keys), ""},
		"scoped":        {sign(keys, modelarts.WithScope("eu-de", "modelarts")), ""},
		"empty scope":   {sign(keys, modelarts.WithScope("", "")), ""},
		"token":         {func(req *http.Request) { req.Header.Set("X-Auth-Token", modelartstest.Token) }, ""},
		"nothing":       {func(*http.Request) {}, "x-auth-token not found"},
		"wrong token":   {func(req *http.Request) { req.Header.Set("X-Auth-Token", "wrong") }, "decrypt token fail"},
		"wrong scheme":  {func(req *http.Request) { req.SetBasicAuth("a", "b") }, "x-sdk-date not found"},
		"wrong secret":  {sign(wrongSecret), "verify aksk signature fail"},
		"scoped, wrong": {sign(wrongSecret, modelarts.WithScope("", "")), "verify aksk signature fail"},
		"wrong access":  {sign(wrongAccess), "Get secretKey failed,ak:NOBODY,err:ak not exist"},

		"no date":        {signed(func(req *http.Request) { req.Header.Del("X-Sdk-Date") }), "x-sdk-date not found"},
		"odd date":       {signed(func(req *http.Request) { req.Header.Set("X-Sdk-Date", "today") }), "x-sdk-date is malformed"},
		"malformed":      {signed(func(req *http.Request) { req.Header.Set("Authorization", "Basic x") }), "header is malformed"},
		"other path":     {signed(func(req *http.Request) { req.URL.Path = datasetsPath }), "verify aksk signature fail"},
		"other query":    {signed(func(req *http.Request) { req.URL.RawQuery = "a=b" }), "verify aksk signature fail"},
		"other host":     {signed(func(req *http.Request) { req.Host = "else.test" }), "verify aksk signature fail"},
		"other header":   {signed(func(req *http.Request) { req.Header.Set("X-Project-Id", "p") }), "verify aksk signature fail"},
		"unsigned extra": {signed(func(req *http.Request) { req.Header.Set("X-Else", "e") }), ""},
		"other body": {signed(func(req *http.Request) {
			req.Body, req.ContentLength = io.NopCloser(strings.NewReader("x")), 1
		}), "verify aksk signature fail"},
		"other method": {func(req *http.Request) {
			req.URL.Path = syncPath
			sign(keys)(req)
			req.Method = "POST"
		}, "verify aksk signature fail"},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, withDataset(), func(s site, _ *modelartstest.Server) {
				t := s.t
				req := s.request("GET", statusPath, "")
				c.prepare(req)
				r := s.do(req)
				if c.message == "" {
					assert.Equal(t, 200, r.status, r.body)
					return
				}
				answer := decode[errorAnswer](t, r)
				assert.Contains(t, answer.Message, c.message)
				assert.Equal(t, r.header.Get("X-Request-Id"), answer.RequestID)
				assert.Equal(t, 401, r.status)
				assert.Equal(t, "APIGW.0301", answer.Code)
				assert.True(t, strings.HasPrefix(answer.Message, "Incorrect IAM authentication information: "))
			})
		})
	}
}

func TestRefusalEchoesTheCanonicalRequest(t *testing.T) {
	s := inMemory(t, withDataset()())
	req := s.request("GET", statusPath+"?b=2&a=1", "")
	require.NoError(t, modelarts.NewSigner(keys).Authenticate(req))
	req.Header.Set("Authorization", req.Header.Get("Authorization")+"0")
	message := decode[errorAnswer](t, s.do(req)).Message
	assert.Contains(t, message, "canonicalRequest:GET|"+statusPath+"/|a=1&b=2|host:any.test|x-sdk-date:")
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := withDataset()()
		s := inMemory(t, fake)
		for _, c := range []struct {
			offset time.Duration
			status int
		}{
			{15 * time.Minute, 200}, {-15 * time.Minute, 200},
			{15*time.Minute + time.Second, 401}, {-15*time.Minute - time.Second, 401},
		} {
			fake.SetClockOffset(c.offset)
			r := s.signed("GET", statusPath)
			assert.Equal(t, c.status, r.status, c.offset)
			date, err := http.ParseTime(r.header.Get("Date"))
			require.NoError(t, err)
			assert.Equal(t, c.offset, time.Until(date))
			if r.status == 401 {
				assert.Contains(t, decode[errorAnswer](t, r).Message, "calc aksk signature fail:signature expired, "+
					"signature time:20000101T000000Z,server time:"+date.Format("20060102T150405Z"))
			}
		}
		fake.SetClockOffset(time.Hour)
		assert.Equal(t, 200, s.withToken("POST", syncPath, modelartstest.Token, "").status)
		status := decode[modelarts.SyncStatus](t, s.withToken("GET", statusPath, modelartstest.Token, ""))
		assert.Equal(t, time.Hour, time.Until(status.CreatedAt()))
	})
}

func TestSetAccepted(t *testing.T) {
	fake := withDataset()()
	s := inMemory(t, fake)
	fake.SetAccepted(modelartstest.AccessKey, false)
	fake.SetAccepted(modelartstest.Token, false)
	assert.Contains(t, s.signed("GET", statusPath).body, "ak not exist")
	refused := s.withToken("GET", statusPath, modelartstest.Token, "")
	assert.Equal(t, 401, refused.status)
	assert.Equal(t, "APIGW.0307", refused.code(t))
	fake.SetAccepted(modelartstest.AccessKey, true)
	fake.SetAccepted(modelartstest.Token, true)
	assert.Equal(t, 200, s.signed("GET", statusPath).status)
	assert.Equal(t, 200, s.withToken("GET", statusPath, modelartstest.Token, "").status)
}

func TestAddKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := withDataset()()
		s := inMemory(t, fake)
		get := func(credentials modelarts.Credentials) reply {
			req := s.request("GET", statusPath, "")
			if credentials.SecurityToken != "" {
				req.Header.Set("X-Security-Token", credentials.SecurityToken)
			}
			credentials.Expires = time.Time{}
			require.NoError(t, modelarts.NewSigner(credentials).Authenticate(req))
			return s.do(req)
		}
		temporary := modelarts.Credentials{
			AccessKey: "TEMP", SecretKey: "temp", SecurityToken: "T/+==", Expires: time.Now().Add(time.Minute),
		}
		fake.AddKey(temporary)
		assert.Equal(t, 200, get(temporary).status)
		without, other := temporary, temporary
		without.SecurityToken, other.SecurityToken = "", "other"
		assert.Contains(t, get(without).body, "ak not exist")
		assert.Contains(t, get(other).body, "decrypt token fail")
		time.Sleep(time.Minute)
		assert.Contains(t, get(temporary).body, "token expires, expires_at: 2000-01-01T00:01:00.000000Z")
	})
}

func TestStripPrefix(t *testing.T) {
	fake := withDataset()()
	server := httptest.NewServer(http.StripPrefix("/gateway", fake))
	defer server.Close()
	s := site{t, server.Client(), server.URL}
	assert.Equal(t, 200, s.signed("GET", "/gateway"+statusPath).status)
}
