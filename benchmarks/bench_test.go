package main

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/modelarts-go/modelarts/benchmarks/internal/official"
	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
)

// The same work as standard benchmarks, for profiles and for benchstat.

func BenchmarkSign(b *testing.B) {
	signers, err := newSigners(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range columns {
		b.Run(name, func(b *testing.B) { loop(b, signers[name]) })
	}
}

func BenchmarkCall(b *testing.B) {
	server, err := sharedServer()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range callers {
		b.Run(name, func(b *testing.B) {
			c, err := newClient(name, server.Plain, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			loop(b, c.Get)
		})
	}
}

// BenchmarkLocal makes the call with the answer from memory.
func BenchmarkLocal(b *testing.B) {
	clients, err := newClients("https://modelarts.test", memoryTransport{})
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range callers {
		b.Run(name, func(b *testing.B) { loop(b, clients[name].Get) })
	}
}

// BenchmarkTLS makes calls from 64 goroutines over TLS.
func BenchmarkTLS(b *testing.B) {
	server, err := sharedServer()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range callers {
		b.Run(name, func(b *testing.B) {
			c, err := newClient(name, server.TLS, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			b.ReportAllocs()
			b.SetParallelism(32) // for each of two processors
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := c.Get(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	b.Run(byHand, func(b *testing.B) { loop(b, decodeByHand) })
	b.Run(theirs, func(b *testing.B) {
		loop(b, func(context.Context) error { return official.Decode([]byte(service.Body)) })
	})
	b.Run(library+", without decoding", func(b *testing.B) {
		d, err := newDecoding(1)
		if err != nil {
			b.Fatal(err)
		}
		loop(b, d.undecoded)
	})
	b.Run("look for JSON", func(b *testing.B) {
		loop(b, func(context.Context) error { return json.Unmarshal([]byte(service.Body), new(untouched)) })
	})
}

func loop(b *testing.B, work func(ctx context.Context) error) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if err := work(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
