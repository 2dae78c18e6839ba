package sdkhmac_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

// A vector is a request whose signature somebody else's signer computed.
type vector struct {
	Name          string            `json:"name"`
	AccessKey     string            `json:"access_key"`
	SecretKey     string            `json:"secret_key"`
	Method        string            `json:"method"`
	URL           string            `json:"url"`
	Headers       map[string]string `json:"headers"`
	Body          string            `json:"body"`
	Authorization string            `json:"authorization"`
}

func readVectors(tb testing.TB) []vector {
	tb.Helper()
	text, err := os.ReadFile("../../testdata/signing-vectors.json")
	require.NoError(tb, err)
	var file struct {
		Vectors []vector `json:"vectors"`
	}
	require.NoError(tb, json.Unmarshal(text, &file))
	return file.Vectors
}

func (v vector) header() http.Header {
	header := http.Header{}
	for name, value := range v.Headers {
		header.Set(name, value)
	}
	return header
}

// split cuts the URL by hand, since what matters is the text as it is sent.
func (v vector) split() (host, path, query string) {
	rest := strings.TrimPrefix(v.URL, "https://")
	rest, query, _ = strings.Cut(rest, "?")
	host, path, _ = strings.Cut(rest, "/")
	return host, "/" + path, query
}

func (v vector) request() *sdkhmac.Request {
	_, rest, _ := strings.Cut(v.Authorization, "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	host, path, query := v.split()
	header := v.header()
	return &sdkhmac.Request{
		Method: v.Method, Host: host, Path: path, Query: query, Date: header.Get(sdkhmac.DateHeader),
		Payload: sdkhmac.HashPayload([]byte(v.Body)), Signed: signedKeys(names), Header: header,
	}
}

// client is the request as a client is about to send it.
func (v vector) client(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), v.Method, v.URL, strings.NewReader(v.Body))
	require.NoError(t, err)
	r.Header = v.header()
	r.Header.Set("Authorization", v.Authorization)
	return r
}

// wire is the request as net/http writes it.
func (v vector) wire(t *testing.T) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, v.client(t).Write(&text))
	return text.String()
}

// plain is the request as another client would write it, with the URL exactly as it is in the vector.
func (v vector) plain() string {
	host, path, query := v.split()
	if query != "" {
		query = "?" + query
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s%s HTTP/1.1\r\nhost: %s\r\n", v.Method, path, query, host)
	for name, value := range v.Headers {
		fmt.Fprintf(&text, "%s:%s\r\n", strings.ToLower(name), value)
	}
	fmt.Fprintf(&text, "authorization: %s\r\ncontent-length: %d\r\n\r\n%s", v.Authorization, len(v.Body), v.Body)
	return text.String()
}

// receive reads a request from its wire form, as a server does.
func receive(t *testing.T, wire string) (r *http.Request, body []byte) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	require.NoError(t, err)
	body, err = io.ReadAll(r.Body)
	require.NoError(t, err)
	return r, body
}

func TestVectors(t *testing.T) {
	t.Parallel()
	vectors := readVectors(t)
	require.Len(t, vectors, 26)
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			key := sdkhmac.Key{Access: v.AccessKey, Secret: v.SecretKey}
			r := v.request()
			assert.Equal(t, v.Authorization, string(sdkhmac.AppendAuthorization(nil, r, key)))
			assert.Equal(t, v.Authorization, naiveAuthorization(r, key))

			auth, err := sdkhmac.Parse(v.Authorization)
			require.NoError(t, err)
			assert.Equal(t, v.AccessKey, auth.Access)
			assert.Nil(t, auth.Scope)
			assert.Equal(t, r.Signed, auth.Signed)

			check := func(route string, r *http.Request, body []byte) {
				auth, err := sdkhmac.Parse(r.Header.Get("Authorization"))
				require.NoError(t, err, route)
				assert.True(t, auth.Verify(r, body, v.SecretKey), route)
				assert.False(t, auth.Verify(r, body, v.SecretKey+"x"), route)
				assert.False(t, auth.Verify(r, body, ""), route)
				assert.False(t, auth.Verify(r, append(body, ' '), v.SecretKey), route)
			}
			check("as a client sends it", v.client(t), []byte(v.Body))
			received, body := receive(t, v.wire(t))
			assert.Equal(t, v.Body, string(body))
			check("as net/http writes it", received, body)
			received, body = receive(t, v.plain())
			assert.Equal(t, v.Body, string(body))
			check("as another client writes it", received, body)
		})
	}
}

