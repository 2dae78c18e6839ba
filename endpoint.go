package modelarts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-querystring/query"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

// A baseURL is an endpoint: what all requests of a client have in common.
type baseURL struct {
	scheme, host string
	prefix       string // strictly escaped, without a final slash
}

func (b baseURL) String() string { return b.scheme + "://" + b.host + b.prefix }

// parseEndpoint checks an endpoint. Its errors do not quote it, since it may hold a password.
func parseEndpoint(endpoint string, insecure bool) (baseURL, error) {
	u, err := url.Parse(endpoint)
	switch {
	case endpoint == "":
		return baseURL{}, errors.New("modelarts: the endpoint is empty")
	case err != nil:
		return baseURL{}, errors.New("modelarts: the endpoint is not a URL")
	}
	host := strings.ToLower(u.Host)
	if u.User != nil {
		return baseURL{}, errors.New("modelarts: the endpoint holds a user or a password; credentials go into an Authenticator")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "":
		return baseURL{}, errors.New(`modelarts: the endpoint must be absolute: https:// and a host, such as "https://modelarts.cn-north-4.myhuaweicloud.com"`)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(endpoint, "#"):
		return baseURL{}, errors.New("modelarts: the endpoint has a query or a fragment")
	case !isPrintableASCII(host):
		return baseURL{}, fmt.Errorf("modelarts: write the endpoint's host %s in ASCII (the form with xn--)", quote(host))
	case strings.Contains(u.Hostname(), ":") && host[0] != '[', len(u.Port()) > len("65535"):
		return baseURL{}, fmt.Errorf("modelarts: the endpoint's host %s is not one host and one port", quote(host))
	case strings.Contains(host, "%"):
		return baseURL{}, errors.New("modelarts: the endpoint's address has a zone, which would be signed but not sent")
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return baseURL{}, fmt.Errorf("modelarts: the endpoint %s is plain http, which would show the credentials: use https, or WithInsecureHTTP",
			quote("http://"+host))
	}
	path := first(u.RawPath, u.EscapedPath()) // as it was written; EscapedPath alone may undo escapes
	if err := checkPath(path); err != nil {
		return baseURL{}, err
	}
	// Written out or not, the default port is the same host, which is signed as it is sent.
	host = strings.TrimSuffix(strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme]), ":")
	return baseURL{scheme: u.Scheme, host: host, prefix: strings.TrimRight(strictPath(path), "/")}, nil
}

func isPrintableASCII(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// newRequest builds a request below the endpoint.
func (b baseURL) newRequest(ctx context.Context, method, path string, query, body any) (*http.Request, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	rawQuery, err := encodeQuery(query)
	if err != nil {
		return nil, err
	}
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("modelarts: encoding the request body: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, "", content)
	if err != nil {
		return nil, fmt.Errorf("modelarts: %w", err)
	}
	escaped := strictPath(path)
	if !strings.HasPrefix(escaped, "/") {
		escaped = "/" + escaped
	}
	escaped = b.prefix + escaped
	*req.URL = url.URL{Scheme: b.scheme, Host: b.host, Path: escaped, RawQuery: rawQuery}
	if strings.Contains(escaped, "%") {
		// With RawPath, net/http sends the path in the encoding in which it is signed.
		req.URL.RawPath = escaped
		if req.URL.Path, err = url.PathUnescape(escaped); err != nil {
			return nil, fmt.Errorf("modelarts: the path is not in escaped form: %w", err)
		}
	}
	req.Host = b.host
	return req, nil
}

// checkPath refuses what would make a path name something else than it seems to.
func checkPath(path string) error {
	if isPrintableASCII(path) && !strings.ContainsAny(path, `?#\%`) && !strings.Contains(path, "/.") && path != "" && path[0] != '.' {
		return nil // as nearly all paths, each of which is checked for each call
	}
	if strings.ContainsAny(path, "?#\\") || strings.ContainsFunc(path, unicode.IsControl) {
		return fmt.Errorf("modelarts: the path %s has a query, a fragment, a backslash or a control character", quote(path))
	}
	for segment := range strings.SplitSeq(path, "/") {
		decoded := segment
		if strings.Contains(segment, "%") {
			var err error
			if decoded, err = url.PathUnescape(segment); err != nil {
				return fmt.Errorf("modelarts: the path %s is not in escaped form", quote(path))
			}
		}
		if !strings.Contains(decoded, ".") {
			continue
		}
		// Behind an escaped slash too, which some proxies decode before they look at dots.
		for part := range strings.FieldsFuncSeq(decoded, func(r rune) bool { return r == '/' || r == '\\' }) {
			if part == "." || part == ".." {
				return fmt.Errorf("modelarts: the path %s has a dot segment", quote(path))
			}
		}
	}
	return nil
}

// strictPath writes an escaped path in the encoding of the signature, so that what is sent is what is
// signed: Go by itself leaves ":", "@", "$" and others bare.
func strictPath(escaped string) string {
	var buffer [256]byte
	strict := sdkhmac.AppendPath(buffer[:0], escaped)
	if string(strict) == escaped {
		return escaped
	}
	return string(strict)
}

// encodeQuery encodes a struct with url tags in the canonical form of the signature.
func encodeQuery(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return "", fmt.Errorf("modelarts: a query must be a struct with url tags, not a %T", v)
	}
	values, err := query.Values(v)
	if err != nil {
		return "", fmt.Errorf("modelarts: encoding the query: %w", err)
	}
	return string(sdkhmac.AppendQuery(nil, values.Encode())), nil
}

// checkID refuses an id that could change which resource a URL names. All other ids are escaped.
func checkID(what, id string) error {
	const longest = 256
	fault := ""
	switch {
	case strings.TrimSpace(id) == "":
		return fmt.Errorf("modelarts: the %s is empty", what)
	case len(id) > longest:
		fault = fmt.Sprintf("is longer than %d bytes", longest)
	case id == "." || id == "..":
		fault = "is a dot segment"
	case !utf8.ValidString(id):
		fault = "is not valid UTF-8"
	case strings.ContainsAny(id, `/\?#%`):
		fault = `has one of / \ ? # %`
	case strings.ContainsFunc(id, unicode.IsControl):
		fault = "has a control character"
	}
	if fault != "" {
		return fmt.Errorf("modelarts: the %s %s %s", what, quote(id), fault)
	}
	return nil
}
