package modelarts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

var (
	credKeys      = modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey}
	credWrongKeys = modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: "canary-wrong-secret-key"}
	credOneTry    = modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1})
)

// credFake is a service with one dataset, "ds".
func credFake() *modelartstest.Server {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds"})
	return fake
}

// credClient is a client in memory with this authenticator.
func credClient(t *testing.T, fake *modelartstest.Server, auth modelarts.Authenticator, opts ...modelarts.Option) *modelarts.Client {
	t.Helper()
	opts = append([]modelarts.Option{modelarts.WithHTTPClient(fake.HTTPClient())}, opts...)
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, auth, opts...)
	require.NoError(t, err)
	return client
}

func credPoll(ctx context.Context, client *modelarts.Client) error {
	_, err := client.GetSyncStatus(ctx, "ds")
	return err
}

// credAll runs f in so many goroutines and returns their errors.
func credAll(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = f(i) })
	}
	group.Wait()
	return errs
}

// credProvider provides what f says, and counts how often it was asked.
type credProvider struct {
	asked atomic.Int64
	f     func(n int, ctx context.Context) (modelarts.Credentials, error)
}

func credAsk(f func(n int) (modelarts.Credentials, error)) *credProvider {
	return &credProvider{f: func(n int, _ context.Context) (modelarts.Credentials, error) { return f(n) }}
}

func (p *credProvider) Retrieve(ctx context.Context) (modelarts.Credentials, error) {
	return p.f(int(p.asked.Add(1)), ctx)
}

// credTemporary is a provider of temporary keys, each of which the fake accepts for an hour.
func credTemporary(fake *modelartstest.Server, lifetime time.Duration) *credProvider {
	return credAsk(func(n int) (modelarts.Credentials, error) {
		c := modelarts.Credentials{
			AccessKey: fmt.Sprintf("TEMPORARY%03d", n), SecretKey: fmt.Sprintf("canary-temporary-secret-%03d", n),
			SecurityToken: fmt.Sprintf("canary/security+token-%03d==", n), Expires: time.Now().Add(lifetime),
		}
		fake.AddKey(c)
		return c, nil
	})
}

// credLog collects what is logged.
type credLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *credLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *credLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *credLog) option() modelarts.Option {
	return modelarts.WithLogger(slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

const credSignaturePath = "/sync-data/status"

func TestClockThatIsOffIsCorrectedOnce(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, offset := range []time.Duration{40 * time.Minute, -40 * time.Minute, 300 * 24 * time.Hour} {
		t.Run(offset.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := credFake()
				fake.SetClockOffset(offset)
				client := credClient(t, fake, modelarts.NewSigner(credKeys), credOneTry)

				require.NoError(t, credPoll(t.Context(), client), "the repeat comes on top of the one attempt")
				assert.Len(t, fake.Requests(), 2)
				for range 3 {
					require.NoError(t, credPoll(t.Context(), client))
				}
				assert.Len(t, fake.Requests(), 5, "the following calls are right at first try")

				time.Sleep(time.Hour)
				require.NoError(t, credPoll(t.Context(), client))
				assert.Len(t, fake.Requests(), 6, "also an hour later")

				fake.SetClockOffset(0) // the clock was set right
				require.NoError(t, credPoll(t.Context(), client))
				assert.Len(t, fake.Requests(), 8)
				require.NoError(t, credPoll(t.Context(), client))
				assert.Len(t, fake.Requests(), 9)
			})
		})
	}
}

func TestClockWithinTheToleranceIsLeftAlone(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fake.SetClockOffset(14 * time.Minute)
		client := credClient(t, fake, modelarts.NewSigner(credKeys))
		require.NoError(t, credPoll(t.Context(), client))
		assert.Len(t, fake.Requests(), 1)
		assert.Equal(t, "20000101T000000Z", fake.Requests()[0].Header.Get("X-Sdk-Date"), "only a refusal teaches")

		fake.SetClockOffset(4 * time.Minute)
		err := credPoll(t.Context(), credClient(t, fake, modelarts.NewSigner(credWrongKeys)))
		require.ErrorIs(t, err, modelarts.ErrUnauthorized)
		assert.Len(t, fake.Requests(), 2, "four minutes do not explain a refusal")
	})
}

