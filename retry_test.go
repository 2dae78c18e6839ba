package modelarts_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// A retryStep is how one attempt ends.
type retryStep func(req *http.Request) (*http.Response, error)

// retryAnswers makes a step that answers. The headers are pairs of name and value.
func retryAnswers(status int, body string, headers ...string) retryStep {
	return func(req *http.Request) (*http.Response, error) {
		header := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			header.Add(headers[i], headers[i+1])
		}
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
			ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)), Request: req,
		}, nil
	}
}

// retryFails makes a step that gets no answer.
func retryFails(err error) retryStep {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// A retrySent is a request as a retryScript saw it.
type retrySent struct {
	at     time.Time
	method string
	url    string
	header http.Header
	body   string
}

// A retryScript is a transport that goes through its steps and then stays at the last one.
type retryScript struct {
	mu    sync.Mutex
	steps []retryStep
	sent  []retrySent
}

func newRetryScript(steps ...retryStep) *retryScript { return &retryScript{steps: steps} }

func (s *retryScript) RoundTrip(req *http.Request) (*http.Response, error) {
	seen := retrySent{at: time.Now(), method: req.Method, url: req.URL.String(), header: req.Header.Clone()}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		seen.body = string(body)
	}
	s.mu.Lock()
	step := s.steps[min(len(s.sent), len(s.steps)-1)]
	s.sent = append(s.sent, seen)
	s.mu.Unlock()
	return step(req)
}

func (s *retryScript) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent)
}

// gaps are the times between the requests.
func (s *retryScript) gaps() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var gaps []time.Duration
	for i := 1; i < len(s.sent); i++ {
		gaps = append(gaps, s.sent[i].at.Sub(s.sent[i-1].at))
	}
	return gaps
}

const retryToken = "a-token-that-nobody-may-see"

// retryAtOnce tries four times without pauses.
var retryAtOnce = modelarts.RetryPolicy{MinDelay: 1, MaxDelay: 1}

// retryClient makes a client of a transport that retries as policy says.
func retryClient(t *testing.T, transport http.RoundTripper, policy modelarts.RetryPolicy, opts ...modelarts.Option) *modelarts.Client {
	t.Helper()
	return retryClientAt(t, modelartstest.Endpoint, modelarts.TokenAuth(retryToken), append([]modelarts.Option{
		modelarts.WithHTTPClient(&http.Client{Transport: transport}), modelarts.WithRetryPolicy(policy),
	}, opts...)...)
}

func retryClientAt(t *testing.T, endpoint string, auth modelarts.Authenticator, opts ...modelarts.Option) *modelarts.Client {
	t.Helper()
	client, err := modelarts.NewClient(endpoint, modelartstest.ProjectID, auth, opts...)
	require.NoError(t, err)
	return client
}

// retryCall makes one call without a body through Do.
func retryCall(ctx context.Context, t *testing.T, client *modelarts.Client, method string, out any) error {
	t.Helper()
	req, err := client.NewRequest(ctx, method, "/v2/{project_id}/things", nil, nil)
	require.NoError(t, err)
	return client.Do(req, out)
}

// retryAPIError takes the service's error out of err.
func retryAPIError(t *testing.T, err error) *modelarts.APIError {
	t.Helper()
	var answer *modelarts.APIError
	require.ErrorAs(t, err, &answer)
	return answer
}

func TestEveryStatusIsSentAsOftenAsItMayBe(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	often := map[int]map[string]int{
		http.StatusRequestTimeout:      {http.MethodGet: 4, http.MethodPost: 1},
		http.StatusTooManyRequests:     {http.MethodGet: 4, http.MethodPost: 4},
		http.StatusInternalServerError: {http.MethodGet: 4, http.MethodPost: 1},
		http.StatusBadGateway:          {http.MethodGet: 4, http.MethodPost: 1},
		http.StatusServiceUnavailable:  {http.MethodGet: 4, http.MethodPost: 1},
		http.StatusGatewayTimeout:      {http.MethodGet: 4, http.MethodPost: 1},
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for status := 200; status < 600; status++ {
			script := newRetryScript(retryAnswers(status, ""))
			err := retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), method, nil)
			want := max(1, often[status][method])
			assert.Equal(t, want, script.count(), "%s %d", method, status)
			if status < 300 {
				require.NoError(t, err, "%s %d", method, status)
				continue
			}
			answer := retryAPIError(t, err)
			assert.Equal(t, status, answer.StatusCode)
			assert.Equal(t, want, answer.Attempts, "%s %d", method, status)
		}
	}
}

