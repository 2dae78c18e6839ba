package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/examples/internal/clitest"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func TestMain(m *testing.M) { clitest.Main(m, main) }

var (
	queuing   = modelarts.SyncStatus{Status: modelarts.SyncQueuing}
	running   = modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 3, TotalSampleCount: 8}
	completed = modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 5, DeletedSampleCount: 1, TotalSampleCount: 9}
	failed    = modelarts.SyncStatus{Status: modelarts.SyncFailed, ErrorCode: "ModelArts.4340", ErrorMsg: "No space left"}
)

// newFake is a service with one dataset, "ds" by id and "flowers" by name.
func newFake(plan ...modelarts.SyncStatus) *modelartstest.Server {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds", Name: "flowers"}, plan...)
	return fake
}

// serve puts a fake on a port, and returns the arguments that lead there.
func serve(t *testing.T, handler http.Handler) func(more ...string) []string {
	t.Helper()
	clitest.ClearEnv(t)
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	return func(more ...string) []string {
		return clitest.Flags(web.URL, append([]string{"-interval", "10ms"}, more...)...)
	}
}

func starts(fake *modelartstest.Server) int {
	n := 0
	for _, r := range fake.Requests() {
		if r.Method == http.MethodPost {
			n++
		}
	}
	return n
}

// states are the first words of the lines.
func states(text string) []string {
	var words []string
	for line := range strings.Lines(text) {
		words = append(words, strings.Fields(line)[0])
	}
	return words
}

func TestWithNothingGiven(t *testing.T) {
	clitest.ClearEnv(t)
	got := clitest.Run(t.Context(), run)
	assert.Equal(t, cli.OK, got.Status)
	got.Says(t, "fake one, at http://127.0.0.1:")
	assert.Equal(t, []string{"QUEUING", "STARTING", "RUNNING", "RUNNING", "COMPLETED"}, states(got.Stdout))
	assert.Contains(t, got.Stdout, "+412 -2 samples, 4410 in total\n")
}

func TestNameAndID(t *testing.T) {
	for _, dataset := range []string{"flowers", "ds"} {
		t.Run(dataset, func(t *testing.T) {
			fake := newFake(queuing, queuing, running, running, completed)
			args := serve(t, fake)
			got := clitest.Run(t.Context(), run, args("-dataset", dataset)...)
			assert.Equal(t, cli.OK, got.Status, got.Stderr)
			assert.Empty(t, got.Stderr)
			assert.Equal(t, []string{"QUEUING", "RUNNING", "COMPLETED"}, states(got.Stdout), "a line a change")
			assert.Equal(t, 1, starts(fake))
			assert.Contains(t, fake.Requests()[0].Header.Get("User-Agent"), "sync-example/1 ")
		})
	}
}

func TestByTheEnvironment(t *testing.T) {
	fake := newFake()
	serve(t, fake)
	web := httptest.NewServer(fake)
	defer web.Close()
	t.Setenv("MODELARTS_ENDPOINT", web.URL)
	t.Setenv("HW_PROJECT_ID", modelartstest.ProjectID)
	t.Setenv("HW_ACCESS_KEY", modelartstest.AccessKey)
	t.Setenv("HW_SECRET_KEY", modelartstest.SecretKey)
	got := clitest.Run(t.Context(), run, "-dataset", "flowers", "-interval", "10ms")
	assert.Equal(t, cli.OK, got.Status, got.Stderr)
	assert.Equal(t, []string{"QUEUING", "RUNNING", "COMPLETED"}, states(got.Stdout))
}

func TestJSON(t *testing.T) {
	args := serve(t, newFake(queuing, running, running, completed))
	got := clitest.Run(t.Context(), run, args("-dataset", "ds", "-json")...)
	assert.Equal(t, cli.OK, got.Status, got.Stderr)
	var seen []modelarts.SyncState
	for line := range strings.Lines(got.Stdout) {
		require.True(t, strings.HasPrefix(line, "{"), line)
		var status modelarts.SyncStatus
		require.NoError(t, json.Unmarshal([]byte(line), &status), line)
		assert.Equal(t, "ds_00000001", status.TaskID)
		seen = append(seen, status.Status)
	}
	assert.Equal(t, []modelarts.SyncState{"QUEUING", "RUNNING", "COMPLETED"}, seen)
}

func TestWaitOnly(t *testing.T) {
	fake := newFake(running, completed)
	args := serve(t, fake)
	clitest.Run(t.Context(), run, args("-dataset", "ds", "-wait-only")...).Fails(t, cli.Failed, "no synchronization task")

	_, err := fake.Client().StartSync(t.Context(), "ds")
	require.NoError(t, err)
	got := clitest.Run(t.Context(), run, args("-dataset", "flowers", "-wait-only")...)
	assert.Equal(t, cli.OK, got.Status, got.Stderr)
	assert.Equal(t, []string{"RUNNING", "COMPLETED"}, states(got.Stdout))
	assert.Equal(t, 1, starts(fake))
}

