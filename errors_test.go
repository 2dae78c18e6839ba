package modelarts_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

const (
	errsEndpoint = "https://modelarts.example"
	errsProject  = "0123456789abcdef0123456789abcdef"
	errsToken    = "MIIerrsToken/with+all=="
)

// errsTransport answers every request in memory.
type errsTransport func(req *http.Request) (*http.Response, error)

func (f errsTransport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// errsResponse is an answer as a transport would give it.
func errsResponse(req *http.Request, status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Request: req,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// errsClient returns a client that tries once and sends through f.
func errsClient(t *testing.T, auth modelarts.Authenticator, f errsTransport, opts ...modelarts.Option) *modelarts.Client {
	t.Helper()
	opts = append([]modelarts.Option{
		modelarts.WithHTTPClient(&http.Client{Transport: f}), modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1}),
	}, opts...)
	client, err := modelarts.NewClient(errsEndpoint, errsProject, auth, opts...)
	require.NoError(t, err)
	return client
}

// errsOf returns the error that an answer becomes.
func errsOf(t *testing.T, status int, header http.Header, body string) *modelarts.APIError {
	t.Helper()
	client := errsClient(t, modelarts.TokenAuth(errsToken), func(req *http.Request) (*http.Response, error) {
		return errsResponse(req, status, header, body), nil
	})
	_, err := client.GetSyncStatus(t.Context(), "ds")
	var apiErr *modelarts.APIError
	require.ErrorAs(t, err, &apiErr)
	errsPlain(t, err.Error())
	return apiErr
}

// errsPlain checks that a text is what a line of a log may hold.
func errsPlain(t *testing.T, text string) {
	t.Helper()
	assert.True(t, utf8.ValidString(text), "not UTF-8: %q", text)
	assert.Equal(t, -1, strings.IndexFunc(text, unicode.IsControl), "control character: %q", text)
	assert.Less(t, len(text), 8<<10, "too long")
}

