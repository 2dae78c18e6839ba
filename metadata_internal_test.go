package modelarts

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts/internal/leaktest"
)

// credBlackHole swallows requests, but for the paths that it knows.
type credBlackHole map[string]string

func (h credBlackHole) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, ok := h[req.URL.Path]; ok {
		return &http.Response{StatusCode: http.StatusNotFound, ProtoMajor: 1, Body: http.NoBody, Request: req}, nil
	}
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func TestMetadataThatNeverAnswers(t *testing.T) {
	leaktest.Check(t)
	for _, name := range []string{"MODELARTS_METADATA_DISABLED", "MODELARTS_METADATA_ENDPOINT"} {
		t.Setenv(name, "")
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := retrieveMetadata(t.Context(), credBlackHole{})
		require.ErrorIs(t, err, ErrNoCredentials, "most such machines are no instances")
		assert.LessOrEqual(t, time.Since(began), 3*time.Second)

		began = time.Now()
		_, err = retrieveMetadata(t.Context(), credBlackHole{metadataTokenPath: ""})
		require.ErrorContains(t, err, "instance metadata")
		require.NotErrorIs(t, err, ErrNoCredentials)
		assert.LessOrEqual(t, time.Since(began), 5*time.Second)
	})
}
