package modelarts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"time"
)

// WaitOptions say how a wait is made. Nil and zero fields mean the defaults, a negative duration means none.
type WaitOptions struct {
	// MinInterval and MaxInterval bound the time between polls. It grows from the first by half each time,
	// up to the second; each is then drawn between half and the whole of that, and never below 10 ms.
	// Defaults: 1 s and 30 s.
	MinInterval, MaxInterval time.Duration
	// Grace is how long after a start "no such task" is believed to be a late registration. Default: 1 min.
	Grace time.Duration
	// Settle is how long a finished status must stand unchanged to be believed where nothing tells whose it
	// is, since the service sent neither task id nor creation time. Default: 15 s.
	Settle time.Duration
	// Patience is how long an unbroken run of transient failures is endured. Default: 10 min.
	Patience time.Duration
}

const (
	defaultMinInterval = time.Second
	defaultMaxInterval = 30 * time.Second
	defaultGrace       = time.Minute
	defaultSettle      = 15 * time.Second
	defaultPatience    = 10 * time.Minute
	leastInterval      = 10 * time.Millisecond
	lastPollLead       = 500 * time.Millisecond // before the deadline, or a quarter of what is left
)

func (o *WaitOptions) normalized() WaitOptions {
	var n WaitOptions
	if o != nil {
		n = *o
	}
	pick := func(value, preset time.Duration) time.Duration {
		if value == 0 {
			return preset
		}
		return max(value, 0)
	}
	smallest, largest := n.MinInterval, n.MaxInterval
	n.MinInterval = max(pick(smallest, defaultMinInterval), leastInterval)
	n.MaxInterval = max(pick(largest, defaultMaxInterval), leastInterval)
	if n.MinInterval > n.MaxInterval {
		// One of the two is a default; the one that was given holds.
		if smallest > 0 {
			n.MaxInterval = n.MinInterval
		} else {
			n.MinInterval = n.MaxInterval
		}
	}
	n.Grace = pick(n.Grace, defaultGrace)
	n.Settle = pick(n.Settle, defaultSettle)
	n.Patience = pick(n.Patience, defaultPatience)
	return n
}

// WaitSync polls until the task has finished, and returns its last status: with nil for COMPLETED, with a
// [*SyncFailedError] for FAILED. It polls at once, and in the caller's goroutine.
//
// It believes a status only if it is of a task other than the one remembered in task: another task id, or
// else another creation time. If the service sends neither, a finished status counts once an unfinished one
// has been seen, or when it has stood unchanged for opts.Settle. Should the task be replaced by a third one,
// the wait goes on with the newest. A state that is not known is waited through.
//
// NOT_EXIST soon after the start is waited through for opts.Grace, then the error matches [ErrNoSyncTask];
// without StartedAt it does at once. Transient failures, those of DNS and answers that cannot be read
// included, are endured for opts.Patience; a throttled poll moves the next one. Other errors end the wait at
// once.
//
// When ctx ends, the error wraps its error and the last failure, and names the last state. Just before a
// deadline one last poll is made. The status that comes with an error is the last one seen of the task; it
// is nil if there was none, except when ctx ended, where it has only the dataset id then.
func (c *Client) WaitSync(ctx context.Context, task SyncTask, opts *WaitOptions) (*SyncStatus, error) {
	var last *SyncStatus
	var lastErr error
	for status, err := range c.WatchSync(ctx, task, opts) {
		last, lastErr = status, err
	}
	return last, lastErr
}

// WatchSync is [Client.WaitSync] as a loop: it yields the status of every poll of the task, the same state
// twice included. The last pair has the finished status, with nil or a [*SyncFailedError], or the last
// status seen with the error that ended the wait. Breaking out of the loop leaves nothing behind.
func (c *Client) WatchSync(ctx context.Context, task SyncTask, opts *WaitOptions) iter.Seq2[*SyncStatus, error] {
	return func(yield func(*SyncStatus, error) bool) {
		w := waiter{client: c, task: task, opts: opts.normalized()}
		w.run(ctx, yield)
	}
}

// A waiter is one wait.
type waiter struct {
	client *Client
	task   SyncTask
	opts   WaitOptions

	began      time.Time
	last       *SyncStatus // of the task
	failure    error       // of the last poll, nil if it was answered
	failing    time.Time   // since when polls fail, zero if they do not
	unfinished bool        // whether an unfinished status of the task was seen
	settling   *SyncStatus // a finished status of nobody knows which task
	settled    time.Time   // when it will be believed
	polled     bool        // whether any poll was answered
	lastPoll   bool        // whether the next poll is the one before the deadline, or was
}

