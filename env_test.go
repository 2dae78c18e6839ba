package modelarts_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// credEnvKeys are variables with the fake's keys and project.
var credEnvKeys = []string{
	"HUAWEICLOUD_SDK_AK", modelartstest.AccessKey, "HUAWEICLOUD_SDK_SK", modelartstest.SecretKey,
	"HUAWEICLOUD_SDK_PROJECT_ID", modelartstest.ProjectID,
}

// credFromEnv makes a client from these variables and no others, whose requests go to the fake.
func credFromEnv(t *testing.T, fake *modelartstest.Server, variables ...string) (*modelarts.Client, error) {
	t.Helper()
	credClearEnv(t)
	credSetenv(t, variables...)
	return modelarts.NewClientFromEnv(t.Context(), modelarts.WithHTTPClient(fake.HTTPClient()))
}

func TestEnvEndpoint(t *testing.T) {
	noLeaks(t)
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"spelled out":      {[]string{"MODELARTS_ENDPOINT", "https://other.test/prefix/", "MODELARTS_REGION", "cn-north-4"}, "https://other.test/prefix"},
		"region":           {[]string{"MODELARTS_REGION", "cn-north-4", "HW_REGION_NAME", "x", "OS_REGION_NAME", "y"}, "https://modelarts.cn-north-4.myhuaweicloud.com"},
		"Terraform region": {[]string{"HW_REGION_NAME", "cn-east-3", "OS_REGION_NAME", "y"}, "https://modelarts.cn-east-3.myhuaweicloud.com"},
		"OTC region":       {[]string{"OS_REGION_NAME", "eu-de"}, "https://modelarts.eu-de.otc.t-systems.com"},
		"official SDK": {
			[]string{"MODELARTS_REGION", "cn-north-4", "HUAWEICLOUD_SDK_REGION_MODELARTS_CN_NORTH_4", " one.test , https://two.test"}, "https://one.test",
		},
		"official SDK with scheme": {
			[]string{"MODELARTS_REGION", "cn-north-4", "HUAWEICLOUD_SDK_REGION_MODELARTS_CN_NORTH_4", "https://one.test:8443"}, "https://one.test:8443",
		},
		"official SDK for another region": {
			[]string{"MODELARTS_REGION", "cn-north-4", "HUAWEICLOUD_SDK_REGION_MODELARTS_CN_NORTH_9", "one.test"}, "https://modelarts.cn-north-4.myhuaweicloud.com",
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake := credFake()
			client, err := credFromEnv(t, fake, append(c.env, credEnvKeys...)...)
			require.NoError(t, err)
			assert.Equal(t, c.want, client.Endpoint())
			assert.Empty(t, fake.Requests(), "nothing had to be asked")
		})
	}
	for name, c := range map[string]struct {
		env  []string
		want []string
	}{
		"nothing":           {nil, []string{"MODELARTS_ENDPOINT", "MODELARTS_REGION", "HW_REGION_NAME", "OS_REGION_NAME"}},
		"no scheme":         {[]string{"MODELARTS_ENDPOINT", "modelarts.test"}, []string{"absolute"}},
		"plain http":        {[]string{"MODELARTS_ENDPOINT", "http://modelarts.test"}, []string{"https"}},
		"not a region":      {[]string{"MODELARTS_REGION", "evil.test/x"}, []string{"not the name of a region"}},
		"a password inside": {[]string{"MODELARTS_ENDPOINT", "https://user:canary@modelarts.test"}, []string{"Authenticator"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := credFromEnv(t, credFake(), append(c.env, credEnvKeys...)...)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestEnvProject(t *testing.T) {
	noLeaks(t)
	keys := []string{"MODELARTS_ENDPOINT", modelartstest.Endpoint, "HUAWEICLOUD_SDK_IAM_ENDPOINT", modelartstest.IAMEndpoint,
		"HW_ACCESS_KEY", modelartstest.AccessKey, "HW_SECRET_KEY", modelartstest.SecretKey}
	for name, c := range map[string]struct {
		env  []string
		want string
		asks int
	}{
		"official SDK":           {[]string{"HUAWEICLOUD_SDK_PROJECT_ID", "p1", "HW_PROJECT_ID", "p2", "OS_PROJECT_ID", "p3"}, "p1", 0},
		"Terraform":              {[]string{"HW_PROJECT_ID", "p2", "OS_PROJECT_ID", "p3", "HW_PROJECT_NAME", "other"}, "p2", 0},
		"Open Telekom Cloud":     {[]string{"OS_PROJECT_ID", "p3", "MODELARTS_REGION", "cn-north-4"}, "p3", 0},
		"Terraform's name":       {[]string{"HW_PROJECT_NAME", "other", "OS_PROJECT_NAME", "x", "MODELARTS_REGION", "cn-north-4"}, "other-id", 1},
		"OTC's name":             {[]string{"OS_PROJECT_NAME", "other"}, "other-id", 1},
		"the name of the region": {[]string{"HW_REGION_NAME", "cn-north-4"}, modelartstest.ProjectID, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fake := credFake()
			iam := modelartstest.NewIAM(fake)
			iam.AddProject("other-id", "other", true)
			client, err := credFromEnv(t, fake, append(c.env, keys...)...)
			require.NoError(t, err)
			assert.Equal(t, c.want, client.ProjectID())
			assert.Len(t, iam.Requests(), c.asks)
		})
	}
	t.Run("none", func(t *testing.T) {
		_, err := credFromEnv(t, credFake(), keys...)
		for _, want := range []string{"HUAWEICLOUD_SDK_PROJECT_ID", "HW_PROJECT_ID", "OS_PROJECT_ID", "HW_PROJECT_NAME"} {
			require.ErrorContains(t, err, want)
		}
	})
	// NewClient does no I/O and keeps no project up to date: here, with a context, is the one look-up.
	t.Run("asked for once", func(t *testing.T) {
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		client, err := credFromEnv(t, fake, append([]string{"HW_PROJECT_NAME", modelartstest.ProjectName}, keys...)...)
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, credPoll(t.Context(), client))
		}
		assert.Len(t, iam.Requests(), 1)
	})
	t.Run("not at IAM", func(t *testing.T) {
		fake := credFake()
		modelartstest.NewIAM(fake)
		_, err := credFromEnv(t, fake, append([]string{"HW_PROJECT_NAME", "nowhere"}, keys...)...)
		require.ErrorIs(t, err, modelarts.ErrNotFound)
		assert.ErrorContains(t, err, "HUAWEICLOUD_SDK_PROJECT_ID, HW_PROJECT_ID or OS_PROJECT_ID to skip the look-up")
	})
	t.Run("no IAM to ask", func(t *testing.T) {
		_, err := credFromEnv(t, credFake(), append([]string{"HW_PROJECT_NAME", "x"}, append(keys, "HUAWEICLOUD_SDK_IAM_ENDPOINT", "")...)...)
		for _, want := range []string{"HUAWEICLOUD_SDK_IAM_ENDPOINT", "HW_AUTH_URL", "OS_AUTH_URL", "MODELARTS_REGION", "HUAWEICLOUD_SDK_PROJECT_ID"} {
			require.ErrorContains(t, err, want)
		}
	})
}

