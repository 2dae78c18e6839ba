package modelarts_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// credSlow makes every answer take d.
func credSlow(fake *modelartstest.Server, d time.Duration) {
	fake.Inject(modelartstest.Fault{Delay: d, Times: -1})
}

// credBraked polls until the key is refused three times.
func credBraked(t *testing.T, fake *modelartstest.Server, client *modelarts.Client) {
	t.Helper()
	before := len(fake.Requests())
	for range 3 {
		require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
	}
	require.Len(t, fake.Requests(), before+3)
}

// credStopped checks that a call fails at once, without a request.
func credStopped(t *testing.T, fake *modelartstest.Server, client *modelarts.Client) {
	t.Helper()
	before, began := len(fake.Requests()), time.Now()
	err := credPoll(t.Context(), client)
	require.ErrorIs(t, err, modelarts.ErrUnauthorized)
	require.ErrorContains(t, err, "refused")
	assert.Zero(t, time.Since(began), "at once")
	assert.Len(t, fake.Requests(), before, "nothing is sent")
}

func TestBrakeStopsTenThousandGoroutines(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		credSlow(fake, 50*time.Millisecond)
		client := credClient(t, fake, modelarts.NewSigner(credWrongKeys))
		texts := make(map[string]int)
		for _, err := range credAll(10_000, func(int) error { return credPoll(t.Context(), client) }) {
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
			_, text, _ := strings.Cut(err.Error(), "/status: ")
			text, _, _ = strings.Cut(text, " (request id") // of the refusal that is told of
			texts[text]++
		}
		braked := 0
		for text, times := range texts {
			assert.NotContains(t, text, "canary")
			if strings.Contains(text, "fix or replace the keys") {
				braked += times
				assert.Contains(t, text, modelartstest.AccessKey)
				assert.Contains(t, text, "refused 3 times in a row and is not used for another 1m0s")
			}
		}
		assert.Equal(t, 9_997, braked)
		assert.Len(t, fake.Requests(), 3)
	})
}

// It stops after three, although the service locks a key only after more than five: other programs may use
// the key, too, and their refusals count there.
func TestBrakeStopsARevokedKey(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		client := credClient(t, fake, modelarts.NewSigner(credKeys))
		for range 10 {
			require.NoError(t, credPoll(t.Context(), client))
		}
		fake.SetAccepted(modelartstest.AccessKey, false)
		credBraked(t, fake, client)
		credStopped(t, fake, client)

		// Goroutines that start now do not make it worse.
		for _, err := range credAll(100, func(int) error { return credPoll(t.Context(), client) }) {
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
		}
		assert.Len(t, fake.Requests(), 13)
	})
}

func TestBrakeProbes(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		client := credClient(t, fake, modelarts.NewSigner(credKeys), credOneTry)
		fake.SetAccepted(modelartstest.AccessKey, false)
		credBraked(t, fake, client)
		time.Sleep(59 * time.Second)
		credStopped(t, fake, client)

		time.Sleep(time.Second)
		credSlow(fake, time.Second)
		refused := credAll(50, func(int) error { return credPoll(t.Context(), client) })
		for _, err := range refused {
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
		}
		assert.Len(t, fake.Requests(), 4, "one probe a minute after the third refusal")

		time.Sleep(5*time.Minute - time.Nanosecond)
		credStopped(t, fake, client)

		fake.SetAccepted(modelartstest.AccessKey, true)
		time.Sleep(time.Nanosecond)
		require.NoError(t, credPoll(t.Context(), client), "a probe five minutes after the refused one")
		began := time.Now()
		for _, err := range credAll(50, func(int) error { return credPoll(t.Context(), client) }) {
			require.NoError(t, err)
		}
		assert.Equal(t, time.Second, time.Since(began), "an accepted probe frees everybody")
	})
}

