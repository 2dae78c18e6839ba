package modelarts_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// allocsAnswer has all fields, so that all of them are decoded.
const allocsAnswer = `{"task_id":"gfghHSokody6AJigS5A_kqDNa","dataset_id":"ds","status":"FAILED","create_time":1605690595404,` +
	`"duration_time":1500,"total_sample_count":4410,"add_sample_count":412,"deleted_sample_count":2,` +
	`"error_code":"ModelArts.4360","error_msg":"reading the source"}`

// allocsTransport answers from memory, so that only what the two sides do is counted.
type allocsTransport struct{}

func (allocsTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header:        http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(allocsAnswer)), Body: io.NopCloser(strings.NewReader(allocsAnswer)),
	}, nil
}

// allocsByHand makes the call with net/http alone: signed, bounded in time, its answer read and decoded.
func allocsByHand(ctx context.Context, client *http.Client) (status modelarts.SyncStatus, err error) {
	const (
		host   = "modelarts.test"
		path   = "/v2/" + modelartstest.ProjectID + "/datasets/ds/sync-data/status"
		signed = "host;x-project-id;x-sdk-date"
	)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+path, nil)
	if err != nil {
		return status, err
	}
	date := time.Now().UTC().Format("20060102T150405Z")
	canonical := sha256.Sum256([]byte("GET\n" + path + "/\n\nhost:" + host + "\nx-project-id:" + modelartstest.ProjectID +
		"\nx-sdk-date:" + date + "\n\n" + signed + "\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
	mac := hmac.New(sha256.New, []byte(modelartstest.SecretKey))
	mac.Write([]byte("SDK-HMAC-SHA256\n" + date + "\n" + hex.EncodeToString(canonical[:])))
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "by hand")
	req.Header.Set("X-Project-Id", modelartstest.ProjectID)
	req.Header.Set("X-Sdk-Date", date)
	req.Header.Set("Authorization", "SDK-HMAC-SHA256 Access="+modelartstest.AccessKey+", SignedHeaders="+signed+
		", Signature="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		return status, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return status, err
	}
	return status, json.Unmarshal(body, &status)
}

// TestACallAllocatesLittle is not parallel, since testing.AllocsPerRun counts for the whole process.
func TestACallAllocatesLittle(t *testing.T) {
	noLeaks(t)
	plain := &http.Client{Transport: allocsTransport{}}
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID,
		modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey}),
		modelarts.WithHTTPClient(plain))
	require.NoError(t, err)
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds"})
	status, err := allocsByHand(t.Context(), fake.HTTPClient())
	require.NoError(t, err, "a call that would not do is no measure")
	require.Equal(t, modelarts.SyncNotExist, status.Status)
	want, err := allocsByHand(t.Context(), plain)
	require.NoError(t, err)
	got, err := client.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err)
	require.Equal(t, want, *got)

	byHand := testing.AllocsPerRun(100, func() { _, _ = allocsByHand(t.Context(), plain) })
	ours := testing.AllocsPerRun(100, func() { _, _ = client.GetSyncStatus(t.Context(), "ds") })
	t.Logf("%v allocations, by hand %v", ours, byHand)
	assert.LessOrEqual(t, ours, byHand+4)
}