const (
	project    = "0123456789abcdef0123456789abcdef"
	dataset    = "gfghHSokody6AJigS5A"
	syncPath   = "/v2/" + project + "/datasets/" + dataset + "/sync-data"
	statusPath = syncPath + "/status"
	published  = "20060102T150405Z"
	winter     = "20260115T083000Z"
	otcHost    = "modelarts.eu-de.otc.t-systems.com"
)

// tableVectors were computed with the signers of both official SDKs and with an independent script. The
// scoped ones come from the signer of Open Telekom Cloud's SDK.
var tableVectors = []struct {
	name      string
	method    string
	host      string
	path      string
	query     string
	header    http.Header
	body      string
	date      string
	signed    string
	scope     *sdkhmac.Scope
	signature string
}{{
	name: "V1 query", method: "GET", path: "/path", query: "limit=1", date: published, signed: "x-sdk-date",
	signature: "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624",
}, {
	name: "V2 body with a line feed", method: "POST", path: "/path", query: "key=value", date: published,
	body: `{"Name":"test","Id":1}` + "\n", signed: "x-sdk-date",
	signature: "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59",
}, {
	name: "V2b body without a line feed", method: "POST", path: "/path", query: "key=value", date: published,
	body: `{"Name":"test","Id":1}`, signed: "x-sdk-date",
	signature: "83599e5230b5b31fb58837c5760b4c2d407542df1f9493834ead538696e17a35",
}, {
	name: "V3 status", method: "GET", path: statusPath, date: winter, signed: "x-sdk-date",
	signature: "0f7b41249d9df6b032e86901f36972fca475c5e74c5ad360e2989278df5a2534",
}, {
	name: "V4 temporary credentials", method: "GET", path: statusPath, date: winter,
	header:    http.Header{"X-Project-Id": {project}, "X-Security-Token": {"TOKEN/+=="}},
	signed:    "x-project-id;x-sdk-date;x-security-token",
	signature: "4c22583ca3dc07bf453a5544ba5a41e465190aa4363c4ff5da9ab70374283dc1",
}, {
	name: "V5 host", method: "GET", host: "modelarts.cn-north-4.myhuaweicloud.com", path: statusPath, date: winter,
	signed:    "host;x-sdk-date",
	signature: "b9e67762dd1d751fb2a35753c64b55e6341c9c1144d9ded9fd2e29de55cb034a",
}, {
	name: "V6 host and project", method: "GET", host: "modelarts.cn-north-4.myhuaweicloud.com", path: statusPath,
	date: winter, header: http.Header{"X-Project-Id": {project}}, signed: "host;x-project-id;x-sdk-date",
	signature: "13db2da455084ceb33c61b6ffe5fcce12ba3a5b7716c1981f012e768495cdede",
}, {
	name: "V7 start without a body", method: "POST", path: syncPath, date: winter, signed: "x-sdk-date",
	signature: "4797ce921c81215c0a88763ae48b2b080aabaaec9e804b339c531e963a5a398f",
}, {
	name: "V8 start with an empty object", method: "POST", path: syncPath, date: winter, body: "{}",
	signed:    "x-sdk-date",
	signature: "197d553ede7e34b5650a764f8302c24cb81dfeb0d897ce7167d644063eb81839",
}, {
	name: "V9 query with reserved characters", method: "GET", path: "/v2/" + project + "/datasets", date: winter,
	query:     "search_content=a+b%2Bc/%c3%bc~*&offset=2&limit=100&empty&check_running_task=true",
	signed:    "x-sdk-date",
	signature: "f2abaff14b09d12fcfb52191d1506fe343b54f12a772dcfd578ef1d3fdc7bdb7",
}, {
	name: "V10 path with reserved characters", method: "GET", path: "/v2/p/datasets/a%20b~%C3%BC%25", date: winter,
	signed:    "x-sdk-date",
	signature: "8ea9642e7033eb5775142b7ebcd82fc1ac8f3768ec06fa2fac80ce89345a8cc2",
}, {
	name: "V11 project lookup", method: "GET", path: "/v3/projects", query: "name=cn-north-4", date: winter,
	signed:    "x-sdk-date",
	signature: "3ce750e69e79a5c49c3325997f27aea2848d56e0c5e5fafdc9e001e2ad5f8754",
}, {
	name: "scoped status, empty scope", method: "GET", host: otcHost, path: statusPath, date: winter,
	signed: "host;x-sdk-date", scope: &sdkhmac.Scope{},
	signature: "382bd356224e20e960dc9fb07b1a2f3d30e5862e25e4a47bcab468272488a7df",
}, {
	name: "scoped status", method: "GET", host: otcHost, path: statusPath, date: winter,
	signed: "host;x-sdk-date", scope: &sdkhmac.Scope{Region: "eu-de", Service: "modelarts"},
	signature: "2bca4bb00730bee16a9510630617a4f976b8ccd45e09d7ff9cf93357f57eaecf",
}, {
	name: "scoped start, empty scope", method: "POST", host: otcHost, path: syncPath, date: winter,
	signed: "host;x-sdk-date", scope: &sdkhmac.Scope{},
	signature: "1682018848f70b3758cac9601254476c03a0560884734c3701d9df25ab562257",
}, {
	name: "scoped start", method: "POST", host: otcHost, path: syncPath, date: winter,
	signed: "host;x-sdk-date", scope: &sdkhmac.Scope{Region: "eu-de", Service: "modelarts"},
	signature: "beb1a1c239adc6137a35ced893fb06091aef6d3e4eefc8c582fde1507ab52491",
}}