func TestBrakeProbeWithoutAVerdict(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, fault := range map[string]modelartstest.Fault{
		"no answer":             {Drop: true},
		"server error":          {Status: 500},
		"throttled":             {Status: 429, Code: "APIGW.0308"},
		"gateway busy":          {Status: 503, Code: "APIGW.0613"},
		"another refusal":       {Status: 401, Code: "ModelArts.4750"},
		"token or key over":     {Status: 401, Code: "APIGW.0307", Message: "must be updated"},
		"slower than the limit": {Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := credFake()
				client := credClient(t, fake, modelarts.NewSigner(credWrongKeys), credOneTry)
				credBraked(t, fake, client)
				time.Sleep(time.Minute)

				fake.Inject(fault)
				require.Error(t, credPoll(t.Context(), client))
				synctest.Wait()
				assert.Len(t, fake.Requests(), 4)
				require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
				assert.Len(t, fake.Requests(), 5, "the next one may probe")
				time.Sleep(4 * time.Minute)
				credStopped(t, fake, client)
			})
		})
	}
}

// Its code, which says why, may have been in the part that is missing.
func TestBrakeLearnsNothingFromATornRefusal(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		client := credClient(t, fake, modelarts.NewSigner(credWrongKeys), credOneTry)
		for _, torn := range []bool{false, false, true, true, false} {
			if torn {
				fake.Inject(modelartstest.Fault{Status: 401, Body: `{"error_co`, Header: http.Header{"Content-Length": {"99"}}})
			}
			require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
		}
		assert.Len(t, fake.Requests(), 5)
		credStopped(t, fake, client)
	})
}

func TestBrakeProbeGivenUpByItsCaller(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		client := credClient(t, fake, modelarts.NewSigner(credWrongKeys))
		credBraked(t, fake, client)
		time.Sleep(time.Minute)
		credSlow(fake, 10*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, credPoll(ctx, client), context.DeadlineExceeded)
		synctest.Wait()
		require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
		assert.Len(t, fake.Requests(), 5, "another one probes")
	})
}

func TestBrakeLimitsAnUnprovenKey(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, fault := range map[string]modelartstest.Fault{
		"the gateway answers for itself": {Status: 500, Delay: time.Second, Times: -1},
		"throttled":                      {Status: 429, RetryAfter: time.Hour, Delay: time.Second, Times: -1},
		"no answer":                      {Drop: true, Delay: time.Second, Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := credFake()
				client := credClient(t, fake, modelarts.NewSigner(credKeys), credOneTry)
				fake.Inject(fault)
				began := time.Now()
				for _, err := range credAll(12, func(int) error { return credPoll(t.Context(), client) }) {
					require.Error(t, err)
					require.NotErrorIs(t, err, modelarts.ErrUnauthorized)
				}
				assert.Equal(t, 4*time.Second, time.Since(began), "three at a time: nothing has proven the key, and nothing brakes it")

				fake.ClearFaults()
				require.NoError(t, credPoll(t.Context(), client))
				credSlow(fake, time.Second)
				began = time.Now()
				credAll(12, func(int) error { return credPoll(t.Context(), client) })
				assert.Equal(t, time.Second, time.Since(began), "now it is proven")
			})
		})
	}
}

func TestBrakeProofIsAnyAnswerFromBehindTheSignature(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, fault := range []modelartstest.Fault{
		{}, {Status: 403, Code: "ModelArts.0210"}, {Status: 400, Code: "ModelArts.4352"},
	} {
		t.Run(fault.Code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := credFake()
				client := credClient(t, fake, modelarts.NewSigner(credKeys))
				fake.Inject(fault)
				_ = credPoll(t.Context(), client)
				credSlow(fake, time.Second)
				began := time.Now()
				credAll(30, func(int) error { return credPoll(t.Context(), client) })
				assert.Equal(t, time.Second, time.Since(began))
			})
		})
	}
}