func TestErrorBodyShapes(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, c := range []struct {
		name, body               string
		code, message, requestID string
	}{
		{"service", `{"error_code":"ModelArts.4352","error_msg":"gone"}`, "ModelArts.4352", "gone", ""},
		{"service, first version", `{"is_success":false,"error_code":"ModelArts.0104","error_message":"bad"}`, "ModelArts.0104", "bad", ""},
		{
			"inference gateway", `{"error":{"code":"ModelArts.81001","message":"inner","type":"t","param":null},"error_code":"ModelArts.81002","error_msg":"outer","span_id":"s"}`,
			"ModelArts.81002", "outer", "",
		},
		{"batch", `{"success":false,"results":[{"success":true},{"success":false,"error_code":"ModelArts.4420","error_msg":"no sample"},{"success":false,"error_code":"ModelArts.1","error_msg":"later"}]}`, "ModelArts.4420", "no sample", ""},
		{"gateway", `{"error_msg":"m","error_code":"APIGW.0301","request_id":"r1"}`, "APIGW.0301", "m", "r1"},
		{"Keystone, numeric code", `{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`, "401", "The request you have made requires authentication.", ""},
		{"IAM", `{"error_msg":"m","error_code":"IAM.0001"}`, "IAM.0001", "m", ""},
		{"policy denial", `{"code":"PAP5.0001","message":"denied","encoded_authorization_message":"x","details":[{"error_code":"a","error_msg":"b"}]}`, "PAP5.0001", "denied", ""},
		{"policy denial, other names", `{"error_code":"PAP5.0001","error_msg":"denied","encoded_authorization_message":"x","details":[]}`, "PAP5.0001", "denied", ""},
		{"message only", `{"message":"m","request_id":"r2"}`, "", "m", "r2"},
		{"nested string code", `{"error":{"code":"EPS.0003","message":"m","request_id":"r3"}}`, "EPS.0003", "m", "r3"},
		{"one word", `{"errorCode":"CCE.01400001","errorMessage":"m"}`, "CCE.01400001", "m", ""},
		{"odd members cost nothing", `{"error_code":["x"],"code":"C.1","error_msg":{"a":1},"message":"m","request_id":7,"results":"none","error":"text"}`, "C.1", "m", "7"},
		{"null members", `{"error_code":null,"error_msg":null,"code":"C.2","error":null,"results":null}`, "C.2", "", ""},
		{
			"every spelling at once", `{"message":"m4","errorMessage":"m3","error_message":"m2","error_msg":"m1","code":"C.13","errorCode":"C.12","error_code":"C.11"}`,
			"C.11", "m1", "",
		},
		{"half outside, half inside", `{"error_code":"C.3","error":{"message":"m","code":"C.4"}}`, "C.3", "m", ""},
		{"code with blanks and newlines", `{"error_code":"\nC.5\r\n","error_msg":"a\nb\u001b[31mc"}`, "C.5", "a b [31mc", ""},
		{"empty", "", "", "", ""},
		{"plain text", "  upstream connect error\r\n", "", "upstream connect error", ""},
		{"page", "<html>\n<HEAD><TITLE> 502 Bad\nGateway </TITLE></HEAD>secret page</html>", "", "a web page: 502 Bad Gateway", ""},
		{"page by its doctype", "<!DOCTYPE html><p>hello", "", "a web page", ""},
		{"page with an open title", "<html><title>never ends", "", "a web page", ""},
		{"JSON of no known shape", `{"weather":"bad"}`, "", `{"weather":"bad"}`, ""},
		{"JSON array", `["bad"]`, "", `["bad"]`, ""},
		{"truncated JSON", `{"error_code":"C.6","error_msg":"m`, "", `{"error_code":"C.6","error_msg":"m`, ""},
		{"not UTF-8", "\xff\xfe bad", "", "\uFFFD bad", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := errsOf(t, 400, nil, c.body)
			assert.Equal(t, 400, e.StatusCode)
			assert.Equal(t, c.code, e.Code)
			assert.Equal(t, c.message, e.Message)
			assert.Equal(t, c.requestID, e.RequestID)
			assert.Equal(t, c.body, string(e.Body), "the body stays as it came")
			assert.Equal(t, 1, e.Attempts)
		})
	}
}

func TestErrorLine(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	e := errsOf(t, 404, http.Header{"X-Request-Id": {"req-7"}, "Retry-After": {"7"}}, `{"error_code":"X.1","error_msg":"not here"}`)
	assert.Equal(t, "modelarts: GET https://modelarts.example/v2/"+errsProject+"/datasets/ds/sync-data/status: "+
		"404 X.1: not here (request id req-7, retry after 7s)", e.Error())
	assert.Equal(t, http.MethodGet, e.Method)
	assert.Equal(t, 7*time.Second, e.RetryAfter)

	e = errsOf(t, 418, nil, "")
	assert.True(t, strings.HasSuffix(e.Error(), ": 418 I'm a teapot"), e.Error())
	assert.Equal(t, "modelarts: 999", (&modelarts.APIError{StatusCode: 999}).Error())
	assert.Equal(t, "modelarts: 500 Internal Server Error (3 attempts)", (&modelarts.APIError{StatusCode: 500, Attempts: 3}).Error())

	// One that somebody else has filled is one line as well.
	errsPlain(t, (&modelarts.APIError{StatusCode: 400, Code: "a\nb", Message: "c\x1bd", RequestID: "e\rf", Method: "G\nT", URL: "u\nv"}).Error())
}

func TestErrorURLHasNoQuery(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client := errsClient(t, nil, func(req *http.Request) (*http.Response, error) {
		assert.Equal(t, "q=in-the-query", req.URL.RawQuery)
		return errsResponse(req, 500, nil, ""), nil
	})
	query := struct {
		Q string `url:"q"`
	}{"in-the-query"}
	req, err := client.NewRequest(t.Context(), http.MethodGet, "/v2/a%2Fb", query, nil)
	require.NoError(t, err)
	err = client.Do(req, nil)
	var e *modelarts.APIError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, errsEndpoint+"/v2/a%2Fb", e.URL)
	assert.NotContains(t, err.Error(), "in-the-query")
}

