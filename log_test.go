package modelarts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// A retryRecord is a log record as slog's JSON handler writes it.
type retryRecord map[string]any

// keys are the names of what the record holds beside its time.
func (r retryRecord) keys() []string {
	keys := slices.Sorted(maps.Keys(r))
	return slices.DeleteFunc(keys, func(key string) bool { return key == "time" })
}

// A retryLog keeps what a client logs.
type retryLog struct{ bytes.Buffer }

func (l *retryLog) option(level slog.Level) modelarts.Option {
	return modelarts.WithLogger(slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level})))
}

func (l *retryLog) records(t *testing.T) []retryRecord {
	t.Helper()
	var records []retryRecord
	for line := range strings.Lines(l.String()) {
		var record retryRecord
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		records = append(records, record)
	}
	return records
}

// Records hold what is listed here and nothing else. There is no dump of headers or bodies to be switched on.
func TestLogOfACall(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "flowers"})
		fake.Inject(
			modelartstest.Fault{Status: 503, Code: "APIGW.0613", Message: "busy", RetryAfter: 3 * time.Second, Delay: time.Second},
			modelartstest.Fault{Drop: true},
		)
		var output retryLog
		client := fake.Client(output.option(slog.LevelDebug))
		_, err := client.GetSyncStatus(t.Context(), "flowers")
		require.NoError(t, err)

		records := output.records(t)
		require.Len(t, records, 5)
		const path = "/v2/{project_id}/datasets/{dataset_id}/sync-data/status"
		for i, number := range []int{1, 1, 2, 2, 3} {
			assert.Equal(t, http.MethodGet, records[i]["method"])
			assert.Equal(t, path, records[i]["path"])
			assert.EqualValues(t, number, records[i]["attempt"], "record %d", i)
		}

		answered := records[0]
		assert.Equal(t, []string{"attempt", "code", "duration", "level", "method", "msg", "path", "request_id", "status"}, answered.keys())
		assert.Equal(t, "DEBUG", answered["level"])
		assert.EqualValues(t, 503, answered["status"])
		assert.Equal(t, "APIGW.0613", answered["code"])
		assert.NotEmpty(t, answered["request_id"])
		assert.EqualValues(t, time.Second, answered["duration"])

		waiting := records[1]
		assert.Equal(t, []string{"attempt", "code", "level", "method", "msg", "path", "request_id", "status", "wait"}, waiting.keys())
		assert.Equal(t, "WARN", waiting["level"])
		assert.EqualValues(t, 503, waiting["status"])
		assert.Equal(t, "APIGW.0613", waiting["code"])
		assert.Equal(t, answered["request_id"], waiting["request_id"])
		assert.EqualValues(t, 3*time.Second, waiting["wait"])

		lost := records[2]
		assert.Equal(t, []string{"attempt", "duration", "error", "level", "method", "msg", "path"}, lost.keys())
		assert.Equal(t, "DEBUG", lost["level"])
		assert.Contains(t, lost["error"], "connection reset")

		waiting = records[3]
		assert.Equal(t, []string{"attempt", "error", "level", "method", "msg", "path", "wait"}, waiting.keys())
		assert.Equal(t, "WARN", waiting["level"])
		assert.Contains(t, waiting["error"], "connection reset")

		done := records[4]
		assert.Equal(t, []string{"attempt", "duration", "level", "method", "msg", "path", "status"}, done.keys())
		assert.Equal(t, "DEBUG", done["level"])
		assert.EqualValues(t, 200, done["status"])
		assert.NotContains(t, output.String(), modelartstest.SecretKey)
	})
}

func TestLogLevels(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for level, want := range map[slog.Level]int{slog.LevelDebug: 7, slog.LevelInfo: 3, slog.LevelWarn: 3, slog.LevelError: 0} {
		var output retryLog
		client := retryClient(t, newRetryScript(retryAnswers(503, "")), retryAtOnce, output.option(level))
		require.Error(t, retryCall(t.Context(), t, client, http.MethodGet, nil))
		assert.Len(t, output.records(t), want, level.String())
	}
}

