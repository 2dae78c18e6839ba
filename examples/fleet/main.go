// Command fleet synchronizes all datasets of a project, several at a time, and prints a table of what became
// of them:
//
//	fleet -parallel 8 -rate 20          all of them
//	fleet -search street -type 1        those with "street" in their names that are for object detection
//
// All requests share one rate limit, those of retries and polls included. A dataset that fails does not stop
// the others; one that is being synchronized already is waited for. Without a service, given by flags or by
// the environment, it runs on a fake one.
//
// The exit status is 0 if all synchronizations completed, 1 if one did not and for errors, and 2 for wrong use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func main() { cli.Main(run) }

// What a run may ask for. At these limits a request waits 100 s for its turn, well within the 15 minutes for
// which its signature is good.
const (
	mostParallel = 100
	leastRate    = 1
	mostRate     = 1000
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var f fleet
	var service cli.Service
	var kind string
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	service.Register(flags)
	flags.StringVar(&f.list.SearchContent, "search", "", "only datasets with this `text` in their names")
	flags.StringVar(&kind, "type", "", "only datasets of this type, a `number` such as 1 for object detection")
	flags.IntVar(&f.parallel, "parallel", 4, "synchronize this `number` at the same time, 1 to 100")
	perSecond := flags.Float64("rate", 10, "requests a second, all together; a `number` from 1 to 1000")
	flags.DurationVar(&f.wait.MaxInterval, "interval", 0, "longest time between two polls of a dataset (default 30s)")
	if done, status := cli.Parse(flags, args, stdout, stderr); done {
		return status
	}
	if err := f.check(kind, *perSecond); err != nil {
		fmt.Fprintln(stderr, "fleet:", err)
		return cli.Misused
	}
	if !service.Given() {
		stop, err := f.useFake(&service, stderr)
		if err != nil {
			fmt.Fprintln(stderr, "fleet:", err)
			return cli.Failed
		}
		defer stop()
	}
	connections := newTransport(f.parallel)
	defer connections.CloseIdleConnections()
	client, err := service.Client(ctx, paced(connections, rate.Limit(*perSecond), f.parallel)...)
	if err != nil {
		fmt.Fprintln(stderr, "fleet:", err)
		return cli.Status(err)
	}
	return f.run(ctx, client, stdout, stderr)
}

// check refuses what makes no sense, and takes the type over.
func (f *fleet) check(kind string, perSecond float64) error {
	if f.parallel < 1 || f.parallel > mostParallel {
		return fmt.Errorf("-parallel must be from 1 to %d", mostParallel)
	}
	if !(perSecond >= leastRate && perSecond <= mostRate) { // written so that it refuses NaN too
		return fmt.Errorf("-rate must be from %d to %d", leastRate, mostRate)
	}
	if f.wait.MaxInterval < 0 {
		return errors.New("-interval cannot be negative")
	}
	if kind == "" {
		return nil
	}
	number, err := strconv.ParseUint(kind, 10, 31)
	if err != nil {
		return fmt.Errorf("-type must be a number, such as %d for %v", modelarts.DatasetObjectDetection, modelarts.DatasetObjectDetection)
	}
	datasetType := modelarts.DatasetType(number)
	f.list.DatasetType = &datasetType
	return nil
}

// useFake starts a fake service with a few datasets and points the flags to it.
func (f *fleet) useFake(service *cli.Service, stderr io.Writer) (stop func(), err error) {
	fake := modelartstest.New()
	for i, name := range []string{"street-signs", "street-crossings", "flowers", "birds", "voices"} {
		added := int64(100 + 12*i)
		fake.AddDataset(modelarts.Dataset{ID: fmt.Sprintf("gfghHSokody6AJigS5A%d", i), Name: name},
			modelarts.SyncStatus{Status: modelarts.SyncQueuing},
			modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: added / 2, TotalSampleCount: 4000 + added/2},
			modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: added, TotalSampleCount: 4000 + added})
	}
	endpoint, stop, err := cli.Serve("127.0.0.1:0", fake)
	if err != nil {
		return nil, err
	}
	service.Set(endpoint, modelartstest.ProjectID, modelartstest.AccessKey, modelartstest.SecretKey)
	if f.wait.MaxInterval == 0 {
		f.wait.MaxInterval = 500 * time.Millisecond
	}
	fmt.Fprintln(stderr, "fleet: no service was given, so this is a fake one, at", endpoint)
	return stop, nil
}
