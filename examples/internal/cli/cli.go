// Package cli has what the example programs share: their frame, the flags that say which service to talk to, and
// a fake service on a loopback port for when there is none.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/modelarts-go/modelarts"
)

// The exit statuses of the example programs.
const (
	OK      = 0
	Failed  = 1
	Misused = 2
	Running = 3
)

// A Program is what an example does with its arguments; it returns the exit status. It ends soon after ctx does.
type Program func(ctx context.Context, args []string, stdout, stderr io.Writer) int

// Main runs a program until it ends, and the process with it. Ctrl-C, and the signal by which clusters stop a
// process, end its context; a second one ends the process at once, should the program hang.
func Main(run Program) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Parse parses the arguments of a program that takes none but flags. It reports whether the program is done
// with that, after -help or a mistake, and its exit status then.
func Parse(flags *flag.FlagSet, args []string, stdout, stderr io.Writer) (done bool, status int) {
	flags.SetOutput(io.Discard) // a mistake is told in one line, not with the whole usage
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stdout)
		flags.Usage()
		return true, OK
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v (see -help)\n", flags.Name(), err)
		return true, Misused
	}
	return false, OK
}

// Status is the exit status for an error: a service that refuses or cannot be reached is a failure, and what
// never left this machine is a mistake in how the program was called.
func Status(err error) int {
	var answer *modelarts.APIError
	var network net.Error
	if errors.As(err, &answer) || errors.As(err, &network) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Failed
	}
	return Misused
}