func TestEnvIAMEndpoint(t *testing.T) {
	noLeaks(t)
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"official SDK": {[]string{"HUAWEICLOUD_SDK_IAM_ENDPOINT", "one.test", "HW_AUTH_URL", "https://two.test"}, "one.test/v3/projects"},
		"Terraform":    {[]string{"HW_AUTH_URL", "https://two.test/v3", "OS_AUTH_URL", "https://three.test/v3"}, "two.test/v3/projects"},
		"OTC":          {[]string{"OS_AUTH_URL", "https://three.test:443/v3/"}, "three.test/v3/projects"},
		"prefix":       {[]string{"OS_AUTH_URL", "https://three.test/iam/v3"}, "three.test/iam/v3/projects"},
		"region":       {nil, "iam.eu-de.otc.t-systems.com/v3/projects"},
	} {
		t.Run(name, func(t *testing.T) {
			credClearEnv(t)
			credSetenv(t, append([]string{"OS_REGION_NAME", "eu-de", "OS_TOKEN", "t"}, c.env...)...)
			asked := ""
			_, err := modelarts.NewClientFromEnv(t.Context(), modelarts.WithHTTPClient(&http.Client{Transport: credRoundTrip(
				func(req *http.Request) (*http.Response, error) {
					asked = req.URL.Host + req.URL.EscapedPath()
					return nil, errors.New("stop")
				})}))
			require.ErrorContains(t, err, "stop")
			assert.Equal(t, c.want, asked)
		})
	}
}

