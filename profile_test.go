package modelarts_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
)

// credProfile writes a profile file that only its owner can read.
func credProfile(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// credHomeProfile writes the profile file where it is by default.
func credHomeProfile(t *testing.T, content string) {
	t.Helper()
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".huaweicloud"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, ".huaweicloud", "credentials"), []byte(content), 0o600))
}

func TestProfileFormats(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	want := modelarts.Credentials{AccessKey: "AK", SecretKey: "s=k#;\"'"}
	for name, content := range map[string]string{
		"plain":           "[basic]\nak = AK\nsk = s=k#;\"'\n",
		"no spaces":       "[basic]\nak=AK\nsk=s=k#;\"'",
		"BOM":             "\xef\xbb\xbf[basic]\nak=AK\nsk=s=k#;\"'\n",
		"CRLF":            "[basic]\r\nak = AK\r\nsk = s=k#;\"'\r\n",
		"BOM and CRLF":    "\xef\xbb\xbf[basic]\r\nak = AK\r\nsk = s=k#;\"'\r\n",
		"comments":        "# sk = no\n; ak = no\n[basic]\n  # ak = no\nak = AK\n\n;\nsk = s=k#;\"'\n",
		"other sections":  "ak = none\n[global]\nak = G\nsk = G\nsecurity_token = G\n[basic]\nak = AK\nsk = s=k#;\"'\n[other]\nak = O\n",
		"spaces and tabs": "  [ basic ]  \n\tak\t=\tAK  \n  sk  =  s=k#;\"'  \n",
		"unknown keys":    "[basic]\nak = AK\nsk = s=k#;\"'\niam_endpoint = https://x.test/?a=b\nidp_id =\n",
		"in two parts":    "[basic]\nak = old\n[global]\n[basic]\nak = AK\nsk = s=k#;\"'\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := modelarts.ProfileCredentials(credProfile(t, content)).Retrieve(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
	got, err := modelarts.ProfileCredentials(credProfile(t, "[basic]\nak=A\nsk=S\nsecurity_token = t/+==\n")).Retrieve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, modelarts.Credentials{AccessKey: "A", SecretKey: "S", SecurityToken: "t/+=="}, got)
}

func TestProfilesThatAreBroken(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, c := range map[string]struct{ content, want string }{
		"no sk":              {"[basic]\nak = canary\n", "has ak in its section [basic], but no sk"},
		"no ak":              {"[basic]\nsk = canary\n", "has sk in its section [basic], but no ak"},
		"empty sk":           {"[basic]\nak = canary\nsk =\n", "has ak in its section [basic], but no sk"},
		"sk elsewhere":       {"[basic]\nak = canary\n[global]\nsk = canary\n", "has ak in its section [basic], but no sk"},
		"no equals sign":     {"[basic]\nak = a\nsk canary\n", "line 3 is neither a section nor"},
		"a bare secret":      {"\n\n\ncanary\n", "line 4 is neither"},
		"no name":            {"[basic]\r\n= canary\r\n", "line 2 is neither"},
		"open bracket":       {"# c\n[basic canary\n", "line 2: a section without its closing bracket"},
		"UTF-16":             {"\xff\xfe[\x00b\x00a\x00", "line 1 is neither"},
		"blank in the ak":    {"[basic]\nak = can ary\nsk = canary\n", "the access key has a character that no header may hold, at byte 3 of 7"},
		"control in the sk":  {"[basic]\nak = ak\nsk = canary\x00canary\n", "the secret key has a character that no header may hold, at byte 6 of 13"},
		"no ASCII in tokens": {"[basic]\nak = ak\nsk = sk\nsecurity_token = canaryü\n", "the security token has a character"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := credProfile(t, c.content)
			_, err := modelarts.ProfileCredentials(path).Retrieve(t.Context())
			require.Error(t, err)
			require.NotErrorIs(t, err, modelarts.ErrNoCredentials)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
			assert.NotContains(t, err.Error(), "canary")
		})
	}
	t.Run("no keys at all", func(t *testing.T) {
		t.Parallel()
		for _, content := range []string{"", "[global]\nak = a\nsk = s\n", "[basic]\nproject_id = p\n", "[BASIC]\nak = a\nsk = s\n"} {
			_, err := modelarts.ProfileCredentials(credProfile(t, content)).Retrieve(t.Context())
			require.ErrorIs(t, err, modelarts.ErrNoCredentials, content)
		}
	})
}

