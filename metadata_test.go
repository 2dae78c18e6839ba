package modelarts_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

const (
	credSessionPath = "/meta-data/latest/api/token"
	credKeyPath     = "/openstack/latest/securitykey"
)

// credInstance makes the environment one of an instance with an agency.
func credInstance(t *testing.T) (*modelartstest.Server, *modelartstest.Metadata) {
	t.Helper()
	fake := credFake()
	metadata := modelartstest.NewMetadata(fake)
	credEndpoint(t, metadata)
	return fake, metadata
}

// credEndpoint makes handler the metadata service.
func credEndpoint(t *testing.T, handler http.Handler) {
	t.Helper()
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	credClearEnv(t)
	credSetenv(t, "MODELARTS_METADATA_ENDPOINT", web.URL, "MODELARTS_METADATA_DISABLED", "")
}

func credAskMetadata(t *testing.T) (modelarts.Credentials, error) {
	t.Helper()
	return modelarts.MetadataCredentials().Retrieve(t.Context())
}

// A session is asked for before the keys, not after a 401: the service that requires sessions and the one
// that only knows them get the same requests, and a 401 for the keys says that there is no agency.
func TestMetadataCredentials(t *testing.T) {
	noLeaks(t)
	fake, metadata := credInstance(t)
	metadata.SetTokenRequired(true)
	keys, err := credAskMetadata(t)
	require.NoError(t, err)
	requests := metadata.Requests()
	require.Len(t, requests, 2)
	assert.Equal(t, "PUT "+credSessionPath, requests[0].Method+" "+requests[0].Path)
	assert.Equal(t, "21600", requests[0].Header.Get("X-Metadata-Token-Ttl-Seconds"))
	assert.Equal(t, "GET "+credKeyPath, requests[1].Method+" "+requests[1].Path)
	assert.NotEmpty(t, requests[1].Header.Get("X-Metadata-Token"))
	assert.WithinDuration(t, time.Now().Add(time.Hour), keys.Expires, time.Minute)

	client := credClient(t, fake, modelarts.NewSigner(modelarts.MetadataCredentials()))
	for range 3 {
		require.NoError(t, credPoll(t.Context(), client))
	}
	assert.Len(t, metadata.Requests(), 4, "the signer has cached them")
	metadata.RevokeIssued()
	metadata.RevokeIssued()
	require.NoError(t, credPoll(t.Context(), client), "keys that ended before their time are renewed")
	assert.Len(t, metadata.Requests(), 6)
}

func TestMetadataWithoutSessionTokens(t *testing.T) {
	noLeaks(t)
	_, metadata := credInstance(t)
	for _, status := range []int{404, 405, 503} {
		metadata.Inject(modelartstest.Fault{Path: credSessionPath, Status: status, Body: "no"})
		before := len(metadata.Requests())
		_, err := credAskMetadata(t)
		require.NoError(t, err, status)
		requests := metadata.Requests()[before:]
		require.Len(t, requests, 2, status)
		assert.NotContains(t, requests[1].Header, "X-Metadata-Token", status)
	}
	metadata.SetTokenSupport(false)
	_, err := credAskMetadata(t)
	require.NoError(t, err)
}

func TestMetadataThatHasNoKeys(t *testing.T) {
	noLeaks(t)
	_, metadata := credInstance(t)
	for name, fault := range map[string]modelartstest.Fault{
		"as a 404":             {Path: credKeyPath, Status: 404},
		"as a 404 with a page": {Path: credKeyPath, Status: 404, Body: "<html><title>404</title></html>"},
		"as a 401":             {Path: credKeyPath, Status: 401, Body: "Please configure Cloud Service Agency first"},
	} {
		t.Run(name, func(t *testing.T) {
			metadata.Inject(fault)
			_, err := credAskMetadata(t)
			require.ErrorIs(t, err, modelarts.ErrNoCredentials)
			assert.ErrorContains(t, err, "no agency")
		})
	}
	metadata.SetAgency(false)
	keys, err := modelarts.ChainCredentials(modelarts.MetadataCredentials(), credKeys).Retrieve(t.Context())
	require.NoError(t, err, "a chain goes on")
	assert.Equal(t, credKeys, keys)
}