func TestErrorRequestID(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const body = `{"error_code":"X.1","request_id":"in-body"}`
	for _, c := range []struct {
		name   string
		header http.Header
		want   string
	}{
		{"of the gateway first", http.Header{"X-Request-Id": {"gateway"}, "X-Iam-Trace-Id": {"iam"}}, "gateway"},
		{"of IAM", http.Header{"X-Iam-Trace-Id": {"iam"}}, "iam"},
		{"of the body last", nil, "in-body"},
		{"an empty header does not count", http.Header{"X-Request-Id": {""}, "X-Iam-Trace-Id": {"iam"}}, "iam"},
		{"blanks do not count", http.Header{"X-Request-Id": {"  "}}, "in-body"},
		{"the first of several", http.Header{"X-Request-Id": {"one", "two"}}, "one"},
		{"control characters", http.Header{"X-Request-Id": {"a\nb\x00c"}}, "a b c"},
		{"cut where it is endless", http.Header{"X-Request-Id": {strings.Repeat("r", 10_000)}}, strings.Repeat("r", 128) + "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, errsOf(t, 400, c.header, body).RequestID)
		})
	}
}

func TestErrorIsBounded(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	t.Run("message, code and body", func(t *testing.T) {
		t.Parallel()
		e := errsOf(t, 400, nil, `{"error_code":"X.1","error_msg":"`+strings.Repeat("ü", 2000)+`"}`)
		assert.Equal(t, "X.1", e.Code)
		assert.LessOrEqual(t, len(e.Message), 1<<10+len("…"))
		assert.True(t, strings.HasSuffix(e.Message, "ü…"), "cut between characters, with a mark")
		assert.LessOrEqual(t, len(e.Body), 4<<10)
		e = errsOf(t, 400, nil, `{"error_code":"`+strings.Repeat("c", 50_000)+`"}`)
		assert.Less(t, len(e.Code), 200)
	})
	t.Run("plain text", func(t *testing.T) {
		t.Parallel()
		e := errsOf(t, 502, nil, long)
		assert.Less(t, len(e.Message), 200)
		assert.Len(t, e.Body, 4<<10)
	})
	t.Run("body of more than is read", func(t *testing.T) {
		t.Parallel()
		e := errsOf(t, 502, nil, strings.Repeat(long, 20))
		assert.Less(t, len(e.Error()), 1000)
	})
	t.Run("text of a transport", func(t *testing.T) {
		t.Parallel()
		cause := errors.New("malformed HTTP response " + strings.Repeat(long, 10) + "\n")
		client := errsClient(t, nil, func(*http.Request) (*http.Response, error) { return nil, cause })
		_, err := client.GetSyncStatus(t.Context(), "ds")
		require.ErrorIs(t, err, cause)
		errsPlain(t, err.Error())
	})
}

// errsSentinels are all that an answer can match, with their names.
var errsSentinels = map[string]error{
	"ErrUnauthorized": modelarts.ErrUnauthorized, "ErrForbidden": modelarts.ErrForbidden, "ErrNotFound": modelarts.ErrNotFound,
	"ErrDatasetNotFound": modelarts.ErrDatasetNotFound, "ErrThrottled": modelarts.ErrThrottled,
	"ErrConflict": modelarts.ErrConflict, "ErrSyncRunning": modelarts.ErrSyncRunning,
}