func TestAlreadyRunning(t *testing.T) {
	fake := newFake()
	args := serve(t, fake)
	fake.SetSyncStatus("ds", running)
	clitest.Run(t.Context(), run, args("-dataset", "ds")...).Fails(t, cli.Failed, "ModelArts.4355", "(-wait-only joins it)")
}

func TestFailed(t *testing.T) {
	args := serve(t, newFake(running, failed))
	file := filepath.Join(t.TempDir(), "task.json")
	got := clitest.Run(t.Context(), run, args("-dataset", "ds", "-resume", file)...)
	assert.Equal(t, cli.Failed, got.Status)
	assert.Equal(t, []string{"RUNNING", "FAILED"}, states(got.Stdout))
	got.Says(t, "ModelArts.4340 No space left")
	assert.NoFileExists(t, file, "there is nothing left to wait for")
}

func TestServiceErrors(t *testing.T) {
	fake := newFake()
	args := serve(t, fake)
	clitest.Run(t.Context(), run, args("-dataset", "other")...).Fails(t, cli.Failed, "dataset not found", `"other"`)

	fake.Inject(modelartstest.Fault{Status: 403, Code: "ModelArts.4335", Message: "Iam agency is invalid"})
	clitest.Run(t.Context(), run, args("-dataset", "ds")...).Fails(t, cli.Failed, "Iam agency is invalid")
	assert.Zero(t, starts(fake))
}

func TestUnreachable(t *testing.T) {
	web := httptest.NewServer(nil)
	web.Close()
	keys := modelarts.Credentials{AccessKey: "a", SecretKey: "s"}
	client, err := modelarts.NewClient(web.URL, "p", modelarts.NewSigner(keys), modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	follow(t.Context(), client, program{dataset: "ds"}).Fails(t, cli.Failed, "refused")
}

func TestMisuse(t *testing.T) {
	fake := newFake()
	args := serve(t, fake)
	dir := t.TempDir()
	broken, none := filepath.Join(dir, "broken.json"), filepath.Join(dir, "none.json")
	require.NoError(t, os.WriteFile(broken, []byte(`{"started_at":"today"}`), 0o600))
	other := filepath.Join(dir, "other.json")
	require.NoError(t, saveNote(other, note{SyncTask: modelarts.SyncTask{DatasetID: "other"}}))

	for name, c := range map[string]struct {
		args []string
		text string
	}{
		"unknown flag":         {[]string{"-what"}, "-what"},
		"an argument":          {[]string{"ds"}, `"ds"`},
		"no dataset":           {nil, "-dataset NAME"},
		"negative timeout":     {[]string{"-dataset", "ds", "-timeout", "-1s"}, "negative"},
		"negative interval":    {[]string{"-dataset", "ds", "-interval", "-1s"}, "negative"},
		"two ways to wait":     {[]string{"-dataset", "ds", "-wait-only", "-resume", none}, "exclude"},
		"no file, no dataset":  {[]string{"-resume", none}, "there is no file " + none},
		"broken file":          {[]string{"-resume", broken}, broken + " does not hold a task"},
		"a directory":          {[]string{"-resume", dir}, dir},
		"other dataset":        {[]string{"-dataset", "flowers", "-resume", other}, "about dataset other, not about flowers"},
		"no such directory":    {[]string{"-dataset", "ds", "-resume", filepath.Join(dir, "no", "f")}, "cannot write " + filepath.Join(dir, "no", "f")},
		"plain http elsewhere": {[]string{"-dataset", "ds", "-endpoint", "http://else.test"}, "https"},
	} {
		t.Run(name, func(t *testing.T) {
			clitest.Run(t.Context(), run, args(c.args...)...).Fails(t, cli.Misused, c.text)
		})
	}
	assert.Zero(t, starts(fake), "nothing was started before the mistake was found")
	assert.FileExists(t, broken)
}

func TestInterrupted(t *testing.T) {
	for _, resume := range []bool{false, true} {
		ctx, interrupt := context.WithCancel(t.Context())
		fake := newFake(running)
		args := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fake.ServeHTTP(w, r)
			if starts(fake) == 1 && r.Method == http.MethodGet {
				interrupt()
			}
		}))
		file := filepath.Join(t.TempDir(), "task.json")
		arguments, how := args("-dataset", "flowers"), " -dataset ds -wait-only\n"
		if resume {
			arguments, how = append(arguments, "-resume", file), " -resume "+file+"\n"
		}
		got := clitest.Run(ctx, run, arguments...)
		assert.Equal(t, cli.Running, got.Status)
		got.Says(t, "interrupted; the synchronization goes on; continue with: ", " -endpoint http://127.0.0.1:", how)
		assert.NotContains(t, got.Stderr, modelartstest.SecretKey)
	}
}

