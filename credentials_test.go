package modelarts_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
)

// credClearEnv empties every variable that this package reads, and leaves no instance to ask.
func credClearEnv(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		for _, prefix := range []string{"HUAWEICLOUD_", "HW_", "OS_", "MODELARTS_"} {
			if strings.HasPrefix(name, prefix) {
				t.Setenv(name, "")
			}
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("MODELARTS_METADATA_DISABLED", "true")
}

// credSetenv sets variables, given as name and value in turn.
func credSetenv(t *testing.T, variables ...string) {
	t.Helper()
	for i := 0; i < len(variables); i += 2 {
		t.Setenv(variables[i], variables[i+1])
	}
}

func TestCredentialsPrintNoSecrets(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	c := modelarts.Credentials{
		AccessKey: "ACCESS", SecretKey: "canary-secret", SecurityToken: "canary-token", Expires: time.Unix(1_900_000_000, 0),
	}
	type exported struct {
		Keys    modelarts.Credentials
		Pointer *modelarts.Credentials
		List    []modelarts.Credentials
		Any     any
	}
	for _, value := range []any{c, &c, exported{c, &c, []modelarts.Credentials{c}, c}, []modelarts.Credentials{c}, map[string]modelarts.Credentials{"k": c}} {
		credSecrets(t, value, "canary")
	}
	assert.Equal(t, "modelarts.Credentials(ACCESS, REDACTED)", fmt.Sprintf("%#v", c))

	text, err := json.Marshal(c)
	require.NoError(t, err)
	require.Error(t, json.Unmarshal(text, &c), "redacted credentials do not come back")
	text, err = xml.Marshal(c)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "canary")
	require.Error(t, gob.NewEncoder(new(bytes.Buffer)).Encode(c))
	assert.NotContains(t, modelarts.Credentials{AccessKey: "a\nb\x1b[31m"}.String(), "\n")
}

func TestCredentialsAreTheirOwnProvider(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	var provider modelarts.CredentialsProvider = credKeys
	got, err := provider.Retrieve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, credKeys, got)
}