// errsMatches lists the sentinels that err matches.
func errsMatches(err error) []string {
	var names []string
	for name, sentinel := range errsSentinels {
		if errors.Is(err, sentinel) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestErrorSentinels(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const (
		unauthorized, forbidden, notFound = "ErrUnauthorized", "ErrForbidden", "ErrNotFound"
		noDataset, throttled              = "ErrDatasetNotFound", "ErrThrottled"
		conflict, running                 = "ErrConflict", "ErrSyncRunning"
	)
	var tested int
	test := func(status int, codes string, want ...string) {
		slices.Sort(want)
		for code := range strings.SplitSeq(codes, " ") {
			if code != "" && !strings.Contains(code, ".") {
				code = "ModelArts." + code
			}
			err := fmt.Errorf("twice: %w", errors.Join(errors.New("other"), &modelarts.APIError{StatusCode: status, Code: code}))
			assert.Equal(t, want, errsMatches(err), "%d %s", status, code)
			lower := &modelarts.APIError{StatusCode: status, Code: strings.ToLower(code)}
			assert.Equal(t, want, errsMatches(lower), "%d %s in lower case", status, code)
			tested++
		}
	}
	// By status.
	test(401, "", unauthorized)
	test(403, "", forbidden)
	test(404, "", notFound)
	test(429, "", throttled)
	test(409, "", conflict)
	test(401, "0201 0202 0203 4201 APIGW.0301 APIGW.0303 APIGW.0305 APIGW.0307 IAM.0061", unauthorized)
	test(403, "0108 0210 2785 4310 APIGW.0302 APIGW.0801", forbidden)
	test(404, "4204 APIGW.0101 APIGW.0103 IAM.0004", notFound)
	test(429, "2799 4206 4395 APIGW.0308 IAM.0012", throttled)
	test(409, "5015 5044 IAM.0005", conflict)

	// By status and code.
	test(401, "4750 4826") // nothing: the data source, not the caller
	test(401, "4713", conflict)
	test(401, "0112 0428", unauthorized, forbidden)
	test(403, "0203 0206 2784", unauthorized, forbidden)
	test(400, "IAM.1105 IAM.1107 IAM.1108", unauthorized)
	test(404, "2786", notFound, forbidden)
	test(400, "4352 4338 2783 6623", noDataset, notFound)
	test(404, "4352 4338 2783 6623", noDataset, notFound)
	test(500, "5039", throttled)
	test(400, "4355", running, conflict)
	test(400, "4343 4344 4349 4356 4381 4409 4704", conflict)
	test(403, "4613 4803 4821 4850", conflict, forbidden)
	test(501, "4385 4386 4387 4394", conflict)

	// The same numbers under another status, another prefix, or as a part of a longer code mean something else.
	test(400, "2786 0203 0206 2784 0112 0428 5039 4713 4750 4613 4385 IAM.1109")
	test(401, "4352 4355 IAM.1105 2784", unauthorized)
	test(403, "4352 4355 0112 0428 2786", forbidden)
	test(404, "4355 0112 4713 APIGW.4352", notFound)
	test(409, "4352 4355", conflict)
	test(500, "4352 4355 4338 4360 4343 APIGW.0601 APIGW.5039")
	test(501, "4383 4355")
	test(503, "4302 APIGW.0613")
	test(429, "4355", throttled)
	test(200, "4352 4355 5039 0203")
	test(400, "APIGW.4352 APIG.4355 IAM.4352 ModelArts.43521 ModelArts.435 ModelArts.04352 XModelArts.4352 ModelArts.4352.1 4352.ModelArts")
	for _, bare := range []string{"4352", "4355", "ModelArts.", "ModelArts.4352 ModelArts.4338", " ModelArts.4352"} {
		assert.Empty(t, errsMatches(&modelarts.APIError{StatusCode: 400, Code: bare}), bare)
	}
	assert.Greater(t, tested, 100)
}

func TestErrorSentinelsAmongThemselves(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	require.ErrorIs(t, modelarts.ErrDatasetNotFound, modelarts.ErrNotFound)
	require.ErrorIs(t, modelarts.ErrSyncRunning, modelarts.ErrConflict)
	require.NotErrorIs(t, modelarts.ErrNotFound, modelarts.ErrDatasetNotFound)
	require.NotErrorIs(t, modelarts.ErrConflict, modelarts.ErrSyncRunning)
	for name, sentinel := range errsSentinels {
		assert.True(t, strings.HasPrefix(sentinel.Error(), "modelarts: "), name)
	}
	require.NotErrorIs(t, &modelarts.APIError{StatusCode: 404}, http.ErrNoCookie)
	require.NotErrorIs(t, &modelarts.APIError{StatusCode: 404}, errsUncomparableError{func() {}})
}

// errsUncomparableError would make a careless comparison panic.
type errsUncomparableError struct{ f func() }

func (errsUncomparableError) Error() string { return "uncomparable" }

func TestErrorHints(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const incorrect = "Incorrect IAM authentication information: "
	for _, c := range []struct {
		name          string
		status        int
		code, message string
		hint          string // a part of it
	}{
		{"clock behind", 401, "APIGW.0301", incorrect + "calc aksk signature fail:signature expired, signature time:20211217T064303Z,server time:20211217T065804Z", "off by about 15m1s"},
		{"clock ahead", 401, "APIGW.0301", incorrect + "calc aksk signature fail:signature expired, signature time:20211217T085804Z,server time:20211217T065804Z", "off by about 2h0m0s"},
		{"clock, dedicated gateway", 401, "APIG.0301", "signature expired, signature time:20211217T064303Z,server time:20211217T065804Z", "off by about 15m1s"},
		{"clock by an unknown amount", 401, "APIGW.0301", incorrect + "signature expired", "clock is off by more than 15 minutes"},
		{"clock with torn times", 401, "APIGW.0301", "signature expired, signature time:2021,server time:", "clock is off by more than 15 minutes"},
		{"locked key", 401, "APIGW.0301", incorrect + "AK access failed to reach the limit,forbidden", "locked for five minutes"},
		{"unknown key", 401, "APIGW.0301", incorrect + "Get secretKey failed,ak:X,err:ak not exist", "access key is unknown"},
		{"wrong secret key", 401, "APIGW.0301", incorrect + "verify aksk signature fail, signature:abc,canonicalRequest:GET|/|", "secret key belongs to the access key"},
		{"no credentials", 401, "APIGW.0301", incorrect + "x-auth-token not found", "without credentials"},
		{"token of another region", 401, "APIGW.0301", incorrect + "decrypt token fail", "of another region"},
		{"token over", 401, "APIGW.0301", incorrect + "token expires, expires_at: 2026", "get a new one"},
		{"token over, own code", 401, "APIGW.0307", "The token must be updated", "get a new one"},
		{"token over, service", 401, "ModelArts.0202", "x", "get a new one"},
		{"any other refusal", 401, "APIGW.0303", "app authentication failed", "clock"},
		{"unknown API", 404, "APIGW.0101", "The API does not exist", "endpoint is that of ModelArts in the right region"},
		{"unknown API, service", 404, "ModelArts.4204", "API x does not exist", "right region"},
		{"wrong project", 404, "ModelArts.2786", "TokenProjectIDNotMatch", "project id does not belong"},
		{"wrong project id", 400, "ModelArts.0210", "Invalid project ID", "project id does not belong"},
		{"wrong project, forbidden", 403, "ModelArts.0210", "x", "project id does not belong"},
		{"token without project", 400, "ModelArts.0204", "Token must contain projectId", "scope of the project"},
		{"token of another project", 401, "ModelArts.0207", "x", "scope of the project"},
		{"wrong keys, as 403", 403, "ModelArts.0206", "Invalid AK/SK", "secret key"},
		{"missing agency", 401, "ModelArts.0428", "x", "no agency"},
		{"missing agency, as 403", 403, "ModelArts.2785", "AuthorizationNotFound", "no agency"},
		{"invalid agency", 403, "ModelArts.4335", "x", "no agency"},
		{"agency without rights", 403, "ModelArts.4310", "OBS action is forbidden", "OBS"},
		{"closed region", 403, "APIGW.0802", "x", "not open to this account"},
		{"missing dataset", 400, "ModelArts.4352", "x", "check the dataset id"},
		{"running", 400, "ModelArts.4355", "x", "wait for the running synchronization"},
		{"text dataset", 501, "ModelArts.4383", "x", "cannot be synchronized"},
		{"failed synchronization", 500, "ModelArts.4360", "x", "status may say why"},
		{"locked account", 401, "IAM.0061", "x", "account is locked"},
		{"too large", 413, "", "", "too large"},
		{"too large headers", 431, "", "", "token"},
		{"too large for nginx", 494, "", "", "token"},
		{"redirect", 302, "", "", "never followed"},
		{"nothing known", 400, "ModelArts.0101", "invalid", ""},
		{"same number, other status", 400, "APIGW.0101", "x", ""},
		{"same number, no gateway", 401, "ModelArts.0301", "x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := &modelarts.APIError{StatusCode: c.status, Code: c.code, Message: c.message}
			_, hint, found := strings.Cut(e.Error(), "; ")
			assert.Equal(t, c.hint != "", found, e.Error())
			assert.Contains(t, hint, c.hint)
			errsPlain(t, e.Error())
		})
	}
}

func TestErrorWithoutAnswer(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, c := range []struct {
		name  string
		cause error
		text  string
	}{
		{"no such host", &net.DNSError{Err: "no such host", Name: "modelarts.example", IsNotFound: true}, "check the endpoint and its region"},
		{"refused", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, "connection refused"},
		{"private authority", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "RootCAs"},
		{"certificate of another host", &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}}, "certificate is that of another host"},
		{"certificate out of date", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, "this machine's clock is off"},
		{"no TLS", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "does not speak TLS"},
		{"plain HTTP", errors.New("http: server gave HTTP response to HTTPS client"), "does not speak TLS"},
		{"odd text", errors.New("bad\nthing\x1b[0m"), "bad thing [0m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := errsClient(t, nil, func(*http.Request) (*http.Response, error) { return nil, c.cause })
			_, err := client.GetSyncStatus(t.Context(), "ds")
			require.ErrorIs(t, err, c.cause)
			assert.Contains(t, err.Error(), c.text)
			assert.Contains(t, err.Error(), "modelarts: GET "+errsEndpoint+"/v2/")
			errsPlain(t, err.Error())
			assert.Empty(t, errsMatches(err))
		})
	}
}

