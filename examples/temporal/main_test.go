package main

import (
	"bytes"
	"flag"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/examples/internal/clitest"
)

func TestAnUnreachableServerIsOneLine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := listener.Addr().String()
	require.NoError(t, listener.Close()) // so that nothing listens there

	for _, args := range [][]string{
		{"start", "-datasets", "ds", "-server", server},
		append([]string{"worker", "-server", server}, clitest.Flags("http://127.0.0.1:1")...),
	} {
		t.Run(args[0], func(t *testing.T) {
			clitest.ClearEnv(t)
			clitest.Run(t.Context(), run, args...).Fails(t, cli.Failed, "temporal "+args[0]+": no Temporal server at "+server)
		})
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{
		nil, {"stop"}, {"worker"}, {"worker", "more"}, {"worker", "-unknown"}, {"start"}, {"start", "-datasets", ", ,"},
		{"start", "ds"}, {"start", "-datasets", strings.Repeat("ds,", mostDatasets+1)},
	} {
		t.Run(strings.Join(args[:min(len(args), 2)], " "), func(t *testing.T) {
			clitest.ClearEnv(t)
			clitest.Run(t.Context(), run, args...).Fails(t, cli.Misused, "temporal")
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"-help"}, {"worker", "-help"}, {"start", "-help"}} {
		got := clitest.Run(t.Context(), run, args...)
		assert.Equal(t, cli.OK, got.Status, args)
		assert.Contains(t, strings.ToLower(got.Stdout), "usage", args)
		assert.Empty(t, got.Stderr, args)
	}
}

func TestReport(t *testing.T) {
	var stdout, stderr bytes.Buffer
	p := &program{stdout: &stdout, stderr: &stderr, flags: flag.NewFlagSet("temporal start", flag.ContinueOnError)}
	completed := Result{Dataset: "a", Status: &modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 3}}
	assert.Equal(t, cli.OK, p.report([]Result{completed}))
	assert.Equal(t, cli.Failed, p.report([]Result{{Dataset: "b", Error: "refused"}, completed}))
	assert.Equal(t, strings.Repeat("a COMPLETED, 3 added\n", 2), stdout.String())
	assert.Equal(t, "temporal start: b: refused\n", stderr.String())
}
