package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
)

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
		return p.withoutTask(ctx, task, err)
	}
	view := newView(p.stdout, p.json, began)
	started := !task.StartedAt.Before(began) // by this run
	seen := false
	for status, err := range client.WatchSync(ctx, task, &modelarts.WaitOptions{MaxInterval: p.max}) {
		view.show(status)
		if err == nil {
			seen = true
			continue
		}
		view.end()
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return p.stopped(interrupt, task, started, seen, err)
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

// withoutTask says why there is nothing to wait for, or perhaps nothing.
func (p *program) withoutTask(ctx context.Context, task modelarts.SyncTask, err error) int {
	var wrong *misuse
	switch {
	case errors.As(err, &wrong):
		return p.misused(err)
	case errors.Is(err, modelarts.ErrSyncRunning):
		return p.failed(fmt.Errorf("%w (-wait-only joins it)", err))
	case errors.Is(err, modelarts.ErrStartUnknown):
		return p.failed(fmt.Errorf("%w; if it was, continue with: %s", err, p.again(task)))
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return p.failed(fmt.Errorf("%s; this run has started nothing: %w", p.end(ctx), err))
	}
	return p.failed(err)
}

// stopped says how to go on with a synchronization that was not waited for to its end.
func (p *program) stopped(interrupt context.Context, task modelarts.SyncTask, started, seen bool, err error) int {
	var why string
	switch interrupted := interrupt.Err() != nil; {
	case p.fake:
		p.forget()
		return p.failed(fmt.Errorf("%s, and the fake service with it", p.end(interrupt)))
	case interrupted && (started || seen):
		why = "interrupted; the synchronization goes on"
	case !seen:
		why = fmt.Sprintf("%s before any news of the synchronization: %v", p.end(interrupt), err)
	default:
		why = "still running after " + p.timeout.String()
	}
	fmt.Fprintf(p.stderr, "sync: %s; continue with: %s\n", why, p.again(task))
	return cli.Running
}

// end says what has ended the program.
func (p *program) end(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.Canceled) {
		return "interrupted"
	}
	return "ended by -timeout " + p.timeout.String()
}

// again is the command that waits for a task without starting another.
func (p *program) again(task modelarts.SyncTask) string {
	if p.resume != "" {
		return p.command + " -resume " + cli.Quote(p.resume)
	}
	return p.command + " -dataset " + cli.Quote(task.DatasetID) + " -wait-only"
}

// forget removes the resume file of a task that has ended.
func (p *program) forget() {
	if p.resume != "" {
		_ = os.Remove(p.resume)
	}
}
