// Command temporal synchronizes datasets where one machine is not enough: a Temporal workflow gives each dataset
// to one of any number of workers, and what a lost worker has started, another one waits for.
//
//	temporal worker                      do what workflows ask for, until interrupted
//	temporal start -datasets ID,ID,…     run the workflow and wait for it
//
// A worker needs a service, by flags or by the environment. The exit status is 0 if all went well, 1 if a
// dataset failed and for errors, and 2 for wrong use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
)

func main() { cli.Main(run) }

// mostDatasets keeps a workflow well below the 2,000 activities that a server lets it have at a time.
const mostDatasets = 1000

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	const usage = "usage: temporal worker|start [flags] (see temporal worker -help, temporal start -help)"
	if len(args) == 0 {
		fmt.Fprintln(stderr, usage)
		return cli.Misused
	}
	p := &program{stdout: stdout, stderr: stderr, flags: flag.NewFlagSet("temporal "+args[0], flag.ContinueOnError)}
	p.flags.StringVar(&p.server, "server", client.DefaultHostPort, "`address` of the Temporal server")
	p.flags.StringVar(&p.namespace, "namespace", client.DefaultNamespace, "`namespace` at the server")
	p.flags.StringVar(&p.queue, "queue", "modelarts-sync", "`name` of the task queue, the same for start and worker")
	switch args[0] {
	case "worker":
		return p.worker(ctx, args[1:])
	case "start":
		return p.start(ctx, args[1:])
	case "-h", "-help", "--help":
		fmt.Fprintln(stdout, usage)
		return cli.OK
	}
	fmt.Fprintf(stderr, "temporal: unknown command %q; %s\n", args[0], usage)
	return cli.Misused
}

type program struct {
	stdout, stderr           io.Writer
	flags                    *flag.FlagSet
	server, namespace, queue string
}

// fails says what is wrong in one line.
func (p *program) fails(status int, err error) int {
	fmt.Fprintf(p.stderr, "%s: %s\n", p.flags.Name(), strings.Join(strings.Fields(err.Error()), " "))
	return status
}

// dial connects to the Temporal server.
func (p *program) dial(ctx context.Context) (client.Client, error) {
	logger := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c, err := client.DialContext(ctx, client.Options{
		HostPort: p.server, Namespace: p.namespace, Logger: log.NewStructuredLogger(logger),
	})
	if err != nil {
		return nil, fmt.Errorf("no Temporal server at %s (-server): %w", p.server, err)
	}
	return c, nil
}

// worker works until it is interrupted.
func (p *program) worker(ctx context.Context, args []string) int {
	var service cli.Service
	service.Register(p.flags)
	if done, status := cli.Parse(p.flags, args, p.stdout, p.stderr); done {
		return status
	}
	models, err := service.Client(ctx, modelarts.WithUserAgent("temporal-example/1"))
	if err != nil {
		return p.fails(cli.Status(err), err)
	}
	defer models.CloseIdleConnections()
	server, err := p.dial(ctx)
	if err != nil {
		return p.fails(cli.Failed, err)
	}
	defer server.Close()
	w := worker.New(server, p.queue, worker.Options{})
	w.RegisterWorkflow(SyncDatasets)
	w.RegisterActivity(&Activities{Client: models})
	interrupted := make(chan any)
	stop := context.AfterFunc(ctx, func() { close(interrupted) })
	defer stop()
	if err := w.Run(interrupted); err != nil {
		return p.fails(cli.Failed, err)
	}
	return cli.OK
}

// start runs the workflow and prints its results.
func (p *program) start(ctx context.Context, args []string) int {
	list := p.flags.String("datasets", "", "`ids` of the datasets, with commas between them")
	if done, status := cli.Parse(p.flags, args, p.stdout, p.stderr); done {
		return status
	}
	datasets := strings.FieldsFunc(*list, func(r rune) bool { return r == ',' || r == ' ' })
	if len(datasets) == 0 || len(datasets) > mostDatasets {
		return p.fails(cli.Misused, fmt.Errorf("name from 1 to %d datasets: -datasets ID,ID,…", mostDatasets))
	}
	server, err := p.dial(ctx)
	if err != nil {
		return p.fails(cli.Failed, err)
	}
	defer server.Close()
	execution, err := server.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: p.queue}, SyncDatasets, datasets)
	if err != nil {
		return p.fails(cli.Failed, err)
	}
	var results []Result
	if err := execution.Get(ctx, &results); err != nil {
		if ctx.Err() != nil {
			err = errors.New("no longer waiting; the workflow goes on")
		}
		return p.fails(cli.Failed, fmt.Errorf("workflow %s: %w", execution.GetID(), err))
	}
	return p.report(results)
}

// report prints a line for each dataset.
func (p *program) report(results []Result) int {
	exit := cli.OK
	for _, r := range results {
		if r.Status == nil {
			exit = p.fails(cli.Failed, fmt.Errorf("%s: %s", r.Dataset, r.Error))
			continue
		}
		fmt.Fprintln(p.stdout, r.Dataset, r.Status)
	}
	return exit
}
