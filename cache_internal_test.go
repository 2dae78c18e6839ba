package modelarts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts/internal/leaktest"
)

// credSource is a source of secrets "s1", "s2", …, each good for life.
type credSource struct {
	fetches atomic.Int64
	takes   time.Duration
	life    time.Duration // 0 is no end
	fail    error
	same    bool // always the first secret
}

func (s *credSource) fetch(ctx context.Context) (string, time.Time, error) {
	n := s.fetches.Add(1)
	if s.takes > 0 {
		if err := sleep(ctx, s.takes); err != nil {
			return "", time.Time{}, err
		}
	}
	if s.fail != nil {
		return "", time.Time{}, s.fail
	}
	if s.same {
		n = 1
	}
	var end time.Time
	if s.life != 0 {
		end = time.Now().Add(s.life)
	}
	return fmt.Sprintf("s%d", n), end, nil
}

func credCache(s *credSource) *cache[string] {
	return &cache[string]{fetch: s.fetch, same: func(a, b string) bool { return a == b }}
}

func credIs(secret string) func(string) bool {
	return func(held string) bool { return held == secret }
}

// credHas checks that the secret is there at once.
func credHas(t *testing.T, c *cache[string], want string) {
	t.Helper()
	began := time.Now()
	got, err := c.get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Zero(t, time.Since(began), "it waited")
	synctest.Wait()
}

func TestCacheRenewsEarly(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	for _, c := range []struct{ life, margin time.Duration }{
		{24 * time.Hour, 5 * time.Minute},
		{time.Hour, 5 * time.Minute},
		{50 * time.Minute, 5 * time.Minute},
		{15 * time.Minute, 90 * time.Second},
		{time.Minute, 6 * time.Second},
		{time.Second, 100 * time.Millisecond},
	} {
		t.Run(c.life.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				source := &credSource{life: c.life}
				secrets := credCache(source)
				credHas(t, secrets, "s1")
				time.Sleep(c.life - c.margin - 1)
				credHas(t, secrets, "s1")
				assert.EqualValues(t, 1, source.fetches.Load())
				time.Sleep(time.Nanosecond)
				credHas(t, secrets, "s1") // the old one serves while the new one comes
				assert.EqualValues(t, 2, source.fetches.Load())
				credHas(t, secrets, "s2")
				assert.EqualValues(t, 2, source.fetches.Load())
			})
		})
	}
}

func TestCacheOfThousandGoroutinesAtTheMomentOfExpiry(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{life: time.Hour, takes: time.Second}
		secrets := credCache(source)
		_, err := secrets.get(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Hour)

		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() {
				got, err := secrets.get(t.Context())
				assert.Equal(t, "s2", got)
				assert.NoError(t, err)
			})
		}
		group.Wait()
		assert.EqualValues(t, 2, source.fetches.Load())
	})
}

func TestCacheInTheMiddleOfAStampede(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{life: time.Minute, takes: 10 * time.Millisecond}
		secrets := credCache(source)
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() {
				// All the time somebody asks, over several ends of the secret.
				for range 100 {
					_, err := secrets.get(t.Context())
					if err != nil {
						t.Error(err)
					}
					time.Sleep(time.Duration(i+100) * 20 * time.Millisecond)
				}
			})
		}
		group.Wait()
		assert.LessOrEqual(t, source.fetches.Load(), int64(400*time.Second/(54*time.Second))+1, "one for each life of the secret")
	})
}

func TestCacheCallersLeaveAlone(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{life: time.Hour, takes: 10 * time.Second}
		secrets := credCache(source)
		began := time.Now()

		first, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var group sync.WaitGroup
		group.Go(func() { // begins the fetch, and leaves
			_, err := secrets.get(first)
			assert.Equal(t, time.Second, time.Since(began))
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		group.Go(func() {
			short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := secrets.get(short)
			assert.Equal(t, 2*time.Second, time.Since(began))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		group.Go(func() {
			got, err := secrets.get(t.Context())
			assert.Equal(t, "s1", got)
			assert.Equal(t, 10*time.Second, time.Since(began))
			assert.NoError(t, err)
		})
		group.Wait()
		assert.EqualValues(t, 1, source.fetches.Load(), "the fetch went on without who began it")
	})
}

func TestCacheFetchHasALimit(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{takes: time.Hour}
		secrets := credCache(source)
		began := time.Now()
		_, err := secrets.get(t.Context())
		assert.Equal(t, 30*time.Second, time.Since(began))
		var timeout interface{ Timeout() bool }
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())
		require.NotErrorIs(t, err, context.DeadlineExceeded, "no caller's deadline has passed")
		require.ErrorContains(t, err, "no credentials within 30s")

		source.takes = 0
		credHas(t, secrets, "s2")
	})
}