func TestErrorTellsAttempts(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client := errsClient(t, nil, func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}, modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 3, MinDelay: 1, MaxDelay: 1}))
	_, err := client.GetSyncStatus(t.Context(), "ds")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.Contains(t, err.Error(), "(3 attempts)")
}

func TestErrorUnwraps(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	client := errsClient(t, nil, func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	})
	_, err := client.GetSyncStatus(t.Context(), "ds")
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.ErrorIs(t, err, syscall.ECONNRESET)
	var wrapped *url.Error
	assert.NotErrorAs(t, err, &wrapped, "what net/http adds holds the URL with its query")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.GetSyncStatus(ctx, "ds")
	require.ErrorIs(t, err, context.Canceled)
}

func TestErrorInLogs(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	e := errsOf(t, 429, http.Header{"X-Request-Id": {"req"}, "Retry-After": {"2"}}, `{"error_code":"X.1","error_msg":"slow\ndown"}`)
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "err", e)
	var record struct{ Err map[string]any }
	require.NoError(t, json.Unmarshal(b.Bytes(), &record))
	assert.Equal(t, map[string]any{
		"status": 429.0, "code": "X.1", "message": "slow down", "request_id": "req", "method": "GET",
		"url": e.URL, "attempts": 1.0, "retry_after": 2e9,
	}, record.Err)

	b.Reset()
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "err", &modelarts.APIError{StatusCode: 500, Message: "a\x1b", Body: []byte("body")})
	assert.Contains(t, b.String(), "err.status=500 err.message=a\n")
}