func TestClockOfManyGoroutines(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fake.Inject(modelartstest.Fault{Delay: 100 * time.Millisecond, Times: -1})
		client := credClient(t, fake, modelarts.NewSigner(credKeys))
		for _, err := range credAll(100, func(int) error { return credPoll(t.Context(), client) }) {
			require.NoError(t, err)
		}
		assert.Len(t, fake.Requests(), 100)
		// The machine slept: all requests of that moment are too old.
		fake.SetClockOffset(time.Hour)
		for _, err := range credAll(100, func(int) error { return credPoll(t.Context(), client) }) {
			require.NoError(t, err)
		}
		assert.Len(t, fake.Requests(), 300, "each was repeated once, and none took this for a bad key")
	})
}

func TestDatesThatTeachNothing(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, header := range map[string]http.Header{
		"missing":       {"Date": nil},
		"malformed":     {"Date": {"yesterday"}},
		"not in GMT":    {"Date": {"2000-01-01T00:40:00Z"}},
		"years ahead":   {"Date": {"Mon, 01 Jan 2035 00:00:00 GMT"}},
		"years behind":  {"Date": {"Mon, 01 Jan 1990 00:00:00 GMT"}},
		"from a cache":  {"Age": {"2400"}},
		"just cached":   {"Age": {"0"}},
		"of this clock": {"Date": {"Sat, 01 Jan 2000 00:00:00 GMT"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := credFake()
				fake.SetClockOffset(40 * time.Minute)
				fake.Inject(modelartstest.Fault{Header: header})
				client := credClient(t, fake, modelarts.NewSigner(credKeys))

				err := credPoll(t.Context(), client)
				require.ErrorIs(t, err, modelarts.ErrUnauthorized)
				require.ErrorContains(t, err, "clock is off by about 40m0s")
				assert.Len(t, fake.Requests(), 1)

				require.NoError(t, credPoll(t.Context(), client), "a good date still teaches later")
				requests := fake.Requests()
				require.Len(t, requests, 3)
				assert.Equal(t, "20000101T000000Z", requests[1].Header.Get("X-Sdk-Date"), "the offset had not been changed")
			})
		})
	}
}

func TestClockIsCorrectedOnceACall(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		swing := func(date string) modelartstest.Fault {
			return modelartstest.Fault{
				Status: 401, Code: "APIGW.0301", Message: "signature expired", Header: http.Header{"Date": {date}},
			}
		}
		fake.Inject(swing("Sat, 01 Jan 2000 00:40:00 GMT"), swing("Sat, 01 Jan 2000 02:00:00 GMT"), swing("Sat, 01 Jan 2000 05:00:00 GMT"))
		err := credPoll(t.Context(), credClient(t, fake, modelarts.NewSigner(credKeys)))
		require.ErrorIs(t, err, modelarts.ErrUnauthorized)
		var refusal *modelarts.APIError
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, 2, refusal.Attempts)
		assert.Len(t, fake.Requests(), 2)
	})
}

func TestOffsetBelongsToTheSigner(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fake.SetClockOffset(time.Hour)
		signer := modelarts.NewSigner(credKeys)
		require.NoError(t, credPoll(t.Context(), credClient(t, fake, signer)))
		require.NoError(t, credPoll(t.Context(), credClient(t, fake, signer)), "another client with the signer knows it")
		assert.Len(t, fake.Requests(), 3)
		require.NoError(t, credPoll(t.Context(), credClient(t, fake, modelarts.NewSigner(credKeys))))
		assert.Len(t, fake.Requests(), 5, "another signer does not")
	})
}

