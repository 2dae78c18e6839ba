// Package ours makes the call with package modelarts, as it comes.
package ours

import (
	"context"
	"net/http"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
)

// Client makes the call with package modelarts.
type Client struct{ *modelarts.Client }

// Keys are the credentials of the benchmarks.
var Keys = modelarts.Credentials{AccessKey: service.AccessKey, SecretKey: service.SecretKey}

// New returns a client with the library's defaults, but for transport if that is given.
func New(endpoint string, transport http.RoundTripper) (*Client, error) {
	var opts []modelarts.Option
	if transport != nil {
		opts = append(opts, modelarts.WithHTTPClient(&http.Client{Transport: transport}))
	}
	client, err := modelarts.NewClient(endpoint, service.ProjectID, modelarts.NewSigner(Keys), opts...)
	if err != nil {
		return nil, err
	}
	return &Client{client}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.CloseIdleConnections() }

// Answer is what the service sends.
var Answer = modelarts.SyncStatus{
	TaskID: service.Answer.TaskID, DatasetID: service.Answer.DatasetID, Status: modelarts.SyncState(service.Answer.Status),
	CreateTime: service.Answer.CreateTime, DurationTime: service.Answer.DurationTime,
	TotalSampleCount: service.Answer.TotalSampleCount, AddSampleCount: service.Answer.AddSampleCount,
	DeletedSampleCount: service.Answer.DeletedSampleCount,
	ErrorCode:          service.Answer.ErrorCode, ErrorMsg: service.Answer.ErrorMsg,
}

// Get makes the call and checks the answer.
func (c *Client) Get(ctx context.Context) error {
	status, err := c.GetSyncStatus(ctx, service.DatasetID)
	if err == nil && *status != Answer {
		err = service.ErrWrong
	}
	return err
}