func TestErrorRetryAfter(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) string { return date.Add(d).Format(http.TimeFormat) }
	const year = 365 * 24 * time.Hour
	for _, c := range []struct {
		name   string
		values []string
		want   time.Duration
	}{
		{"none", nil, 0},
		{"seconds", []string{"3"}, 3 * time.Second},
		{"blanks around", []string{" 3\t"}, 3 * time.Second},
		{"zero", []string{"0"}, 0},
		{"negative", []string{"-3"}, 0},
		{"with a sign", []string{"+3"}, 0},
		{"a fraction", []string{"1.5"}, 0},
		{"an exponent", []string{"1e9"}, 0},
		{"no number", []string{"NaN"}, 0},
		{"empty", []string{""}, 0},
		{"a word", []string{"soon"}, 0},
		{"20 digits", []string{"99999999999999999999"}, year},
		{"more seconds than a duration holds", []string{"9223372037"}, year},
		{"a date", []string{at(90 * time.Second)}, 90 * time.Second},
		{"a date in the past", []string{at(-time.Second)}, 0},
		{"now", []string{at(0)}, 0},
		{"a date far away", []string{"Fri, 31 Dec 9999 23:59:59 GMT"}, year},
		{"a date of the old form", []string{date.Add(time.Minute).Format("Monday, 02-Jan-06 15:04:05 GMT")}, time.Minute},
		{"the first that is good", []string{"soon", "0", "5", "7"}, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Retry-After": c.values, "Date": {at(0)}}
			assert.Equal(t, c.want, errsOf(t, 503, header, "").RetryAfter)
		})
	}
	t.Run("without a date of its own, this machine's clock counts", func(t *testing.T) {
		t.Parallel()
		header := http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, "Date": {"never"}}
		assert.InDelta(t, time.Hour, errsOf(t, 503, header, "").RetryAfter, float64(time.Minute))
	})
}