func TestOnlyARetryThatIsMadeIsLogged(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, step := range map[string]retryStep{
		"a refusal":             retryAnswers(403, ""),
		"a pause that is long":  retryAnswers(429, "", "Retry-After", "3600"),
		"a broken certificate":  retryFails(http.ErrSchemeMismatch),
		"a useless success":     retryAnswers(200, "<html>"),
		"a success as expected": retryAnswers(200, "{}"),
	} {
		var output retryLog
		var out map[string]any
		client := retryClient(t, newRetryScript(step), retryAtOnce, output.option(slog.LevelDebug))
		_ = retryCall(t.Context(), t, client, http.MethodGet, &out)
		records := output.records(t)
		require.Len(t, records, 1, name)
		assert.Equal(t, "DEBUG", records[0]["level"], name)
	}
}

func TestLogOfAnAuthenticatorThatFails(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	var output retryLog
	client := retryClientAt(t, modelartstest.Endpoint, modelarts.AuthenticatorFunc(func(*http.Request) error {
		return io.ErrClosedPipe
	}), output.option(slog.LevelDebug))
	require.ErrorIs(t, retryCall(t.Context(), t, client, http.MethodGet, nil), io.ErrClosedPipe)
	records := output.records(t)
	require.Len(t, records, 1)
	assert.Contains(t, records[0]["error"], io.ErrClosedPipe.Error())
	assert.NotContains(t, records[0].keys(), "status")
}

func TestThePathInTheLogHasNoProject(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, test := range []struct{ project, path, want string }{
		{"p1", "/v2/{project_id}/things/t1", "/v2/{project_id}/things/t1"},
		{"p1", "/v2/{project_id}", "/v2/{project_id}"},
		{"p1", "/v2/p10/things/xp1", "/v2/p10/things/xp1"},
		{"a project: mine", "/v2/{project_id}/things", "/v2/{project_id}/things"},
	} {
		var output retryLog
		client, err := modelarts.NewClient(modelartstest.Endpoint, test.project, nil, output.option(slog.LevelDebug),
			modelarts.WithHTTPClient(&http.Client{Transport: newRetryScript(retryAnswers(200, ""))}))
		require.NoError(t, err)
		req, err := client.NewRequest(t.Context(), http.MethodGet, test.path, struct {
			Name string `url:"name"`
		}{"a name that is nobody's business"}, nil)
		require.NoError(t, err)
		require.NoError(t, client.Do(req, nil))
		records := output.records(t)
		require.Len(t, records, 1)
		assert.Equal(t, test.want, records[0]["path"])
		assert.NotContains(t, output.String(), "business", "the query is not logged")
	}
}

func TestLogsHoldNoSecrets(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const secret, token = "the-secret-key-of-this-test", "the-security-token/of+this=test"
	// The gateway echoes what it was sent.
	echo := func(req *http.Request) (*http.Response, error) {
		text := "verify aksk signature fail, canonicalRequest: x-security-token:" + req.Header.Get("X-Security-Token") +
			" x-auth-token:" + req.Header.Get("X-Auth-Token") + " authorization:" + req.Header.Get("Authorization") + " " + secret
		body, err := json.Marshal(map[string]string{"error_code": "APIGW.0301 " + text, "error_msg": text, "request_id": text})
		if err != nil {
			return nil, err
		}
		return retryAnswers(401, string(body), "X-Request-Id", text)(req)
	}
	fail := func(req *http.Request) (*http.Response, error) {
		return nil, &retryEchoError{text: "cannot send " + req.Header.Get("Authorization") + req.Header.Get("X-Security-Token") + req.Header.Get("X-Auth-Token")}
	}
	signer := func() modelarts.Authenticator {
		return modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: secret, SecurityToken: token})
	}
	for name, auth := range map[string]modelarts.Authenticator{
		"a signer": signer(), "a wrapped signer": retryWrapper{signer()}, "a token": modelarts.TokenAuth(retryToken),
	} {
		script := newRetryScript(fail, fail, echo)
		var output retryLog
		client := retryClientAt(t, modelartstest.Endpoint, auth, output.option(slog.LevelDebug),
			modelarts.WithHTTPClient(&http.Client{Transport: script}), modelarts.WithRetryPolicy(retryAtOnce))
		err := retryCall(t.Context(), t, client, http.MethodGet, nil)
		require.ErrorIs(t, err, modelarts.ErrUnauthorized, name)
		require.Len(t, output.records(t), 5, name)
		for _, text := range []string{output.String(), err.Error()} {
			for _, hidden := range []string{token, retryToken, "security-token/of"} {
				assert.NotContains(t, text, hidden, name)
			}
			if _, wrapped := auth.(retryWrapper); !wrapped { // a wrapper hides from the client whom it wraps
				assert.NotContains(t, text, secret, name)
			}
			for _, sent := range script.sent {
				if _, signature, ok := strings.Cut(sent.header.Get("Authorization"), "Signature="); ok {
					assert.NotContains(t, text, signature, name)
				}
			}
		}
	}
}

