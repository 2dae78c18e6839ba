package modelarts_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/modelarts-go/modelarts"
)

// fuzzLine reports what is wrong with a text that should be one short line.
func fuzzLine(text string) string {
	switch {
	case text == "":
		return "it is empty"
	case !utf8.ValidString(text):
		return "it is not UTF-8"
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }):
		return "it has a control character"
	case len(text) > 8<<10:
		return "it is too long"
	}
	return ""
}

// fuzzHeader reads the lines of a header, each "name: value"; odd ones are taken too.
func fuzzHeader(text string) http.Header {
	header := http.Header{}
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, found := strings.Cut(line, ":"); found {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			header[name] = append(header[name], strings.TrimSpace(value))
		}
	}
	return header
}

// fuzzAnswer answers every request in the same way.
func fuzzAnswer(t *testing.T, status int, header http.Header, body string) *modelarts.Client {
	t.Helper()
	return errsClient(t, modelarts.TokenAuth(errsToken), func(req *http.Request) (*http.Response, error) {
		return errsResponse(req, status, header, body), nil
	})
}

func FuzzStatusAnswer(f *testing.F) {
	f.Add(200, "", statusFullJSON)
	f.Add(200, "X-Request-Id: r", `{"status":"COMPLETED","create_time":"12","STATUS":"FAILED"}`)
	f.Add(200, "", `{"status":"COMPLETED","dataset_id":"other\u001b"}`)
	f.Add(200, "Content-Encoding: br", "\x00\x01")
	f.Add(200, "", `{"status":4,"create_time":1e3}`)
	f.Add(204, "", "")
	f.Add(302, "Location: https://evil.example/%zz", "<html><title>Moved")
	f.Add(401, "Date: Fri, 31 Dec 1999 23:59:59 GMT", `{"error_code":"APIGW.0301","error_msg":"signature expired, signature time:20211217T064303Z,server time:20211217T065804Z"}`)
	f.Add(429, "Retry-After: 99999999999999999999", "")
	f.Add(500, "X-Request-Id: a\x7f", "\xff\xfe")
	f.Fuzz(func(t *testing.T, status int, header, body string) {
		client := fuzzAnswer(t, status, fuzzHeader(header), body)
		got, err := client.GetSyncStatus(t.Context(), statusDataset)
		switch {
		case err != nil && got != nil:
			t.Fatal("an error and a status")
		case err != nil:
			if fault := fuzzLine(err.Error()); fault != "" {
				t.Fatalf("the error: %s: %q", fault, err)
			}
			var apiErr *modelarts.APIError
			if errors.As(err, &apiErr) && (len(apiErr.Body) > 4<<10 || apiErr.RetryAfter < 0 || strings.Contains(fmt.Sprintf("%+v", *apiErr), errsToken)) {
				t.Fatalf("%+v", *apiErr)
			}
		case status < 200 || status > 299:
			t.Fatalf("status %d is a success", status)
		case got == nil || got.Status == "":
			t.Fatalf("no status without an error: %v", got)
		case got.DatasetID != "" && got.DatasetID != statusDataset:
			t.Fatalf("a status of dataset %q", got.DatasetID)
		default:
			if fault := fuzzLine(got.String()); fault != "" && len(body) < 4<<10 && strings.TrimSpace(string(got.Status)) != "" && fault != "it is empty" {
				t.Fatalf("the status: %s: %q", fault, got)
			}
		}
	})
}

func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{
		"", `{"error_code":"ModelArts.4352","error_msg":"gone"}`, `{"error":{"code":401,"message":"m","title":"t"}}`,
		`{"success":false,"results":[{"success":true},{"error_code":"ModelArts.4420","error_msg":"m"}]}`, `{"errorCode":"a","errorMessage":"b","request_id":5}`,
		`{"error_code":["x"],"code":{},"message":null,"error":"text","results":{}}`, "<html><title>502\nBad</title>", "<!doctype", "\x1b[31m", "{\"error_msg\":\"\u202e\"}",
		"x-auth-token:" + errsToken + "|host:h", `{"x-auth-token": ["` + errsToken, "password='", "authorization=\\", "http://a:b@c",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, text := range []string{body, body + errsToken, body + " " + errsToken + " " + body} {
			_, err := fuzzAnswer(t, 400, nil, text).GetSyncStatus(t.Context(), statusDataset)
			var apiErr *modelarts.APIError
			if !errors.As(err, &apiErr) {
				t.Fatalf("no *APIError: %v", err)
			}
			if fault := fuzzLine(err.Error()); fault != "" {
				t.Fatalf("the error: %s: %q", fault, err)
			}
			if all := fmt.Sprintf("%+v", *apiErr) + string(apiErr.Body) + err.Error(); strings.Contains(all, errsToken) {
				t.Fatalf("the token is in %q", all)
			}
			if len(apiErr.Message) > 2<<10 || len(apiErr.Code) > 256 || len(apiErr.RequestID) > 256 || len(apiErr.Body) > 4<<10 {
				t.Fatal("a field is too long")
			}
			if errors.Is(err, modelarts.ErrDatasetNotFound) != errors.Is(err, modelarts.ErrNotFound) {
				t.Fatal("under 400, nothing but the dataset is not found")
			}
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "0", "3", "-1", "+1", "1e9", "1.5", "NaN", "9223372036854775807", "9223372037", "99999999999999999999", "007",
		"Fri, 02 Jan 2026 03:04:05 GMT", "Friday, 02-Jan-26 03:04:05 GMT", "Fri Jan  2 03:04:05 2026", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(value, "Fri, 02 Jan 2026 03:04:00 GMT")
	}
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		header := http.Header{"Retry-After": {value, date}, "Date": {date}}
		_, err := fuzzAnswer(t, 503, header, "").GetSyncStatus(t.Context(), statusDataset)
		var apiErr *modelarts.APIError
		if !errors.As(err, &apiErr) {
			t.Fatalf("no *APIError: %v", err)
		}
		if apiErr.RetryAfter < 0 || apiErr.RetryAfter > 365*24*time.Hour {
			t.Fatalf("wait %v for %q at %q", apiErr.RetryAfter, value, date)
		}
	})
}

