package modelarts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const profileVariable = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"

// ProfileCredentials reads keys from a profile file of the official SDK, each time it is asked: ak, sk and
// security_token of the section [basic]. With an empty path it is the file that
// HUAWEICLOUD_SDK_CREDENTIALS_FILE names, or else ~/.huaweicloud/credentials, which may be missing.
//
// A file that cannot be read, is malformed, or has only one key of the pair is an error. One that other users
// can read is warned about in the log of [WithLogger].
func ProfileCredentials(path string) CredentialsProvider {
	return providerFunc(func(ctx context.Context) (Credentials, error) {
		p, err := readProfile(path, loggerFrom(ctx))
		if err != nil {
			return Credentials{}, err
		}
		return p.credentials()
	})
}

// A profile is the section [basic] of a profile file.
type profile struct {
	path   string
	values map[string]string
}

func (p profile) credentials() (Credentials, error) {
	c := Credentials{AccessKey: p.values["ak"], SecretKey: p.values["sk"], SecurityToken: p.values["security_token"]}
	switch {
	case c.AccessKey == "" && c.SecretKey == "":
		return Credentials{}, notConfigured("profile: %s has no ak and sk in its section [basic]", p.path)
	case c.AccessKey == "":
		return Credentials{}, fmt.Errorf("modelarts: profile %s has sk in its section [basic], but no ak", p.path)
	case c.SecretKey == "":
		return Credentials{}, fmt.Errorf("modelarts: profile %s has ak in its section [basic], but no sk", p.path)
	}
	if err := c.validate(); err != nil {
		return Credentials{}, fmt.Errorf("%w (from profile %s)", err, p.path)
	}
	return c, nil
}

// readProfile reads the profile at path, or the default one.
func readProfile(path string, log logger) (profile, error) {
	optional := false
	if path == "" {
		path = os.Getenv(profileVariable)
	}
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return profile{}, notConfigured("profile: %v", err)
		}
		path, optional = filepath.Join(home, ".huaweicloud", "credentials"), true
	}
	file, err := os.Open(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return profile{}, notConfigured("profile: there is no file %s", path)
	}
	if err != nil {
		return profile{}, fmt.Errorf("modelarts: profile: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		log.warn("modelarts: a file with keys is open to other users", fmt.Errorf("%s has mode %v; 0600 would do", path, info.Mode().Perm()))
	}
	content, err := io.ReadAll(io.LimitReader(file, maxBody))
	if err != nil {
		return profile{}, fmt.Errorf("modelarts: profile: %w", err)
	}
	values, err := parseProfile(content)
	if err != nil {
		return profile{}, fmt.Errorf("modelarts: profile %s: %w", path, err)
	}
	return profile{path: path, values: values}, nil
}

// parseProfile reads the section [basic]: lines "key = value", with comments on lines of their own. Values
// are taken literally, quotes included. Errors name the line and never quote it, since it may hold a key.
func parseProfile(content []byte) (map[string]string, error) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	values := make(map[string]string)
	section := ""
	number := 0
	for line := range strings.SplitSeq(string(content), "\n") {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "", line[0] == '#', line[0] == ';':
			continue
		case line[0] == '[':
			if line[len(line)-1] != ']' {
				return nil, fmt.Errorf("line %d: a section without its closing bracket", number)
			}
			section = strings.TrimSpace(line[1 : len(line)-1])
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			return nil, fmt.Errorf("line %d is neither a section nor \"key = value\"", number)
		}
		if section == "basic" {
			values[key] = strings.TrimSpace(value)
		}
	}
	return values, nil
}
