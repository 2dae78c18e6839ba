package modelarts

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	fetchLimit    = 30 * time.Second // of one fetch, which belongs to no caller
	fetchLeave    = time.Second      // after that, for a provider to return
	fetchPause    = 30 * time.Second // after a renewal that failed, and after one that brought nothing new
	refusedPause  = time.Minute      // after a login that was refused
	renewalMargin = 5 * time.Minute  // before the end of a secret, or a tenth of its life if that is shorter
)

// A cache holds one secret that is fetched from somewhere and may expire. It is fetched by one for all,
// renewed in the background while the old one still serves, and dropped when the service refuses it.
type cache[T any] struct {
	fetch func(ctx context.Context) (T, time.Time, error) // a zero time never expires
	same  func(a, b T) bool

	current atomic.Pointer[held[T]]

	mu      sync.Mutex
	flight  *flight[T] // the fetch under way, if any
	dropped *T         // the secret that was dropped last
	fetched bool       // whether a fetch ever succeeded
	failure error      // of the last fetch
	retryAt time.Time  // when the next one may begin after a failure
}

type held[T any] struct {
	value     T
	expires   time.Time // zero for never
	renew     time.Time
	keepUntil time.Time // when it may be dropped; zero for at once
}

type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// get returns the secret. It blocks, on ctx, only while there is none that is good.
func (c *cache[T]) get(ctx context.Context) (T, error) {
	if h := c.current.Load(); h != nil {
		if h.expires.IsZero() {
			return h.value, nil
		}
		now := time.Now()
		if now.Before(h.renew) {
			return h.value, nil
		}
		if now.Before(h.expires) {
			_, _ = c.start(ctx)
			return h.value, nil
		}
	}
	var none T
	f, err := c.start(ctx)
	if err != nil {
		return none, err
	}
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// start joins the fetch that is under way, or begins one. After a failure it returns that for a while.
func (c *cache[T]) start(ctx context.Context) (*flight[T], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != nil {
		return c.flight, nil
	}
	now := time.Now()
	if h := c.current.Load(); h != nil && (h.expires.IsZero() || now.Before(h.renew)) {
		f := &flight[T]{done: make(chan struct{}), value: h.value} // somebody was faster
		close(f.done)
		return f, nil
	}
	if now.Before(c.retryAt) {
		return nil, c.failure
	}
	c.flight = &flight[T]{done: make(chan struct{})}
	go c.run(&callContext{Context: context.Background(), logger: loggerFrom(ctx)}, c.flight)
	return c.flight, nil
}

var (
	errFetchAborted = errors.New("modelarts: the credentials provider did not return")
	errFetchOverdue = &attemptTimeoutError{text: "modelarts: no credentials within " + fetchLimit.String() +
		": the credentials provider did not return when its context had ended"}
)

// run makes one fetch. Its context is nobody's: the caller that happened to begin it may leave.
func (c *cache[T]) run(base context.Context, f *flight[T]) {
	ctx, cancel := context.WithTimeout(base, fetchLimit)
	defer cancel()
	var value T
	var expires time.Time
	err := errFetchAborted
	// A provider that does not heed its context keeps its goroutine, but not the callers: what it returns
	// later is nobody's any more, and others may fetch.
	overdue := time.AfterFunc(fetchLimit+fetchLeave, func() {
		var none T
		c.finish(f, none, time.Time{}, errFetchOverdue, loggerFrom(base))
	})
	defer func() {
		overdue.Stop()
		// Nobody could recover from a panic in this goroutine, and all callers wait for it.
		if reason := recover(); reason != nil {
			err = fmt.Errorf("modelarts: the credentials provider panicked: %s", shorten(oneLine(fmt.Sprint(reason)), causeKept))
		}
		c.finish(f, value, expires, err, loggerFrom(base))
	}()
	value, expires, err = c.fetch(ctx)
	if err != nil && ctx.Err() != nil {
		// Nobody's context has ended, so nobody may read that from the error.
		err = &attemptTimeoutError{text: "modelarts: no credentials within " + fetchLimit.String() + ": " + err.Error()}
	}
}

// finish ends a fetch, once.
func (c *cache[T]) finish(f *flight[T], value T, expires time.Time, err error, log logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != f {
		return
	}
	f.value, f.err = value, err
	now := time.Now()
	c.flight = nil
	c.failure, c.retryAt = f.err, time.Time{}
	switch {
	case f.err == nil:
		c.fetched = true
		h := &held[T]{value: f.value, expires: expires}
		if c.dropped != nil && c.same(f.value, *c.dropped) {
			h.keepUntil = now.Add(fetchPause) // another fetch would bring the same again
		}
		if life := expires.Sub(now); !expires.IsZero() {
			if life <= 0 {
				// Either the source is late or this machine's clock is ahead. The service decides;
				// meanwhile nobody asks the source for every request.
				life = fetchPause
				h.expires = now.Add(life)
			}
			h.renew = h.expires.Add(-min(renewalMargin, life/10))
		}
		c.current.Store(h)
	case errors.Is(f.err, ErrUnauthorized):
		c.retryAt = now.Add(refusedPause)
	case c.fetched, errors.Is(f.err, errFetchOverdue): // of which every fetch may leave a goroutine behind
		c.retryAt = now.Add(fetchPause)
	}
	if f.err != nil && c.fetched {
		log.warn("modelarts: renewing the credentials failed", f.err)
	}
	close(f.done)
}

// drop forgets the secret if it is the rejected one, so that a thousand refused requests cost one fetch.
func (c *cache[T]) drop(rejected func(T) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.current.Load()
	if h == nil || !rejected(h.value) || time.Now().Before(h.keepUntil) {
		return
	}
	c.dropped = &h.value
	c.current.Store(nil)
}

// keepNoLonger lets a secret be dropped although the last fetch has brought the same again.
func (c *cache[T]) keepNoLonger() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.current.Load(); h != nil {
		free := *h
		free.keepUntil = time.Time{}
		c.current.Store(&free)
	}
}

// renew drops a rejected secret and fetches another one. It reports whether a repeat of the request makes
// sense: not with the same secret again. A failed fetch is worth the repeat, which then tells of it.
func (c *cache[T]) renew(ctx context.Context, rejected func(T) bool) bool {
	c.drop(rejected)
	fresh, err := c.get(ctx)
	return err != nil || !rejected(fresh)
}