func TestEnvCredentials(t *testing.T) {
	noLeaks(t)
	for name, c := range map[string]struct {
		env  []string
		want modelarts.Credentials
	}{
		"official SDK": {
			[]string{"HUAWEICLOUD_SDK_AK", "a", "HUAWEICLOUD_SDK_SK", "s"}, modelarts.Credentials{AccessKey: "a", SecretKey: "s"},
		},
		"official SDK, temporary": {
			[]string{"HUAWEICLOUD_SDK_AK", "a", "HUAWEICLOUD_SDK_SK", "s", "HUAWEICLOUD_SDK_SECURITY_TOKEN", "t"},
			modelarts.Credentials{AccessKey: "a", SecretKey: "s", SecurityToken: "t"},
		},
		"Terraform": {
			[]string{"HW_ACCESS_KEY", "a", "HW_SECRET_KEY", "s", "HW_SECURITY_TOKEN", "t"},
			modelarts.Credentials{AccessKey: "a", SecretKey: "s", SecurityToken: "t"},
		},
		"Open Telekom Cloud": {
			[]string{"OS_ACCESS_KEY", "a", "OS_SECRET_KEY", "s", "OS_SECURITY_TOKEN", "t"},
			modelarts.Credentials{AccessKey: "a", SecretKey: "s", SecurityToken: "t"},
		},
		"the first wins, and nothing is mixed": {
			[]string{"HUAWEICLOUD_SDK_AK", "1", "HUAWEICLOUD_SDK_SK", "s1", "HW_ACCESS_KEY", "2", "HW_SECRET_KEY", "s2", "HW_SECURITY_TOKEN", "t2", "OS_ACCESS_KEY", "3"},
			modelarts.Credentials{AccessKey: "1", SecretKey: "s1"},
		},
		"nothing is unquoted, expanded or cut": {
			[]string{"HW_ACCESS_KEY", `"a"`, "HW_SECRET_KEY", "'$HOME'#%PATH%;${x}", "HW_SECURITY_TOKEN", `\n//==`},
			modelarts.Credentials{AccessKey: `"a"`, SecretKey: "'$HOME'#%PATH%;${x}", SecurityToken: `\n//==`},
		},
		"the second wins": {
			[]string{"HUAWEICLOUD_SDK_SECURITY_TOKEN", "t1", "HW_ACCESS_KEY", "2", "HW_SECRET_KEY", "s2", "OS_ACCESS_KEY", "3", "OS_SECRET_KEY", "s3"},
			modelarts.Credentials{AccessKey: "2", SecretKey: "s2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			credClearEnv(t)
			provider := modelarts.EnvCredentials()
			credSetenv(t, c.env...) // read when asked, not before
			got, err := provider.Retrieve(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestEnvCredentialsThatAreIncomplete(t *testing.T) {
	noLeaks(t)
	for _, c := range []struct{ set, missing string }{
		{"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"}, {"HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_AK"},
		{"HW_ACCESS_KEY", "HW_SECRET_KEY"}, {"HW_SECRET_KEY", "HW_ACCESS_KEY"},
		{"OS_ACCESS_KEY", "OS_SECRET_KEY"}, {"OS_SECRET_KEY", "OS_ACCESS_KEY"},
	} {
		t.Run(c.missing, func(t *testing.T) {
			credClearEnv(t)
			credSetenv(t, c.set, "canary")
			if !strings.HasPrefix(c.set, "OS_") {
				credSetenv(t, "OS_ACCESS_KEY", "other", "OS_SECRET_KEY", "other")
			}
			_, err := modelarts.EnvCredentials().Retrieve(t.Context())
			require.EqualError(t, err, "modelarts: "+c.set+" is set, but "+c.missing+" is not")
			require.NotErrorIs(t, err, modelarts.ErrNoCredentials)
			_, err = modelarts.ChainCredentials(modelarts.EnvCredentials(), credKeys).Retrieve(t.Context())
			require.Error(t, err, "a mistake is not papered over by another source")
		})
	}
	t.Run("nothing", func(t *testing.T) {
		credClearEnv(t)
		_, err := modelarts.EnvCredentials().Retrieve(t.Context())
		require.ErrorIs(t, err, modelarts.ErrNoCredentials)
		for _, name := range []string{"HUAWEICLOUD_SDK_AK", "HW_ACCESS_KEY", "OS_ACCESS_KEY"} {
			assert.ErrorContains(t, err, name)
		}
	})
	t.Run("a stray newline", func(t *testing.T) {
		credClearEnv(t)
		credSetenv(t, "HW_ACCESS_KEY", "canary-ak\n", "HW_SECRET_KEY", "canary-sk")
		_, err := modelarts.EnvCredentials().Retrieve(t.Context())
		require.ErrorContains(t, err, "HW_ACCESS_KEY")
		require.ErrorContains(t, err, "byte 9 of 10")
		assert.NotContains(t, err.Error(), "canary")
	})
}

// credFails is a provider with this error.
func credFails(err error) modelarts.CredentialsProvider {
	return credAsk(func(int) (modelarts.Credentials, error) { return modelarts.Credentials{}, err })
}

func TestChainCredentials(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	none := credFails(fmt.Errorf("%w: the vault has no entry for me", modelarts.ErrNoCredentials))
	alsoNone := credFails(fmt.Errorf("%w: no token file", modelarts.ErrNoCredentials))
	broken := errors.New("the vault is sealed")
	other := credAsk(func(int) (modelarts.Credentials, error) { return credWrongKeys, nil })

	got, err := modelarts.ChainCredentials(nil, none, alsoNone, credKeys, other).Retrieve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, credKeys, got)
	assert.Zero(t, other.asked.Load(), "those behind it are not asked")

	_, err = modelarts.ChainCredentials(none, credFails(broken), credKeys).Retrieve(t.Context())
	require.ErrorIs(t, err, broken, "configured, but broken")
	require.NotErrorIs(t, err, modelarts.ErrNoCredentials)

	_, err = modelarts.ChainCredentials(none, modelarts.ChainCredentials(alsoNone)).Retrieve(t.Context())
	require.ErrorIs(t, err, modelarts.ErrNoCredentials)
	require.EqualError(t, err, "modelarts: no credentials: the vault has no entry for me; no token file")

	_, err = modelarts.ChainCredentials().Retrieve(t.Context())
	require.ErrorIs(t, err, modelarts.ErrNoCredentials)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = modelarts.ChainCredentials(&credProvider{f: func(_ int, ctx context.Context) (modelarts.Credentials, error) {
		return modelarts.Credentials{}, ctx.Err()
	}}, credKeys).Retrieve(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestChainThatRanDryThroughAClient(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := credFake()
	chain := modelarts.ChainCredentials(credFails(fmt.Errorf("%w: no\ntoken\x00file", modelarts.ErrNoCredentials)))
	err := credPoll(t.Context(), credClient(t, fake, modelarts.NewSigner(chain)))
	require.ErrorIs(t, err, modelarts.ErrNoCredentials)
	assert.NotContains(t, err.Error(), "\n")
	assert.NotContains(t, err.Error(), "\x00")
	assert.Empty(t, fake.Requests())
}
