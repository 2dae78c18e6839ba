package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/examples/internal/clitest"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// A lab is a fake with one dataset, ds, and telemetry that stays in memory.
type lab struct {
	*telemetry
	fake   *modelartstest.Server
	client *modelarts.Client
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
}

func newLab(t *testing.T, auth modelarts.Authenticator) *lab {
	t.Helper()
	l := &lab{fake: modelartstest.New(), spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	l.fake.AddDataset(modelarts.Dataset{ID: "ds"})
	l.telemetry = newTelemetry(l.spans, l.reader)
	var err error
	l.client, err = modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, auth, l.option(l.fake.HTTPClient().Transport))
	require.NoError(t, err)
	return l
}

func signer(securityToken string) modelarts.Authenticator {
	return modelarts.NewSigner(modelarts.Credentials{
		AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey, SecurityToken: securityToken,
	})
}

// below returns "METHOD status" of the spans below the one of this name.
func (l *lab) below(t *testing.T, name string) []string {
	t.Helper()
	spans := l.spans.GetSpans()
	i := slices.IndexFunc(spans, func(s tracetest.SpanStub) bool { return s.Name == name })
	require.GreaterOrEqual(t, i, 0, "no span %s", name)
	var attempts []string
	for _, s := range spans {
		if s.Parent.SpanID() != spans[i].SpanContext.SpanID() {
			continue
		}
		assert.Equal(t, trace.SpanKindClient, s.SpanKind)
		assert.Equal(t, spans[i].SpanContext.TraceID(), s.SpanContext.TraceID())
		attempts = append(attempts, attributeOf(s, "http.request.method")+" "+attributeOf(s, "http.response.status_code"))
	}
	return attempts
}

func attributeOf(s tracetest.SpanStub, key string) string {
	for _, kv := range s.Attributes {
		if string(kv.Key) == key {
			return kv.Value.String()
		}
	}
	return ""
}

// measured returns how many requests were measured.
func (l *lab) measured(t *testing.T) (metrics metricdata.ResourceMetrics, requests uint64) {
	t.Helper()
	require.NoError(t, l.reader.Collect(t.Context(), &metrics))
	for _, scope := range metrics.ScopeMetrics {
		for _, m := range scope.Metrics {
			if histogram, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "http.client.request.duration" {
				for _, point := range histogram.DataPoints {
					requests += point.Count
				}
			}
		}
	}
	return metrics, requests
}

func TestARetryIsASecondSpanUnderTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, signer(""))
		l.fake.Inject(modelartstest.Fault{Status: http.StatusServiceUnavailable})
		err := l.call(t.Context(), "GetSyncStatus", "ds", func(ctx context.Context) error {
			_, err := l.client.GetSyncStatus(ctx, "ds")
			return err
		})
		require.NoError(t, err)
		assert.Equal(t, []string{"GET 503", "GET 200"}, l.below(t, "GetSyncStatus"))
		assert.Len(t, l.spans.GetSpans(), 3)
		_, requests := l.measured(t)
		assert.EqualValues(t, 2, requests)
	})
}

func TestASynchronizationIsTwoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, signer(""))
		status, err := synchronize(t.Context(), l.telemetry, l.client, "ds", nil)
		require.NoError(t, err)
		assert.Equal(t, modelarts.SyncCompleted, status.Status)
		assert.Equal(t, []string{"GET 200", "POST 200"}, l.below(t, "StartSync"))
		assert.Equal(t, []string{"GET 200", "GET 200", "GET 200"}, l.below(t, "WaitSync"))
		_, requests := l.measured(t)
		assert.EqualValues(t, 5, requests)
	})
}

func TestAFailedCallSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, signer(""))
		_, err := synchronize(t.Context(), l.telemetry, l.client, "missing", nil)
		require.ErrorIs(t, err, modelarts.ErrDatasetNotFound)
		spans := l.spans.GetSpans()
		parent := spans[len(spans)-1]
		assert.Equal(t, "StartSync", parent.Name)
		assert.Equal(t, codes.Error, parent.Status.Code)
		assert.Equal(t, err.Error(), parent.Status.Description)
		assert.Equal(t, "missing", attributeOf(parent, "modelarts.dataset_id"))
		assert.Equal(t, "ModelArts.4352", attributeOf(parent, "modelarts.error_code"))
		assert.Len(t, attributeOf(parent, "modelarts.request_id"), 32)
	})
}

