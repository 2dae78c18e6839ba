package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// childArgument makes this program a part of its own run: the server, which does not share memory and
// collector with its clients then, or one crowd of waiters.
const childArgument = "child"

func child(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var err error
	switch {
	case len(args) == 1 && args[0] == "serve":
		err = serve(stdin, stdout)
	case len(args) == 4 && args[0] == "wait":
		err = wait(args[1:], stdout)
	default:
		err = fmt.Errorf("no child %q", args)
	}
	if err != nil {
		fmt.Fprintln(stderr, "benchmarks:", err)
		return 1
	}
	return 0
}

// childCommand runs this program again.
func childCommand(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{childArgument}, args...)...) //nolint:gosec // it is this program
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// say writes what a child has to tell on one line.
func say(stdout io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = stdout.Write(append(text, '\n'))
	return err
}
