package modelartstest_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// The tests of this file use the fakes as a user's tests do: through the client.

func TestSyncPastAStaleTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "ds", Name: "flowers"})
		fake.SetSyncStatus("ds", modelarts.SyncStatus{TaskID: "ds_old", Status: "COMPLETED", CreateTime: 1})
		fake.SetRegistrationDelay(20 * time.Second)
		client := fake.Client()

		found, err := client.FindDataset(t.Context(), "flowers")
		require.NoError(t, err)
		start := time.Now()
		status, err := client.Sync(t.Context(), found.ID, nil)
		require.NoError(t, err)
		assert.Equal(t, "ds_00000001", status.TaskID)
		assert.GreaterOrEqual(t, time.Since(start), 20*time.Second)

		fake.Inject(modelartstest.Fault{Method: "POST", Drop: true, After: true})
		status, err = client.Sync(t.Context(), found.ID, nil)
		require.NoError(t, err)
		assert.Equal(t, "ds_00000002", status.TaskID, "started once, though the answer was lost")
	})
}

func TestClientSetsItsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "ds"})
		fake.SetClockOffset(-40 * time.Minute)
		client := fake.Client()
		for range 3 {
			_, err := client.GetSyncStatus(t.Context(), "ds")
			require.NoError(t, err)
		}
		assert.Len(t, fake.Requests(), 4, "one was refused")
	})
}

func TestClientWithIAM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "ds"})
		web := modelartstest.NewIAM(fake)
		iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, modelarts.WithHTTPClient(web.HTTPClient()))
		require.NoError(t, err)
		signer := modelarts.NewSigner(keys)
		for _, name := range []string{"a", "b", "c"} {
			web.AddProject(name, modelartstest.ProjectName, false)
		}
		web.SetProjectPage(1)
		id, err := iam.ProjectID(t.Context(), signer, modelartstest.ProjectName)
		require.NoError(t, err)
		assert.Equal(t, modelartstest.ProjectID, id)

		idToken := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(idToken, []byte(modelartstest.IDToken+"\n"), 0o600))
		for name, auth := range map[string]modelarts.Authenticator{
			"password": iam.PasswordAuth(modelarts.PasswordLogin{
				DomainName: modelartstest.DomainName, UserName: modelartstest.UserName,
				Password: modelartstest.Password, ProjectName: modelartstest.ProjectName,
			}),
			"agency": modelarts.NewSigner(iam.AgencyCredentials(signer, modelarts.Agency{
				Name: modelartstest.AgencyName, DomainName: modelartstest.DomainName,
			})),
			"OIDC": modelarts.NewSigner(iam.OIDCCredentials(modelartstest.IDPID, idToken)),
		} {
			client, err := modelarts.NewClient(modelartstest.Endpoint, id, auth, modelarts.WithHTTPClient(fake.HTTPClient()))
			require.NoError(t, err)
			get := func() {
				t.Helper()
				_, err := client.GetSyncStatus(t.Context(), "ds")
				require.NoError(t, err, name)
			}
			web.SetRecording(true)
			get()
			get()
			asked := len(web.Requests())
			time.Sleep(25 * time.Hour)
			get()
			assert.Len(t, web.Requests(), 2*asked, "%s: renewed once", name)
			web.RevokeIssued()
			get()
			assert.Len(t, web.Requests(), 3*asked, "%s: renewed once", name)
		}
	})
}

func TestClientWithMetadata(t *testing.T) {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds"})
	metadata := modelartstest.NewMetadata(fake)
	instance := httptest.NewServer(metadata)
	defer instance.Close()
	t.Setenv("MODELARTS_METADATA_ENDPOINT", instance.URL)

	get := func() error {
		client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID,
			modelarts.NewSigner(modelarts.MetadataCredentials()), modelarts.WithHTTPClient(fake.HTTPClient()))
		require.NoError(t, err)
		_, err = client.GetSyncStatus(t.Context(), "ds")
		return err
	}
	require.NoError(t, get())
	metadata.SetTokenSupport(false)
	require.NoError(t, get())
	metadata.SetTokenSupport(true)
	metadata.SetTokenRequired(true)
	require.NoError(t, get())
	metadata.SetAgency(false)
	require.Error(t, get())
}