// retryEchoError is a failure of the network that quotes what it failed on, and is worth a retry.
type retryEchoError struct{ text string }

func (e *retryEchoError) Error() string { return e.text }
func (e *retryEchoError) Unwrap() error { return io.ErrUnexpectedEOF }

func TestLogRecordsAreOneLineEach(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	var output retryLog
	logger := slog.New(slog.NewTextHandler(&output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	script := newRetryScript(
		retryFails(&retryEchoError{text: "odd\nthing\x1b[31m"}),
		retryAnswers(503, "{\"error_code\":\"a\\nb\\u001b[31m\",\"error_msg\":\"c\\r\\nd\"}", "X-Request-Id", "e\x1b[31m"))
	require.Error(t, retryCall(t.Context(), t, retryClient(t, script, retryAtOnce, modelarts.WithLogger(logger)), http.MethodGet, nil))
	assert.Equal(t, 7, strings.Count(output.String(), "\n"))
	assert.NotContains(t, output.String(), "\x1b")
	assert.NotContains(t, output.String(), `\n`)
	assert.NotContains(t, output.String(), `\x1b`)
}

// TestSilenceByDefault is not parallel, since it listens to the loggers of the process.
func TestSilenceByDefault(t *testing.T) {
	noLeaks(t)
	var output bytes.Buffer
	standard := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&output, &slog.HandlerOptions{Level: slog.LevelDebug - 100})))
	log.SetOutput(&output)
	t.Cleanup(func() {
		slog.SetDefault(standard)
		log.SetOutput(os.Stderr)
	})
	for name, opts := range map[string][]modelarts.Option{"without a logger": nil, "with a nil logger": {modelarts.WithLogger(nil)}} {
		client := retryClient(t, newRetryScript(retryAnswers(503, ""), retryFails(io.EOF), retryAnswers(200, "")), retryAtOnce, opts...)
		require.NoError(t, retryCall(t.Context(), t, client, http.MethodGet, nil))
		assert.Empty(t, output.String(), name)
	}
}

// retryKey is the key of a value that goes along in a context.
type retryKey struct{}

// A retryHandler is a slog.Handler that takes a value from the context of each record.
type retryHandler struct {
	slog.Handler
	values *[]any
}

func (h retryHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h retryHandler) Handle(ctx context.Context, _ slog.Record) error {
	*h.values = append(*h.values, ctx.Value(retryKey{}))
	return nil
}

func TestLogRecordsComeWithTheContextOfTheCall(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	var values []any
	handler := retryHandler{slog.DiscardHandler, &values}
	client := retryClient(t, newRetryScript(retryAnswers(503, ""), retryAnswers(200, "")), retryAtOnce, modelarts.WithLogger(slog.New(handler)))
	ctx := context.WithValue(t.Context(), retryKey{}, "trace")
	require.NoError(t, retryCall(ctx, t, client, http.MethodGet, nil))
	assert.Equal(t, []any{"trace", "trace", "trace"}, values)
}