func TestExpiredAnswersRenewTheSecretOnce(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, answer := range map[string]modelartstest.Fault{
		"gateway":             {Code: "APIGW.0307", Message: "The token must be updated."},
		"dedicated gateway":   {Code: "APIG.0307", Message: "Token expired"},
		"text of 0301":        {Code: "APIGW.0301", Message: "Incorrect IAM authentication information: token expires, expires_at: 2000-01-01T00:00:00.000000Z"},
		"token not decrypted": {Code: "APIGW.0301", Message: "Incorrect IAM authentication information: decrypt token fail"},
		"service 0202":        {Code: "ModelArts.0202", Message: "Invalid token"},
		"service 0203":        {Code: "ModelArts.0203", Message: "Invalid token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := credFake()
				answer.Status = 401
				fake.Inject(answer)
				source := credTemporary(fake, time.Hour)
				client := credClient(t, fake, modelarts.NewSigner(source), credOneTry)
				require.NoError(t, credPoll(t.Context(), client))
				assert.Len(t, fake.Requests(), 2)
				assert.EqualValues(t, 2, source.asked.Load())
				assert.Equal(t, "canary/security+token-002==", fake.Requests()[1].Header.Get("X-Security-Token"))

				answer.Method = http.MethodPost
				fake.Inject(answer)
				_, err := client.StartSync(t.Context(), "ds")
				require.NoError(t, err, "a POST is repeated as well: the gateway refused it")
				assert.EqualValues(t, 3, source.asked.Load())
			})
		})
	}
}

func TestSecretThatIsRefusedAgain(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	refuse := modelartstest.Fault{Path: credSignaturePath, Status: 401, Code: "APIGW.0307", Message: "The token must be updated", Times: -1}

	t.Run("a new one is sent once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fake := credFake()
			fake.Inject(refuse)
			source := credTemporary(fake, time.Hour)
			err := credPoll(t.Context(), credClient(t, fake, modelarts.NewSigner(source)))
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
			assert.Len(t, fake.Requests(), 2)
			assert.EqualValues(t, 2, source.asked.Load())
			var refusal *modelarts.APIError
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, 2, refusal.Attempts)
		})
	})
	t.Run("the same one is not sent again", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fake := credFake()
			fake.Inject(refuse)
			source := credAsk(func(int) (modelarts.Credentials, error) { return credKeys, nil })
			client := credClient(t, fake, modelarts.NewSigner(source))
			require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
			assert.Len(t, fake.Requests(), 1)
			assert.EqualValues(t, 2, source.asked.Load())

			for range 10 {
				require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
			}
			assert.EqualValues(t, 2, source.asked.Load(), "the source is not asked for every refusal")
			time.Sleep(31 * time.Second)
			require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
			assert.EqualValues(t, 3, source.asked.Load())
		})
	})
	t.Run("a static token", func(t *testing.T) {
		t.Parallel()
		fake := credFake()
		fake.SetAccepted(modelartstest.Token, false)
		err := credPoll(t.Context(), credClient(t, fake, modelarts.TokenAuth(modelartstest.Token)))
		require.ErrorIs(t, err, modelarts.ErrUnauthorized)
		require.ErrorContains(t, err, "a static token does not renew itself")
		assert.Len(t, fake.Requests(), 1)
	})
	t.Run("static keys", func(t *testing.T) {
		t.Parallel()
		fake := credFake()
		fake.Inject(refuse)
		err := credPoll(t.Context(), credClient(t, fake, modelarts.NewSigner(credKeys)))
		require.ErrorIs(t, err, modelarts.ErrUnauthorized)
		assert.Len(t, fake.Requests(), 1)
	})
}

func TestRenewalThatFailsTellsItsReason(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fake.Inject(modelartstest.Fault{Status: 401, Code: "APIGW.0307", Message: "The token must be updated"})
		broken := errors.New("the vault is sealed")
		source := credAsk(func(n int) (modelarts.Credentials, error) {
			if n == 2 {
				return modelarts.Credentials{}, broken
			}
			return credKeys, nil
		})
		var log credLog
		client := credClient(t, fake, modelarts.NewSigner(source), log.option())
		require.ErrorIs(t, credPoll(t.Context(), client), broken)
		assert.Contains(t, log.String(), "renewing the credentials failed")
		assert.Contains(t, log.String(), "the vault is sealed")
		require.ErrorIs(t, credPoll(t.Context(), client), broken, "not asked again at once")
		assert.EqualValues(t, 2, source.asked.Load())
		assert.Len(t, fake.Requests(), 1)

		time.Sleep(30 * time.Second)
		require.NoError(t, credPoll(t.Context(), client))
		assert.EqualValues(t, 3, source.asked.Load())
	})
}

