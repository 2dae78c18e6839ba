package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/examples/internal/clitest"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func TestMain(m *testing.M) { clitest.Main(m, main) }

// A process is a program that runs inside the test. Its output is read line by line.
type process struct {
	t      *testing.T
	lines  chan string
	ended  chan clitest.Result
	cancel context.CancelFunc
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	p := &process{t, make(chan string, 1000), make(chan clitest.Result, 1), cancel}
	go func() {
		scanner := bufio.NewScanner(reader)
		for scanner.Scan() {
			p.lines <- scanner.Text()
		}
		close(p.lines)
	}()
	go func() {
		var stderr bytes.Buffer
		status := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), writer, &stderr)
		_ = writer.Close()
		p.ended <- clitest.Result{Status: status, Stderr: stderr.String()}
	}()
	t.Cleanup(p.stop)
	return p
}

// until returns the first line that contains text.
func (p *process) until(text string) string {
	p.t.Helper()
	for line := range p.lines {
		if strings.Contains(line, text) {
			return line
		}
	}
	require.Fail(p.t, "the program has ended before it said "+text)
	return ""
}

// stop ends the program as Ctrl-C does.
func (p *process) stop() {
	p.cancel()
	for range p.lines {
		continue // what is left, until the program has ended
	}
	assert.Equal(p.t, clitest.Result{Status: cli.OK}, <-p.ended)
}

// environment sets what the program says to set, and returns the endpoint.
func (p *process) environment() string {
	p.t.Helper()
	clitest.ClearEnv(p.t)
	for line := range p.lines {
		if assignment, ok := strings.CutPrefix(line, "export "); ok {
			name, value, _ := strings.Cut(assignment, "=")
			p.t.Setenv(name, value)
		}
		if strings.HasPrefix(line, "The token") {
			break
		}
	}
	return os.Getenv("MODELARTS_ENDPOINT")
}

func (p *process) client() *modelarts.Client {
	p.t.Helper()
	p.environment()
	client, err := modelarts.NewClientFromEnv(p.t.Context(), modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1}))
	require.NoError(p.t, err)
	return client
}

func TestFollowed(t *testing.T) {
	p := start(t, "-dataset", "ds=flowers,other", "-dataset", "third", "-plan", "QUEUING,RUNNING:+120-2=4120,COMPLETED:=7")
	client := p.client()
	var names []string
	for dataset, err := range client.Datasets(t.Context(), nil) {
		require.NoError(t, err)
		names = append(names, dataset.ID+"="+dataset.Name)
	}
	assert.ElementsMatch(t, []string{"ds=flowers", "other=other", "third=third"}, names)

	task, err := client.StartSync(t.Context(), "ds")
	require.NoError(t, err)
	var seen []string
	for status, err := range client.WatchSync(t.Context(), task, &modelarts.WaitOptions{MaxInterval: time.Millisecond}) {
		require.NoError(t, err)
		seen = append(seen, status.String())
	}
	assert.Equal(t, []string{
		"QUEUING task ds_00000001", "RUNNING task ds_00000001, 120 added, 2 deleted, 4120 total", "COMPLETED task ds_00000001, 7 total",
	}, seen)
}

// The line with curl holds all that a request needs.
func TestCurlLine(t *testing.T) {
	p := start(t)
	parts := regexp.MustCompile(`^curl -H '([^:]+): ([^']+)' (\S+)$`).FindStringSubmatch(p.until("curl"))
	require.Len(t, parts, 4)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, parts[3]+"?secret=query", nil)
	require.NoError(t, err)
	req.Header.Set(parts[1], parts[2])
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.JSONEq(t, `{"dataset_id":"gfghHSokody6AJigS5A","status":"NOT_EXIST"}`, string(body))

	line := p.until("GET")
	assert.Regexp(t, `^\d\d:\d\d:\d\d GET /v2/[0-9a-f]{32}/datasets/gfghHSokody6AJigS5A/sync-data/status 200$`, line)
}

func TestOtherCredentials(t *testing.T) {
	p := start(t, "-dataset", "ds")
	endpoint := p.environment()
	iam, err := modelarts.NewIAM(endpoint)
	require.NoError(t, err)
	login := iam.PasswordAuth(modelarts.PasswordLogin{
		DomainName: modelartstest.DomainName, UserName: modelartstest.UserName, Password: modelartstest.Password,
		ProjectID: modelartstest.ProjectID,
	})
	for name, auth := range map[string]modelarts.Authenticator{
		"token": modelarts.TokenAuth(modelartstest.Token), "login": login,
	} {
		client, err := modelarts.NewClient(endpoint, modelartstest.ProjectID, auth)
		require.NoError(t, err)
		_, err = client.GetSyncStatus(t.Context(), "ds")
		require.NoError(t, err, name)
	}

	t.Setenv("MODELARTS_METADATA_DISABLED", "")
	client, err := modelarts.NewClient(endpoint, modelartstest.ProjectID, modelarts.NewSigner(modelarts.MetadataCredentials()))
	require.NoError(t, err)
	_, err = client.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err)
	p.until("PUT /meta-data/latest/api/token 200")
	p.until("GET /openstack/latest/securitykey 200")
}