func TestOtherMethodsAreRepeatedOnlyWhenNothingWasDone(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, test := range []struct {
		method string
		status int
		want   int
	}{
		{http.MethodHead, 503, 4}, {http.MethodPut, 503, 1}, {http.MethodDelete, 503, 1}, {http.MethodPatch, 503, 1},
		{http.MethodPut, 429, 4}, {http.MethodDelete, 429, 4},
	} {
		script := newRetryScript(retryAnswers(test.status, ""))
		require.Error(t, retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), test.method, nil))
		assert.Equal(t, test.want, script.count(), "%s %d", test.method, test.status)
	}
}

func TestCodesThatDecideAboutARetry(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, test := range []struct {
		status    int
		code      string
		get, post int
	}{
		{503, "APIGW.0613", 4, 4}, // the gateway could not ask IAM, so nothing went further
		{503, "APIG.0613", 4, 4},
		{503, "APIGW.0614", 4, 1},
		{503, "ModelArts.0613", 4, 1},
		{500, "APIGW.0613", 4, 1},
		{500, "ModelArts.4360", 1, 1}, // the synchronization failed, and will again
		{500, "ModelArts.5039", 4, 1},
		{501, "ModelArts.4383", 1, 1},
		{501, "ModelArts.4394", 1, 1},
		{400, "ModelArts.4355", 1, 1},
		{400, "ModelArts.4409", 1, 1},
		{409, "ModelArts.5044", 1, 1},
		{401, "ModelArts.4713", 1, 1},
		{401, "APIGW.0301", 1, 1},
		{401, "APIGW.0307", 1, 1}, // a static token cannot be renewed
		{403, "ModelArts.4310", 1, 1},
		{404, "APIGW.0101", 1, 1},
	} {
		body := fmt.Sprintf(`{"error_code":%q,"error_msg":"no"}`, test.code)
		for method, want := range map[string]int{http.MethodGet: test.get, http.MethodPost: test.post} {
			script := newRetryScript(retryAnswers(test.status, body))
			err := retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), method, nil)
			assert.Equal(t, want, script.count(), "%s %d %s", method, test.status, test.code)
			assert.Equal(t, test.code, retryAPIError(t, err).Code)
		}
	}
}

// retryTimeoutError is a network's timeout.
type retryTimeoutError struct{}

func (retryTimeoutError) Error() string   { return "i/o timeout" }
func (retryTimeoutError) Timeout() bool   { return true }
func (retryTimeoutError) Temporary() bool { return true }