func TestClockAndSecretInOneCall(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fake.SetClockOffset(40 * time.Minute)
		// Good for half an hour by this machine's clock, and over by the service's.
		source := credTemporary(fake, 30*time.Minute)
		first := source.f
		source.f = func(n int, ctx context.Context) (modelarts.Credentials, error) {
			c, err := first(n, ctx)
			if n > 1 {
				c.Expires = c.Expires.Add(time.Hour)
				fake.AddKey(c)
			}
			return c, err
		}
		client := credClient(t, fake, modelarts.NewSigner(source), credOneTry)
		require.NoError(t, credPoll(t.Context(), client))
		assert.Len(t, fake.Requests(), 3, "one repeat for the clock and one for the secret")
		assert.EqualValues(t, 2, source.asked.Load())
	})
}

func TestThousandRefusedGoroutinesFetchOnce(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		source := credTemporary(fake, time.Hour)
		client := credClient(t, fake, modelarts.NewSigner(source))
		require.NoError(t, credPoll(t.Context(), client))

		fake.Inject(modelartstest.Fault{Delay: time.Second, Status: 401, Code: "APIGW.0307", Message: "The token must be updated", Times: 1000})
		for _, err := range credAll(1000, func(int) error { return credPoll(t.Context(), client) }) {
			require.NoError(t, err)
		}
		assert.EqualValues(t, 2, source.asked.Load())
		assert.Len(t, fake.Requests(), 2001)
	})
}

func TestRenewalKeepsFullConcurrency(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		source := credTemporary(fake, time.Hour)
		client := credClient(t, fake, modelarts.NewSigner(source))
		fake.Inject(modelartstest.Fault{Delay: time.Second, Times: -1})
		for hour := range 6 {
			require.NoError(t, credPoll(t.Context(), client), "this one proves the key")
			began := time.Now()
			for _, err := range credAll(64, func(int) error { return credPoll(t.Context(), client) }) {
				require.NoError(t, err)
			}
			assert.Equal(t, time.Second, time.Since(began), "hour %d: all are under way at once", hour)
			time.Sleep(time.Hour)
		}
		assert.EqualValues(t, 6, source.asked.Load())
	})
}

func TestWaitGoesOnAfterARenewal(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fake.AddDataset(modelarts.Dataset{ID: "ds"}, modelarts.SyncStatus{Status: modelarts.SyncRunning})
		iam := modelartstest.NewIAM(fake)
		iam.SetTokenLifetime(time.Hour)
		client := credClient(t, fake, credPassword(t, fake), credOneTry)
		go func() {
			time.Sleep(20 * time.Minute)
			iam.RevokeIssued()
			time.Sleep(70 * time.Minute) // beyond the second token's hour, too
			fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: modelarts.SyncCompleted, CreateTime: time.Now().UnixMilli()})
		}()
		status, err := client.Sync(t.Context(), "ds", nil)
		require.NoError(t, err)
		assert.Equal(t, modelarts.SyncCompleted, status.Status)
		logins := 0
		for _, r := range iam.Requests() {
			if r.Path == "/v3/auth/tokens" {
				logins++
			}
		}
		assert.Equal(t, 3, logins, "the first, one for the revoked token, and one an hour later")
	})
}

// The clocks of machine and service part while a wait is on, as when the machine was asleep. A bubble's own
// clock cannot jump, so the service's does; pauses are not made by it.
func TestWaitGoesOnWhenTheClockJumps(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: modelarts.SyncRunning})
		client := credClient(t, fake, modelarts.NewSigner(credKeys), credOneTry)
		jumps := []time.Duration{2 * time.Hour, -20 * time.Minute, 20 * time.Minute, 0}
		polls := 0
		began := time.Now()
		opts := &modelarts.WaitOptions{MinInterval: time.Minute, MaxInterval: time.Minute}
		for _, err := range client.WatchSync(t.Context(), modelarts.SyncTask{DatasetID: "ds"}, opts) {
			require.NoError(t, err)
			if polls == 5*len(jumps) {
				break
			}
			if polls%5 == 0 {
				fake.SetClockOffset(jumps[polls/5])
			}
			polls++
		}
		assert.Len(t, fake.Requests(), 1+polls+len(jumps), "one repeat a jump")
		assert.LessOrEqual(t, time.Since(began), time.Duration(polls)*time.Minute)
		assert.GreaterOrEqual(t, time.Since(began), time.Duration(polls)*time.Minute/2, "the pace is kept")
	})
}