func TestProfilesThatCannotBeRead(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := modelarts.ProfileCredentials(missing).Retrieve(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotErrorIs(t, err, modelarts.ErrNoCredentials, "somebody has named it")
	require.ErrorContains(t, err, missing)

	directory := t.TempDir()
	_, err = modelarts.ProfileCredentials(directory).Retrieve(t.Context())
	require.ErrorContains(t, err, directory)
	require.NotErrorIs(t, err, modelarts.ErrNoCredentials)

	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		return // root reads everything
	}
	path := credProfile(t, "[basic]\n")
	require.NoError(t, os.Chmod(path, 0))
	_, err = modelarts.ProfileCredentials(path).Retrieve(t.Context())
	require.ErrorIs(t, err, os.ErrPermission)
	assert.ErrorContains(t, err, path)
}

func TestProfilePath(t *testing.T) {
	noLeaks(t)
	credClearEnv(t)
	provider := modelarts.ProfileCredentials("")
	_, err := provider.Retrieve(t.Context())
	require.ErrorIs(t, err, modelarts.ErrNoCredentials, "the default file may be missing")
	require.ErrorContains(t, err, filepath.Join(".huaweicloud", "credentials"))

	credHomeProfile(t, "[basic]\nak = home\nsk = s\n")
	got, err := provider.Retrieve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "home", got.AccessKey)

	t.Setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", credProfile(t, "[basic]\nak = variable\nsk = s\n"))
	got, err = provider.Retrieve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "variable", got.AccessKey)
	got, err = modelarts.ProfileCredentials(credProfile(t, "[basic]\nak = argument\nsk = s\n")).Retrieve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "argument", got.AccessKey)

	t.Setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "missing"))
	_, err = provider.Retrieve(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotErrorIs(t, err, modelarts.ErrNoCredentials)

	t.Setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "")
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	t.Setenv("home", "")
	_, err = provider.Retrieve(t.Context())
	require.ErrorIs(t, err, modelarts.ErrNoCredentials, "nobody is at home")
}

func TestProfileThatOthersCanRead(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no such modes there")
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o600, 0o400} {
		path := credProfile(t, "[basic]\nak = "+credKeys.AccessKey+"\nsk = "+credKeys.SecretKey+"\n")
		require.NoError(t, os.Chmod(path, mode))
		var log credLog
		fake := credFake()
		client := credClient(t, fake, modelarts.NewSigner(modelarts.ProfileCredentials(path)), log.option())
		require.NoError(t, credPoll(t.Context(), client))
		require.NoError(t, credPoll(t.Context(), client))
		assert.NotContains(t, log.String(), credKeys.SecretKey)
		if mode&0o077 == 0 {
			assert.NotContains(t, log.String(), "WARN", mode)
			continue
		}
		assert.Contains(t, log.String(), "level=WARN", mode)
		assert.Contains(t, log.String(), path)
		assert.Contains(t, log.String(), mode.String())
	}
}

func TestProfileThatChanges(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := credFake()
	path := credProfile(t, "[basic]\nak = OLD\nsk = canary-old-secret\n")
	client := credClient(t, fake, modelarts.NewSigner(modelarts.ProfileCredentials(path)))
	require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
	require.NoError(t, os.WriteFile(path, []byte("[basic]\nak = "+credKeys.AccessKey+"\nsk = "+credKeys.SecretKey+"\n"), 0o600))
	require.NoError(t, credPoll(t.Context(), client), "it is read again after a refusal")
}