func TestFaults(t *testing.T) {
	p := start(t, "-dataset", "ds", "-fail", "GET /sync-data/status 503 APIGW.0613 2", "-fail", "get /status 418",
		"-fail", "* /sync-data drop - always")
	client := p.client()
	for _, want := range []string{"503 APIGW.0613: A fault that was asked for", "503 APIGW.0613", "418"} {
		_, err := client.GetSyncStatus(t.Context(), "ds")
		require.ErrorContains(t, err, want)
		p.until("/sync-data/status " + want[:3])
	}
	_, err := client.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err)
	req, err := client.NewRequest(t.Context(), http.MethodPost, "/v2/{project_id}/datasets/ds/sync-data", nil, nil)
	require.NoError(t, err)
	for range 2 {
		require.Error(t, client.Do(req, nil))
		p.until("POST /v2/" + modelartstest.ProjectID + "/datasets/ds/sync-data dropped")
	}
}

func TestSparseAndDelay(t *testing.T) {
	p := start(t, "-dataset", "ds", "-sparse", "-registration-delay", "1h")
	client := p.client()
	_, err := client.StartSync(t.Context(), "ds")
	require.NoError(t, err)
	status, err := client.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err)
	assert.Equal(t, modelarts.SyncStatus{Status: modelarts.SyncNotExist, DatasetID: "ds"}, *status)
	_, err = client.StartSync(t.Context(), "ds")
	require.ErrorIs(t, err, modelarts.ErrSyncRunning)

	client = start(t, "-dataset", "ds", "-sparse").client()
	_, err = client.StartSync(t.Context(), "ds")
	require.NoError(t, err)
	status, err = client.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err)
	assert.Equal(t, modelarts.SyncStatus{Status: modelarts.SyncQueuing, DatasetID: "ds"}, *status)
}

func TestMisuse(t *testing.T) {
	for flag, values := range map[string][]string{
		"-dataset":            {"", "=name", "a,", "a/b"},
		"-plan":               {"", "running", "RUNNING:5", "RUNNING,", "RUNNING:=1+2"},
		"-fail":               {"", "GET /x", "GET /x 99", "GET /x five", "GET /x 600", "GET /x 503 - 0", "GET /x 503 - never", "GET /x 503 - 1 more"},
		"-registration-delay": {"soon", "-1s"},
		"-addr":               {"", "nowhere", "127.0.0.1:99999"},
		"-port":               {"1"},
	} {
		for _, value := range values {
			clitest.Run(t.Context(), run, flag, value).Fails(t, cli.Misused, flag)
		}
	}
	clitest.Run(t.Context(), run, "extra").Fails(t, cli.Misused, `"extra"`)
}

// A state that nobody knows can be played, and is more often a slip.
func TestUnknownStates(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := clitest.Run(ctx, run, "-addr", "127.0.0.1:0", "-plan", "QUEUEING,RUNNING,SCANNING,QUEUEING,COMPLETED")
	assert.Equal(t, cli.OK, got.Status)
	assert.Contains(t, got.Stdout, "export MODELARTS_ENDPOINT")
	got.Says(t, "-plan has QUEUEING, SCANNING, which", "it has QUEUING, STARTING, RUNNING, COMPLETED, FAILED, NOT_EXIST\n")

	got = clitest.Run(ctx, run, "-addr", "127.0.0.1:0", "-plan", "QUEUING,STARTING,RUNNING,NOT_EXIST,FAILED,COMPLETED")
	assert.Empty(t, got.Stderr)
}

func TestTakenPort(t *testing.T) {
	web := httptest.NewServer(nil)
	defer web.Close()
	clitest.Run(t.Context(), run, "-addr", web.Listener.Addr().String()).Fails(t, cli.Failed, "cannot listen", "-addr")
}

func TestHelp(t *testing.T) {
	got := clitest.Run(t.Context(), run, "-help")
	assert.Equal(t, cli.OK, got.Status)
	assert.Empty(t, got.Stderr)
	for _, name := range []string{"-addr address", "-dataset id=name", "-plan states", "-fail fault", "-sparse", "-registration-delay"} {
		assert.Contains(t, got.Stdout, name)
	}
}

func TestCtrlC(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send it to another one there")
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := clitest.Command(t, "-addr", "127.0.0.1:0")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = bufio.NewReader(stdout).ReadString('\n')
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Signal(signal))
		require.NoError(t, cmd.Wait())
		assert.Empty(t, stderr.String())
	}
}