func TestFailuresWithoutAnAnswer(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	op := func(name string, err error) error { return &net.OpError{Op: name, Net: "tcp", Err: err} }
	for _, test := range []struct {
		name      string
		err       error
		get, post int
	}{
		{"connection refused", op("dial", syscall.ECONNREFUSED), 4, 4},
		{"proxy refuses the connection", op("proxyconnect", syscall.ECONNREFUSED), 4, 4},
		{"DNS server fails", op("dial", &net.DNSError{Err: "server misbehaving", Name: "h", IsTemporary: true}), 4, 4},
		{"DNS times out", op("dial", &net.DNSError{Err: "i/o timeout", Name: "h", IsTimeout: true}), 4, 4},
		{"DNS times out by a context of its own", op("dial", &net.DNSError{Err: "i/o timeout", Name: "h", IsTimeout: true, UnwrapErr: context.DeadlineExceeded}), 4, 4},
		{"no such host", op("dial", &net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}), 1, 1},
		{"reset", op("read", syscall.ECONNRESET), 4, 1},
		{"broken pipe", op("write", syscall.EPIPE), 4, 1},
		{"end of the connection", io.EOF, 4, 1},
		{"end inside the answer", io.ErrUnexpectedEOF, 4, 1},
		{"closed connection", net.ErrClosed, 4, 1},
		{"no descriptors left", op("dial", syscall.EMFILE), 4, 1},
		{"no ports left", op("dial", syscall.EADDRNOTAVAIL), 4, 1},
		{"network unreachable", op("dial", syscall.ENETUNREACH), 4, 1},
		{"timeout of the network", op("read", retryTimeoutError{}), 4, 1},
		{"HTTP/2 connection ends", errors.New("http2: server sent GOAWAY and closed the connection"), 4, 1},
		{"HTTP/2 stream ends", errors.New("stream error: stream ID 1; INTERNAL_ERROR"), 4, 1},
		{"unknown authority", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, 1, 1},
		{"certificate of another host", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}, 1, 1},
		{"no TLS", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, 1, 1},
		{"plain HTTP", http.ErrSchemeMismatch, 1, 1},
		{"a caller's own", errors.New("odd"), 1, 1},
		{"a caller's own cancellation", context.Canceled, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for method, want := range map[string]int{http.MethodGet: test.get, http.MethodPost: test.post} {
				script := newRetryScript(retryFails(test.err))
				err := retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), method, nil)
				assert.Equal(t, want, script.count(), method)
				var answer *modelarts.APIError
				require.Error(t, err)
				assert.NotErrorAs(t, err, &answer)
				require.NotErrorIs(t, err, context.DeadlineExceeded, "nobody's deadline has passed")
				assert.Contains(t, err.Error(), method+" "+modelartstest.Endpoint)
				if want > 1 {
					assert.Contains(t, err.Error(), fmt.Sprintf("(%d attempts)", want))
				}
				if !errors.Is(test.err, context.DeadlineExceeded) {
					assert.ErrorIs(t, err, test.err)
				}
			}
		})
	}
}

func TestASuccessEndsTheCall(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for attempts := 1; attempts <= 4; attempts++ {
		steps := make([]retryStep, attempts-1, attempts)
		for i := range steps {
			steps[i] = retryAnswers(502, "")
		}
		script := newRetryScript(append(steps, retryAnswers(200, `{"ok":true}`))...)
		var out struct{ OK bool }
		require.NoError(t, retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, &out))
		assert.True(t, out.OK)
		assert.Equal(t, attempts, script.count())
	}
}

func TestThePageOfAProxyIsRetried(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	page := "<html><head><title>502 Bad\nGateway</title></head>" + strings.Repeat("<p>nginx</p>", 10_000)
	script := newRetryScript(retryAnswers(502, page, "Content-Type", "text/html"))
	err := retryCall(t.Context(), t, retryClient(t, script, retryAtOnce), http.MethodGet, nil)
	assert.Equal(t, 4, script.count())
	assert.Equal(t, "a web page: 502 Bad Gateway", retryAPIError(t, err).Message)
	assert.NotContains(t, err.Error(), "nginx")
}

func TestMaxAttempts(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, attempts := range []int{1, 2, 7} {
		script := newRetryScript(retryAnswers(503, ""))
		policy := retryAtOnce
		policy.MaxAttempts = attempts
		err := retryCall(t.Context(), t, retryClient(t, script, policy), http.MethodGet, nil)
		assert.Equal(t, attempts, script.count())
		assert.Equal(t, attempts, retryAPIError(t, err).Attempts)
	}
}

// Zero is the default and a negative timeout means none, so neither is a mistake.
func TestRetryPoliciesThatMakeNoSense(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, policy := range map[string]modelarts.RetryPolicy{
		"negative attempts":             {MaxAttempts: -1},
		"negative MinDelay":             {MinDelay: -1},
		"negative MaxDelay":             {MaxDelay: -1},
		"MaxDelay below MinDelay":       {MinDelay: 2, MaxDelay: 1},
		"MaxDelay below MinDelay again": {MinDelay: time.Hour, MaxDelay: time.Minute},
	} {
		_, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, nil, modelarts.WithRetryPolicy(policy))
		require.Error(t, err, name)
	}
	for name, policy := range map[string]modelarts.RetryPolicy{
		"only MinDelay, above the default of MaxDelay": {MinDelay: time.Hour},
		"only MaxDelay, below the default of MinDelay": {MaxDelay: time.Millisecond},
		"no timeout of an attempt":                     {AttemptTimeout: -1},
	} {
		_, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, nil, modelarts.WithRetryPolicy(policy))
		assert.NoError(t, err, name)
	}
}

