package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/examples/internal/clitest"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func TestMain(m *testing.M) { clitest.Main(m, func() { cli.Main(hang) }) }

// hang is a program that does not end with its context.
func hang(ctx context.Context, args []string, stdout, _ io.Writer) int {
	fmt.Fprintln(stdout, "working with", args)
	<-ctx.Done()
	fmt.Fprintln(stdout, "interrupted")
	select {}
}

func TestASecondCtrlCEndsAProgramThatHangs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send it to another one there")
	}
	cmd := clitest.Command(t, "a", "b")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(stdout)
	for _, want := range []string{"working with [a b]\n", "interrupted\n"} {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, want, line)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	// The first of these may still come before the program has let go of the signal.
	assert.Eventually(t, func() bool {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case err := <-ended:
			return err != nil
		default:
			return false
		}
	}, time.Minute, 10*time.Millisecond)
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		done   bool
		status int
		stdout string
		stderr string
	}{
		"nothing":        {nil, false, cli.OK, "", ""},
		"a flag":         {[]string{"-n", "7"}, false, cli.OK, "", ""},
		"help":           {[]string{"-help"}, true, cli.OK, "how `many`", ""},
		"unknown flag":   {[]string{"-m"}, true, cli.Misused, "", "prog: flag provided but not defined: -m (see -help)\n"},
		"wrong value":    {[]string{"-n", "x"}, true, cli.Misused, "", "prog: invalid value \"x\" for flag -n: parse error (see -help)\n"},
		"an argument":    {[]string{"x"}, true, cli.Misused, "", "prog: unexpected argument \"x\" (see -help)\n"},
		"value is gone":  {[]string{"-n"}, true, cli.Misused, "", "prog: flag needs an argument: -n (see -help)\n"},
		"argument after": {[]string{"-n", "1", "x"}, true, cli.Misused, "", "prog: unexpected argument \"x\" (see -help)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			flags := flag.NewFlagSet("prog", flag.ContinueOnError)
			flags.Int("n", 0, "how `many`")
			var stdout, stderr bytes.Buffer
			done, status := cli.Parse(flags, c.args, &stdout, &stderr)
			assert.Equal(t, c.done, done)
			assert.Equal(t, c.status, status)
			assert.Equal(t, c.stderr, stderr.String())
			assert.Contains(t, stdout.String(), strings.ReplaceAll(c.stdout, "`", ""))
			assert.Equal(t, c.stdout == "", stdout.Len() == 0)
		})
	}
}

// service parses flags as a program does.
func service(t *testing.T, args ...string) *cli.Service {
	t.Helper()
	flags := flag.NewFlagSet("prog", flag.ContinueOnError)
	s := new(cli.Service)
	s.Register(flags)
	require.NoError(t, flags.Parse(args))
	return s
}

func TestGiven(t *testing.T) {
	clitest.ClearEnv(t)
	assert.False(t, service(t).Given())
	for _, name := range []string{"endpoint", "region", "project", "ak", "sk"} {
		assert.True(t, service(t, "-"+name, "x").Given(), name)
	}
	for _, name := range []string{"MODELARTS_ENDPOINT", "MODELARTS_REGION", "HW_REGION_NAME", "OS_REGION_NAME"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "x")
			assert.True(t, service(t).Given())
		})
	}
	t.Setenv("HUAWEICLOUD_SDK_AK", "x")
	assert.False(t, service(t).Given(), "keys say nothing of where")
}

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	clitest.ClearEnv(t)
	t.Setenv("MODELARTS_ENDPOINT", "https://environment.test")
	t.Setenv("HUAWEICLOUD_SDK_PROJECT_ID", "environment")
	t.Setenv("HUAWEICLOUD_SDK_AK", "ak")
	t.Setenv("HUAWEICLOUD_SDK_SK", "sk")

	client, err := service(t, "-project", "flag").Client(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "https://environment.test", client.Endpoint())
	assert.Equal(t, "flag", client.ProjectID())

	s := service(t, "-project", "flag")
	s.Set("https://set.test", "set", "a", "s")
	client, err = s.Client(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "https://set.test", client.Endpoint())
	assert.Equal(t, "set", client.ProjectID())
}

func TestRegionFlag(t *testing.T) {
	clitest.ClearEnv(t)
	client, err := service(t, "-region", "cn-north-4", "-project", "p", "-ak", "a", "-sk", "s").Client(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "https://modelarts.cn-north-4.myhuaweicloud.com", client.Endpoint())
}

func TestWithoutKeys(t *testing.T) {
	clitest.ClearEnv(t)
	_, err := service(t, "-region", "cn-north-4", "-project", "p").Client(t.Context())
	require.ErrorIs(t, err, modelarts.ErrNoCredentials)
	assert.Equal(t, cli.Misused, cli.Status(err))
}

func TestStatus(t *testing.T) {
	for want, errs := range map[int][]error{
		cli.Failed: {
			&modelarts.APIError{StatusCode: 403}, &net.DNSError{}, &net.OpError{},
			fmt.Errorf("outer: %w", context.Canceled), context.DeadlineExceeded,
		},
		cli.Misused: {errors.New("no project"), modelarts.ErrNoCredentials, os.ErrNotExist},
	} {
		for _, err := range errs {
			assert.Equal(t, want, cli.Status(err), "%v", err)
		}
	}
}

func get(t *testing.T, url string) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}

func TestServe(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", ":0"} {
		endpoint, stop, err := cli.Serve(address, modelartstest.New())
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(endpoint, "http://127.0.0.1:"), endpoint)
		status, err := get(t, endpoint)
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, status)
		stop()
		_, err = get(t, endpoint)
		require.Error(t, err)
	}
}

func TestServeOnATakenPort(t *testing.T) {
	web := httptest.NewServer(modelartstest.New())
	defer web.Close()
	_, _, err := cli.Serve(web.Listener.Addr().String(), modelartstest.New())
	require.ErrorContains(t, err, "cannot listen: ")
	assert.NotContains(t, err.Error(), "\n")
}