// credSourcesInOrder are the variables of every source of credentials, the one that counts first in front.
func credSourcesInOrder(t *testing.T) (names []string, sources map[string][]string) {
	t.Helper()
	idToken := filepath.Join(t.TempDir(), "id-token")
	require.NoError(t, os.WriteFile(idToken, []byte(modelartstest.IDToken), 0o600))
	return []string{"keys", "token", "password", "OIDC", "profile", "metadata"}, map[string][]string{
		"keys":     {"OS_ACCESS_KEY", modelartstest.AccessKey, "OS_SECRET_KEY", modelartstest.SecretKey},
		"token":    {"OS_TOKEN", modelartstest.Token},
		"password": {"OS_USERNAME", modelartstest.UserName, "OS_PASSWORD", modelartstest.Password, "OS_DOMAIN_NAME", modelartstest.DomainName},
		"OIDC":     {"HUAWEICLOUD_SDK_IDP_ID", modelartstest.IDPID, "HUAWEICLOUD_SDK_ID_TOKEN_FILE", idToken},
		"profile": {"HUAWEICLOUD_SDK_CREDENTIALS_FILE",
			credProfile(t, "[basic]\nak = FROMPROFILE\nsk = canary-profile-secret\n")},
		"metadata": {"MODELARTS_METADATA_DISABLED", ""},
	}
}

func TestEnvSourcesInTheirOrder(t *testing.T) {
	noLeaks(t)
	names, sources := credSourcesInOrder(t)
	for first, name := range names {
		t.Run(name, func(t *testing.T) {
			fake := credFake()
			fake.AddKey(modelarts.Credentials{AccessKey: "FROMPROFILE", SecretKey: "canary-profile-secret"})
			iam, metadata := modelartstest.NewIAM(fake), modelartstest.NewMetadata(fake)
			web := httptest.NewServer(metadata)
			defer web.Close()
			env := []string{"MODELARTS_ENDPOINT", modelartstest.Endpoint, "HW_AUTH_URL", modelartstest.IAMEndpoint + "/v3",
				"HW_PROJECT_ID", modelartstest.ProjectID, "MODELARTS_METADATA_ENDPOINT", web.URL}
			for _, later := range names[first:] {
				env = append(env, sources[later]...)
			}
			client, err := credFromEnv(t, fake, env...)
			require.NoError(t, err)
			require.NoError(t, credPoll(t.Context(), client))

			sent := fake.Requests()[0].Header
			access, token := sent.Get("Authorization"), sent.Get("X-Auth-Token")
			switch name {
			case "keys":
				assert.Contains(t, access, "="+modelartstest.AccessKey+",")
			case "token":
				assert.Equal(t, modelartstest.Token, token)
			case "password":
				assert.Contains(t, token, "fake/issued+token")
				assert.Contains(t, string(iam.Requests()[0].Body), `{"project":{"id":"`+modelartstest.ProjectID)
			case "OIDC":
				assert.Contains(t, access, "=FAKETEMPORARY")
				assert.Equal(t, "/v3.0/OS-AUTH/id-token/tokens", iam.Requests()[0].Path)
			case "profile":
				assert.Contains(t, access, "=FROMPROFILE,")
			case "metadata":
				assert.Contains(t, access, "=FAKETEMPORARY")
				assert.Len(t, metadata.Requests(), 2, "asked once for a token and once for the keys")
			}
			if name != "metadata" {
				assert.Empty(t, metadata.Requests())
			}
			if name != "password" && name != "OIDC" {
				assert.Empty(t, iam.Requests())
			}
		})
	}
}