func TestErrorOfSuccess(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, c := range []struct {
		name, body, message string
	}{
		{"empty", "", "it is empty"},
		{"null", " null\n", "it is null"},
		{"page", "<html><title>Sign in</title></html>", "a web page: Sign in"},
		{"text", "OK", "OK"},
		{"truncated", `{"status":"COMPL`, "unexpected EOF"},
		{"trailing bytes", `{"status":"COMPLETED"}{}`, "after top-level value"},
		{"a byte order mark", "\ufeff" + `{"status":"COMPLETED"}`, "invalid character"},
		{"an array", `[{"status":"COMPLETED"}]`, "array"},
		{"nested too deeply", strings.Repeat(`{"status":`, 20_000), "not the JSON expected"},
		{"an error without a status", `{"error_code":"ModelArts.4352","error_msg":"gone"}`, `no "status": gone`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := errsOf(t, 200, http.Header{"X-Request-Id": {"req"}}, c.body)
			assert.Equal(t, 200, e.StatusCode)
			assert.Equal(t, "req", e.RequestID)
			assert.Contains(t, e.Message, c.message)
			assert.Empty(t, errsMatches(e))
			assert.LessOrEqual(t, len(e.Body), 4<<10)
		})
	}
	t.Run("trailing bytes are not called a truncation", func(t *testing.T) {
		t.Parallel()
		assert.NotContains(t, errsOf(t, 200, nil, `{"status":"COMPLETED"}x`).Message, "EOF")
	})
	t.Run("a value of another kind is not called a field", func(t *testing.T) {
		t.Parallel()
		assert.NotContains(t, errsOf(t, 200, nil, `[]`).Message, "field")
	})
}

// TestARefusalThatEchoesTheRequest covers a wrong signature for a request whose path has the words that tell
// of an expired token elsewhere: the gateway echoes it.
func TestARefusalThatEchoesTheRequest(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "renewable-energy-expired"})
		signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: "a wrong one"})
		client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, signer, modelarts.WithHTTPClient(fake.HTTPClient()))
		require.NoError(t, err)
		for range 10 {
			_, err = client.GetSyncStatus(t.Context(), "renewable-energy-expired")
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
			assert.NotContains(t, err.Error(), "token or temporary key has expired")
		}
		assert.Len(t, fake.Requests(), 3, "the signer stops before the key is locked")
	})
}

