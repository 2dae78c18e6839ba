package modelarts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
)

// Credentials are an access key and its secret key, and with temporary keys a security token. A value is its
// own [CredentialsProvider].
//
// They print with everything but the access key redacted, under every verb of fmt, in slog and in
// encoding/json; the JSON does not unmarshal back, on purpose. One case is out of reach: in an unexported
// field of another package's struct, and under %p, fmt prints the fields without asking.
type Credentials struct {
	AccessKey     string
	SecretKey     string
	SecurityToken string    // only of temporary keys
	Expires       time.Time // zero for never
}

// Retrieve returns the credentials themselves.
func (c Credentials) Retrieve(context.Context) (Credentials, error) { return c, nil }

// String shows the access key only.
func (c Credentials) String() string {
	return "modelarts.Credentials(" + oneLine(c.AccessKey) + ", " + redacted + ")"
}

// Format writes [Credentials.String], whatever the verb.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue returns [Credentials.String].
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText returns [Credentials.String].
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// GobEncode refuses: credentials are not written anywhere by accident.
func (c Credentials) GobEncode() ([]byte, error) {
	return nil, errors.New("modelarts: credentials are not encoded")
}

// validate refuses keys that cannot be sent.
func (c Credentials) validate() error {
	if err := checkSecret("access key", c.AccessKey, false); err != nil {
		return err
	}
	if strings.ContainsAny(c.AccessKey, ",/;=") {
		return errors.New("modelarts: the access key has one of , / ; =")
	}
	if err := checkSecret("secret key", c.SecretKey, true); err != nil {
		return err
	}
	if c.SecurityToken == "" {
		return nil
	}
	return checkSecret("security token", c.SecurityToken, false)
}

// A CredentialsProvider is where credentials come from. A [Signer] caches what it returns, so that Retrieve
// is called seldom and by one at a time, in a goroutine of its own and with a context of its own, which ends
// after 30 seconds; all callers wait for it until then.
type CredentialsProvider interface {
	// Retrieve returns credentials. Where nothing is configured, its error matches [ErrNoCredentials], and a
	// chain goes on to the next provider. It must return when ctx ends, and be safe for concurrent use.
	Retrieve(ctx context.Context) (Credentials, error)
}

// ErrNoCredentials says that a provider has nothing configured, or that a chain has run dry; then the error
// tells what each source said.
var ErrNoCredentials error = &sentinel{text: "modelarts: no credentials"}

// notConfigured makes the error of a source that has nothing.
func notConfigured(format string, args ...any) error {
	return &noCredentialsError{text: fmt.Sprintf(format, args...)}
}

type noCredentialsError struct {
	text    string
	sources []error
}

func (e *noCredentialsError) Error() string { return e.text }

func (e *noCredentialsError) Is(target error) bool { return target == ErrNoCredentials }

func (e *noCredentialsError) Unwrap() []error { return e.sources }

type providerFunc func(ctx context.Context) (Credentials, error)

func (f providerFunc) Retrieve(ctx context.Context) (Credentials, error) { return f(ctx) }

// EnvCredentials reads keys from the environment, each time it is asked. The first pair of which anything is
// set wins:
//
//   - HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, with HUAWEICLOUD_SDK_SECURITY_TOKEN (the official SDK's),
//   - HW_ACCESS_KEY and HW_SECRET_KEY, with HW_SECURITY_TOKEN (Terraform's),
//   - OS_ACCESS_KEY and OS_SECRET_KEY, with OS_SECURITY_TOKEN (Open Telekom Cloud's).
//
// A pair that is half set is an error that names the missing variable.
func EnvCredentials() CredentialsProvider {
	return providerFunc(func(context.Context) (Credentials, error) {
		for _, names := range [][3]string{
			{"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"},
			{"HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN"},
			{"OS_ACCESS_KEY", "OS_SECRET_KEY", "OS_SECURITY_TOKEN"},
		} {
			found, err := envSet(names[0], names[1])
			if err != nil {
				return Credentials{}, err
			}
			if !found {
				continue
			}
			c := Credentials{AccessKey: os.Getenv(names[0]), SecretKey: os.Getenv(names[1]), SecurityToken: os.Getenv(names[2])}
			if err := c.validate(); err != nil {
				return Credentials{}, fmt.Errorf("%w (from %s, %s and %s)", err, names[0], names[1], names[2])
			}
			return c, nil
		}
		return Credentials{}, notConfigured("environment: none of HUAWEICLOUD_SDK_AK, HW_ACCESS_KEY and OS_ACCESS_KEY is set")
	})
}

// envSet reports whether all of these variables are set, or none. Anything between is an error.
func envSet(names ...string) (bool, error) {
	var set, missing []string
	for _, name := range names {
		if os.Getenv(name) != "" {
			set = append(set, name)
		} else {
			missing = append(missing, name)
		}
	}
	if len(set) > 0 && len(missing) > 0 {
		return false, fmt.Errorf("modelarts: %s is set, but %s is not", strings.Join(set, " and "), strings.Join(missing, " and "))
	}
	return len(set) > 0, nil
}

// firstEnv returns the first of these variables that is set.
func firstEnv(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// ChainCredentials asks one provider after the other. One that has nothing configured is passed over; one
// that is configured but broken ends the chain with its error, so that a mistake is not papered over by keys
// from elsewhere. When all have been passed over, the error matches [ErrNoCredentials] and tells what each
// of them said.
func ChainCredentials(providers ...CredentialsProvider) CredentialsProvider {
	return providerFunc(func(ctx context.Context) (Credentials, error) {
		none := &noCredentialsError{text: ErrNoCredentials.Error()}
		for _, provider := range providers {
			if provider == nil {
				continue
			}
			c, err := provider.Retrieve(ctx)
			if err == nil || !errors.Is(err, ErrNoCredentials) {
				return c, err
			}
			none.sources = append(none.sources, err)
			separator := "; "
			if len(none.sources) == 1 {
				separator = ": "
			}
			none.text += separator + strings.TrimPrefix(err.Error(), ErrNoCredentials.Error()+": ")
		}
		return Credentials{}, none
	})
}