func FuzzID(f *testing.F) {
	for _, id := range []string{"gfghHSokody6AJigS5A", "a-b_c.d~e", ":@$&+,;=", "a b", "ü", "...", "..", ".", "a/b", "%2e", "a?b", "a#b", `a\b`, "{project_id}", "\x00", "\xff", "\u202e", " "} {
		f.Add(id, id)
	}
	f.Fuzz(func(t *testing.T, project, dataset string) {
		var wire strings.Builder
		transport := errsTransport(func(req *http.Request) (*http.Response, error) {
			if err := req.Write(&wire); err != nil {
				return nil, err
			}
			return errsResponse(req, 200, nil, `{"status":"COMPLETED"}`), nil
		})
		client, err := modelarts.NewClient(errsEndpoint, project, nil, modelarts.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			if fault := fuzzLine(err.Error()); fault != "" {
				t.Fatalf("the error: %s: %q", fault, err)
			}
			return
		}
		if _, err := client.GetSyncStatus(t.Context(), dataset); err != nil {
			if fault := fuzzLine(err.Error()); fault != "" {
				t.Fatalf("the error: %s: %q", fault, err)
			}
			if wire.Len() > 0 {
				t.Fatalf("refused after it was sent: %v", err)
			}
			return
		}
		received, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire.String())))
		if err != nil {
			t.Fatalf("%v: %q", err, wire.String())
		}
		segments := strings.Split(received.RequestURI, "/")
		if len(segments) != 7 || strings.Trim(received.RequestURI, "/-_.~%0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Fatalf("path %q", received.RequestURI)
		}
		for i, want := range []string{"", "v2", project, "datasets", dataset, "sync-data", "status"} {
			if got, err := url.PathUnescape(segments[i]); err != nil || got != want || got == "." || got == ".." {
				t.Fatalf("segment %d is %q, not %q (%v)", i, got, want, err)
			}
		}
	})
}

func FuzzEndpoint(f *testing.F) {
	for _, endpoint := range []string{
		"https://modelarts.cn-north-4.myhuaweicloud.com", "HTTPS://H:443/", "http://127.0.0.1:80/a%20b", "http://[::1]:8080", "https://[fe80::1%25eth0]", "http://localhost.",
		"https://user:password@h", "https://h?x", "https://h#", "https://h/../x", "https://h/%2e%2E", "//h", "https:h", "https://h:", "https://h:99999", "https://é", "http://evil.example",
		"https://h/a:b c/%2fd", `https://h\@evil.example`, "https://h/a%", "https://h\t", "https://0x7f.1", "http://127.1",
	} {
		f.Add(endpoint)
	}
	f.Fuzz(func(t *testing.T, endpoint string) {
		var sent *http.Request
		transport := errsTransport(func(req *http.Request) (*http.Response, error) {
			sent = req
			return errsResponse(req, 200, nil, `{"status":"COMPLETED"}`), nil
		})
		client, err := modelarts.NewClient(endpoint, "p", nil, modelarts.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			if fault := fuzzLine(err.Error()); fault != "" {
				t.Fatalf("the error: %s: %q", fault, err)
			}
			return
		}
		given, err := url.Parse(endpoint)
		if err != nil {
			t.Fatalf("not a URL, and accepted: %v", err)
		}
		again, err := modelarts.NewClient(client.Endpoint(), "p", nil)
		if err != nil || again.Endpoint() != client.Endpoint() {
			t.Fatalf("%q is not an endpoint itself: %v", client.Endpoint(), err)
		}
		if _, err := client.GetSyncStatus(t.Context(), "d"); err != nil {
			t.Fatalf("a request: %v", err)
		}
		u := sent.URL
		if !strings.EqualFold(u.Hostname(), given.Hostname()) || sent.Host != u.Host || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
			t.Fatalf("%q leads to %q (%q)", endpoint, u, sent.Host)
		}
		if port := given.Port(); port != u.Port() && (u.Port() != "" || port != map[string]string{"https": "443", "http": "80"}[u.Scheme]) {
			t.Fatalf("%q leads to port %q", endpoint, u.Port())
		}
		if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())) {
			t.Fatalf("%q leads to %s", endpoint, u)
		}
		if path := u.EscapedPath(); !strings.HasSuffix(path, "/v2/p/datasets/d/sync-data/status") || strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./") {
			t.Fatalf("path %q", path)
		}
	})
}
