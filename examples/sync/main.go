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
// wrong use, and 3 for one that still runs at -timeout or when interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
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

func (p *program) misused(err error) int {
	fmt.Fprintln(p.stderr, "sync:", err)
	return cli.Misused
}

func (p *program) failed(err error) int {
	fmt.Fprintln(p.stderr, "sync:", err)
	return cli.Failed
}

// follow starts or finds the task, and shows it until it ends.
func (p *program) follow(interrupt context.Context, client *modelarts.Client) int {
	ctx := interrupt
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	began := time.Now()
	task, err := p.task(ctx, client)
	if err != nil {
		var wrong *misuse
		switch {
		case errors.As(err, &wrong):
			return p.misused(err)
		case errors.Is(err, modelarts.ErrSyncRunning):
			return p.failed(fmt.Errorf("%w (-wait-only joins it)", err))
		case errors.Is(err, modelarts.ErrStartUnknown):
			return p.failed(fmt.Errorf("%w; if it was, continue with: sync %s", err, p.again(task)))
		}
		return p.failed(err)
	}
	view := newView(p.stdout, p.json, began)
	for status, err := range client.WatchSync(ctx, task, &modelarts.WaitOptions{MaxInterval: p.max}) {
		view.show(status)
		if err == nil {
			continue
		}
		view.end()
		if ctx.Err() != nil && !errors.Is(err, modelarts.ErrSyncFailed) {
			return p.stopped(interrupt, task)
		}
		if errors.Is(err, modelarts.ErrSyncFailed) {
			p.forget()
		}
		return p.failed(err)
	}
	view.end()
	p.forget()
	return cli.OK
}

// stopped says how to go on with a synchronization that still runs.
func (p *program) stopped(interrupt context.Context, task modelarts.SyncTask) int {
	why := "still running after " + p.timeout.String()
	if interrupt.Err() != nil {
		why = "interrupted; the synchronization goes on"
	}
	fmt.Fprintf(p.stderr, "sync: %s; continue with: sync %s\n", why, p.again(task))
	return cli.Running
}

// again returns the arguments that wait for a task without starting another.
func (p *program) again(task modelarts.SyncTask) string {
	if p.resume != "" {
		return "-resume " + p.resume
	}
	return "-dataset " + task.DatasetID + " -wait-only"
}

// task returns what to wait for: the task of the resume file, the one that runs, or one that is started now.
func (p *program) task(ctx context.Context, client *modelarts.Client) (modelarts.SyncTask, error) {
	if p.resume != "" {
		task, found, err := loadTask(p.resume)
		if err != nil || found {
			return p.resumed(ctx, client, task, err)
		}
		if p.dataset == "" {
			return task, &misuse{fmt.Errorf("there is no file %s yet, so add -dataset NAME or -dataset ID", p.resume)}
		}
	}
	dataset, err := find(ctx, client, p.dataset)
	if err != nil {
		return modelarts.SyncTask{}, err
	}
	if p.waitOnly {
		return modelarts.SyncTask{DatasetID: dataset}, nil
	}
	if p.resume == "" {
		return client.StartSync(ctx, dataset)
	}
	return p.startAndSave(ctx, client, dataset)
}

// startAndSave starts a synchronization and writes the resume file. A file that cannot be written is found out
// before the start.
func (p *program) startAndSave(ctx context.Context, client *modelarts.Client, dataset string) (modelarts.SyncTask, error) {
	if err := trySave(p.resume); err != nil {
		return modelarts.SyncTask{}, &misuse{err}
	}
	task, err := client.StartSync(ctx, dataset)
	if err != nil && !errors.Is(err, modelarts.ErrStartUnknown) {
		return task, err
	}
	if failed := saveTask(p.resume, task); failed != nil {
		return task, fmt.Errorf("the synchronization was started, or may have been, but not noted (-wait-only joins it): %w", failed)
	}
	return task, err
}

// resumed checks that the task of the resume file is of the dataset that was asked for.
func (p *program) resumed(ctx context.Context, client *modelarts.Client, task modelarts.SyncTask, err error) (modelarts.SyncTask, error) {
	if err != nil || p.dataset == "" || p.dataset == task.DatasetID {
		return task, err
	}
	dataset, err := find(ctx, client, p.dataset)
	if err == nil && dataset != task.DatasetID {
		err = &misuse{fmt.Errorf("%s is about dataset %s, not about %s", p.resume, task.DatasetID, p.dataset)}
	}
	return task, err
}

// find returns the id of a dataset, given that or its name.
func find(ctx context.Context, client *modelarts.Client, nameOrID string) (string, error) {
	_, err := client.GetDataset(ctx, nameOrID)
	if err == nil {
		return nameOrID, nil
	}
	if !errors.Is(err, modelarts.ErrDatasetNotFound) {
		return "", err
	}
	dataset, err := client.FindDataset(ctx, nameOrID)
	if err != nil {
		return "", err
	}
	return dataset.ID, nil
}

// forget removes the resume file of a task that has ended.
func (p *program) forget() {
	if p.resume != "" {
		_ = os.Remove(p.resume)
	}
}

// A misuse is an error in how the program was called.
type misuse struct{ error }

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
	if p.dataset == "" {
		p.dataset = name
	}
	if p.max == 0 {
		p.max = 500 * time.Millisecond
	}
	fmt.Fprintln(p.stderr, "sync: no service was given, so this is a fake one, at", endpoint)
	return stop, nil
}
