package modelarts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"runtime"
	"strings"
)

const version = "0.1.0"

// Client makes the calls of one project at one ModelArts endpoint. It is immutable, safe for concurrent use,
// and meant to be shared. It prints without secrets.
type Client struct {
	hidden
	base     baseURL
	project  string
	agent    string
	exchange *exchange
}

// NewClient returns a client for a project. It does no I/O.
//
// The endpoint is such as "https://modelarts.cn-north-4.myhuaweicloud.com", see [EndpointForRegion]; a path
// in it is kept. It must be https, unless its host is loopback or [WithInsecureHTTP] is given. The project id
// is that of the project in the endpoint's region.
//
// auth may be nil when the http.Client of [WithHTTPClient] authenticates by itself.
func NewClient(endpoint, projectID string, auth Authenticator, opts ...Option) (*Client, error) {
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	base, err := parseEndpoint(endpoint, o.insecure)
	if err != nil {
		return nil, err
	}
	if err := checkID("project id", projectID); err != nil {
		return nil, err
	}
	if projectID == projectPlaceholder {
		return nil, errors.New("modelarts: the project id is still the placeholder " + projectPlaceholder)
	}
	if err := checkAuthenticator(auth); err != nil {
		return nil, err
	}
	return &Client{
		hidden: hidden("modelarts.Client(" + base.String() + ", project " + oneLine(projectID) + ")"),
		base:   base, project: projectID, agent: o.agent, exchange: o.exchange(auth),
	}, nil
}

func checkAuthenticator(auth Authenticator) error {
	if auth == nil {
		return nil
	}
	if isNil(auth) {
		return fmt.Errorf("modelarts: the authenticator is a nil %T", auth)
	}
	if c, ok := auth.(checker); ok {
		return c.check()
	}
	return nil
}

// isNil reports whether an interface holds nothing, or a nil of some type.
func isNil(value any) bool {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map:
		return v.IsNil()
	default:
		return false
	}
}

// Endpoint returns the endpoint, in lower case and without a final slash.
func (c *Client) Endpoint() string { return c.base.String() }

// ProjectID returns the id of the project.
func (c *Client) ProjectID() string { return c.project }

// CloseIdleConnections closes the connections that no call is using. Clients without [WithHTTPClient] share
// theirs.
func (c *Client) CloseIdleConnections() {
	if c.exchange != nil {
		c.exchange.client.CloseIdleConnections()
	}
}

const projectPlaceholder = "{project_id}"

// NewRequest builds a request for a call that this package does not have; [Client.Do] sends it.
//
// path is below the endpoint and in escaped form: write values into it with [url.PathEscape]. It may hold
// "{project_id}", and no query, fragment or dot segment. query is nil or a struct, or a pointer to one, with
// the url tags of [github.com/google/go-querystring/query]. body is nil or is encoded as JSON.
func (c *Client) NewRequest(ctx context.Context, method, path string, query, body any) (*http.Request, error) {
	path = strings.ReplaceAll(path, projectPlaceholder, url.PathEscape(c.project))
	req, err := c.base.newRequest(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	setHeader(req, c.agent)
	req.Header[projectHeader] = []string{c.project}
	return req, nil
}

// Do sends a request made by [Client.NewRequest] and decodes the JSON of the answer into out: it
// authenticates, sends, retries as the package documentation says, and decodes. out may be nil, then every
// 2xx is a success, whatever its body. req is not changed and can be sent again.
//
// An answer that is not a success is an [*APIError]. A request without an answer is an error that wraps the
// cause; when the context ends, it wraps the context's error. A request to another host than the endpoint's
// is refused.
func (c *Client) Do(req *http.Request, out any) error {
	if req == nil || req.URL == nil {
		return errors.New("modelarts: Do without a request")
	}
	if req.URL.Scheme != c.base.scheme || req.URL.Host != c.base.host || req.URL.Opaque != "" || req.Host != "" && req.Host != c.base.host {
		return fmt.Errorf("modelarts: the request goes to %s, not to the endpoint %s",
			quote(req.URL.Scheme+"://"+first(req.Host, req.URL.Host)), c.base.scheme+"://"+c.base.host)
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return fmt.Errorf("modelarts: Do cannot decode into a %T, only into a pointer that is not nil", out)
	}
	_, err := c.exchange.do(req, call{out: out, path: c.template(req.URL)})
	return err
}

// template is the path of a URL without the project's id, for logs.
func (c *Client) template(u *url.URL) string {
	if c.exchange.log.Logger == nil {
		return ""
	}
	segments := strings.Split(u.EscapedPath(), "/")
	for i, segment := range segments {
		if id, err := url.PathUnescape(segment); err == nil && id == c.project {
			segments[i] = projectPlaceholder
		}
	}
	return strings.Join(segments, "/")
}

// setHeader sets what every request carries. The values share one array.
func setHeader(req *http.Request, agent string) {
	values := []string{"application/json", agent}
	req.Header["Accept"] = values[0:1:1]
	req.Header["User-Agent"] = values[1:2:2]
	if req.Body != nil || req.Method == http.MethodPost || req.Method == http.MethodPut {
		req.Header["Content-Type"] = []string{"application/json"}
	}
}

type options struct {
	client   *http.Client
	retry    RetryPolicy
	agent    string
	log      logger
	insecure bool
}

// Option changes how a [Client] or an [IAM] is made. A nil Option is skipped.
type Option func(*options) error

func newOptions(opts []Option) (*options, error) {
	o := &options{agent: fmt.Sprintf("modelarts-go/%s (%s; %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(o); err != nil {
			return nil, err
		}
	}
	var err error
	o.retry, err = o.retry.normalized()
	return o, err
}

func (o *options) exchange(auth Authenticator) *exchange {
	return &exchange{client: ownClient(o.client), auth: auth, retry: o.retry, budget: newBudget(), log: o.log}
}

// WithHTTPClient makes requests go through a copy of client, which itself is never modified. Its Transport,
// Jar and Timeout hold; redirects are not followed, whatever its CheckRedirect says.
func WithHTTPClient(client *http.Client) Option {
	return func(o *options) error {
		if client == nil {
			return errors.New("modelarts: WithHTTPClient without a client")
		}
		o.client = client
		return nil
	}
}

// WithRetryPolicy sets how calls are retried.
func WithRetryPolicy(policy RetryPolicy) Option {
	return func(o *options) error {
		o.retry = policy
		return nil
	}
}

// WithUserAgent puts product, such as "trainer/1.4", before the library's own user agent.
func WithUserAgent(product string) Option {
	return func(o *options) error {
		const longest = 256
		product = strings.TrimSpace(product)
		if product == "" || len(product) > longest || !isPrintableASCII(strings.ReplaceAll(product, " ", "")) {
			return fmt.Errorf("modelarts: the user agent must be 1 to %d printable ASCII characters", longest)
		}
		o.agent = product + " " + o.agent
		return nil
	}
}

// WithLogger makes the client write what it does: attempts at Debug, retries and troubles with credentials
// at Warn. Without it, or with nil, the client is silent.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) error {
		o.log = logger{l}
		return nil
	}
}

// WithInsecureHTTP allows an endpoint with plain http whose host is not loopback. Credentials can be read
// on the way there.
func WithInsecureHTTP() Option {
	return func(o *options) error {
		o.insecure = true
		return nil
	}
}
