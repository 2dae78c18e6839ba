// Command benchmarks compares package modelarts with its peers in one run on one machine, and prints a table:
//
//	go run -C benchmarks . [-quick] [-rows sign,call] [-markdown FILE] [-svg FILE]
//
// The README beside it says what is compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		os.Exit(child(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// groups are the rows that -rows can pick, in the order of the table.
var groups = []struct {
	name    string
	measure func(ctx context.Context, b *bench) ([]row, error)
}{
	{"sign", measureSigning},
	{"call", measureCall},
	{"local", measureLocal},
	{"decode", measureDecoding},
	{"load", measureLoad},
	{"start", measureStart},
	{"size", measureSize},
	{"waiters", measureWaiters},
	{"build", measureBuild},
}

func groupNames() []string {
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}

// A bench is one run of the program.
type bench struct {
	quick  bool
	stderr io.Writer
	dir    string // for what is built
	server *server
}

// pick returns how much to measure.
func (b *bench) pick(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "a run of seconds, whose figures mean little")
	rows := flags.String("rows", strings.Join(groupNames(), ","), "`names` of the groups of rows to measure")
	markdown := flags.String("markdown", "", "also write the table to this `file`, in Markdown")
	svg := flags.String("svg", "", "also write a chart to this `file`")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	picked := strings.Split(*rows, ",")
	for _, name := range picked {
		if !slices.Contains(groupNames(), name) {
			fmt.Fprintf(stderr, "benchmarks: no rows %q; there are %s\n", name, strings.Join(groupNames(), ", "))
			return 2
		}
	}
	report, err := measure(ctx, picked, *quick, stderr)
	if err == nil {
		fmt.Fprint(stdout, report.text())
		err = errors.Join(write(*markdown, report.markdown()), write(*svg, report.chart()))
	}
	if err != nil {
		fmt.Fprintln(stderr, "benchmarks:", err)
		return 1
	}
	return 0
}

func write(file, content string) error {
	if file == "" {
		return nil
	}
	return os.WriteFile(file, []byte(content), 0o600)
}

// measure takes the picked rows, one group after the other.
func measure(ctx context.Context, picked []string, quick bool, stderr io.Writer) (report, error) {
	r := report{machine: describeMachine(ctx), quick: quick}
	dir, err := os.MkdirTemp("", "modelarts-benchmarks-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is the system's temporary folder
	server, err := sharedServer()
	if err != nil {
		return r, err
	}
	b := &bench{quick: quick, stderr: stderr, dir: dir, server: server}
	for _, g := range groups {
		if !slices.Contains(picked, g.name) {
			continue
		}
		fmt.Fprintf(stderr, "measuring %s …\n", g.name)
		rows, err := g.measure(ctx, b)
		if err != nil {
			return r, fmt.Errorf("%s: %w", g.name, err)
		}
		r.rows = append(r.rows, rows...)
	}
	return r, nil
}
