package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/benchmarks/internal/byhand"
	"github.com/modelarts-go/modelarts/benchmarks/internal/ours"
	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// The longest times between two polls of a waiter; each is between half of it and all. Memory is measured while
// nobody polls, the rest in a crowd that does.
const (
	parkedInterval  = time.Hour
	pollingInterval = 4 * time.Second
)

// The quantities of a crowd, as a child tells them.
const (
	heapEach  = "heap"
	stackEach = "stack"
	pollRate  = "polls/s"
	cpuEach   = "cpu"
)

// measureWaiters takes a crowd that waits in one process for a task that does not end, on a fake service in
// memory: with WaitSync, and with a loop written by hand. The official SDK cannot wait.
func measureWaiters(ctx context.Context, b *bench) ([]row, error) {
	size := b.pick(10_000, 100)
	window := time.Duration(b.pick(5000, 300)) * time.Millisecond
	var contenders []contender
	for _, name := range []string{byHand, library} {
		contenders = append(contenders, contender{name, func(ctx context.Context) (sample, error) {
			return runCrowd(ctx, name, size, window)
		}})
	}
	medians, err := contest(ctx, b.pick(3, 1), contenders)
	if err != nil {
		return nil, err
	}
	return []row{
		{
			name: fmt.Sprintf("%d waiters, heap of each", size), unit: bytes, values: medians[heapEach],
			targets: []target{atMost(2048, bytes)},
		},
		{name: "stack of each", unit: bytes, values: medians[stackEach]},
		{name: "their calls a second", unit: count, values: medians[pollRate]},
		{name: "CPU for each call, the fake's included", unit: duration, values: medians[cpuEach]},
	}, nil
}

// runCrowd lets one crowd wait in a process of its own, whose CPU time is all its.
func runCrowd(ctx context.Context, name string, size int, window time.Duration) (sample, error) {
	cmd, err := childCommand(ctx, "wait", name, strconv.Itoa(size), window.String())
	if err != nil {
		return nil, err
	}
	output, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var s sample
	if err := json.Unmarshal(output, &s); err != nil {
		return nil, err
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s[cpuEach] = float64(used.Nanoseconds()) / s[cpuEach]
	return s, nil
}

// wait is the process of a crowd: the name of the contender, the number of waiters, and for how long they are
// looked at while they poll. It tells the number of all polls in place of the CPU time of each.
func wait(args []string, stdout io.Writer) error {
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	window, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	polls := &countingTransport{next: newFake().HTTPClient().Transport}
	waiter, err := newWaiter(args[0], polls)
	if err != nil {
		return err
	}
	c := crowd{size, waiter, polls}
	s := sample{}
	before := measureMemory()
	c.gather(parkedInterval, func() {
		after := leastMemory()
		s[heapEach] = (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(size)
		s[stackEach] = (float64(after.StackInuse) - float64(before.StackInuse)) / float64(size)
	})
	c.gather(pollingInterval, func() {
		start, polled := time.Now(), polls.count.Load()
		time.Sleep(window)
		s[pollRate] = float64(polls.count.Load()-polled) / time.Since(start).Seconds()
	})
	s[cpuEach] = float64(polls.count.Load())
	return say(stdout, s)
}

// A crowd is many waiters with one client.
type crowd struct {
	size   int
	waiter waitFunc
	polls  *countingTransport
}

// A waitFunc waits until its context ends.
type waitFunc func(ctx context.Context, interval time.Duration)

// gather lets the crowd wait, and looks at it when all have polled once.
func (c crowd) gather(interval time.Duration, look func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	first := c.polls.count.Load()
	for range c.size {
		all.Go(func() { c.waiter(ctx, interval) })
	}
	for c.polls.count.Load() < first+int64(c.size) {
		time.Sleep(10 * time.Millisecond)
	}
	look()
	cancel()
	all.Wait()
}

// leastMemory waits for those of a parked crowd who still look at their first answer.
func leastMemory() runtime.MemStats {
	least := measureMemory()
	for range 4 {
		time.Sleep(100 * time.Millisecond)
		if stats := measureMemory(); inUse(stats) < inUse(least) {
			least = stats
		}
	}
	return least
}

// newWaiter returns what each of a crowd does.
func newWaiter(name string, transport http.RoundTripper) (waitFunc, error) {
	if name == byHand {
		client := byhand.New(modelartstest.Endpoint, transport)
		return func(ctx context.Context, interval time.Duration) { pollByHand(ctx, client, interval) }, nil
	}
	client, err := ours.New(modelartstest.Endpoint, transport)
	return func(ctx context.Context, interval time.Duration) {
		_, _ = client.WaitSync(ctx, modelarts.SyncTask{DatasetID: service.DatasetID},
			&modelarts.WaitOptions{MinInterval: interval, MaxInterval: interval}) // ends with ctx
	}, err
}

func pollByHand(ctx context.Context, client *byhand.Client, interval time.Duration) {
	for client.Get(ctx) == nil {
		timer := time.NewTimer(interval/2 + rand.N(interval/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// countingTransport counts the requests.
type countingTransport struct {
	next  http.RoundTripper
	count atomic.Int64
}

func (t *countingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.count.Add(1)
	return t.next.RoundTrip(req)
}