func TestTheLongestDelaysDoNotOverflow(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const forever = time.Duration(1<<63 - 1)
	script := newRetryScript(retryAnswers(503, ""))
	client := retryClient(t, script, modelarts.RetryPolicy{MinDelay: forever, MaxDelay: forever})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	err := retryCall(ctx, t, client, http.MethodGet, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, 1, script.count())
}

func TestPausesAreDrawnUpToDoublingCeilings(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const seconds = time.Second
	for _, test := range []struct {
		name     string
		status   int
		policy   modelarts.RetryPolicy
		ceilings []time.Duration
	}{
		{"by default", 503, modelarts.RetryPolicy{}, []time.Duration{seconds / 5, 2 * seconds / 5, 4 * seconds / 5}},
		{
			"up to MaxDelay", 503, modelarts.RetryPolicy{MaxAttempts: 6, MinDelay: seconds, MaxDelay: 5 * seconds},
			[]time.Duration{seconds, 2 * seconds, 4 * seconds, 5 * seconds, 5 * seconds},
		},
		// A second is the first ceiling, not the least pause: full jitter is what spreads the callers that were
		// throttled together, and a Retry-After is kept to the letter.
		{"throttled, at least a second", 429, modelarts.RetryPolicy{}, []time.Duration{seconds, 2 * seconds, 4 * seconds}},
		{
			"throttled, MinDelay above", 429, modelarts.RetryPolicy{MinDelay: 3 * seconds},
			[]time.Duration{3 * seconds, 6 * seconds, 12 * seconds},
		},
		{
			"throttled, MaxDelay below", 429, modelarts.RetryPolicy{MinDelay: seconds / 8, MaxDelay: seconds / 2},
			[]time.Duration{seconds / 2, seconds / 2, seconds / 2},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const calls = 300 // enough that no run is unlucky
				shortest := make([]time.Duration, len(test.ceilings))
				longest := make([]time.Duration, len(test.ceilings))
				for call := range calls {
					script := newRetryScript(retryAnswers(test.status, ""))
					require.Error(t, retryCall(t.Context(), t, retryClient(t, script, test.policy), http.MethodGet, nil))
					gaps := script.gaps()
					require.Len(t, gaps, len(test.ceilings))
					for i, gap := range gaps {
						require.LessOrEqual(t, gap, test.ceilings[i], "pause %d", i+1)
						longest[i] = max(longest[i], gap)
						if shortest[i] = min(shortest[i], gap); call == 0 {
							shortest[i] = gap
						}
					}
				}
				for i, ceiling := range test.ceilings {
					assert.Greater(t, longest[i], ceiling*9/10, "pause %d comes near its ceiling", i+1)
					assert.Less(t, shortest[i], ceiling/10, "pause %d comes near zero", i+1)
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	// The bubble's clock begins at the turn of the century; the service's is off.
	service := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	date := func(after time.Duration) string { return service.Add(after).Format(http.TimeFormat) }
	for _, test := range []struct {
		name    string
		headers []string
		want    time.Duration // the pause, 0 for one of the policy's
	}{
		{"seconds", []string{"Retry-After", "3"}, 3 * time.Second},
		{"seconds with blanks", []string{"Retry-After", " 3 "}, 3 * time.Second},
		{"the longest pause", []string{"Retry-After", "20"}, 20 * time.Second},
		{"a date by the service's clock", []string{"Retry-After", date(7 * time.Second), "Date", date(0)}, 7 * time.Second},
		{"a date by our clock, without the service's", []string{"Retry-After", "Sat, 01 Jan 2000 00:00:09 GMT"}, 9 * time.Second},
		{"a date of the past", []string{"Retry-After", date(-time.Hour), "Date", date(0)}, 0},
		{"the date of the answer", []string{"Retry-After", date(0), "Date", date(0)}, 0},
		{"zero", []string{"Retry-After", "0"}, 0},
		{"negative", []string{"Retry-After", "-5"}, 0},
		{"garbage", []string{"Retry-After", "soon"}, 0},
		{"not a number", []string{"Retry-After", "NaN"}, 0},
		{"an exponent", []string{"Retry-After", "1e1"}, 0},
		{"a fraction", []string{"Retry-After", "1.5"}, 0},
		{"empty", []string{"Retry-After", ""}, 0},
		{"two", []string{"Retry-After", "4", "Retry-After", "6"}, 4 * time.Second},
		{"garbage, then one that counts", []string{"Retry-After", "soon", "Retry-After", "6"}, 6 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for status, methods := range map[int][]string{503: {http.MethodGet}, 429: {http.MethodGet, http.MethodPost}} {
				for _, method := range methods {
					synctest.Test(t, func(t *testing.T) {
						script := newRetryScript(retryAnswers(status, "", test.headers...), retryAnswers(200, ""))
						require.NoError(t, retryCall(t.Context(), t, retryClient(t, script, modelarts.RetryPolicy{}), method, nil))
						require.Equal(t, 2, script.count())
						if test.want > 0 {
							assert.Equal(t, test.want, script.gaps()[0])
						} else {
							assert.LessOrEqual(t, script.gaps()[0], time.Second)
						}
					})
				}
			}
		})
	}
}

func TestRetryAfterThatNobodyWaitsFor(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, test := range []struct {
		value string
		want  time.Duration
	}{
		{"21", 21 * time.Second}, {"3600", time.Hour},
		{"99999999999999999999", 365 * 24 * time.Hour}, // more than a number holds
	} {
		synctest.Test(t, func(t *testing.T) {
			script := newRetryScript(retryAnswers(429, "", "Retry-After", test.value))
			began := time.Now()
			err := retryCall(t.Context(), t, retryClient(t, script, modelarts.RetryPolicy{}), http.MethodGet, nil)
			assert.Zero(t, time.Since(began))
			assert.Equal(t, 1, script.count())
			answer := retryAPIError(t, err)
			assert.Equal(t, test.want, answer.RetryAfter)
			require.ErrorIs(t, err, modelarts.ErrThrottled)
			assert.NotErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestAPauseThatWouldOutlastTheDeadline(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, test := range []struct {
		name    string
		headers []string
		policy  modelarts.RetryPolicy
	}{
		{"that the service asks for", []string{"Retry-After", "10"}, modelarts.RetryPolicy{}},
		{"that the service asks for, exactly as long", []string{"Retry-After", "5"}, modelarts.RetryPolicy{}},
		{"that the service asks for, above MaxDelay too", []string{"Retry-After", "3600"}, modelarts.RetryPolicy{}},
		{"of the policy", nil, modelarts.RetryPolicy{MinDelay: 1 << 62, MaxDelay: 1 << 62}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				script := newRetryScript(retryAnswers(503, `{"error_code":"APIGW.0613","error_msg":"busy"}`, test.headers...))
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				began := time.Now()
				err := retryCall(ctx, t, retryClient(t, script, test.policy), http.MethodGet, nil)
				assert.Zero(t, time.Since(began), "nobody waits for what will not come")
				assert.Equal(t, 1, script.count())
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, "APIGW.0613", retryAPIError(t, err).Code)
				assert.NotContains(t, err.Error(), "\n")
				assert.Contains(t, err.Error(), "deadline")
			})
		})
	}
	t.Run("fits when it is shorter", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			script := newRetryScript(retryAnswers(503, "", "Retry-After", "4"), retryAnswers(200, ""))
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			require.NoError(t, retryCall(ctx, t, retryClient(t, script, modelarts.RetryPolicy{}), http.MethodGet, nil))
			assert.Equal(t, []time.Duration{4 * time.Second}, script.gaps())
		})
	})
}

