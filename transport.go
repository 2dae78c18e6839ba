package modelarts

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// sharedTransport is what all clients without an http.Client of their own send through, so that they share
// connections. It is made when the first of them is.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		standard = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	}
	t := standard.Clone()
	// The default keeps two idle connections to a host, and opens a new one for nearly every request of
	// many goroutines.
	t.MaxIdleConns = 2048
	t.MaxIdleConnsPerHost = 1024
	// Below what servers usually have, so that it is the client that ends an idle connection.
	t.IdleConnTimeout = 55 * time.Second
	t.MaxResponseHeaderBytes = 1 << 20
	// A dead HTTP/2 connection is found out by pings, well within the time of one attempt.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 10 * time.Second}
	t.OnProxyConnectResponse = refusedByProxy
	return t
})

// refusedByProxy names who has refused: net/http has nothing but the words behind the status, which could as well
// be the service's.
func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("the proxy refused to connect: %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
}

// ownClient copies client so that it can be changed, and takes redirects out of its sight.
func ownClient(client *http.Client) *http.Client {
	if client == nil {
		client = &http.Client{Transport: sharedTransport()}
	}
	own := *client
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	own.Transport = noRedirects{own.Transport}
	return &own
}

// hiddenLocation is the header into which noRedirects puts a Location.
const hiddenLocation = "X-Modelarts-Location"

// noRedirects hides where a redirect leads from http.Client, which then returns it as any other answer. The
// service has no redirects, and Go would carry X-Auth-Token to another host.
type noRedirects struct{ next http.RoundTripper }

func (t noRedirects) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if resp != nil && len(resp.Header["Location"]) > 0 {
		own := *resp // the transport may keep this one
		own.Header = resp.Header.Clone()
		own.Header[hiddenLocation] = own.Header["Location"]
		own.Header.Del("Location")
		return &own, err
	}
	return resp, err
}

func (t noRedirects) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}