// TestABodyThatIsLargeKeepsItsCode covers what decides the class of an error behind a long message.
func TestABodyThatIsLargeKeepsItsCode(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d"})
	fake.Inject(modelartstest.Fault{Status: 400, Body: `{"error_msg":"` + strings.Repeat("x", 200<<10) + `","error_code":"ModelArts.4352"}`})
	_, err := fake.Client().GetSyncStatus(t.Context(), "d")
	require.ErrorIs(t, err, modelarts.ErrDatasetNotFound)
	assert.Less(t, len(err.Error()), 4<<10)

	// Of a body that is larger than what is read of it, the members in front of the cut count.
	large := strings.Repeat("x", 1<<20)
	for _, c := range []struct{ body, code, message string }{
		{`{"error_code":"ModelArts.4355","error_msg":"` + large, "ModelArts.4355", ""},
		{`{"request_id":"r","error_code":"ModelArts.4355" , "error_msg":"busy","x":{"y":["` + large + `"]}}`, "ModelArts.4355", "busy"},
		{`{"error":{"code":"ModelArts.4355","message":"busy"},"x":"` + large + `"}`, "ModelArts.4355", "busy"},
		{`{"error_msg":"` + large + `","error_code":"ModelArts.4355"}`, "", "{"},
		{`["` + large, "", "["},
		{"{" + large, "", "{"},
		{`{"error_code":"ModelArts.4355","error_msg":"` + strings.Repeat("x", 1<<20-46) + `"}`, "ModelArts.4355", "xxx"}, // just fits
	} {
		e := errsOf(t, 400, nil, c.body)
		assert.Equal(t, c.code, e.Code)
		assert.Equal(t, c.code != "", errors.Is(e, modelarts.ErrSyncRunning))
		assert.True(t, strings.HasPrefix(e.Message, c.message), e.Message)
		assert.Less(t, len(e.Error()), 4<<10)
	}
}

// TestATaskThatEchoesASecret covers the texts of a failed task, which go into the error of a wait.
func TestATaskThatEchoesASecret(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d"})
	fake.SetSyncStatus("d", modelarts.SyncStatus{
		Status: modelarts.SyncFailed, ErrorCode: "ModelArts.4311",
		ErrorMsg: "refused with " + modelartstest.Token + strings.Repeat(" and more", 100_000),
	})
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, modelarts.TokenAuth(modelartstest.Token),
		modelarts.WithHTTPClient(fake.HTTPClient()))
	require.NoError(t, err)
	status, err := client.WaitSync(t.Context(), modelarts.SyncTask{DatasetID: "d"}, nil)
	require.ErrorIs(t, err, modelarts.ErrSyncFailed)
	assert.NotContains(t, status.ErrorMsg+err.Error(), modelartstest.Token)
	assert.Less(t, len(err.Error()), 4<<10)
}

// TestZeroValuesDoNotPanic covers what was not made by its constructor.
func TestZeroValuesDoNotPanic(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	var client modelarts.Client
	_, err := client.GetSyncStatus(t.Context(), "d")
	require.Error(t, err)
	client.CloseIdleConnections()
	var iam modelarts.IAM
	_, err = iam.ProjectID(t.Context(), nil, "p")
	require.Error(t, err)
	var signer *modelarts.Signer
	require.Error(t, signer.Authenticate(httptest.NewRequest(http.MethodGet, "/", nil)))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com", nil)
	require.NoError(t, err)
	var provider *modelarts.Credentials
	require.Error(t, modelarts.NewSigner(provider).Authenticate(req))
	_, err = modelartstest.New().Client().WaitSync(nil, modelarts.SyncTask{DatasetID: "d"}, nil) //nolint:staticcheck // a mistake
	require.Error(t, err)
}