// Everything that is exported is searched, with a service that echoes what was sent.
func TestNoSecretIsExported(t *testing.T) {
	const canary = "canary-security-token"
	for _, c := range []struct {
		name, echo string
		auth       modelarts.Authenticator
	}{
		{"keys", "", signer("")},
		{"temporary keys", canary, signer(canary)},
		{"token", modelartstest.Token, modelarts.TokenAuth(modelartstest.Token)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, c.auth)
				_, err := synchronize(t.Context(), l.telemetry, l.client, "ds", nil)
				require.NoError(t, err)
				l.fake.Inject(
					modelartstest.Fault{Drop: true},
					modelartstest.Fault{Status: http.StatusForbidden, Code: "APIGW.0302", Message: "refused: " + c.echo})
				_, err = synchronize(t.Context(), l.telemetry, l.client, "ds", nil)
				require.ErrorIs(t, err, modelarts.ErrForbidden)

				metrics, _ := l.measured(t)
				exported, err := json.Marshal([]any{l.spans.GetSpans(), metrics})
				require.NoError(t, err)
				for _, expected := range []string{"/sync-data/status", "refused: ", "http.client.request.duration"} {
					assert.Contains(t, string(exported), expected, "the search would miss something")
				}
				for _, secret := range secretsOf(t, l.fake) {
					assert.NotContains(t, string(exported), secret)
				}
			})
		})
	}
}

// secretsOf returns what the requests so far have carried as secrets, and what these were made of.
func secretsOf(t *testing.T, fake *modelartstest.Server) []string {
	t.Helper()
	secrets := []string{modelartstest.SecretKey}
	for _, r := range fake.Requests() {
		_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
		sent := 0
		for _, secret := range []string{signature, r.Header.Get("X-Auth-Token"), r.Header.Get("X-Security-Token")} {
			if secret != "" {
				secrets = append(secrets, secret)
				sent++
			}
		}
		assert.NotZero(t, sent)
	}
	return secrets
}

func TestTheProgramOnItsFake(t *testing.T) {
	clitest.ClearEnv(t)
	got := clitest.Run(t.Context(), run, "-interval", "10ms")
	assert.Equal(t, cli.OK, got.Status, got.Stderr)
	assert.Contains(t, got.Stderr, "this is a fake one")
	assert.Contains(t, got.Stderr, "COMPLETED")

	var names []string
	for decoder := json.NewDecoder(strings.NewReader(got.Stdout)); decoder.More(); {
		var exported struct{ Name string }
		require.NoError(t, decoder.Decode(&exported))
		names = append(names, exported.Name)
	}
	assert.Equal(t, []string{
		"HTTP GET", "HTTP GET", "HTTP POST", "StartSync", "HTTP GET", "HTTP GET", "HTTP GET", "WaitSync", "", // the metrics
	}, names)
	assert.Contains(t, got.Stdout, "http.client.request.duration")
	assert.NotContains(t, got.Stdout, modelartstest.SecretKey)
}

func TestAnInterruptedCallIsExportedToo(t *testing.T) {
	clitest.ClearEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done() // the client has left
	}))
	defer web.Close()
	got := clitest.Run(ctx, run, clitest.Flags(web.URL, "-dataset", "ds")...)
	assert.Equal(t, cli.Failed, got.Status)
	got.Says(t, "context canceled")
	for _, exported := range []string{`"HTTP GET"`, `"StartSync"`, "http.client.request.duration"} {
		assert.Contains(t, got.Stdout, exported)
	}
}

func TestWrongUse(t *testing.T) {
	clitest.ClearEnv(t)
	for _, args := range [][]string{
		{"-interval", "-1s"}, {"-unknown"}, {"more"}, clitest.Flags("http://127.0.0.1:1"),
		{"-region", "cn-north-4", "-ak", "only", "-dataset", "ds"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			got := clitest.Run(t.Context(), run, args...)
			assert.Equal(t, cli.Misused, got.Status)
			got.Says(t, "otel: ")
		})
	}
}