// The built-in fake ends with the program, so there is nothing to go on with.
func TestTimeoutOnTheFake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "task.json")
		got := follow(t.Context(), newFake(running).Client(), program{dataset: "ds", timeout: time.Minute, resume: file, fake: true})
		assert.Equal(t, cli.Failed, got.Status)
		got.Says(t, "sync: ended by -timeout 1m0s, and the fake service with it\n")
		assert.NoFileExists(t, file)
	})
}

// follow runs the part of the program behind its flags, which works in memory and without waiting.
func follow(ctx context.Context, client *modelarts.Client, p program) clitest.Result {
	var stdout, stderr bytes.Buffer
	p.stdout, p.stderr, p.command = &stdout, &stderr, "sync"
	status := p.follow(ctx, client)
	return clitest.Result{Status: status, Stdout: stdout.String(), Stderr: stderr.String()}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(running)
		began := time.Now()
		got := follow(t.Context(), fake.Client(), program{dataset: "flowers", timeout: time.Hour})
		assert.Equal(t, cli.Running, got.Status)
		assert.Equal(t, time.Hour, time.Since(began))
		got.Says(t, "still running after 1h0m0s; continue with: sync -dataset ds -wait-only")
		assert.Equal(t, []string{"RUNNING"}, states(got.Stdout))
	})
}

// A file that cannot be written is a mistake that needs no service to be found.
func TestNoSuchDirectoryInAnOutage(t *testing.T) {
	fake := newFake()
	file := filepath.Join(t.TempDir(), "no", "task.json")
	got := follow(t.Context(), fake.Client(), program{dataset: "ds", resume: file})
	got.Fails(t, cli.Misused, "cannot write "+file)
	assert.Empty(t, fake.Requests())
}

// What ends before the start says so, instead of how to continue.
func TestEndedBeforeTheStart(t *testing.T) {
	for name, path := range map[string]string{"looking up the dataset": "/ds", "the first look at its status": "/status"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(running)
				fake.Inject(modelartstest.Fault{Path: path, Delay: time.Hour})
				file := filepath.Join(t.TempDir(), "task.json")
				got := follow(t.Context(), fake.Client(), program{dataset: "ds", timeout: 5 * time.Second, resume: file})
				got.Fails(t, cli.Failed, "sync: ended by -timeout 5s; this run has started nothing: ")
				assert.NotContains(t, got.Stderr, "continue")
				assert.NoFileExists(t, file)
				assert.Zero(t, starts(fake))

				fake.Inject(modelartstest.Fault{Path: path, Delay: time.Hour})
				ctx, interrupt := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, interrupt)
				got = follow(ctx, fake.Client(), program{dataset: "ds"})
				got.Fails(t, cli.Failed, "sync: interrupted; this run has started nothing: ")
			})
		})
	}
}

// A task of which nothing was heard is not called a running one.
func TestNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(running)
		fake.Inject(modelartstest.Fault{Path: "/status"}, modelartstest.Fault{Path: "/status", Status: 503, Times: -1})
		got := follow(t.Context(), fake.Client(), program{dataset: "ds", timeout: time.Minute})
		got.Fails(t, cli.Running, "sync: ended by -timeout 1m0s before any news of the synchronization: ", "503", "continue with: sync -dataset ds -wait-only\n")
	})
}

// In an outage the same command as before waits on, with the name of the dataset too.
func TestResumeInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(running)
		file := filepath.Join(t.TempDir(), "task.json")
		got := follow(t.Context(), fake.Client(), program{dataset: "flowers", timeout: time.Minute, resume: file})
		require.Equal(t, cli.Running, got.Status)

		fake.SetSyncStatus("ds", modelarts.SyncStatus{TaskID: "ds_00000001", Status: modelarts.SyncCompleted})
		fake.Inject(modelartstest.Fault{Status: 503, Times: 30})
		got = follow(t.Context(), fake.Client(), program{dataset: "flowers", resume: file})
		assert.Equal(t, cli.OK, got.Status, got.Stderr)
		assert.Equal(t, 1, starts(fake))
		assert.NoFileExists(t, file)
	})
}

