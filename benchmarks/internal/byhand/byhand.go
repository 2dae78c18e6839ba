// Package byhand makes the call as one would write it without a library, by somebody who knows net/http well:
// with a transport that keeps its connections, a signature, and a bound on the attempt.
package byhand

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
)

// Client makes the call by hand.
type Client struct {
	url  string
	http *http.Client
}

// New returns a client with a transport of its own, unless transport is given.
func New(endpoint string, transport http.RoundTripper) *Client {
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1024, MaxIdleConnsPerHost: 512, IdleConnTimeout: 55 * time.Second,
		}
	}
	return &Client{url: endpoint + service.Path, http: &http.Client{Transport: transport}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get makes the call and checks the answer.
func (c *Client) Get(ctx context.Context) error {
	status, err := c.status(ctx)
	if err == nil && status != service.Answer {
		err = service.ErrWrong
	}
	return err
}

func (c *Client) status(ctx context.Context) (status service.Status, err error) {
	const attemptTimeoutError, largest = 30 * time.Second, 1 << 20
	ctx, cancel := context.WithTimeout(ctx, attemptTimeoutError)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return status, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "byhand/1.0")
	req.Header.Set("X-Project-Id", service.ProjectID)
	Sign(req, service.AccessKey, service.SecretKey, time.Now())
	resp, err := c.http.Do(req)
	if err != nil {
		return status, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, largest))
	if err != nil {
		return status, err
	}
	if resp.StatusCode != http.StatusOK {
		return status, fmt.Errorf("status %d", resp.StatusCode)
	}
	return status, json.Unmarshal(body, &status)
}
