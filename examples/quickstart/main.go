// Command quickstart follows the synchronization of one dataset.
//
// With nothing given it does so on a fake service, which it starts itself on a loopback port. With a dataset
// and a service, by flags or by the environment, it asks that service once:
//
//	quickstart -region cn-north-4 -project <id> -ak <access key> -sk <secret key> -dataset <id>
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	var service cli.Service
	service.Register(flags)
	dataset := flags.String("dataset", "", "dataset `id`")
	if done, status := cli.Parse(flags, args, stdout, stderr); done {
		return status
	}

	var err error
	switch {
	case *dataset == "" && !service.Given():
		err = onFake(ctx, stdout)
	case *dataset == "":
		fmt.Fprintln(stderr, "quickstart: a service is given, but no dataset: add -dataset ID")
		return cli.Misused
	default:
		var client *modelarts.Client
		if client, err = service.Client(ctx); err != nil {
			fmt.Fprintln(stderr, "quickstart:", err)
			return cli.Status(err)
		}
		err = askOnce(ctx, client, *dataset, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return cli.Failed
	}
	return cli.OK
}

// askOnce prints the status of a dataset.
func askOnce(ctx context.Context, client *modelarts.Client, dataset string, stdout io.Writer) error {
	status, err := client.GetSyncStatus(ctx, dataset)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, status)
	return nil
}

// onFake follows a synchronization on a fake service, with the same client that a real one needs.
func onFake(ctx context.Context, stdout io.Writer) error {
	const dataset = "gfghHSokody6AJigS5A"
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: dataset, Name: "street-signs"},
		modelarts.SyncStatus{Status: modelarts.SyncQueuing},
		modelarts.SyncStatus{Status: modelarts.SyncStarting},
		modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 120, TotalSampleCount: 4120},
		modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 388, DeletedSampleCount: 2, TotalSampleCount: 4386},
		modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 412, DeletedSampleCount: 2, TotalSampleCount: 4410})
	endpoint, stop, err := cli.Serve("127.0.0.1:0", fake)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintln(stdout, "No service was given, so this is a fake one, at", endpoint)

	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
	client, err := modelarts.NewClient(endpoint, modelartstest.ProjectID, signer)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	task, err := client.StartSync(ctx, dataset)
	if err != nil {
		return err
	}
	for status, err := range client.WatchSync(ctx, task, &modelarts.WaitOptions{MaxInterval: 500 * time.Millisecond}) {
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, status)
	}
	return nil
}