func (w *waiter) run(ctx context.Context, yield func(*SyncStatus, error) bool) {
	if err := checkID("dataset id", w.task.DatasetID); err != nil || ctx == nil {
		yield(nil, cmp.Or(err, errors.New("modelarts: a wait without a context")))
		return
	}
	w.began = time.Now()
	interval := w.opts.MinInterval
	for {
		if ctx.Err() != nil {
			yield(w.ended(ctx))
			return
		}
		status, err := w.client.GetSyncStatus(ctx, w.task.DatasetID)
		if ctx.Err() != nil && err != nil {
			if w.failure == nil || !errors.Is(err, ctx.Err()) {
				w.failure = err // else the one before tells more than that the context has ended
			}
			yield(w.ended(ctx))
			return
		}
		var pause time.Duration
		if err == nil {
			w.failure, w.failing, w.polled = nil, time.Time{}, true
			if err = w.noTask(status, nil); err == nil && w.believes(status) {
				w.last = status
				if status.Status == SyncFailed {
					err = &SyncFailedError{Status: status}
				}
				if !yield(status, err) || status.Status.Finished() {
					return
				}
			}
		} else {
			pause, err = w.endures(err)
		}
		if err != nil {
			yield(w.last, err)
			return
		}
		// Half of the interval is chance, so that ten thousand waiters do not march in step.
		drawn := interval/2 + rand.N(interval/2+1)
		if w.settling != nil && w.failure == nil {
			drawn = min(drawn, time.Until(w.settled))
		}
		interval += min(interval/2, w.opts.MaxInterval-interval)
		w.sleep(ctx, max(pause, drawn, leastInterval), pause)
	}
}

// sleep waits for the next poll. One that would come after the deadline is made just before it, and is the
// last. Where the service asked to come back at a time before the deadline, it is not made earlier than that.
func (w *waiter) sleep(ctx context.Context, pause, asked time.Duration) {
	if deadline, ok := ctx.Deadline(); ok {
		if w.lastPoll {
			<-ctx.Done()
			return
		}
		left := time.Until(deadline)
		if before := left - min(lastPollLead, left/4); pause >= before {
			pause, w.lastPoll = before, true
			if asked < left {
				pause = max(before, asked)
			}
		}
	}
	_ = sleep(ctx, pause)
}

// believes reports whether a status is of the task that is waited for.
func (w *waiter) believes(status *SyncStatus) bool {
	whose := w.task.owner(status)
	switch {
	case status.Status == SyncNotExist, whose == previousTask:
		w.settling = nil // it did not stand
		return false
	case whose == unsure && status.Status.Finished() && !w.unfinished:
		if w.settling == nil || *w.settling != *status {
			w.settling, w.settled = status, time.Now().Add(w.opts.Settle)
		}
		if time.Now().Before(w.settled) {
			return false
		}
	}
	w.settling = nil
	w.unfinished = w.unfinished || !status.Status.Finished()
	return true
}

// noTask returns the error that ends a wait without a task: at once, or after a start when its registration
// can be late no more. cause is the answer that said so, if it was an error.
func (w *waiter) noTask(status *SyncStatus, cause error) error {
	if cause == nil && status.Status != SyncNotExist {
		return nil
	}
	if w.task.StartedAt.IsZero() {
		if cause != nil {
			return cause
		}
		return fmt.Errorf("%w: dataset %s", ErrNoSyncTask, quote(w.task.DatasetID))
	}
	now := time.Now()
	if now.Before(w.task.StartedAt.Add(w.opts.Grace)) && now.Before(w.began.Add(w.opts.Grace)) {
		return nil
	}
	err := fmt.Errorf("%w: none of dataset %s was registered since its start", ErrNoSyncTask, quote(w.task.DatasetID))
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// endures returns how long to pause at least after a failed poll, or the error that ends the wait.
func (w *waiter) endures(err error) (time.Duration, error) {
	w.failure = err
	switch {
	case errors.Is(err, ErrDatasetNotFound):
		return 0, w.noTask(nil, err)
	case !transient(err), errors.Is(err, ErrNoCredentials) && !w.polled:
		return 0, err
	case errors.Is(err, ErrThrottled):
		w.failing = time.Time{} // the service is there, and says when to come back
		return retryAfterOf(err), nil
	}
	now := time.Now()
	if w.failing.IsZero() {
		w.failing = now
	}
	if now.Sub(w.failing) >= w.opts.Patience {
		return 0, fmt.Errorf("modelarts: no status of dataset %s for %v: %w", quote(w.task.DatasetID), now.Sub(w.failing), err)
	}
	return retryAfterOf(err), nil
}

// retryAfterOf returns how long the service asks to wait, 0 if it does not say.
func retryAfterOf(err error) time.Duration {
	var answer *APIError
	if errors.As(err, &answer) {
		return answer.RetryAfter
	}
	return 0
}

// ended makes the last pair of a wait whose context has ended.
func (w *waiter) ended(ctx context.Context) (*SyncStatus, error) {
	status, state := w.last, "no status of the task seen"
	if status == nil {
		status = &SyncStatus{DatasetID: w.task.DatasetID}
	} else {
		state = "last state " + shorten(oneLine(string(status.Status)), wordKept)
	}
	err := fmt.Errorf("modelarts: the wait for dataset %s has ended, %s: %w", quote(w.task.DatasetID), state, ctx.Err())
	if w.failure != nil {
		err = fmt.Errorf("%w; last failure: %w", err, w.failure)
	}
	return status, err
}

// transient reports whether a failed poll says nothing of the next one. An answer that cannot be read and
// a host that cannot be resolved pass too, in the long time that a wait takes.
func transient(err error) bool {
	var answer *APIError
	if errors.As(err, &answer) {
		return judgeAnswer(answer) != final || answer.StatusCode >= 200 && answer.StatusCode < 300
	}
	var dns *net.DNSError
	return errors.As(err, &dns) || judgeFailure(err) != final
}