// Under another name than before nobody knows without the service; the task is kept.
func TestResumeUnderAnotherNameInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(running)
		file := filepath.Join(t.TempDir(), "task.json")
		require.NoError(t, saveNote(file, note{modelarts.SyncTask{DatasetID: "ds"}, "ds"}))
		fake.Inject(modelartstest.Fault{Status: 503, Times: -1})
		got := follow(t.Context(), fake.Client(), program{dataset: "flowers", resume: file})
		got.Fails(t, cli.Failed, "whether "+file+" is about flowers: ", "(without -dataset, its task is waited for, that of ds)")
		assert.FileExists(t, file)
	})
}

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(running)
		fake.SetSyncStatus("ds", modelarts.SyncStatus{TaskID: "ds_old", Status: modelarts.SyncCompleted, CreateTime: 7})
		file := filepath.Join(t.TempDir(), "task.json")
		got := follow(t.Context(), fake.Client(), program{dataset: "flowers", timeout: time.Minute, resume: file})
		assert.Equal(t, cli.Running, got.Status)
		got.Says(t, "continue with: sync -resume "+file)

		task, found, err := loadNote(file)
		require.NoError(t, err)
		require.True(t, found)
		assert.True(t, task.StartedAt.Equal(time.Now().Add(-time.Minute)))
		task.StartedAt = time.Time{}
		assert.Equal(t, note{Asked: "flowers", SyncTask: modelarts.SyncTask{
			DatasetID: "ds", PreviousTaskID: "ds_old", PreviousCreateTime: 7, PreviousStatus: modelarts.SyncCompleted,
		}}, task)

		fake.SetSyncStatus("ds", modelarts.SyncStatus{TaskID: "ds_00000001", Status: modelarts.SyncCompleted})
		for _, dataset := range []string{"", "flowers", "ds"} {
			require.NoError(t, saveNote(file, task))
			got = follow(t.Context(), fake.Client(), program{dataset: dataset, resume: file})
			assert.Equal(t, cli.OK, got.Status, got.Stderr)
			assert.Equal(t, []string{"COMPLETED"}, states(got.Stdout))
			assert.NoFileExists(t, file)
		}
		assert.Equal(t, 1, starts(fake))
		left, err := os.ReadDir(filepath.Dir(file))
		require.NoError(t, err)
		assert.Empty(t, left)
	})
}

func TestUnknownStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(running)
		fake.Inject(modelartstest.Fault{Method: "POST", Drop: true}, modelartstest.Fault{Path: "/status"},
			modelartstest.Fault{Path: "/status", Status: 503, Times: -1})
		file := filepath.Join(t.TempDir(), "task.json")
		got := follow(t.Context(), fake.Client(), program{dataset: "ds", resume: file})
		got.Fails(t, cli.Failed, "unknown whether", "if it was, continue with: sync -resume "+file)
		task, found, err := loadNote(file)
		require.NoError(t, err)
		assert.True(t, found)
		assert.Equal(t, "ds", task.DatasetID)
	})
}

// A process that is killed leaves its task to the next one, which starts nothing.
func TestResumeAfterAKill(t *testing.T) {
	fake := newFake(running)
	args := serve(t, fake)
	file := filepath.Join(t.TempDir(), "task.json")

	first := clitest.Command(t, args("-dataset", "flowers", "-resume", file)...)
	stdout, err := first.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, first.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "RUNNING")
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait())
	assert.FileExists(t, file)

	fake.SetSyncStatus("ds", modelarts.SyncStatus{TaskID: "ds_00000001", Status: modelarts.SyncCompleted})
	second := clitest.Command(t, args("-resume", file)...)
	output, err := second.Output()
	require.NoError(t, err)
	assert.Equal(t, []string{"COMPLETED"}, states(string(output)))
	assert.Equal(t, 1, starts(fake))
	assert.NoFileExists(t, file)
}

func TestCtrlC(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if runtime.GOOS == "windows" || err != nil {
		t.Skip("a process cannot send it to another one there, and there is no shell to paste into")
	}
	fake := newFake(running)
	cmd := clitest.Command(t, serve(t, fake)("-dataset", "flowers", "-json", "-timeout", "1h")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	assert.Equal(t, cli.Running, cmd.ProcessState.ExitCode())
	line, ok := strings.CutPrefix(stderr.String(), "sync: interrupted; the synchronization goes on; continue with: ")
	require.True(t, ok, stderr.String())
	assert.True(t, strings.HasSuffix(line, " -dataset ds -wait-only\n"), line)
	assert.NotContains(t, line, modelartstest.SecretKey)

	// The line can be pasted, where the secret key is in its variable.
	fake.SetSyncStatus("ds", modelarts.SyncStatus{TaskID: "ds_00000001", Status: modelarts.SyncCompleted})
	pasted := clitest.Command(t)
	pasted.Path, pasted.Args = shell, []string{"sh", "-c", line}
	pasted.Env = append(pasted.Env, "HUAWEICLOUD_SDK_SK="+modelartstest.SecretKey)
	output, err := pasted.Output()
	require.NoError(t, err)
	assert.JSONEq(t, `{"task_id":"ds_00000001","dataset_id":"ds","status":"COMPLETED"}`, string(output))
	assert.Equal(t, 1, starts(fake))
}