func TestEnvTokens(t *testing.T) {
	noLeaks(t)
	for _, name := range []string{"HW_AUTH_TOKEN", "OS_AUTH_TOKEN", "OS_TOKEN"} {
		fake := credFake()
		client, err := credFromEnv(t, fake, "MODELARTS_ENDPOINT", modelartstest.Endpoint, "HW_PROJECT_ID", modelartstest.ProjectID, name, modelartstest.Token)
		require.NoError(t, err, name)
		require.NoError(t, credPoll(t.Context(), client), name)
	}
	_, err := credFromEnv(t, credFake(), "MODELARTS_ENDPOINT", modelartstest.Endpoint, "HW_PROJECT_ID", "p", "OS_TOKEN", "canary\n")
	require.ErrorContains(t, err, "at byte 6 of 7")
	assert.NotContains(t, err.Error(), "canary")
}

func TestEnvPasswords(t *testing.T) {
	noLeaks(t)
	for name, env := range map[string][]string{
		"Terraform":        {"HW_USER_NAME", modelartstest.UserName, "HW_USER_PASSWORD", modelartstest.Password, "HW_DOMAIN_NAME", modelartstest.DomainName},
		"OTC":              {"OS_USERNAME", modelartstest.UserName, "OS_PASSWORD", modelartstest.Password, "OS_DOMAIN_NAME", modelartstest.DomainName},
		"OTC, user domain": {"OS_USERNAME", modelartstest.UserName, "OS_PASSWORD", modelartstest.Password, "OS_USER_DOMAIN_NAME", modelartstest.DomainName, "OS_DOMAIN_NAME", "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := credFake()
			iam := modelartstest.NewIAM(fake)
			client, err := credFromEnv(t, fake, append(env, "HW_REGION_NAME", "cn-north-4", "OS_AUTH_URL", modelartstest.IAMEndpoint+"/v3")...)
			require.NoError(t, err)
			assert.Equal(t, modelartstest.ProjectID, client.ProjectID(), "looked up with the token")
			require.NoError(t, credPoll(t.Context(), client))
			assert.Contains(t, string(iam.Requests()[0].Body), `"scope":{"project":{"name":"cn-north-4"}}`)
			assert.Len(t, iam.Requests(), 2)
		})
	}
}