func TestCacheWhoseEarlyRenewalFails(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{life: time.Hour}
		secrets := credCache(source)
		credHas(t, secrets, "s1")
		source.fail = errors.New("the source is down")
		time.Sleep(56 * time.Minute)
		for range 100 {
			credHas(t, secrets, "s1")
		}
		assert.EqualValues(t, 2, source.fetches.Load(), "one try")
		time.Sleep(30*time.Second - 1)
		credHas(t, secrets, "s1")
		assert.EqualValues(t, 2, source.fetches.Load())
		time.Sleep(time.Nanosecond)
		credHas(t, secrets, "s1")
		assert.EqualValues(t, 3, source.fetches.Load(), "another one after a pause")

		time.Sleep(4*time.Minute - 30*time.Second)
		_, err := secrets.get(t.Context())
		require.ErrorIs(t, err, source.fail, "the old one has really ended")
		_, err = secrets.get(t.Context())
		require.ErrorIs(t, err, source.fail)
		assert.EqualValues(t, 4, source.fetches.Load(), "not one for every caller")

		source.fail = nil
		time.Sleep(30 * time.Second)
		credHas(t, secrets, "s5")
	})
}

func TestCacheWarnsOfAFailedRenewal(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := logger{slog.New(slog.NewTextHandler(&text, nil))}
		ctx := &callContext{Context: t.Context(), logger: log}
		source := &credSource{life: time.Hour}
		secrets := credCache(source)
		_, err := secrets.get(ctx)
		require.NoError(t, err)
		source.fail = errors.New("the source is down")
		time.Sleep(58 * time.Minute)
		_, err = secrets.get(ctx)
		require.NoError(t, err)
		synctest.Wait()
		assert.Contains(t, text.String(), "level=WARN")
		assert.Contains(t, text.String(), "the source is down")
	})
}

func TestCacheAfterAFirstFetchThatFailed(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{fail: errors.New("not yet"), takes: time.Second}
		secrets := credCache(source)
		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() {
				_, err := secrets.get(t.Context())
				assert.ErrorIs(t, err, source.fail)
			})
		}
		group.Wait()
		assert.EqualValues(t, 1, source.fetches.Load(), "all who wait share it")
		source.fail, source.takes = nil, 0
		credHas(t, secrets, "s2")
	})
}

func TestCacheRemembersARefusedLogin(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := fmt.Errorf("login: %w", &APIError{StatusCode: 401})
		source := &credSource{fail: refused}
		secrets := credCache(source)
		for range 100 {
			_, err := secrets.get(t.Context())
			require.ErrorIs(t, err, ErrUnauthorized)
			time.Sleep(500 * time.Millisecond)
		}
		assert.EqualValues(t, 1, source.fetches.Load(), "a wrong password is tried once")
		time.Sleep(10*time.Second - 1)
		_, err := secrets.get(t.Context())
		require.ErrorIs(t, err, ErrUnauthorized)
		assert.EqualValues(t, 1, source.fetches.Load())
		source.fail = nil
		time.Sleep(time.Nanosecond)
		credHas(t, secrets, "s2")
	})
}

func TestCacheOfSecretsWithoutALife(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	t.Run("no end", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			source := &credSource{}
			secrets := credCache(source)
			for range 10 {
				credHas(t, secrets, "s1")
				time.Sleep(10_000 * time.Hour)
			}
			assert.EqualValues(t, 1, source.fetches.Load())
		})
	})
	for _, life := range []time.Duration{-time.Hour, -1} {
		t.Run("over by "+(-life).String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				source := &credSource{life: life}
				secrets := credCache(source)
				for range 600 { // ten minutes
					_, err := secrets.get(t.Context())
					require.NoError(t, err, "the service decides whether it is over")
					time.Sleep(time.Second)
				}
				assert.LessOrEqual(t, source.fetches.Load(), int64(23), "the source is asked now and then, not for every request")
			})
		})
	}
}

// A source that still has the old secret at the time of its early renewal is asked more and more often toward
// the end, but not without limit.
func TestCacheOfASourceThatIsLate(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int64
		end := time.Now().Add(time.Hour)
		secrets := &cache[string]{
			same:  func(a, b string) bool { return a == b },
			fetch: func(context.Context) (string, time.Time, error) { fetches.Add(1); return "late", end, nil },
		}
		for range 70 * 60 {
			_, err := secrets.get(t.Context())
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		assert.Less(t, fetches.Load(), int64(40))
	})
}

func TestCacheDropsOnlyTheRefusedSecret(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{life: time.Hour, takes: time.Second}
		secrets := credCache(source)
		_, err := secrets.get(t.Context())
		require.NoError(t, err)

		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() {
				assert.True(t, secrets.renew(t.Context(), credIs("s1")), "there is another one to try")
			})
		}
		group.Wait()
		assert.EqualValues(t, 2, source.fetches.Load())

		assert.True(t, secrets.renew(t.Context(), credIs("s1")), "a straggler")
		secrets.drop(credIs("s1"))
		credHas(t, secrets, "s2")
		assert.EqualValues(t, 2, source.fetches.Load())
		secrets.drop(credIs("s2"))
		got, err := secrets.get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "s3", got)
	})
}

