package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/examples/internal/clitest"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func TestMain(m *testing.M) { clitest.Main(m, main) }

func startFake(t *testing.T) (*modelartstest.Server, string) {
	t.Helper()
	clitest.ClearEnv(t)
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds", Name: "flowers"})
	web := httptest.NewServer(fake)
	t.Cleanup(web.Close)
	return fake, web.URL
}

// What the README promises: one command, nothing set, no network.
func TestWithNothingGiven(t *testing.T) {
	clitest.ClearEnv(t)
	got := clitest.Run(t.Context(), run)
	assert.Equal(t, cli.OK, got.Status)
	assert.Empty(t, got.Stderr)
	lines := strings.Split(strings.TrimSuffix(got.Stdout, "\n"), "\n")
	assert.Contains(t, lines[0], "http://127.0.0.1:")
	assert.Equal(t, []string{
		"QUEUING task gfghHSokody6AJigS5A_00000001",
		"STARTING task gfghHSokody6AJigS5A_00000001",
		"RUNNING task gfghHSokody6AJigS5A_00000001, 120 added, 4120 total",
		"RUNNING task gfghHSokody6AJigS5A_00000001, 388 added, 2 deleted, 4386 total",
		"COMPLETED task gfghHSokody6AJigS5A_00000001, 412 added, 2 deleted, 4410 total",
	}, lines[1:])
}

func TestAsksOnce(t *testing.T) {
	t.Run("by flags", func(t *testing.T) {
		fake, endpoint := startFake(t)
		got := clitest.Run(t.Context(), run, clitest.Flags(endpoint, "-dataset", "ds")...)
		assert.Equal(t, clitest.Result{Status: cli.OK, Stdout: "NOT_EXIST dataset ds\n"}, got)
		assert.Len(t, fake.Requests(), 1)
	})
	t.Run("by the environment", func(t *testing.T) {
		fake, endpoint := startFake(t)
		t.Setenv("MODELARTS_ENDPOINT", endpoint)
		t.Setenv("OS_PROJECT_ID", modelartstest.ProjectID)
		t.Setenv("OS_TOKEN", modelartstest.Token)
		fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 3})
		got := clitest.Run(t.Context(), run, "-dataset", "ds")
		assert.Equal(t, clitest.Result{Status: cli.OK, Stdout: "RUNNING dataset ds, 3 added\n"}, got)
	})
}

func TestMisuse(t *testing.T) {
	_, endpoint := startFake(t)
	run := func(args ...string) clitest.Result { return clitest.Run(t.Context(), run, args...) }
	run("-datasets", "ds").Fails(t, cli.Misused, "-datasets")
	run("ds").Fails(t, cli.Misused, `"ds"`)
	run(clitest.Flags(endpoint)...).Fails(t, cli.Misused, "-dataset ID")
	run("-dataset", "ds").Fails(t, cli.Misused, "MODELARTS_ENDPOINT")
	run("-dataset", "ds", "-endpoint", endpoint).Fails(t, cli.Misused, "HUAWEICLOUD_SDK_AK")
	run("-dataset", "ds", "-endpoint", "http://else.test", "-ak", "a", "-sk", "s", "-project", "p").Fails(t, cli.Misused, "https")
}

func TestHelp(t *testing.T) {
	got := clitest.Run(t.Context(), run, "-help")
	assert.Equal(t, cli.OK, got.Status)
	assert.Empty(t, got.Stderr)
	assert.Contains(t, got.Stdout, "-dataset id")
}

func TestFailures(t *testing.T) {
	fake, endpoint := startFake(t)
	run := func(args ...string) clitest.Result { return clitest.Run(t.Context(), run, args...) }
	run(clitest.Flags(endpoint, "-dataset", "other")...).Fails(t, cli.Failed, "ModelArts.4352", "check the dataset id")

	fake.Inject(modelartstest.Fault{Status: 403, Code: "ModelArts.4335", Message: "Iam agency is invalid"})
	run(clitest.Flags(endpoint, "-dataset", "ds")...).Fails(t, cli.Failed, "403 ModelArts.4335: Iam agency is invalid")

	run("-dataset", "ds", "-endpoint", endpoint, "-project", modelartstest.ProjectID,
		"-ak", modelartstest.AccessKey, "-sk", "wrong").Fails(t, cli.Failed, "401 APIGW.0301")
}

func TestUnreachable(t *testing.T) {
	clitest.ClearEnv(t)
	web := httptest.NewServer(nil)
	web.Close()
	clitest.Run(t.Context(), run, clitest.Flags(web.URL, "-dataset", "ds")...).Fails(t, cli.Failed, "refused", "4 attempts")
}

func TestInterrupted(t *testing.T) {
	_, endpoint := startFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	clitest.Run(ctx, run, clitest.Flags(endpoint, "-dataset", "ds")...).Fails(t, cli.Failed, "context canceled")
}

func TestProcess(t *testing.T) {
	clitest.ClearEnv(t)
	cmd := clitest.Command(t, "-dataset", "ds")
	_, err := cmd.Output()
	require.Error(t, err)
	assert.Equal(t, cli.Misused, cmd.ProcessState.ExitCode())
}