func TestEnvMissingPiecesAreNamed(t *testing.T) {
	noLeaks(t)
	base := []string{"MODELARTS_ENDPOINT", modelartstest.Endpoint, "HW_PROJECT_ID", "p", "HW_AUTH_URL", modelartstest.IAMEndpoint}
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"HUAWEICLOUD_SDK_AK", "canary"}, "HUAWEICLOUD_SDK_AK is set, but HUAWEICLOUD_SDK_SK is not"},
		{[]string{"HW_SECRET_KEY", "canary"}, "HW_SECRET_KEY is set, but HW_ACCESS_KEY is not"},
		{[]string{"OS_ACCESS_KEY", "canary"}, "OS_ACCESS_KEY is set, but OS_SECRET_KEY is not"},
		{[]string{"HW_USER_NAME", "u"}, "HW_USER_NAME is set, but HW_USER_PASSWORD is not"},
		{[]string{"OS_PASSWORD", "canary"}, "OS_PASSWORD is set, but OS_USERNAME is not"},
		{[]string{"HW_USER_NAME", "u", "HW_USER_PASSWORD", "canary"}, "HW_USER_NAME and HW_USER_PASSWORD are set, but HW_DOMAIN_NAME is not"},
		{[]string{"OS_USERNAME", "u", "OS_PASSWORD", "canary"}, "OS_USERNAME and OS_PASSWORD are set, but OS_USER_DOMAIN_NAME or OS_DOMAIN_NAME is not"},
		{[]string{"HUAWEICLOUD_SDK_IDP_ID", "i"}, "HUAWEICLOUD_SDK_IDP_ID is set, but HUAWEICLOUD_SDK_ID_TOKEN_FILE is not"},
		{[]string{"HUAWEICLOUD_SDK_ID_TOKEN_FILE", "i"}, "HUAWEICLOUD_SDK_ID_TOKEN_FILE is set, but HUAWEICLOUD_SDK_IDP_ID is not"},
		{[]string{"HUAWEICLOUD_SDK_CREDENTIALS_FILE", "/missing/file"}, "/missing/file"},
		{[]string{"MODELARTS_METADATA_DISABLED", "", "MODELARTS_METADATA_ENDPOINT", "://"}, "MODELARTS_METADATA_ENDPOINT"},
	} {
		_, err := credFromEnv(t, credFake(), append(c.env, base...)...)
		require.ErrorContains(t, err, c.want)
		assert.NotContains(t, err.Error(), "canary")
		require.NotErrorIs(t, err, modelarts.ErrNoCredentials, "something is configured, and wrong")
	}

	for name, env := range map[string][]string{
		"password": {"HW_USER_NAME", "u", "HW_USER_PASSWORD", "canary", "HW_DOMAIN_NAME", "d"},
		"OIDC":     {"HUAWEICLOUD_SDK_IDP_ID", "i", "HUAWEICLOUD_SDK_ID_TOKEN_FILE", "f"},
	} {
		_, err := credFromEnv(t, credFake(), append(env, "MODELARTS_ENDPOINT", modelartstest.Endpoint, "HW_PROJECT_ID", "p")...)
		require.ErrorContains(t, err, "no IAM endpoint: set HUAWEICLOUD_SDK_IAM_ENDPOINT, HW_AUTH_URL or OS_AUTH_URL", name)
	}
	_, err := credFromEnv(t, credFake(), "MODELARTS_ENDPOINT", modelartstest.Endpoint, "HW_AUTH_URL", modelartstest.IAMEndpoint,
		"HW_USER_NAME", "u", "HW_USER_PASSWORD", "canary", "HW_DOMAIN_NAME", "d")
	require.ErrorContains(t, err, "no project id or name: set HUAWEICLOUD_SDK_PROJECT_ID, HW_PROJECT_ID, OS_PROJECT_ID, HW_PROJECT_NAME")
}