// A retryBucket counts the extra attempts that a client still makes.
type retryBucket struct {
	client *modelarts.Client
	script *retryScript
}

func newRetryBucket(t *testing.T) *retryBucket {
	t.Helper()
	script := newRetryScript(retryAnswers(503, ""))
	policy := retryAtOnce // pauses would refill the budget
	policy.MaxAttempts = 2
	return &retryBucket{client: retryClient(t, script, policy), script: script}
}

// drain makes failing calls until one is not tried again, and returns how many were, with the last error.
func (b *retryBucket) drain(t *testing.T) (int, error) {
	t.Helper()
	for extra := 0; ; extra++ {
		before := b.script.count()
		err := retryCall(t.Context(), t, b.client, http.MethodGet, nil)
		require.Error(t, err)
		if b.script.count()-before == 1 {
			return extra, err
		}
	}
}

func (b *retryBucket) succeed(t *testing.T, times int) {
	t.Helper()
	failing := b.script.steps
	b.script.steps = []retryStep{retryAnswers(200, "")}
	for range times {
		require.NoError(t, retryCall(t.Context(), t, b.client, http.MethodGet, nil))
	}
	b.script.steps = failing
}

func TestTheRetryBudget(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bucket := newRetryBucket(t)
		extra, err := bucket.drain(t)
		assert.Equal(t, 50, extra, "extra attempts of a fresh client")
		assert.Contains(t, err.Error(), "retry budget")
		assert.NotContains(t, err.Error(), "\n")
		assert.Equal(t, 503, retryAPIError(t, err).StatusCode)

		extra, _ = bucket.drain(t)
		assert.Zero(t, extra, "it stays empty while no time passes")

		time.Sleep(3 * time.Second)
		extra, _ = bucket.drain(t)
		assert.Equal(t, 3, extra, "one a second comes back")

		bucket.succeed(t, 10)
		extra, _ = bucket.drain(t)
		assert.Equal(t, 1, extra, "a tenth for every success comes back")

		bucket.succeed(t, 9)
		extra, _ = bucket.drain(t)
		assert.Zero(t, extra)

		time.Sleep(24 * time.Hour)
		extra, _ = bucket.drain(t)
		assert.Equal(t, 50, extra, "it is never more than full")

		time.Sleep(24 * time.Hour)
		bucket.succeed(t, 100)
		extra, _ = bucket.drain(t)
		assert.Equal(t, 50, extra, "successes do not overfill it")

		extra, _ = newRetryBucket(t).drain(t)
		assert.Equal(t, 50, extra, "every client has its own")
	})
}

