// Command otel synchronizes one dataset and prints what OpenTelemetry sees of it, as JSON: a span for each call
// of the program with a span for each attempt at the service below it, and the metrics at the end.
//
//	otel -dataset ID
//
// Without a service, given by flags or by the environment, it runs on a fake one that fails once, to show a
// retry. The exit status is 0 for a synchronization that completed, 1 for one that failed and for errors, and 2
// for wrong use.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("otel", flag.ContinueOnError)
	var service cli.Service
	service.Register(flags)
	dataset := flags.String("dataset", "", "dataset `id`")
	var wait modelarts.WaitOptions
	flags.DurationVar(&wait.MaxInterval, "interval", 0, "longest time between two polls (default 30s)")
	if done, status := cli.Parse(flags, args, stdout, stderr); done {
		return status
	}
	switch {
	case wait.MaxInterval < 0:
		fmt.Fprintln(stderr, "otel: -interval cannot be negative")
		return cli.Misused
	case !service.Given():
		endpoint, stop, err := startFake(dataset)
		if err != nil {
			fmt.Fprintln(stderr, "otel:", err)
			return cli.Failed
		}
		defer stop()
		service.Set(endpoint, modelartstest.ProjectID, modelartstest.AccessKey, modelartstest.SecretKey)
		fmt.Fprintln(stderr, "otel: no service was given, so this is a fake one, at", endpoint)
	case *dataset == "":
		fmt.Fprintln(stderr, "otel: a service is given, but no dataset: add -dataset ID")
		return cli.Misused
	}
	tel, err := toWriter(stdout)
	if err != nil {
		fmt.Fprintln(stderr, "otel:", err)
		return cli.Failed
	}
	status := follow(ctx, tel, &service, *dataset, &wait, stderr)
	// What was measured is worth having above all when something went wrong or was interrupted.
	if err := tel.shutdown(context.WithoutCancel(ctx)); err != nil {
		fmt.Fprintln(stderr, "otel: exporting:", err)
		return cli.Failed
	}
	return status
}

// toWriter makes telemetry that is written as JSON. A real program takes an OTLP exporter instead.
func toWriter(w io.Writer) (*telemetry, error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(w), stdouttrace.WithPrettyPrint())
	if err != nil {
		return nil, err
	}
	metrics, err := stdoutmetric.New(stdoutmetric.WithWriter(w), stdoutmetric.WithPrettyPrint())
	if err != nil {
		return nil, err
	}
	return newTelemetry(spans, metric.NewPeriodicReader(metrics)), nil
}

// follow synchronizes the dataset and says how that ended.
func follow(ctx context.Context, tel *telemetry, service *cli.Service, dataset string, wait *modelarts.WaitOptions, stderr io.Writer) int {
	client, err := service.Client(ctx, modelarts.WithUserAgent("otel-example/1"), tel.option(http.DefaultTransport))
	if err != nil {
		fmt.Fprintln(stderr, "otel:", err)
		return cli.Status(err)
	}
	status, err := synchronize(ctx, tel, client, dataset, wait)
	if err != nil {
		fmt.Fprintln(stderr, "otel:", err)
		return cli.Failed
	}
	fmt.Fprintln(stderr, "otel:", status)
	return cli.OK
}

// synchronize is [modelarts.Client.Sync] in its two calls, with a span each.
func synchronize(ctx context.Context, tel *telemetry, client *modelarts.Client, dataset string, wait *modelarts.WaitOptions) (*modelarts.SyncStatus, error) {
	var task modelarts.SyncTask
	err := tel.call(ctx, "StartSync", dataset, func(ctx context.Context) (err error) {
		task, err = client.StartSync(ctx, dataset)
		return err
	})
	if err != nil {
		return nil, err
	}
	var status *modelarts.SyncStatus
	err = tel.call(ctx, "WaitSync", dataset, func(ctx context.Context) (err error) {
		status, err = client.WaitSync(ctx, task, wait)
		return err
	})
	return status, err
}

// startFake starts a fake service with the dataset, one of its own if none was named.
func startFake(dataset *string) (endpoint string, stop func(), err error) {
	if *dataset == "" {
		*dataset = "gfghHSokody6AJigS5A"
	}
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: *dataset, Name: "street-signs"})
	fake.Inject(modelartstest.Fault{Method: http.MethodGet, Status: http.StatusServiceUnavailable})
	return cli.Serve("127.0.0.1:0", fake)
}
