package refresh

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/modelarts-go/modelarts"
)

// KeyDir is a directory with the files access_key and secret_key, as a platform mounts a secret. It is read
// again every now and then, so that rotated keys are found in time.
type KeyDir string

// reread is how old keys may become before the files are read again.
const reread = 10 * time.Minute

// Retrieve makes KeyDir a [modelarts.CredentialsProvider].
func (d KeyDir) Retrieve(context.Context) (modelarts.Credentials, error) {
	access, err := d.read("access_key")
	if err != nil {
		return modelarts.Credentials{}, err
	}
	secret, err := d.read("secret_key")
	if err != nil {
		return modelarts.Credentials{}, err
	}
	return modelarts.Credentials{AccessKey: access, SecretKey: secret, Expires: time.Now().Add(reread)}, nil
}

func (d KeyDir) read(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(string(d), name))
	if errors.Is(err, fs.ErrNotExist) {
		// A chain of providers goes on to the next one then.
		return "", fmt.Errorf("%w: %w", modelarts.ErrNoCredentials, err)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return strings.TrimSpace(string(content)), nil
}