func TestEnvOnAnInstanceThatRefuses(t *testing.T) {
	noLeaks(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer web.Close()
	_, err := credFromEnv(t, credFake(), "MODELARTS_ENDPOINT", modelartstest.Endpoint, "HW_PROJECT_ID", "p",
		"MODELARTS_METADATA_DISABLED", "", "MODELARTS_METADATA_ENDPOINT", web.URL)
	require.ErrorIs(t, err, modelarts.ErrForbidden)
	require.NotErrorIs(t, err, modelarts.ErrNoCredentials)
	require.ErrorContains(t, err, "instance metadata")
	require.ErrorContains(t, err, "for credentials from elsewhere set HUAWEICLOUD_SDK_AK")
}

func TestEnvWithoutCredentials(t *testing.T) {
	noLeaks(t)
	_, err := credFromEnv(t, credFake(), "MODELARTS_REGION", "cn-north-4", "HW_DOMAIN_NAME", "d", "OS_DOMAIN_NAME", "d")
	require.ErrorIs(t, err, modelarts.ErrNoCredentials, "a domain alone is no login")
	for _, want := range []string{
		"HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK", "HW_ACCESS_KEY and HW_SECRET_KEY", "OS_ACCESS_KEY and OS_SECRET_KEY",
		"HW_AUTH_TOKEN", "OS_AUTH_TOKEN", "OS_TOKEN", "HW_USER_NAME", "HW_USER_PASSWORD", "HW_DOMAIN_NAME",
		"OS_USERNAME", "OS_PASSWORD", "OS_DOMAIN_NAME", "HUAWEICLOUD_SDK_IDP_ID", "HUAWEICLOUD_SDK_ID_TOKEN_FILE",
		"there is no file", filepath.Join(".huaweicloud", "credentials"), "MODELARTS_METADATA_DISABLED is set",
	} {
		require.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "\n")
}

func TestEnvProfileProject(t *testing.T) {
	noLeaks(t)
	profile := "[basic]\nak = " + modelartstest.AccessKey + "\nsk = " + modelartstest.SecretKey + "\nproject_id = of-the-profile\n"
	path := credProfile(t, profile)
	client, err := credFromEnv(t, credFake(), "MODELARTS_REGION", "cn-north-4", "HUAWEICLOUD_SDK_CREDENTIALS_FILE", path)
	require.NoError(t, err)
	assert.Equal(t, "of-the-profile", client.ProjectID())

	client, err = credFromEnv(t, credFake(), "MODELARTS_REGION", "cn-north-4", "HUAWEICLOUD_SDK_CREDENTIALS_FILE", path, "OS_PROJECT_ID", "own")
	require.NoError(t, err)
	assert.Equal(t, "own", client.ProjectID())

	fake := credFake()
	modelartstest.NewIAM(fake)
	client, err = credFromEnv(t, fake, "MODELARTS_REGION", "cn-north-4", "HUAWEICLOUD_SDK_CREDENTIALS_FILE", path,
		"HW_ACCESS_KEY", modelartstest.AccessKey, "HW_SECRET_KEY", modelartstest.SecretKey, "HW_AUTH_URL", modelartstest.IAMEndpoint)
	require.NoError(t, err)
	assert.Equal(t, modelartstest.ProjectID, client.ProjectID(), "the profile's project belongs to its keys")
}

func TestEnvProfileThatOthersCanRead(t *testing.T) {
	noLeaks(t)
	if runtime.GOOS == "windows" {
		t.Skip("files have no such modes there")
	}
	path := credProfile(t, "[basic]\nak = a\nsk = canary\nproject_id = p\n")
	require.NoError(t, os.Chmod(path, 0o644))
	credClearEnv(t)
	credSetenv(t, "MODELARTS_REGION", "cn-north-4", "HUAWEICLOUD_SDK_CREDENTIALS_FILE", path)
	var log credLog
	_, err := modelarts.NewClientFromEnv(t.Context(), log.option())
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	assert.Contains(t, log.String(), path)
	assert.NotContains(t, log.String(), "canary")
}

func TestEnvObeysContextAndOptions(t *testing.T) {
	noLeaks(t)
	credClearEnv(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0") // where nobody answers
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	credSetenv(t, "MODELARTS_REGION", "cn-north-4", "MODELARTS_METADATA_DISABLED", "", "MODELARTS_METADATA_ENDPOINT", "http://"+listener.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = modelarts.NewClientFromEnv(ctx)
	require.ErrorIs(t, err, context.Canceled)

	_, err = modelarts.NewClientFromEnv(t.Context(), nil, modelarts.WithUserAgent(""))
	require.ErrorContains(t, err, "user agent", "before anybody is asked")

	credSetenv(t, credEnvKeys...)
	fake := credFake()
	client, err := modelarts.NewClientFromEnv(t.Context(), modelarts.WithHTTPClient(fake.HTTPClient()), modelarts.WithUserAgent("tool/1"))
	require.NoError(t, err)
	require.NoError(t, credPoll(t.Context(), client))
	assert.Contains(t, fake.Requests()[0].Header.Get("User-Agent"), "tool/1 modelarts-go/")
}
