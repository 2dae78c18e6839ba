// Package clitest runs the example programs in tests: inside the test, or as processes of their own.
package clitest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// variables are those of the package documentation's table.
var variables = []string{
	"MODELARTS_ENDPOINT", "MODELARTS_REGION", "HW_REGION_NAME", "OS_REGION_NAME",
	"HUAWEICLOUD_SDK_PROJECT_ID", "HW_PROJECT_ID", "OS_PROJECT_ID", "HW_PROJECT_NAME", "OS_PROJECT_NAME",
	"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN",
	"HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN", "OS_ACCESS_KEY", "OS_SECRET_KEY", "OS_SECURITY_TOKEN",
	"HW_AUTH_TOKEN", "OS_AUTH_TOKEN", "OS_TOKEN",
	"HW_USER_NAME", "HW_USER_PASSWORD", "HW_DOMAIN_NAME",
	"OS_USERNAME", "OS_PASSWORD", "OS_USER_DOMAIN_NAME", "OS_DOMAIN_NAME",
	"HUAWEICLOUD_SDK_IDP_ID", "HUAWEICLOUD_SDK_ID_TOKEN_FILE",
	"HUAWEICLOUD_SDK_IAM_ENDPOINT", "HW_AUTH_URL", "OS_AUTH_URL",
	"HUAWEICLOUD_SDK_CREDENTIALS_FILE", "MODELARTS_METADATA_ENDPOINT", "MODELARTS_METADATA_DISABLED",
}

// ClearEnv takes everything out of the environment that could name a service or hold credentials, until the
// test ends. Instance metadata is left out too, so that no test asks for it over the network.
func ClearEnv(t *testing.T) {
	t.Helper()
	for _, name := range variables {
		t.Setenv(name, "")
	}
	t.Setenv("MODELARTS_METADATA_DISABLED", "true")
	home := t.TempDir() // without a profile
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
}

// Flags are the arguments that point a program to a fake service at endpoint, with more behind them.
func Flags(endpoint string, more ...string) []string {
	return append([]string{
		"-endpoint", endpoint, "-project", modelartstest.ProjectID,
		"-ak", modelartstest.AccessKey, "-sk", modelartstest.SecretKey,
	}, more...)
}

// A Result is what became of a run.
type Result struct {
	Status         int
	Stdout, Stderr string
}

// Run runs a program inside the test.
func Run(ctx context.Context, run cli.Program, args ...string) Result {
	var stdout, stderr bytes.Buffer
	status := run(ctx, args, &stdout, &stderr)
	return Result{status, stdout.String(), stderr.String()}
}

// Fails asserts that a program has said what is wrong in one line, which contains all of texts, and nothing
// else.
func (r Result) Fails(t *testing.T, status int, texts ...string) {
	t.Helper()
	assert.Equal(t, status, r.Status, r.Stderr)
	assert.Empty(t, r.Stdout)
	r.Says(t, texts...)
}

// Says asserts that there is one line on stderr, which contains all of texts.
func (r Result) Says(t *testing.T, texts ...string) {
	t.Helper()
	assert.Equal(t, 1, strings.Count(r.Stderr, "\n"), "one line: %q", r.Stderr)
	for _, text := range texts {
		assert.Contains(t, r.Stderr, text)
	}
}

const processVariable = "EXAMPLE_TEST_PROCESS"

// Main is for the TestMain of a program that [Command] runs: in such a process it runs main instead of tests.
func Main(m *testing.M, main func()) {
	if os.Getenv(processVariable) == "" {
		os.Exit(m.Run())
	}
	main()
	os.Exit(0)
}

// Command is the program under test as a process, which is this test's own executable, see [Main]. It does
// not outlive the test.
func Command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, args...) //nolint:gosec // the test itself
	cmd.Env = append(os.Environ(), processVariable+"=1")
	return cmd
}