func TestMetadataThatIsBroken(t *testing.T) {
	noLeaks(t)
	_, metadata := credInstance(t)
	for name, fault := range map[string]modelartstest.Fault{
		"no session for us":    {Path: credSessionPath, Status: 403},
		"session fails":        {Path: credSessionPath, Status: 500},
		"a page for a session": {Path: credSessionPath, Body: "<html><body>Sign in to the hotel</body></html>"},
		"an empty session":     {Path: credSessionPath, Body: " \n"},
		"a huge session":       {Path: credSessionPath, Body: strings.Repeat("canary", 1<<18)},
		"a redirect":           {Path: credSessionPath, Status: 302, Header: http.Header{"Location": {"http://other.test/"}}},
		"refused":              {Path: credKeyPath, Status: 401, Body: "session over", Times: 2},
		"forbidden":            {Path: credKeyPath, Status: 403, Times: 2},
		"fails":                {Path: credKeyPath, Status: 500, Times: 2},
		"a page":               {Path: credKeyPath, Body: "<html>Sign in</html>", Times: 2},
		"huge":                 {Path: credKeyPath, Body: `{"credential":{"secret":"` + strings.Repeat("canary", 1<<18), Times: 2},
		"not JSON":             {Path: credKeyPath, Body: `{"credential":{"access":"a","secret":"canary`, Times: 2},
		"without a secret":     {Path: credKeyPath, Body: `{"credential":{"access":"canary"}}`, Times: 2},
		"null":                 {Path: credKeyPath, Body: `null`, Times: 2},
		"wrong type":           {Path: credKeyPath, Body: `{"credential":{"access":["canary"],"secret":"canary"}}`, Times: 2},
	} {
		t.Run(name, func(t *testing.T) {
			metadata.ClearFaults()
			metadata.Inject(fault)
			before := len(metadata.Requests())
			_, err := credAskMetadata(t)
			require.ErrorContains(t, err, "metadata")
			require.NotErrorIs(t, err, modelarts.ErrNoCredentials, "there is an instance, and it does not work")
			assert.NotContains(t, err.Error(), "canary")
			assert.LessOrEqual(t, len(metadata.Requests())-before, 3)
		})
	}
	t.Run("for a moment", func(t *testing.T) {
		metadata.ClearFaults()
		metadata.Inject(modelartstest.Fault{Path: credKeyPath, Status: 500})
		_, err := credAskMetadata(t)
		require.NoError(t, err, "the keys are asked for twice")
	})
}

func TestMetadataWhereNobodyIs(t *testing.T) {
	noLeaks(t)
	credClearEnv(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	credSetenv(t, "MODELARTS_METADATA_ENDPOINT", "http://"+address, "MODELARTS_METADATA_DISABLED", "")
	_, err = credAskMetadata(t)
	require.ErrorIs(t, err, modelarts.ErrNoCredentials, "a machine that is no instance")
	require.ErrorContains(t, err, "refused")
	assert.ErrorContains(t, err, "instance metadata")
}

func TestMetadataObeysItsCaller(t *testing.T) {
	noLeaks(t)
	credClearEnv(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0") // connections wait there, and nobody answers
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	credSetenv(t, "MODELARTS_METADATA_ENDPOINT", "http://"+listener.Addr().String(), "MODELARTS_METADATA_DISABLED", "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = modelarts.MetadataCredentials().Retrieve(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, modelarts.ErrNoCredentials, "it was not found out")
}

func TestMetadataGoesStraightToTheService(t *testing.T) {
	noLeaks(t)
	var proxied, elsewhere atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Add(1) }))
	defer proxy.Close()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	credEndpoint(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	credSetenv(t, "HTTP_PROXY", proxy.URL, "http_proxy", proxy.URL, "NO_PROXY", "", "no_proxy", "")
	_, err := credAskMetadata(t)
	require.ErrorContains(t, err, "307")
	assert.Zero(t, elsewhere.Load())

	// Loopback has no proxy anyway, so this host is another one.
	credSetenv(t, "MODELARTS_METADATA_ENDPOINT", "http://metadata.invalid")
	_, err = credAskMetadata(t)
	require.ErrorIs(t, err, modelarts.ErrNoCredentials)
	assert.Zero(t, proxied.Load())
}

func TestMetadataSettings(t *testing.T) {
	noLeaks(t)
	_, metadata := credInstance(t)
	credSetenv(t, "MODELARTS_METADATA_DISABLED", "true")
	_, err := credAskMetadata(t)
	require.ErrorIs(t, err, modelarts.ErrNoCredentials)
	require.ErrorContains(t, err, "MODELARTS_METADATA_DISABLED")
	assert.Empty(t, metadata.Requests())

	credSetenv(t, "MODELARTS_METADATA_DISABLED", "", "MODELARTS_METADATA_ENDPOINT", "not a URL")
	_, err = credAskMetadata(t)
	require.ErrorContains(t, err, "MODELARTS_METADATA_ENDPOINT")
	require.NotErrorIs(t, err, modelarts.ErrNoCredentials)
}
