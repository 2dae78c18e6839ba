package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/examples/internal/clitest"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// onFake runs a fleet on a fake in memory, in a bubble where waiting takes no time.
func onFake(ctx context.Context, f *fleet, transport http.RoundTripper, limit rate.Limit) (status int, stdout, stderr string) {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, signer, paced(transport, limit, f.parallel)...)
	if err != nil {
		panic(err)
	}
	var out, errs bytes.Buffer
	status = f.run(ctx, client, &out, &errs)
	return status, out.String(), errs.String()
}

// fakeOf returns a fake with n datasets, ds00 and so on.
func fakeOf(n int) *modelartstest.Server {
	fake := modelartstest.New()
	for i := range n {
		fake.AddDataset(modelarts.Dataset{ID: fmt.Sprintf("ds%02d", i), Name: fmt.Sprintf("name%02d", i)})
	}
	return fake
}

// row returns the fields of a dataset's row.
func row(t *testing.T, table, id string) []string {
	t.Helper()
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == id {
			return fields
		}
	}
	require.Fail(t, "no row", "of %s in:\n%s", id, table)
	return nil
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeOf(5)
		fake.AddDataset(modelarts.Dataset{ID: "ds01", Name: "name01"}, modelarts.SyncStatus{
			Status: modelarts.SyncFailed, ErrorCode: "ModelArts.4360", ErrorMsg: "no such bucket",
		})
		fake.AddDataset(modelarts.Dataset{ID: "ds03", Name: "na\x1bme", Type: modelarts.DatasetTextClassification})
		fake.AddDataset(modelarts.Dataset{ID: "ds04", Name: "name04"}, modelarts.SyncStatus{
			Status: modelarts.SyncCompleted, AddSampleCount: 7, DeletedSampleCount: 2, TotalSampleCount: 105,
		})
		status, stdout, stderr := onFake(t.Context(), &fleet{parallel: 2}, fake.HTTPClient().Transport, 10)

		assert.Equal(t, cli.Failed, status)
		assert.Equal(t, "COMPLETED", row(t, stdout, "ds00")[2])
		assert.Equal(t, "FAILED", row(t, stdout, "ds01")[2])
		assert.Equal(t, "COMPLETED", row(t, stdout, "ds02")[2])
		assert.Equal(t, []string{"ds03", "na?me", "ERROR"}, row(t, stdout, "ds03")[:3])
		assert.Equal(t, []string{"COMPLETED", "7", "2", "105"}, row(t, stdout, "ds04")[2:6])
		assert.Contains(t, stdout, "3 of 5 synchronizations completed\n")
		assert.Equal(t, 2, strings.Count(stderr, "\n"), stderr)
		assert.Regexp(t, "fleet: name01: .*no such bucket", stderr)
		assert.Regexp(t, "fleet: na\\?me: .*501", stderr)
	})
}

func TestARunningSynchronizationIsJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeOf(1)
		_, err := fake.Client().StartSync(t.Context(), "ds00")
		require.NoError(t, err)
		status, stdout, stderr := onFake(t.Context(), &fleet{parallel: 1}, fake.HTTPClient().Transport, 10)

		assert.Equal(t, cli.OK, status, stderr)
		assert.Equal(t, "COMPLETED", row(t, stdout, "ds00")[2])
	})
}

// A probe sees when requests arrive, and how many synchronizations run at the same time. It takes one for done
// at the first poll after its start.
type probe struct {
	next http.RoundTripper

	mu      sync.Mutex
	arrived []time.Time
	running map[string]bool
	most    int
}

func (p *probe) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.arrived = append(p.arrived, time.Now())
	dataset, _, _ := strings.Cut(req.URL.Path, "/sync-data")
	if req.Method == http.MethodPost {
		p.running[dataset] = true
		p.most = max(p.most, len(p.running))
	} else {
		delete(p.running, dataset)
	}
	p.mu.Unlock()
	return p.next.RoundTrip(req)
}

func TestConcurrencyAndRateAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		for i := range 12 {
			fake.AddDataset(modelarts.Dataset{ID: fmt.Sprintf("ds%02d", i)}, modelarts.SyncStatus{Status: modelarts.SyncCompleted})
		}
		fake.Inject(modelartstest.Fault{Method: http.MethodGet, Path: "/status", Status: http.StatusServiceUnavailable, Times: 2})
		p := &probe{next: fake.HTTPClient().Transport, running: make(map[string]bool)}
		status, _, stderr := onFake(t.Context(), &fleet{parallel: 3}, p, 5)

		require.Equal(t, cli.OK, status, stderr)
		assert.Equal(t, 3, p.most)
		require.Len(t, p.arrived, 1+12*3+2, "the list, three requests a dataset, and two retries")
		for i, at := range p.arrived[1:] {
			assert.GreaterOrEqual(t, at.Sub(p.arrived[i]), 199*time.Millisecond, "request %d", i+1)
		}
	})
}

// At the slowest rate, a request waits for its turn longer than an attempt takes by default.
func TestWaitingForATurnIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status, stdout, stderr := onFake(t.Context(), &fleet{parallel: mostParallel}, fakeOf(mostParallel).HTTPClient().Transport, leastRate)
		assert.Equal(t, cli.OK, status, stderr)
		assert.Contains(t, stdout, "100 of 100 synchronizations completed\n")
	})
}

func TestDatasetsAreSelected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeOf(3)
		fake.AddDataset(modelarts.Dataset{ID: "video", Name: "street video", Type: modelarts.DatasetVideo})
		f := &fleet{parallel: 2}
		f.list.SearchContent = "street"
		require.NoError(t, f.check("600", 10))
		status, stdout, _ := onFake(t.Context(), f, fake.HTTPClient().Transport, 10)

		assert.Equal(t, cli.OK, status)
		assert.Contains(t, stdout, "1 of 1 synchronizations completed\n")
		assert.Equal(t, "COMPLETED", row(t, stdout, "video")[3])
	})
}

func TestAnInterruptEndsTheWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "ds", Name: "name"}, modelarts.SyncStatus{Status: modelarts.SyncRunning})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		status, stdout, stderr := onFake(ctx, &fleet{parallel: 1}, fake.HTTPClient().Transport, 10)

		assert.Equal(t, cli.Failed, status)
		assert.Equal(t, []string{"ds", "name", "RUNNING", "0", "0", "0", "1h0m0s"}, row(t, stdout, "ds"))
		assert.Contains(t, stderr, "context canceled")
	})
}

func TestAListThatFailsStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeOf(1)
		fake.Inject(modelartstest.Fault{Path: "/datasets", Status: http.StatusForbidden, Code: "ModelArts.0112"})
		status, stdout, stderr := onFake(t.Context(), &fleet{parallel: 1}, fake.HTTPClient().Transport, 10)

		assert.Equal(t, cli.Failed, status)
		assert.Empty(t, stdout)
		assert.Regexp(t, "^fleet: listing the datasets: .*403.*\n$", stderr)
		assert.Len(t, fake.Requests(), 1)
	})
}

func TestTheProgramOnItsFake(t *testing.T) {
	clitest.ClearEnv(t)
	got := clitest.Run(t.Context(), run, "-search", "street", "-interval", "10ms", "-rate", "1000")
	assert.Equal(t, cli.OK, got.Status, got.Stderr)
	assert.Contains(t, got.Stdout, "2 of 2 synchronizations completed\n")
	got.Says(t, "this is a fake one")
}

func TestWrongUse(t *testing.T) {
	clitest.ClearEnv(t)
	for _, args := range [][]string{
		{"-parallel", "0"}, {"-parallel", "101"}, {"-rate", "0"}, {"-rate", "NaN"}, {"-rate", "1001"}, {"-interval", "-1s"},
		{"-type", "video"}, {"-type", "-1"}, {"-unknown"}, {"more"}, {"-region", "cn-north-4", "-ak", "only"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			clitest.Run(t.Context(), run, args...).Fails(t, cli.Misused, "fleet: ")
		})
	}
}

// A roundTripper is a transport made of a function.
type roundTripper func(req *http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestAnUnreachableServiceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		})
		status, stdout, stderr := onFake(t.Context(), &fleet{parallel: 1}, refused, 10)
		assert.Equal(t, cli.Failed, status)
		assert.Empty(t, stdout)
		assert.Regexp(t, "^fleet: .*connection refused.*\n$", stderr)
	})
}