func TestKeysWithoutEndAreKeptUntilOneRefusal(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fake.AddKey(modelarts.Credentials{AccessKey: "ROTATED", SecretKey: "canary-rotated-secret"})
		source := credAsk(func(n int) (modelarts.Credentials, error) {
			if n == 1 {
				return credKeys, nil
			}
			return modelarts.Credentials{AccessKey: "ROTATED", SecretKey: "canary-rotated-secret"}, nil
		})
		client := credClient(t, fake, modelarts.NewSigner(source))
		for range 3 {
			require.NoError(t, credPoll(t.Context(), client))
			time.Sleep(1000 * time.Hour)
		}
		assert.EqualValues(t, 1, source.asked.Load())

		fake.SetAccepted(modelartstest.AccessKey, false)
		require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized, "a bad signature is not repeated")
		assert.Len(t, fake.Requests(), 4)
		require.NoError(t, credPoll(t.Context(), client), "the next call has the new key")
		assert.EqualValues(t, 2, source.asked.Load())
	})
}

func TestOtherRefusalsAreFinal(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for code, message := range map[string]string{
		"APIGW.0301":     "Incorrect IAM authentication information: verify aksk signature fail",
		"APIGW.0303":     "Incorrect app authentication information",
		"APIGW.0305":     "Incorrect authentication information",
		"APIGW.0311":     "Incorrect debugging authentication information",
		"ModelArts.0207": "Token without project",
		"ModelArts.6201": "Account suspended",
		"ModelArts.6203": "Account restricted",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			fake := credFake()
			fake.Inject(modelartstest.Fault{Status: 401, Code: code, Message: message, Times: -1})
			source := credTemporary(fake, time.Hour)
			err := credPoll(t.Context(), credClient(t, fake, modelarts.NewSigner(source)))
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
			assert.Len(t, fake.Requests(), 1)
			assert.EqualValues(t, 1, source.asked.Load())
		})
	}
}

// TestABusyDatasetIsNoRefusal has a 401 that is about another task of the dataset, not about the key.
func TestABusyDatasetIsNoRefusal(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := credFake()
	fake.Inject(modelartstest.Fault{Status: 401, Code: "ModelArts.4713", Message: "Forbidden operation", Times: 20})
	source := credTemporary(fake, time.Hour)
	client := credClient(t, fake, modelarts.NewSigner(source))
	for range 20 {
		err := credPoll(t.Context(), client)
		require.ErrorIs(t, err, modelarts.ErrConflict)
		require.NotErrorIs(t, err, modelarts.ErrUnauthorized)
	}
	require.NoError(t, credPoll(t.Context(), client))
	assert.Len(t, fake.Requests(), 21, "neither repeated nor braked")
	assert.EqualValues(t, 1, source.asked.Load(), "no key is renewed for it")
}

// credForwarding is a caller's own authenticator around one of this package.
type credForwarding struct{ inner *modelarts.Signer }

func (f credForwarding) Authenticate(req *http.Request) error { return f.inner.Authenticate(req) }

func (f credForwarding) Observe(sent *http.Request, resp *http.Response, refused *modelarts.APIError) bool {
	return f.inner.Observe(sent, resp, refused)
}

func TestWrapperThatForwardsTheObserver(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fake.SetClockOffset(time.Hour)
		client := credClient(t, fake, credForwarding{modelarts.NewSigner(credKeys)})
		require.NoError(t, credPoll(t.Context(), client))
		assert.Len(t, fake.Requests(), 2)

		plain := modelarts.AuthenticatorFunc(modelarts.NewSigner(credKeys).Authenticate)
		require.ErrorIs(t, credPoll(t.Context(), credClient(t, fake, plain)), modelarts.ErrUnauthorized)
		assert.Len(t, fake.Requests(), 3, "one that does not forward learns nothing")
	})
}