func TestBrakeCountsRefusalsInARow(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	bad := modelartstest.Fault{Status: 401, Code: "APIGW.0301", Message: "verify aksk signature fail"}
	for name, between := range map[string]modelartstest.Fault{
		"success":              {},
		"not found":            {Status: 404, Code: "ModelArts.2786"},
		"server error":         {Status: 500},
		"throttled":            {Status: 429},
		"another kind of 401":  {Status: 401, Code: "ModelArts.4713"},
		"an expired key":       {Status: 401, Code: "APIGW.0307", Message: "must be updated"},
		"a clock that was off": {Status: 401, Code: "APIGW.0301", Message: "signature expired", Header: http.Header{"Date": {"Sat, 01 Jan 2000 00:30:00 GMT"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := credFake()
				client := credClient(t, fake, modelarts.NewSigner(credKeys), credOneTry)
				for range 4 {
					fake.Inject(bad, bad, between)
					for range 3 {
						_ = credPoll(t.Context(), client)
					}
				}
				assert.GreaterOrEqual(t, len(fake.Requests()), 12, "two in a row never brake")
				fake.Inject(bad, bad, bad)
				credBraked(t, fake, client)
				credStopped(t, fake, client)
			})
		})
	}
}

func TestBrakeKnowsWhatIsARefusal(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for code, counts := range map[string]bool{
		"APIGW.0301": true, "APIGW.0303": true, "APIGW.0305": true, "APIG.0301": true, "apigw.0301": true,
		"APIGW.0307": false, "APIGW.0311": false, "ModelArts.0301": false, "IAM.0001": false, "": false,
		// The account is suspended or restricted. No key is wrong, and no lock is near.
		"ModelArts.6201": false, "ModelArts.6203": false,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := credFake()
				fake.Inject(modelartstest.Fault{Status: 401, Code: code, Message: "no", Times: -1})
				client := credClient(t, fake, modelarts.NewSigner(credKeys))
				for range 6 {
					require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
				}
				want := 6
				if counts {
					want = 3
				}
				assert.Len(t, fake.Requests(), want)
			})
		})
	}
}

func TestBrakeWaitersObeyTheirContext(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		credSlow(fake, 10*time.Second)
		client := credClient(t, fake, modelarts.NewSigner(credKeys))
		go credAll(3, func(int) error { return credPoll(t.Context(), client) })
		synctest.Wait()

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, credPoll(ctx, client), context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began))

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.ErrorIs(t, credPoll(ctx, client), context.Canceled)
		assert.Equal(t, 2*time.Second, time.Since(began))
		assert.Len(t, fake.Requests(), 3)

		require.NoError(t, credPoll(t.Context(), client), "one that stays is served")
		assert.Equal(t, 20*time.Second, time.Since(began))
	})
}

func TestBrakeEndsWhenTheKeyChanges(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, wrong := range map[string]modelarts.Credentials{
		"another pair":                          {AccessKey: "UNKNOWN", SecretKey: "canary-unknown-secret"},
		"only another token":                    {AccessKey: credKeys.AccessKey, SecretKey: "canary-wrong", SecurityToken: "canary-token"},
		"only a typing error in the secret key": credWrongKeys,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// What is known of the two keys is kept in a map, whose order is random.
			for range 10 {
				synctest.Test(t, func(t *testing.T) {
					fake := credFake()
					fixed := false
					client := credClient(t, fake, modelarts.NewSigner(credAsk(func(int) (modelarts.Credentials, error) {
						if fixed {
							return credKeys, nil
						}
						return wrong, nil
					})))
					credBraked(t, fake, client)
					credStopped(t, fake, client)

					fixed = true
					time.Sleep(31 * time.Second) // until the source is asked again
					time.Sleep(30 * time.Second) // and the probe may go
					_ = credPoll(t.Context(), client)
					require.NoError(t, credPoll(t.Context(), client))
					credSlow(fake, time.Second)
					began := time.Now()
					for _, err := range credAll(30, func(int) error { return credPoll(t.Context(), client) }) {
						require.NoError(t, err)
					}
					assert.Equal(t, time.Second, time.Since(began), "the new key is proven, not the old one")
				})
			}
		})
	}
}

