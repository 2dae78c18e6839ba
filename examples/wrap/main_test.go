package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/examples/internal/clitest"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func TestRun(t *testing.T) {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds"}, modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 5, TotalSampleCount: 9})
	fake.AddDataset(modelarts.Dataset{ID: "text", Type: modelarts.DatasetTextClassification})
	web := httptest.NewServer(fake)
	defer web.Close()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "access_key"), []byte(modelartstest.AccessKey), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret_key"), []byte(modelartstest.SecretKey), 0o600))
	run := func(more ...string) clitest.Result {
		return clitest.Run(t.Context(), run, append([]string{"-endpoint", web.URL, "-project", modelartstest.ProjectID, "-keys", dir}, more...)...)
	}

	assert.Equal(t, clitest.Result{Stdout: "ds is up to date: 5 added, 0 deleted, 9 in total\n"}, run("-dataset", "ds"))
	run("-dataset", "other").Fails(t, cli.Failed, "no such dataset")
	run("-dataset", "text").Fails(t, cli.Failed, "cannot be synchronized")
	run("-keys", filepath.Join(dir, "none"), "-dataset", "ds").Fails(t, cli.Misused, filepath.Join(dir, "none", "access_key"))
	run("-keys", filepath.Join(dir, "access_key"), "-dataset", "ds").Fails(t, cli.Misused, "wrong configuration", filepath.Join(dir, "access_key", "access_key"))
	run("-dataset", "ds", "-endpoint", strings.Replace(web.URL, "http:", "https:", 1)).Fails(t, cli.Failed, "not available", "does not speak TLS")
	run().Fails(t, cli.Misused, "-dataset")
	run("-dataset", "ds", "-endpoint", "modelarts.test").Fails(t, cli.Misused, "the endpoint must be absolute")
	run("-what").Fails(t, cli.Misused, "-what")
	run("what").Fails(t, cli.Misused, `"what"`)
}