func TestTableVectors(t *testing.T) {
	t.Parallel()
	for _, v := range tableVectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			r := &sdkhmac.Request{
				Method: v.method, Host: v.host, Path: v.path, Query: v.query, Date: v.date,
				Payload: sdkhmac.HashPayload([]byte(v.body)), Signed: signedKeys(v.signed), Header: v.header,
			}
			key := sdkhmac.Key{Access: "AccessKey", Secret: "SecretKey", Scope: v.scope}
			who, day := "Access=AccessKey", ""
			if v.scope != nil {
				day = "20260115"
				who = "Credential=AccessKey/" + day + "/" + v.scope.Region + "/" + v.scope.Service + "/sdk_request"
			}
			want := "SDK-HMAC-SHA256 " + who + ", SignedHeaders=" + v.signed + ", Signature=" + v.signature
			assert.Equal(t, want, string(sdkhmac.AppendAuthorization(nil, r, key)))
			assert.Equal(t, want, naiveAuthorization(r, key))

			auth, err := sdkhmac.Parse(want)
			require.NoError(t, err)
			assert.Equal(t, sdkhmac.Authorization{
				Access: "AccessKey", Scope: v.scope, Day: day, Signed: r.Signed, Signature: v.signature,
			}, auth)

			received, body := receive(t, wireForm(r, v.body, want))
			assert.True(t, auth.Verify(received, body, "SecretKey"))
			assert.False(t, auth.Verify(received, body, "secretKey"))
			// A signature of one form must not pass for the other.
			if auth.Scope == nil {
				auth.Scope = &sdkhmac.Scope{}
			} else {
				auth.Scope = nil
			}
			assert.False(t, auth.Verify(received, body, "SecretKey"))
		})
	}
}

// wireForm writes a request by hand, without any of the care net/http would take.
func wireForm(r *sdkhmac.Request, body, authorization string) string {
	var text strings.Builder
	text.WriteString(r.Method + " " + r.Path)
	if r.Query != "" {
		text.WriteString("?" + r.Query)
	}
	text.WriteString(" HTTP/1.1\r\nHost: " + r.Host + "\r\nX-Sdk-Date: " + r.Date + "\r\n")
	for name, values := range r.Header {
		for _, value := range values {
			text.WriteString(name + ": " + value + "\r\n")
		}
	}
	fmt.Fprintf(&text, "Authorization: %s\r\nContent-Length: %d\r\n\r\n%s", authorization, len(body), body)
	return text.String()
}

// TestIntermediate pins the text that is hashed, since a signature alone does not tell which of its six
// lines is wrong.
func TestIntermediate(t *testing.T) {
	t.Parallel()
	r := &sdkhmac.Request{
		Method: "GET", Path: statusPath, Date: winter, Payload: sdkhmac.EmptyPayload,
		Signed: []string{sdkhmac.DateHeader},
	}
	canonical := sdkhmac.AppendCanonicalRequest([]byte("before "), r)
	text, ok := bytes.CutPrefix(canonical, []byte("before "))
	require.True(t, ok, "what dst held is gone")
	assert.Equal(t, "GET\n"+statusPath+"/\n\nx-sdk-date:20260115T083000Z\n\nx-sdk-date\n"+sdkhmac.EmptyPayload, string(text))
	sum := sha256.Sum256(text)
	assert.Equal(t, "d2b83bd5099db6fcefe61ef6e6b25034851dc338d99b03ecb359635bb2782206", hex.EncodeToString(sum[:]))
}

func TestHashPayload(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", sdkhmac.HashPayload([]byte("{}")))
	assert.Equal(t, naiveHash(""), sdkhmac.HashPayload(nil))
	assert.Equal(t, naiveHash(""), sdkhmac.HashPayload([]byte{}))
	assert.Equal(t, naiveHash("\x00"), sdkhmac.HashPayload([]byte{0}))
}