// Two keys with one access key are told apart by their signatures, which cover the body.
func TestBrakeTellsSecretsApartByTheSignature(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			fake := credFake()
			fixed := false
			client := credClient(t, fake, modelarts.NewSigner(credAsk(func(int) (modelarts.Credentials, error) {
				if fixed {
					return credKeys, nil
				}
				return credWrongKeys, nil
			})))
			post := func() error {
				req, err := client.NewRequest(t.Context(), "POST", "/v2/{project_id}/datasets/ds/sync-data", nil, map[string]int{"a": 1})
				require.NoError(t, err)
				return client.Do(req, nil)
			}
			require.ErrorIs(t, post(), modelarts.ErrUnauthorized)
			fixed = true
			time.Sleep(time.Minute)
			_ = post()
			require.NotErrorIs(t, post(), modelarts.ErrUnauthorized)
			credSlow(fake, time.Second)
			began := time.Now()
			for _, err := range credAll(30, func(int) error { return post() }) {
				require.ErrorIs(t, err, modelarts.ErrSyncRunning)
			}
			assert.Equal(t, time.Second, time.Since(began))
		})
	}
}

func TestBrakeOfASharedSigner(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		signer := modelarts.NewSigner(credWrongKeys)
		one, other := credClient(t, fake, signer), credClient(t, fake, signer)
		credBraked(t, fake, one)
		credStopped(t, fake, other)
		require.NoError(t, credPoll(t.Context(), credClient(t, fake, modelarts.NewSigner(credKeys))), "another signer is another matter")

		req := credRequest(t, "GET", modelartstest.Endpoint+"/", "")
		require.ErrorIs(t, signer.Authenticate(req), modelarts.ErrUnauthorized, "a request without a client is stopped as well")
		time.Sleep(time.Minute)
		require.NoError(t, signer.Authenticate(req), "and is a probe when its time has come")
		require.ErrorIs(t, signer.Authenticate(req), modelarts.ErrUnauthorized)
	})
}

func TestBrakeAndWrappers(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		credSlow(fake, time.Second)
		plain := modelarts.AuthenticatorFunc(modelarts.NewSigner(credKeys).Authenticate)
		client := credClient(t, fake, plain)
		began := time.Now()
		for _, err := range credAll(64, func(int) error { return credPoll(t.Context(), client) }) {
			require.NoError(t, err)
		}
		assert.Equal(t, time.Second, time.Since(began), "whose answers are not observed is not limited to three")

		forwarding := credClient(t, fake, credForwarding{modelarts.NewSigner(credWrongKeys)})
		before := len(fake.Requests())
		for _, err := range credAll(64, func(int) error { return credPoll(t.Context(), forwarding) }) {
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
		}
		assert.Len(t, fake.Requests(), before+3)
	})
}

func TestBrakeOfTheKeysBehindAnAgency(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		base := modelarts.NewSigner(credWrongKeys)
		identity, err := modelarts.NewIAM(modelartstest.IAMEndpoint, modelarts.WithHTTPClient(fake.HTTPClient()))
		require.NoError(t, err)
		agency := modelarts.Agency{Name: modelartstest.AgencyName, DomainName: modelartstest.DomainName}
		for i := range 10 {
			client := credClient(t, fake, modelarts.NewSigner(identity.AgencyCredentials(base, agency)))
			err := credPoll(t.Context(), client)
			require.ErrorIs(t, err, modelarts.ErrUnauthorized, fmt.Sprint(i))
		}
		assert.Len(t, iam.Requests(), 3)
		assert.Empty(t, fake.Requests())
	})
}

// TestBrakeAsksForAnotherKey covers a key that is replaced at its source right after it has been stopped.
func TestBrakeAsksForAnotherKey(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		fixed := false
		client := credClient(t, fake, modelarts.NewSigner(credAsk(func(int) (modelarts.Credentials, error) {
			if fixed {
				return credKeys, nil
			}
			return credWrongKeys, nil
		})))
		credBraked(t, fake, client)
		fixed = true
		require.NoError(t, credPoll(t.Context(), client))
	})
}
