package refresh_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/wrap/refresh"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// writeKeys fills a directory as a platform does.
func writeKeys(t *testing.T, dir, access, secret string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "access_key"), []byte(access+"\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret_key"), []byte(secret+"\n"), 0o600))
}

// newRefresher returns a Refresher on a fake service in memory, and the directory of its keys.
func newRefresher(t *testing.T, fake *modelartstest.Server) (refresh.Refresher, string) {
	t.Helper()
	dir := t.TempDir()
	writeKeys(t, dir, modelartstest.AccessKey, modelartstest.SecretKey)
	r, err := refresh.New(refresh.Config{
		Endpoint: modelartstest.Endpoint, Project: modelartstest.ProjectID,
		Keys: refresh.KeyDir(dir), HTTPClient: fake.HTTPClient(),
	})
	require.NoError(t, err)
	return r, dir
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "ds"}, modelarts.SyncStatus{Status: modelarts.SyncRunning},
			modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 5, DeletedSampleCount: 1, TotalSampleCount: 9})
		r, _ := newRefresher(t, fake)
		summary, err := r.Refresh(t.Context(), "ds")
		require.NoError(t, err)
		assert.Equal(t, refresh.Summary{Added: 5, Deleted: 1, Total: 9}, summary)
		assert.True(t, strings.HasPrefix(fake.Requests()[0].Header.Get("User-Agent"), "refresh/1 "))
	})
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(fake *modelartstest.Server)
		want    error
	}{
		"no dataset": {func(*modelartstest.Server) {}, refresh.ErrNoDataset},
		"busy": {func(fake *modelartstest.Server) {
			fake.AddDataset(modelarts.Dataset{ID: "ds"})
			fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: modelarts.SyncRunning})
		}, refresh.ErrBusy},
		"failed": {func(fake *modelartstest.Server) {
			fake.AddDataset(modelarts.Dataset{ID: "ds"}, modelarts.SyncStatus{Status: modelarts.SyncFailed})
		}, refresh.ErrFailed},
		"refused": {func(fake *modelartstest.Server) { fake.SetAccepted(modelartstest.AccessKey, false) }, refresh.ErrDenied},
		"forbidden": {func(fake *modelartstest.Server) {
			fake.Inject(modelartstest.Fault{Status: http.StatusForbidden, Code: "ModelArts.4335"})
		}, refresh.ErrDenied},
		"outage": {func(fake *modelartstest.Server) {
			fake.Inject(modelartstest.Fault{Status: http.StatusServiceUnavailable, Times: -1})
		}, refresh.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := modelartstest.New()
				c.prepare(fake)
				r, _ := newRefresher(t, fake)
				_, err := r.Refresh(t.Context(), "ds")
				require.ErrorIs(t, err, c.want)
				var ours *refresh.Error
				require.ErrorAs(t, err, &ours)
				assert.Equal(t, c.want, ours.Kind)
				assert.True(t, strings.HasPrefix(err.Error(), "refresh: "+c.want.Error()+": "))
				assert.NotContains(t, err.Error(), modelartstest.SecretKey)
			})
		})
	}
}

func TestContext(t *testing.T) {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds"})
	r, _ := newRefresher(t, fake)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Refresh(ctx, "ds")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, refresh.ErrUnavailable)
}

func TestConfig(t *testing.T) {
	_, err := refresh.New(refresh.Config{Endpoint: "modelarts.test", Project: "p", Keys: refresh.KeyDir(t.TempDir())})
	require.ErrorIs(t, err, refresh.ErrConfig)

	r, dir := newRefresher(t, modelartstest.New())
	require.NoError(t, os.Remove(filepath.Join(dir, "secret_key")))
	_, err = r.Refresh(t.Context(), "ds")
	require.ErrorIs(t, err, refresh.ErrConfig)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "secret_key")
}

// While both keys are good, the client moves on to the new one without a refused request.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "ds"})
		r, dir := newRefresher(t, fake)
		_, err := r.Refresh(t.Context(), "ds")
		require.NoError(t, err)

		fake.AddKey(modelarts.Credentials{AccessKey: "NEWKEY", SecretKey: "new secret"})
		writeKeys(t, dir, "NEWKEY", "new secret")
		time.Sleep(10 * time.Minute)
		fake.SetAccepted(modelartstest.AccessKey, false)
		fake.SetRecording(true) // and forget what was before
		_, err = r.Refresh(t.Context(), "ds")
		require.NoError(t, err)
		for _, request := range fake.Requests() {
			assert.Contains(t, request.Header.Get("Authorization"), "Access=NEWKEY,")
		}
	})
}
