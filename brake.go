package modelarts

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

const (
	brakeAfter  = 3 // refusals in a row; the service locks a key after more than five
	brakeFirst  = time.Minute
	brakeProbed = 5 * time.Minute // as long as the service's own lock
)

// A keyID is what makes a key the same key.
type keyID struct{ access, secret, token string }

func keyOf(c Credentials) keyID { return keyID{c.AccessKey, c.SecretKey, c.SecurityToken} }

// named reports whether req says that it is signed with this key.
func (k keyID) named(req *http.Request) bool {
	authorization, token := req.Header[authorizationHeader], req.Header[securityTokenHeader]
	if len(authorization) == 0 || k.token != strings.Join(token, "") {
		return false
	}
	_, value, _ := strings.Cut(authorization[0], "=")
	rest, found := strings.CutPrefix(value, k.access)
	return found && (strings.HasPrefix(rest, ",") || strings.HasPrefix(rest, "/"))
}

// made reports whether the signature of req is one by this key's secret.
func (k keyID) made(req *http.Request) bool {
	authorization, err := sdkhmac.Parse(req.Header.Get(authorizationHeader))
	if err != nil {
		return false
	}
	var body []byte
	if req.GetBody != nil {
		content, err := req.GetBody()
		if err != nil {
			return false
		}
		defer content.Close()
		if body, err = io.ReadAll(content); err != nil {
			return false
		}
	}
	return authorization.Verify(req, body, k.secret)
}

// A brake keeps a bad key from being locked by its users. While a key is unproven, requests under way plus
// refusals in a row never exceed brakeAfter, and the rest waits; then it stops, and lets one probe through
// from time to time.
type brake struct {
	proven atomic.Pointer[keyID] // the key that was accepted last; the way past the lock

	mu   sync.Mutex
	rows []*row // of the keys used last, the oldest first
}

// A row is what is known of one key since it was last accepted.
type row struct {
	key      keyID
	proven   bool
	inFlight int
	refusals int
	last     *APIError
	until    time.Time // zero unless braked
	probing  bool
	changed  chan struct{} // closed at the next change, nil while nobody waits for it
}

func (r *row) wake() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// rowOf returns the row of a key. Around a renewal two keys are in use, and each has its own; of keys long
// replaced nothing is kept.
func (b *brake) rowOf(key keyID) *row {
	for _, r := range b.rows {
		if r.key == key {
			return r
		}
	}
	const kept = 4
	if len(b.rows) == kept {
		b.rows = slices.Delete(b.rows, 0, 1)
	}
	r := &row{key: key}
	b.rows = append(b.rows, r)
	return r
}

// sentRow returns the row of the key that signed a request, or nil. Where two keys differ in nothing but the
// secret, as when a typing error was corrected, the signature decides.
func (b *brake) sentRow(sent *http.Request) *row {
	var found *row
	for _, r := range b.rows {
		if r.key.named(sent) && (found == nil || r.key.made(sent)) {
			found = r
		}
	}
	return found
}

// signer returns the key that signed a request, or none.
func (b *brake) signer(sent *http.Request) keyID {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.sentRow(sent); r != nil {
		return r.key
	}
	return keyID{}
}

// knows reports whether sent was signed with the key that is proven already, so that its acceptance is no news.
func (b *brake) knows(sent *http.Request) bool {
	proven := b.proven.Load()
	return proven != nil && proven.named(sent)
}

// enter lets a request with this key pass, makes it wait, or refuses it.
func (b *brake) enter(ctx context.Context, key keyID) error {
	if proven := b.proven.Load(); proven != nil && *proven == key {
		return nil
	}
	for {
		wait, err := b.tryEnter(ctx, key)
		if wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryEnter returns a channel to wait for where a request has to.
func (b *brake) tryEnter(ctx context.Context, key keyID) (<-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rowOf(key)
	if r.proven {
		b.proven.Store(&r.key)
		return nil, nil
	}
	b.proven.Store(nil) // the answers have to be looked at again
	// Only where the answer will be observed is it known when a request has ended.
	observed := callFrom(ctx).observed
	now := time.Now()
	switch {
	case r.until.IsZero():
		if observed && r.inFlight+r.refusals >= brakeAfter {
			if r.changed == nil {
				r.changed = make(chan struct{})
			}
			return r.changed, nil
		}
	case r.probing || now.Before(r.until):
		return nil, r.err(now)
	case observed:
		r.probing = true
	default:
		r.until = now.Add(brakeFirst)
	}
	if observed {
		r.inFlight++
		context.AfterFunc(ctx, func() { b.leave(r) })
	}
	return nil, nil
}

// leave is called when an attempt has ended, answered or not.
func (b *brake) leave(r *row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.inFlight--
	if r.inFlight == 0 {
		r.probing = false // it got no answer
	}
	r.wake()
}

func (r *row) err(now time.Time) error {
	wait := max(r.until.Sub(now), 0).Round(time.Second)
	return fmt.Errorf("modelarts: access key %s was refused %d times in a row and is not used for another %v (more than five bad signatures in a row lock it for everybody): fix or replace the keys; the last refusal: %w",
		quote(r.key.access), r.refusals, wait, r.last)
}

// refused takes in that a signature by the key was refused, and nothing but the key explains it. It reports
// whether that stops the key.
func (b *brake) refused(sent *http.Request, e *APIError) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.sentRow(sent)
	if r == nil {
		return false // of a key long replaced
	}
	r.proven = false
	b.proven.Store(nil)
	r.refusals++
	r.last = e
	switch {
	case r.probing:
		r.probing = false
		r.until = time.Now().Add(brakeProbed)
	case r.refusals >= brakeAfter && r.until.IsZero():
		r.until = time.Now().Add(brakeFirst)
	}
	r.wake()
	return !r.until.IsZero()
}

// answered takes in any other answer, which ends a row of refusals. One that accepts the signature proves
// the key.
func (b *brake) answered(sent *http.Request, accepted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.sentRow(sent)
	if r == nil {
		return
	}
	switch {
	case accepted:
		r.proven, r.refusals, r.until, r.probing = true, 0, time.Time{}, false
		b.proven.Store(&r.key)
	case r.until.IsZero():
		r.refusals = 0
	default:
		r.probing = false // this probe told nothing, the next one may go
	}
	r.wake()
}