func TestAuthenticatorErrors(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	own := errors.New("no badge")
	client := credClient(t, credFake(), modelarts.AuthenticatorFunc(func(*http.Request) error { return own }))
	err := credPoll(t.Context(), client)
	require.ErrorIs(t, err, own)
	assert.NotErrorIs(t, err, modelarts.ErrUnauthorized)
}

func TestSecretsThatNoHeaderHoldsAreRefused(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	refused := func(t *testing.T, err error, position string) {
		t.Helper()
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "canary")
		assert.ErrorContains(t, err, position)
	}
	for name, tail := range map[string]string{
		"line feed": "\n", "carriage return": "\r", "NUL": "\x00", "blank": " ", "tab": "\t", "delete": "\x7f", "no ASCII": "é", "no UTF-8": "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for field, auth := range map[string]modelarts.Authenticator{
				"token":          modelarts.TokenAuth("canary-secret" + tail),
				"security token": modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "canary", SecurityToken: "canary-secret" + tail}),
				"access key":     modelarts.NewSigner(modelarts.Credentials{AccessKey: "canary-secret" + tail, SecretKey: "canary"}),
			} {
				_, err := modelarts.NewClient(modelartstest.Endpoint, "p", auth)
				refused(t, err, fmt.Sprintf("the %s has a character that no header may hold, at byte 13 of %d", field, 13+len(tail)))
				refused(t, auth.Authenticate(credRequest(t, "GET", "https://h.test/", "")), "at byte 13")
			}
			late := modelarts.NewSigner(credAsk(func(int) (modelarts.Credentials, error) {
				return modelarts.Credentials{AccessKey: "AK", SecretKey: "canary", SecurityToken: "canary-secret" + tail}, nil
			}))
			refused(t, late.Authenticate(credRequest(t, "GET", "https://h.test/", "")), "at byte 13")
		})
	}
	for name, c := range map[string]modelarts.Credentials{
		"the access key is empty":             {SecretKey: "canary"},
		"the secret key is empty":             {AccessKey: "AK"},
		"the access key has one of , / ; =":   {AccessKey: "canary,SignedHeaders=host", SecretKey: "canary"},
		"the secret key has a character that": {AccessKey: "AK", SecretKey: "canary\n"},
	} {
		_, err := modelarts.NewClient(modelartstest.Endpoint, "p", modelarts.NewSigner(c))
		refused(t, err, name)
	}
	_, err := modelarts.NewClient(modelartstest.Endpoint, "p", modelarts.TokenAuth(""))
	refused(t, err, "the token is empty")
	_, err = modelarts.NewClient(modelartstest.Endpoint, "p", modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "geheim blank é"}))
	require.NoError(t, err, "a secret key never becomes a header")
}

func TestSignersThatCannotWork(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	var none *modelarts.Signer
	for name, auth := range map[string]modelarts.Authenticator{
		"no provider":       modelarts.NewSigner(nil),
		"not by NewSigner":  new(modelarts.Signer),
		"nil signer":        none,
		"nil function":      modelarts.AuthenticatorFunc(nil),
		"empty credentials": modelarts.NewSigner(modelarts.Credentials{}),
	} {
		_, err := modelarts.NewClient(modelartstest.Endpoint, "p", auth)
		require.Error(t, err, name)
	}
	req := credRequest(t, "GET", "https://h.test/", "")
	require.ErrorContains(t, modelarts.NewSigner(nil).Authenticate(req), "no credentials provider")
	require.ErrorContains(t, new(modelarts.Signer).Authenticate(req), "NewSigner")
	assert.False(t, new(modelarts.Signer).Observe(req, &http.Response{}, &modelarts.APIError{StatusCode: 401}))
}

func TestTokenAuth(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := credFake()
	client := credClient(t, fake, modelarts.TokenAuth(modelartstest.Token))
	require.NoError(t, credPoll(t.Context(), client))
	assert.Equal(t, modelartstest.Token, fake.Requests()[0].Header.Get("X-Auth-Token"))

	bare := &http.Request{}
	require.NoError(t, modelarts.TokenAuth("t").Authenticate(bare), "a request without a header map")
	assert.Equal(t, "t", bare.Header.Get("X-Auth-Token"))
}

