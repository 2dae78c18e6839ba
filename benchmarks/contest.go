package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// The contenders, by the heads of their columns.
const (
	floor   = "bare minimum"
	byHand  = "by hand"
	theirs  = "official SDK"
	sigV4   = "AWS SigV4"
	library = "modelarts"
)

var columns = []string{floor, byHand, theirs, sigV4, library}

// A sample is what one round of one contender measured, by quantity.
type sample map[string]float64

// The quantities of most samples.
const (
	nanoseconds = "ns"
	allocations = "allocs"
	memory      = "bytes"
)

// A contender does the work that is compared, once a round.
type contender struct {
	name  string
	round func(ctx context.Context) (sample, error)
}

// contest lets the contenders take turns, so that whatever else the machine does meets all of them alike, and
// returns the medians by quantity and contender.
func contest(ctx context.Context, rounds int, contenders []contender) (map[string]values, error) {
	samples := make(map[string]map[string][]float64)
	for range rounds {
		for _, c := range contenders {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			taken, err := c.round(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			for quantity, value := range taken {
				if samples[quantity] == nil {
					samples[quantity] = make(map[string][]float64)
				}
				samples[quantity][c.name] = append(samples[quantity][c.name], value)
			}
		}
	}
	medians := make(map[string]values)
	for quantity, byName := range samples {
		medians[quantity] = make(values)
		for name, taken := range byName {
			medians[quantity][name] = median(taken)
		}
	}
	return medians, nil
}

// values are one quantity of each contender.
type values map[string]float64

func median(numbers []float64) float64 {
	slices.Sort(numbers)
	middle := len(numbers) / 2
	if len(numbers)%2 == 1 {
		return numbers[middle]
	}
	return (numbers[middle-1] + numbers[middle]) / 2
}

// repeat makes a round of n calls, and measures what each takes of time and memory.
func repeat(name string, n int, call func(ctx context.Context) error) contender {
	return contender{name, func(ctx context.Context) (sample, error) { return perCall(ctx, n, call) }}
}

func perCall(ctx context.Context, n int, call func(ctx context.Context) error) (sample, error) {
	runtime.GC() // nobody collects what another one left
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range n {
		if err := call(ctx); err != nil {
			return nil, err
		}
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return sample{
		nanoseconds: float64(took.Nanoseconds()) / float64(n),
		allocations: float64(after.Mallocs-before.Mallocs) / float64(n),
		memory:      float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, nil
}
