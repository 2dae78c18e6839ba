package modelarts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// SyncTask names the synchronization that [Client.StartSync] started, by what it is not: the service's
// answer to a start is empty, and its status tells of the dataset's latest task only, so all that sets the
// new task apart is what was there before.
//
// It is plain data. Marshal it to JSON here, and wait for it elsewhere. SyncTask{DatasetID: id} stands for
// whichever task the dataset has now.
type SyncTask struct {
	DatasetID string `json:"dataset_id"`
	// PreviousTaskID, PreviousCreateTime (in milliseconds since the epoch) and PreviousStatus are of the
	// dataset's latest task just before the start.
	PreviousTaskID     string    `json:"previous_task_id,omitempty"`
	PreviousCreateTime int64     `json:"previous_create_time,omitempty"`
	PreviousStatus     SyncState `json:"previous_status,omitempty"`
	// StartedAt is when the start was answered, or sent if no answer came, by this machine's clock. It is zero
	// where nothing was started.
	StartedAt time.Time `json:"started_at,omitzero"`
}

var (
	// ErrNoSyncTask says that the dataset has no synchronization task to wait for.
	ErrNoSyncTask error = &sentinel{text: "modelarts: the dataset has no synchronization task"}
	// ErrStartUnknown says that StartSync could not learn whether its POST was carried out. The [SyncTask]
	// that comes with it can be waited for later; give that wait a deadline, since the task may never come.
	ErrStartUnknown error = &sentinel{text: "modelarts: unknown whether the synchronization was started"}
	// ErrSyncFailed says that a task ended in FAILED. It comes as a [*SyncFailedError].
	ErrSyncFailed error = &sentinel{text: "modelarts: the synchronization failed"}
)

// SyncFailedError is a task that ended in FAILED. It matches [ErrSyncFailed].
type SyncFailedError struct{ Status *SyncStatus }

// Error tells what the service says of the failure, on one line.
func (e *SyncFailedError) Error() string { return ErrSyncFailed.Error() + ": " + e.Status.String() }

// Is matches [ErrSyncFailed].
func (e *SyncFailedError) Is(target error) bool { return target == ErrSyncFailed }

// LogValue makes a group of what identifies the task and its failure.
func (e *SyncFailedError) LogValue() slog.Value {
	if e.Status == nil {
		return slog.StringValue(e.Error())
	}
	return slog.GroupValue(
		slog.String("dataset_id", oneLine(e.Status.DatasetID)), slog.String("task_id", oneLine(e.Status.TaskID)),
		slog.String("code", oneLine(e.Status.ErrorCode)), slog.String("message", shorten(oneLine(e.Status.ErrorMsg), textKept)))
}

// StartSync starts a synchronization of the dataset with its source:
//
//	POST /v2/{project_id}/datasets/{dataset_id}/sync-data
//
// It first reads the status, to tell the new task from the previous one later; see [Client.WaitSync]. The
// start is made exactly once: after a POST whose outcome is unknown (a timeout, a broken connection, 408,
// 500, 502, 503, 504), StartSync looks at the status before it posts again, at most as often as the retry
// policy has attempts, and no earlier than the service asks for. If it cannot learn what became of the POST,
// the error matches [ErrStartUnknown].
//
// A synchronization that already runs is an error that matches [ErrSyncRunning]; to join it, wait for
// SyncTask{DatasetID: id}. Another task in the way matches [ErrConflict], a missing dataset
// [ErrDatasetNotFound]. A text dataset is refused with status 501. The task that comes with an error is
// filled as far as known, DatasetID always.
func (c *Client) StartSync(ctx context.Context, datasetID string) (SyncTask, error) {
	task := SyncTask{DatasetID: datasetID}
	before, err := c.GetSyncStatus(ctx, datasetID)
	switch {
	case err == nil:
		task.PreviousTaskID, task.PreviousCreateTime, task.PreviousStatus = before.TaskID, before.CreateTime, before.Status
	case errors.Is(err, ErrDatasetNotFound):
		task.PreviousStatus = SyncNotExist // the answer to the POST decides
	default:
		return task, err
	}
	uncertain := false
	for left := c.exchange.retry.MaxAttempts; ; {
		task.StartedAt = startTime()
		report, err := c.doDataset(ctx, http.MethodPost, datasetPath+"/sync-data", datasetID, call{attempts: left})
		left -= report.tries
		switch {
		case err == nil:
			task.StartedAt = startTime() // what a slow POST took is no part of the grace for its task
			return task, nil
		case uncertain && errors.Is(err, ErrSyncRunning):
			return task, nil // it is the one that an earlier POST started
		case report.outcome != unknown:
			return task, err
		}
		found, lookErr := c.lookForStart(ctx, task, retryAfterOf(err))
		switch {
		case lookErr != nil:
			return task, fmt.Errorf("%w: %w; looking for the task: %w", ErrStartUnknown, err, lookErr)
		case found == taskStarted:
			return task, nil
		case left <= 0:
			return task, fmt.Errorf("%w; no new task of the dataset has appeared", err)
		case !c.exchange.budget.take():
			return task, fmt.Errorf("%w; no new task has appeared, and the client's retry budget is used up", err)
		}
		uncertain = found != taskBlocked
	}
}

