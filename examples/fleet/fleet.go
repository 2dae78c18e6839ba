package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
)

// A fleet says which datasets are synchronized, and how.
type fleet struct {
	list     modelarts.DatasetListOptions
	wait     modelarts.WaitOptions
	parallel int
}

// A result is what became of one dataset.
type result struct {
	dataset *modelarts.Dataset
	status  *modelarts.SyncStatus // the last one seen, nil if there was none
	took    time.Duration
	err     error
}

// run lists the datasets, synchronizes them, and reports.
func (f *fleet) run(ctx context.Context, client *modelarts.Client, stdout, stderr io.Writer) int {
	var results []*result
	for dataset, err := range client.Datasets(ctx, &f.list) {
		if err != nil {
			fmt.Fprintln(stderr, "fleet: listing the datasets:", err)
			return cli.Failed
		}
		results = append(results, &result{dataset: dataset})
	}
	// The group is one without a context: a failure must not cancel the others.
	var group errgroup.Group
	group.SetLimit(f.parallel)
	for _, r := range results {
		group.Go(func() error {
			began := time.Now()
			r.status, r.err = f.sync(ctx, client, r.dataset.ID)
			r.took = time.Since(began)
			return r.err
		})
	}
	err := group.Wait()
	report(results, stdout, stderr)
	if err != nil {
		return cli.Failed
	}
	return cli.OK
}

// sync starts a synchronization, or joins the one that runs, and waits for it.
func (f *fleet) sync(ctx context.Context, client *modelarts.Client, id string) (*modelarts.SyncStatus, error) {
	task, err := client.StartSync(ctx, id)
	if errors.Is(err, modelarts.ErrSyncRunning) {
		task, err = modelarts.SyncTask{DatasetID: id}, nil
	}
	if err != nil {
		return nil, err
	}
	return client.WaitSync(ctx, task, &f.wait)
}

// report prints a row for each dataset, in the order of the list, and the errors after them.
func report(results []*result, stdout, stderr io.Writer) {
	completed := 0
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DATASET\tNAME\tSTATE\tADDED\tDELETED\tTOTAL\tTIME")
	for _, r := range results {
		status := modelarts.SyncStatus{Status: "ERROR"}
		switch {
		case r.err == nil:
			completed++
			status = *r.status
		case r.status != nil && r.status.Status != "":
			status = *r.status
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%v\n", printable(r.dataset.ID), printable(r.dataset.Name),
			printable(string(status.Status)), status.AddSampleCount, status.DeletedSampleCount, status.TotalSampleCount,
			r.took.Round(time.Second))
	}
	_ = table.Flush()
	fmt.Fprintf(stdout, "%d of %d synchronizations completed\n", completed, len(results))
	for _, r := range results {
		if r.err != nil {
			fmt.Fprintf(stderr, "fleet: %s: %v\n", printable(r.dataset.Name), r.err)
		}
	}
}

// printable keeps texts of the service from breaking the table or controlling the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
