// Command sync starts a synchronization and shows it live, for people and for pipelines.
//
//	sync -dataset NAME|ID               start one and wait for it
//	sync -dataset NAME|ID -wait-only    join the one that runs
//	sync -dataset NAME|ID -resume FILE  keep the task in FILE; with a FILE from before, wait for its task
//
// On a terminal it redraws one line; otherwise it prints a line a change, with -json a JSON object a line.
// Without a service, given by flags or by the environment, it runs on a fake one.
//
// The exit status is 0 for a synchronization that completed, 1 for one that failed and for errors, 2 for
// wrong use, and 3 when -timeout or an interrupt ended the wait, while the synchronization goes on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func main() { cli.Main(run) }

type program struct {
	dataset  string
	waitOnly bool
	resume   string
	json     bool
	timeout  time.Duration
	max      time.Duration
	command  string // this one, without what says which task
	fake     bool   // the service ends with the program

	stdout, stderr io.Writer
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr}
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	var service cli.Service
	service.Register(flags)
	flags.StringVar(&p.dataset, "dataset", "", "name or `id` of the dataset")
	flags.BoolVar(&p.waitOnly, "wait-only", false, "start nothing, wait for the synchronization that runs")
	flags.StringVar(&p.resume, "resume", "", "keep the task in this `file`, or wait for the one that is in it")
	flags.BoolVar(&p.json, "json", false, "print JSON objects, one a line")
	flags.DurationVar(&p.timeout, "timeout", 0, "wait no longer than this; 0 is no limit")
	flags.DurationVar(&p.max, "interval", 0, "longest time between two polls (default 30s)")
	if done, status := cli.Parse(flags, args, stdout, stderr); done {
		return status
	}
	if p.timeout < 0 || p.max < 0 {
		return p.misused(errors.New("-timeout and -interval cannot be negative"))
	}
	if p.waitOnly && p.resume != "" {
		return p.misused(errors.New("-wait-only and -resume exclude each other"))
	}
	p.command = cli.Again(flags, "dataset", "wait-only", "resume")
	if !service.Given() {
		stop, err := p.useFake(&service)
		if err != nil {
			return p.failed(err)
		}
		defer stop()
	}
	if p.dataset == "" && p.resume == "" {
		return p.misused(errors.New("no dataset: add -dataset NAME or -dataset ID"))
	}
	client, err := service.Client(ctx, modelarts.WithUserAgent("sync-example/1"))
	if err != nil {
		fmt.Fprintln(stderr, "sync:", err)
		return cli.Status(err)
	}
	defer client.CloseIdleConnections()
	return p.follow(ctx, client)
}

// A misuse is an error in how the program was called.
type misuse struct{ error }

func (p *program) misused(err error) int {
	fmt.Fprintln(p.stderr, "sync:", err)
	return cli.Misused
}

func (p *program) failed(err error) int {
	fmt.Fprintln(p.stderr, "sync:", err)
	return cli.Failed
}

// useFake starts a fake service with one dataset and points the flags to it.
func (p *program) useFake(service *cli.Service) (stop func(), err error) {
	const name = "street-signs"
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "gfghHSokody6AJigS5A", Name: name},
		modelarts.SyncStatus{Status: modelarts.SyncQueuing},
		modelarts.SyncStatus{Status: modelarts.SyncStarting},
		modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 120, TotalSampleCount: 4120},
		modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 388, DeletedSampleCount: 2, TotalSampleCount: 4386},
		modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 412, DeletedSampleCount: 2, TotalSampleCount: 4410})
	endpoint, stop, err := cli.Serve("127.0.0.1:0", fake)
	if err != nil {
		return nil, err
	}
	service.Set(endpoint, modelartstest.ProjectID, modelartstest.AccessKey, modelartstest.SecretKey)
	p.fake = true
	if p.dataset == "" {
		p.dataset = name
	}
	if p.max == 0 {
		p.max = 500 * time.Millisecond
	}
	fmt.Fprintln(p.stderr, "sync: no service was given, so this is a fake one, at", endpoint)
	return stop, nil
}