func TestCacheOfASourceThatGivesTheSameAgain(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{life: time.Hour, same: true}
		secrets := credCache(source)
		credHas(t, secrets, "s1")
		for range 100 {
			assert.False(t, secrets.renew(t.Context(), credIs("s1")), "a repeat makes no sense")
		}
		assert.EqualValues(t, 2, source.fetches.Load())
		time.Sleep(30 * time.Second)
		source.same = false
		assert.True(t, secrets.renew(t.Context(), credIs("s1")))
		credHas(t, secrets, "s3")
	})
}

func TestCacheRenewalThatFailsIsWorthTheRepeat(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{}
		secrets := credCache(source)
		credHas(t, secrets, "s1")
		source.fail = errors.New("the source is down")
		assert.True(t, secrets.renew(t.Context(), credIs("s1")), "since the repeat tells of it")
		_, err := secrets.get(t.Context())
		require.ErrorIs(t, err, source.fail)
		assert.EqualValues(t, 2, source.fetches.Load())
	})
}

func TestCacheOfAProviderThatNeverReturns(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secrets := &cache[string]{fetch: func(context.Context) (string, time.Time, error) {
			runtime.Goexit() // as a failing test does inside of its own provider
			return "", time.Time{}, nil
		}}
		_, err := secrets.get(t.Context())
		require.ErrorIs(t, err, errFetchAborted)
	})
}

func TestCacheOfAProviderThatPanics(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := true
		secrets := &cache[string]{fetch: func(context.Context) (string, time.Time, error) {
			if broken {
				panic("no\nluck")
			}
			return "s", time.Time{}, nil
		}}
		for range 2 {
			_, err := secrets.get(t.Context())
			require.EqualError(t, err, "modelarts: the credentials provider panicked: no luck")
		}
		broken = false
		credHas(t, secrets, "s")
	})
}

// A provider that waits for something that never comes, and does not look at its context.
func TestCacheOfAProviderThatHeedsNoContext(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		var fetches atomic.Int64
		secrets := &cache[string]{
			same: func(a, b string) bool { return a == b },
			fetch: func(context.Context) (string, time.Time, error) {
				n := fetches.Add(1)
				if n < 3 {
					<-stuck
				}
				return fmt.Sprintf("s%d", n), time.Now().Add(time.Hour), nil
			},
		}
		began := time.Now()
		errs := make([]error, 100)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() { _, errs[i] = secrets.get(t.Context()) })
		}
		group.Wait()
		for _, err := range errs {
			require.ErrorContains(t, err, "no credentials within 30s")
			var timeout interface{ Timeout() bool }
			require.ErrorAs(t, err, &timeout)
			assert.True(t, timeout.Timeout())
		}
		assert.LessOrEqual(t, time.Since(began), 31*time.Second, "callers need no deadline of their own")
		for range 100 {
			_, err := secrets.get(t.Context())
			require.ErrorContains(t, err, "did not return")
		}
		assert.EqualValues(t, 1, fetches.Load(), "not every call leaves a goroutine behind")

		time.Sleep(30 * time.Second)
		_, err := secrets.get(t.Context())
		require.Error(t, err)
		time.Sleep(30 * time.Second)
		credHas(t, secrets, "s3")

		close(stuck)
		synctest.Wait()
		credHas(t, secrets, "s3") // what comes too late is not taken
		assert.EqualValues(t, 3, fetches.Load())
	})
}

func TestCacheFetchHasTheLoggerAndNotTheContext(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := logger{slog.New(slog.DiscardHandler)}
		caller, cancel := context.WithCancel(t.Context())
		secrets := &cache[string]{fetch: func(ctx context.Context) (string, time.Time, error) {
			assert.Equal(t, log, loggerFrom(ctx))
			cancel()
			deadline, ok := ctx.Deadline()
			assert.True(t, ok)
			assert.Equal(t, 30*time.Second, time.Until(deadline))
			assert.NoError(t, ctx.Err())
			return "s", time.Time{}, nil
		}}
		_, _ = secrets.get(&callContext{Context: caller, logger: log})
		synctest.Wait()
		credHas(t, secrets, "s")
	})
}

// Between a look at the old secret and the lock somebody else may have fetched the new one.
func TestCacheWhereSomebodyWasFaster(t *testing.T) {
	leaktest.Check(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &credSource{life: time.Hour}
		secrets := credCache(source)
		credHas(t, secrets, "s1")
		f, err := secrets.start(t.Context())
		require.NoError(t, err)
		<-f.done
		require.NoError(t, f.err)
		assert.Equal(t, "s1", f.value)
		assert.EqualValues(t, 1, source.fetches.Load())
	})
}
