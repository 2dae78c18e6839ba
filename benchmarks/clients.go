package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/benchmarks/internal/byhand"
	"github.com/modelarts-go/modelarts/benchmarks/internal/official"
	"github.com/modelarts-go/modelarts/benchmarks/internal/ours"
	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// A client makes the call, and fails if the answer is not the one that was sent.
type client interface {
	Get(ctx context.Context) error
	Close()
}

// newClient makes the client of a contender. A nil transport is the one that it comes with.
func newClient(name, endpoint string, transport http.RoundTripper) (client, error) {
	switch name {
	case byHand:
		return byhand.New(endpoint, transport), nil
	case theirs:
		return official.New(endpoint, transport)
	case library:
		return ours.New(endpoint, transport)
	}
	return nil, fmt.Errorf("no client %q", name)
}

// callers are the contenders that make whole calls.
var callers = []string{byHand, theirs, library}

func newClients(endpoint string, transport http.RoundTripper) (map[string]client, error) {
	clients := make(map[string]client)
	for _, name := range callers {
		c, err := newClient(name, endpoint, transport)
		if err != nil {
			return nil, err
		}
		clients[name] = c
	}
	return clients, nil
}

// checkSignatures lets every client make its call once where the signature is verified.
func checkSignatures(ctx context.Context) error {
	clients, err := newClients(modelartstest.Endpoint, newFake().HTTPClient().Transport)
	if err != nil {
		return err
	}
	for _, name := range callers {
		if err := clients[name].Get(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// newFake returns a service that verifies signatures and has the dataset.
func newFake() *modelartstest.Server {
	fake := modelartstest.New()
	fake.SetRecording(false)
	fake.AddKey(ours.Keys)
	fake.AddDataset(modelarts.Dataset{ID: service.DatasetID})
	fake.SetSyncStatus(service.DatasetID, ours.Answer)
	return fake
}

// memoryTransport answers without a network.
type memoryTransport struct{}

func (memoryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(service.Body)), Body: io.NopCloser(strings.NewReader(service.Body)), Request: req,
	}, nil
}