// startTime is now, without what JSON does not carry.
func startTime() time.Time { return time.Now().UTC().Round(0) }

// A finding is what a look at the status tells of a POST.
type finding int

const (
	taskMissing finding = iota
	taskStarted
	taskBlocked // not started, for the previous task still runs
)

// lookForStart looks for a task that a POST of unknown outcome has started, no earlier than the service asks
// for. An error is that of the last look.
func (c *Client) lookForStart(ctx context.Context, task SyncTask, asked time.Duration) (finding, error) {
	found := taskMissing
	err := c.tooLong(ctx, asked)
	if err != nil {
		return found, err
	}
	for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		if err := sleep(ctx, max(pause, asked)); err != nil {
			return found, err
		}
		var status *SyncStatus
		status, err = c.GetSyncStatus(ctx, task.DatasetID)
		asked = retryAfterOf(err)
		switch {
		case err == nil:
			if found = task.finding(status); found == taskStarted {
				return found, nil
			}
		case errors.Is(err, ErrDatasetNotFound):
			err = nil // as before the start
		case !transient(err), c.tooLong(ctx, asked) != nil:
			return found, err
		}
	}
	return found, err
}

// tooLong returns why a call does not wait for as long as the service asks, if it does not.
func (c *Client) tooLong(ctx context.Context, asked time.Duration) error {
	switch {
	case asked > 0 && outlasts(ctx, asked):
		return fmt.Errorf("the service asks to wait %v, beyond the deadline: %w", asked, context.DeadlineExceeded)
	case asked > c.exchange.retry.MaxDelay:
		return fmt.Errorf("the service asks to wait %v", asked)
	}
	return nil
}

// finding is what a status, seen after a POST, tells of it.
func (t SyncTask) finding(s *SyncStatus) finding {
	if s.Status == SyncNotExist {
		return taskMissing
	}
	switch t.owner(s) {
	case newTask:
		return taskStarted
	case previousTask:
		if !s.Status.Finished() {
			return taskBlocked
		}
	case unsure:
		// A finished task does not change any more.
		if t.PreviousStatus.Finished() && s.Status != t.PreviousStatus {
			return taskStarted
		}
	}
	return taskMissing
}

// owner is whose status an answer is.
type owner int

const (
	previousTask owner = iota
	newTask
	unsure
)

func (t SyncTask) owner(s *SyncStatus) owner {
	same := func(equal bool) owner {
		if equal {
			return previousTask
		}
		return newTask
	}
	switch {
	case t.PreviousTaskID == "" && t.PreviousCreateTime == 0 && t.PreviousStatus == "":
		return newTask // nothing is remembered: any task will do
	case t.PreviousTaskID != "" && s.TaskID != "":
		return same(t.PreviousTaskID == s.TaskID)
	case t.PreviousCreateTime != 0 && s.CreateTime != 0:
		return same(t.PreviousCreateTime == s.CreateTime)
	case t.PreviousStatus == SyncNotExist:
		return newTask
	}
	return unsure
}

// Sync is [Client.StartSync], then [Client.WaitSync], and its errors are theirs; opts may be nil. When the start
// fails, the status is nil and the task is not returned: to survive [ErrStartUnknown], or the end of this
// process, call the two yourself.
func (c *Client) Sync(ctx context.Context, datasetID string, opts *WaitOptions) (*SyncStatus, error) {
	task, err := c.StartSync(ctx, datasetID)
	if err != nil {
		return nil, err
	}
	return c.WaitSync(ctx, task, opts)
}
