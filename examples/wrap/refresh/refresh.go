// Package refresh is an SDK of its own around package modelarts: its users see one method, its own errors, and
// keys that come from where their platform puts them.
package refresh

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/modelarts-go/modelarts"
)

// Refresher brings a dataset up to date with its source.
type Refresher interface {
	// Refresh returns when the dataset is up to date, or with an error that matches one of this package's.
	Refresh(ctx context.Context, dataset string) (Summary, error)
}

// Summary is what a refresh has changed.
type Summary struct{ Added, Deleted, Total int64 }

// Config says which service a Refresher talks to, and with which keys.
type Config struct {
	Endpoint, Project string
	Keys              modelarts.CredentialsProvider // such as KeyDir
	HTTPClient        *http.Client                  // nil for the default
}

// New returns a Refresher. It does no I/O.
func New(config Config) (Refresher, error) {
	options := []modelarts.Option{modelarts.WithUserAgent("refresh/1")}
	if config.HTTPClient != nil {
		options = append(options, modelarts.WithHTTPClient(config.HTTPClient))
	}
	client, err := modelarts.NewClient(config.Endpoint, config.Project, modelarts.NewSigner(config.Keys), options...)
	if err != nil {
		return nil, &Error{Kind: ErrConfig, cause: err}
	}
	return refresher{client}, nil
}

type refresher struct{ client *modelarts.Client }

func (r refresher) Refresh(ctx context.Context, dataset string) (Summary, error) {
	status, err := r.client.Sync(ctx, dataset, nil)
	if err != nil {
		return Summary{}, translate(err)
	}
	return Summary{Added: status.AddSampleCount, Deleted: status.DeletedSampleCount, Total: status.TotalSampleCount}, nil
}

// The kinds of errors. A user of this package needs no other.
var (
	ErrConfig      = errors.New("wrong configuration")
	ErrDenied      = errors.New("access denied")
	ErrNoDataset   = errors.New("no such dataset")
	ErrBusy        = errors.New("the dataset is busy")
	ErrFailed      = errors.New("the refresh failed")
	ErrUnavailable = errors.New("the service is not available")
)

// Error is every error of this package. It matches its kind, and unwraps to the cause, which is for logs, and
// for those who look for an error of a context.
type Error struct {
	Kind  error
	cause error
}

func (e *Error) Error() string { return fmt.Sprintf("refresh: %v: %v", e.Kind, e.cause) }

// Unwrap makes errors.Is and errors.As see the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.cause} }

// kinds translates errors, the first that matches.
var kinds = []struct{ theirs, ours error }{
	{modelarts.ErrSyncFailed, ErrFailed},
	{modelarts.ErrDatasetNotFound, ErrNoDataset},
	{modelarts.ErrConflict, ErrBusy},
	{modelarts.ErrNoCredentials, ErrConfig},
	{ErrConfig, ErrConfig}, // of KeyDir
	{modelarts.ErrUnauthorized, ErrDenied},
	{modelarts.ErrForbidden, ErrDenied},
}

func translate(err error) error {
	for _, kind := range kinds {
		if errors.Is(err, kind.theirs) {
			return &Error{Kind: kind.ours, cause: err}
		}
	}
	return &Error{Kind: ErrUnavailable, cause: err}
}
