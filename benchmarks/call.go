package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/benchmarks/internal/official"
	"github.com/modelarts-go/modelarts/benchmarks/internal/ours"
	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
)

// measureCall takes one signed call after the other over a kept connection on loopback, without TLS.
func measureCall(ctx context.Context, b *bench) ([]row, error) {
	if err := checkSignatures(ctx); err != nil {
		return nil, err
	}
	clients, err := newClients(b.server.Plain, nil)
	if err != nil {
		return nil, err
	}
	medians, err := contestCalls(ctx, clients, b.pick(80, 2), b.pick(300, 20))
	if err != nil {
		return nil, err
	}
	return []row{
		{
			name: "a call over loopback", unit: duration, values: medians[nanoseconds], charted: true,
			targets: []target{atMostTimes(1.05, byHand)},
		},
		{
			name: "its allocations", unit: count, values: medians[allocations],
			targets: []target{atMostMore(4, byHand)},
		},
		{name: "its memory", unit: bytes, values: medians[memory]},
	}, nil
}

// measureLocal takes the same call with the answer from memory, which leaves what the clients do themselves.
func measureLocal(ctx context.Context, b *bench) ([]row, error) {
	clients, err := newClients("https://modelarts.test", memoryTransport{})
	if err != nil {
		return nil, err
	}
	medians, err := contestCalls(ctx, clients, b.pick(40, 2), b.pick(3000, 20))
	if err != nil {
		return nil, err
	}
	return []row{
		{name: "a call without the network", unit: duration, values: medians[nanoseconds]},
		{name: "its allocations", unit: count, values: medians[allocations]},
	}, nil
}

func contestCalls(ctx context.Context, clients map[string]client, rounds, calls int) (map[string]values, error) {
	var contenders []contender
	for _, name := range callers {
		defer clients[name].Close()
		contenders = append(contenders, repeat(name, calls, clients[name].Get))
	}
	return contest(ctx, rounds, contenders)
}

// measureDecoding takes the decoding of one answer.
func measureDecoding(ctx context.Context, b *bench) ([]row, error) {
	n := b.pick(3000, 20)
	decoding, err := newDecoding(n)
	if err != nil {
		return nil, err
	}
	medians, err := contest(ctx, b.pick(30, 2), []contender{
		repeat(byHand, n, decodeByHand),
		repeat(theirs, n, func(context.Context) error { return official.Decode([]byte(service.Body)) }),
		{library, decoding.round},
	})
	if err != nil {
		return nil, err
	}
	return []row{
		{name: "decoding alone", unit: duration, values: medians[nanoseconds]},
		{name: "its allocations", unit: count, values: medians[allocations]},
	}, nil
}

func decodeByHand(context.Context) error {
	var status service.Status
	err := json.Unmarshal([]byte(service.Body), &status)
	if err == nil && status != service.Answer {
		err = service.ErrWrong
	}
	return err
}

// decoding measures how package modelarts decodes, which it does inside of its calls only: as the difference
// between the call and one whose result takes its JSON as it comes.
type decoding struct {
	client *ours.Client
	calls  int
}

func newDecoding(calls int) (*decoding, error) {
	client, err := ours.New("https://modelarts.test", memoryTransport{})
	return &decoding{client, calls}, err
}

func (d *decoding) round(ctx context.Context) (sample, error) {
	whole, err1 := perCall(ctx, d.calls, d.client.Get)
	without, err2 := perCall(ctx, d.calls, d.undecoded)
	// The second one still looks whether its answer is JSON, as every decoding does.
	scan, err3 := perCall(ctx, d.calls, func(context.Context) error { return json.Unmarshal([]byte(service.Body), new(untouched)) })
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	difference := make(sample)
	for quantity := range whole {
		difference[quantity] = whole[quantity] - without[quantity] + scan[quantity]
	}
	return difference, nil
}

func (d *decoding) undecoded(ctx context.Context) error {
	path := "/v2/{project_id}/datasets/" + service.DatasetID + "/sync-data/status"
	req, err := d.client.NewRequest(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	return d.client.Do(req, new(untouched))
}

// untouched has the size of a status, and leaves the JSON alone.
type untouched struct{ modelarts.SyncStatus }

// UnmarshalJSON does nothing.
func (*untouched) UnmarshalJSON([]byte) error { return nil }
