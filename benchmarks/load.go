package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// The quantities of a load.
const (
	perSecond   = "calls/s"
	connections = "connections"
	held        = "held"
)

// measureLoad takes many goroutines that share one client, over TLS, with a service that thinks for a while.
// Each round begins without connections.
func measureLoad(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, load := range []struct{ goroutines, calls int }{
		{1, b.pick(100, 2)}, {64, b.pick(40, 2)}, {b.pick(512, 16), b.pick(8, 2)},
	} {
		var contenders []contender
		for _, name := range callers {
			contenders = append(contenders, contender{name, func(ctx context.Context) (sample, error) {
				return b.load(ctx, name, load.goroutines, load.calls)
			}})
		}
		medians, err := contest(ctx, b.pick(3, 1), contenders)
		if err != nil {
			return nil, err
		}
		rows = append(rows, loadRows(load.goroutines, load.goroutines*load.calls, medians)...)
	}
	return rows, nil
}

func loadRows(goroutines, calls int, medians map[string]values) []row {
	speed := row{
		name: fmt.Sprintf("%d goroutines over TLS, calls a second", goroutines), unit: count, values: medians[perSecond],
		targets: []target{atLeastTimes(0.95, byHand)},
	}
	opened := row{
		name: fmt.Sprintf("connections for %d calls", calls), unit: count, values: medians[connections],
		targets: []target{atMost(float64(2*goroutines), count)},
	}
	if goroutines == 64 {
		speed.charted = true
		speed.targets = append(speed.targets, atLeastTimes(6, theirs))
	}
	return []row{
		speed, opened,
		{name: "memory allocated a call", unit: bytes, values: medians[memory]},
		{name: "memory held with the idle connections", unit: bytes, values: medians[held]},
	}
}

// load makes one round of one contender.
func (b *bench) load(ctx context.Context, name string, goroutines, calls int) (sample, error) {
	client, err := newClient(name, b.server.TLS, nil)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	client.Close() // the library's clients share their connections, and each round begins without any
	openedBefore, err := b.server.opened(ctx)
	if err != nil {
		return nil, err
	}
	before := measureMemory()
	start := time.Now()
	if err := together(goroutines, func() error { return times(calls, func() error { return client.Get(ctx) }) }); err != nil {
		return nil, err
	}
	took := time.Since(start)
	after := measureMemory()
	openedAfter, err := b.server.opened(ctx)
	if err != nil {
		return nil, err
	}
	total := float64(goroutines * calls)
	return sample{
		perSecond:   total / took.Seconds(),
		connections: openedAfter - openedBefore,
		memory:      float64(after.TotalAlloc-before.TotalAlloc) / total,
		held:        inUse(after) - inUse(before),
	}, nil
}

// measureMemory returns what is in use after a collection. Two of them also empty the pools.
func measureMemory() runtime.MemStats {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats
}

func inUse(stats runtime.MemStats) float64 {
	return float64(stats.HeapAlloc) + float64(stats.StackInuse)
}

// together runs work in goroutines, and returns the first error.
func together(goroutines int, work func() error) error {
	var all sync.WaitGroup
	var once sync.Once
	var first error
	for range goroutines {
		all.Go(func() {
			if err := work(); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	all.Wait()
	return first
}

func times(n int, call func() error) error {
	for range n {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}
