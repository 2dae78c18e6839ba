package main

import (
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/modelarts-go/modelarts"
)

// newTransport keeps as many idle connections as there are workers; the default is two.
func newTransport(parallel int) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: parallel, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
	}
}

// paced makes all requests of a client share one limit. Waiting for a turn counts as a part of an attempt, so
// attempts may take that much longer.
func paced(next http.RoundTripper, limit rate.Limit, parallel int) []modelarts.Option {
	const answer = 30 * time.Second
	turn := time.Duration(float64(parallel) / float64(limit) * float64(time.Second))
	return []modelarts.Option{
		modelarts.WithUserAgent("fleet-example/1"),
		modelarts.WithHTTPClient(&http.Client{Transport: &pacedTransport{next, rate.NewLimiter(limit, 1)}}),
		modelarts.WithRetryPolicy(modelarts.RetryPolicy{AttemptTimeout: answer + turn}),
	}
}

// A pacedTransport sends requests at the pace of a limiter. It stands below the client's retries, so that
// these wait for their turn like everything else.
type pacedTransport struct {
	next    http.RoundTripper
	limiter *rate.Limiter
}

// RoundTrip waits for its turn, then sends.
func (t *pacedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.limiter.Wait(req.Context()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as every RoundTripper must
		}
		return nil, err
	}
	return t.next.RoundTrip(req)
}