// credSecrets must not be in any of the texts that value can turn into.
func credSecrets(t *testing.T, value any, secrets ...string) {
	t.Helper()
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		texts = append(texts, fmt.Sprintf(verb, value), fmt.Sprintf(verb, []any{value}),
			fmt.Sprintf(verb, struct{ V any }{value}), fmt.Sprintf(verb, map[string]any{"v": value}))
	}
	encoded, err := json.Marshal(map[string]any{"v": value})
	require.NoError(t, err)
	texts = append(texts, string(encoded))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "v", value, "nested", struct{ V any }{value})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "v", value, "nested", struct{ V any }{value})
	texts = append(texts, log.String())
	for _, text := range texts {
		for _, secret := range secrets {
			assert.NotContains(t, text, secret)
			assert.NotContains(t, strings.ToLower(text), fmt.Sprintf("%x", secret))
		}
	}
}

func TestAuthenticatorsPrintNoSecrets(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := credFake()
	iam := modelartstest.NewIAM(fake)
	require.NotNil(t, iam)
	secrets := []string{"canary", modelartstest.SecretKey, modelartstest.Password, modelartstest.Token, "fake/issued", "fake/security"}

	signer := modelarts.NewSigner(credTemporary(fake, time.Hour))
	require.NoError(t, credPoll(t.Context(), credClient(t, fake, signer)))
	password := credPassword(t, fake)
	require.NoError(t, credPoll(t.Context(), credClient(t, fake, password)))
	token := modelarts.TokenAuth(modelartstest.Token)

	type holder struct {
		Signer   *modelarts.Signer
		Value    modelarts.Signer
		password modelarts.Authenticator
		token    modelarts.Authenticator
		signer   *modelarts.Signer
		value    modelarts.Signer
	}
	all := holder{signer, *signer, password, token, signer, *signer}
	for _, value := range []any{signer, *signer, password, token, &token, credClient(t, fake, signer), *credClient(t, fake, signer), all, &all} {
		credSecrets(t, value, secrets...)
	}
	assert.Equal(t, "modelarts.Signer(REDACTED)", fmt.Sprintf("%+v", signer))
	assert.Equal(t, "modelarts.TokenAuth(REDACTED)", fmt.Sprintf("%#v", token))
	assert.Equal(t, "modelarts.PasswordAuth(REDACTED)", fmt.Sprint(password))
}

func TestEchoedSecretsAreTakenOut(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, auth := range map[string]func(fake *modelartstest.Server) modelarts.Authenticator{
		"temporary keys": func(fake *modelartstest.Server) modelarts.Authenticator {
			return modelarts.NewSigner(credTemporary(fake, time.Hour))
		},
		"a token": func(*modelartstest.Server) modelarts.Authenticator { return modelarts.TokenAuth("canary-token") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := credFake()
			var log credLog
			client := credClient(t, fake, auth(fake), log.option(), modelarts.WithHTTPClient(&http.Client{Transport: credEcho{}}), credOneTry)
			err := credPoll(t.Context(), client)
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
			var refusal *modelarts.APIError
			require.ErrorAs(t, err, &refusal)
			for _, text := range []string{err.Error(), refusal.Message, string(refusal.Body), refusal.Code, refusal.RequestID, log.String(), fmt.Sprintf("%#v", refusal)} {
				assert.NotContains(t, text, "canary")
				assert.NotContains(t, text, "Signature=")
			}
			assert.Contains(t, refusal.Message, "REDACTED")
		})
	}
}

// credEcho answers with all that it was sent, as a gateway that echoes its canonical request.
type credEcho struct{}

func (credEcho) RoundTrip(req *http.Request) (*http.Response, error) {
	var echo strings.Builder
	for name, values := range req.Header {
		fmt.Fprintf(&echo, "%s:%s|", strings.ToLower(name), strings.Join(values, ","))
		fmt.Fprintf(&echo, "bare %s|", strings.Join(values, ","))
	}
	body, err := json.Marshal(map[string]string{"error_code": "APIGW.0301", "error_msg": "verify aksk signature fail, canonicalRequest:" + echo.String()})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusUnauthorized, ProtoMajor: 1, Header: http.Header{"X-Request-Id": {"r " + req.Header.Get("X-Auth-Token") + req.Header.Get("X-Security-Token")}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}