func TestTheRetryBudgetIsSharedByAllCallsOfAClient(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		script := newRetryScript(retryAnswers(503, ""))
		client := retryClient(t, script, retryAtOnce)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { assert.Error(t, retryCall(t.Context(), t, client, http.MethodGet, nil)) })
		}
		wg.Wait()
		assert.Equal(t, 100+50, script.count(), "first attempts are free")
	})
}

func TestCallsGoOnWhileTheBudgetIsEmpty(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bucket := newRetryBucket(t)
		_, _ = bucket.drain(t)
		bucket.succeed(t, 1) // the first call after the outage
	})
}

func TestEveryAttemptIsSignedAfterThePause(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "flowers"})
		fake.Inject(modelartstest.Fault{Status: 503, RetryAfter: 20 * time.Second, Times: 2})
		_, err := fake.Client().GetSyncStatus(t.Context(), "flowers")
		require.NoError(t, err)
		requests := fake.Requests()
		require.Len(t, requests, 3)
		const layout = "20060102T150405Z"
		for i := 1; i < len(requests); i++ {
			before, err := time.Parse(layout, requests[i-1].Header.Get("X-Sdk-Date"))
			require.NoError(t, err)
			now, err := time.Parse(layout, requests[i].Header.Get("X-Sdk-Date"))
			require.NoError(t, err)
			assert.Equal(t, 20*time.Second, now.Sub(before))
			assert.NotEqual(t, requests[i-1].Header.Get("Authorization"), requests[i].Header.Get("Authorization"))
			assert.Len(t, requests[i].Header.Values("Authorization"), 1)
			assert.Len(t, requests[i].Header.Values("X-Sdk-Date"), 1)
		}
	})
}

func TestASignatureThatWouldBeTooOldIsMadeAnew(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "flowers"})
		fake.Inject(modelartstest.Fault{Status: 503, RetryAfter: 20 * time.Minute})
		client := fake.Client(modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxDelay: time.Hour}))
		_, err := client.GetSyncStatus(t.Context(), "flowers")
		require.NoError(t, err)
		assert.Len(t, fake.Requests(), 2)
	})
}
