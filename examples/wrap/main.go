// Command wrap refreshes a dataset through package refresh, an SDK around package modelarts.
//
//	wrap -endpoint URL -project ID -keys DIR -dataset ID
//
// The exit status is 0 for a dataset that is up to date, 1 for errors, and 2 for wrong use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/examples/wrap/refresh"
)

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("wrap", flag.ContinueOnError)
	endpoint := flags.String("endpoint", "", "`URL` of the service")
	project := flags.String("project", "", "project `id`")
	keys := flags.String("keys", "", "`directory` with the files access_key and secret_key")
	dataset := flags.String("dataset", "", "dataset `id`")
	if done, status := cli.Parse(flags, args, stdout, stderr); done {
		return status
	}
	if *endpoint == "" || *project == "" || *keys == "" || *dataset == "" {
		fmt.Fprintln(stderr, "wrap: -endpoint, -project, -keys and -dataset are all needed (see -help)")
		return cli.Misused
	}
	summary, err := refreshOnce(ctx, refresh.Config{Endpoint: *endpoint, Project: *project, Keys: refresh.KeyDir(*keys)}, *dataset)
	switch {
	case errors.Is(err, refresh.ErrConfig):
		fmt.Fprintln(stderr, "wrap:", err)
		return cli.Misused
	case err != nil:
		fmt.Fprintln(stderr, "wrap:", err)
		return cli.Failed
	}
	fmt.Fprintf(stdout, "%s is up to date: %d added, %d deleted, %d in total\n", *dataset, summary.Added, summary.Deleted, summary.Total)
	return cli.OK
}

func refreshOnce(ctx context.Context, config refresh.Config, dataset string) (refresh.Summary, error) {
	refresher, err := refresh.New(config)
	if err != nil {
		return refresh.Summary{}, err
	}
	return refresher.Refresh(ctx, dataset)
}
