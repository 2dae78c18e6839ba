package modelarts

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// SyncState is the state of a synchronization task. It is an open set: the service may add words, and a
// word that this package does not know stays as it was sent and counts as not finished.
type SyncState string

// The states that the service documents.
const (
	SyncQueuing   SyncState = "QUEUING"
	SyncStarting  SyncState = "STARTING"
	SyncRunning   SyncState = "RUNNING"
	SyncCompleted SyncState = "COMPLETED"
	SyncFailed    SyncState = "FAILED"
	// SyncNotExist says that the dataset has no synchronization task: it never had one, or the service
	// forgot it. Right after a start it may also mean "not registered yet" (derived, not documented).
	SyncNotExist SyncState = "NOT_EXIST"
)

// Finished reports whether a task in this state will not change any more: COMPLETED or FAILED. It is
// false for [SyncNotExist], which is the state of no task, and for every word that is not known.
func (s SyncState) Finished() bool { return s == SyncCompleted || s == SyncFailed }

// SyncStatus is what the service tells of a dataset's latest synchronization task. Every field but Status
// may be missing in an answer, and is zero then; the service's own example has only Status and DatasetID.
//
// It marshals to the field names of the service and back.
type SyncStatus struct {
	TaskID    string    `json:"task_id,omitempty"`
	DatasetID string    `json:"dataset_id,omitempty"`
	Status    SyncState `json:"status"`
	// CreateTime is when the task was created, in milliseconds since the epoch. The unit is derived from
	// the service's other answers; its page for this call names none. See [SyncStatus.CreatedAt].
	CreateTime int64 `json:"create_time,omitempty"`
	// DurationTime is how long the task ran, as sent: the service does not document the unit.
	DurationTime       int64 `json:"duration_time,omitempty"`
	TotalSampleCount   int64 `json:"total_sample_count,omitempty"`
	AddSampleCount     int64 `json:"add_sample_count,omitempty"`
	DeletedSampleCount int64 `json:"deleted_sample_count,omitempty"`
	// ErrorCode and ErrorMsg tell why a task failed. Only Status decides whether it did: the service uses
	// such codes for progress notes too.
	ErrorCode string `json:"error_code,omitempty"`
	ErrorMsg  string `json:"error_msg,omitempty"`
}

// CreatedAt is CreateTime as a time, and the zero time when CreateTime is 0.
func (s *SyncStatus) CreatedAt() time.Time {
	if s == nil || s.CreateTime == 0 {
		return time.Time{}
	}
	return time.UnixMilli(s.CreateTime)
}

// String describes the status on one line, for people and logs: the state, the task or else the dataset,
// the numbers that are not zero, and the error.
func (s *SyncStatus) String() string {
	if s == nil {
		return "no status"
	}
	var b strings.Builder
	text := func(text string) string { return shorten(oneLine(text), textKept) }
	b.WriteString(text(string(s.Status)))
	switch {
	case s.TaskID != "":
		b.WriteString(" task " + text(s.TaskID))
	case s.DatasetID != "":
		b.WriteString(" dataset " + text(s.DatasetID))
	}
	for _, count := range []struct {
		name  string
		value int64
	}{{"added", s.AddSampleCount}, {"deleted", s.DeletedSampleCount}, {"total", s.TotalSampleCount}} {
		if count.value != 0 {
			fmt.Fprintf(&b, ", %d %s", count.value, count.name)
		}
	}
	if s.ErrorCode != "" || s.ErrorMsg != "" {
		b.WriteString(": " + strings.TrimSpace(text(s.ErrorCode)+" "+text(s.ErrorMsg)))
	}
	return b.String()
}

// GetSyncStatus asks for the dataset's latest synchronization task:
//
//	GET /v2/{project_id}/datasets/{dataset_id}/sync-data/status
//
// A dataset that was never synchronized gives a status with [SyncNotExist], not an error. A task that
// failed gives a status with [SyncFailed], not an error either. A dataset that does not exist gives an
// error that matches [ErrDatasetNotFound]. An empty or hostile dataset id is refused before anything is
// sent. All other errors are those of [Client.Do].
func (c *Client) GetSyncStatus(ctx context.Context, datasetID string) (*SyncStatus, error) {
	answer := new(syncStatusAnswer)
	valid := func() string { return answer.fault(datasetID) }
	if _, err := c.doDataset(ctx, http.MethodGet, datasetPath+"/sync-data/status", datasetID, call{out: answer, valid: valid}); err != nil {
		return nil, err
	}
	return &answer.SyncStatus, nil
}

// A syncStatusAnswer is a SyncStatus as it arrives. encoding/json prefers the exact name of a key and takes
// any spelling where it finds none; the fields of otherCase take those, so that no "STATUS" smuggled into
// an answer overrides its "status".
type syncStatusAnswer struct {
	otherCase
	SyncStatus
}

type otherCase struct {
	OtherTaskID             ignored `json:"TASK_ID"`
	OtherDatasetID          ignored `json:"DATASET_ID"`
	OtherStatus             ignored `json:"STATUS"`
	OtherCreateTime         ignored `json:"CREATE_TIME"`
	OtherDurationTime       ignored `json:"DURATION_TIME"`
	OtherTotalSampleCount   ignored `json:"TOTAL_SAMPLE_COUNT"`
	OtherAddSampleCount     ignored `json:"ADD_SAMPLE_COUNT"`
	OtherDeletedSampleCount ignored `json:"DELETED_SAMPLE_COUNT"`
	OtherErrorCode          ignored `json:"ERROR_CODE"`
	OtherErrorMsg           ignored `json:"ERROR_MSG"`
}

// ignored accepts any JSON value and keeps nothing.
type ignored struct{}

func (ignored) UnmarshalJSON([]byte) error { return nil }

func (a *syncStatusAnswer) fault(datasetID string) string {
	switch {
	case a.Status == "":
		return `the answer has no "status"`
	case a.DatasetID != "" && a.DatasetID != datasetID:
		return anotherDataset
	}
	return ""
}

// anotherDataset does not name the other one: what stands there may be anything.
const anotherDataset = "the answer is about another dataset"

const datasetPath = datasetsPath + "/{dataset_id}"

// doDataset makes a call of one dataset, whose id is checked here.
func (c *Client) doDataset(ctx context.Context, method, path, datasetID string, what call) (report, error) {
	if err := checkID("dataset id", datasetID); err != nil {
		return report{}, err
	}
	req, err := c.NewRequest(ctx, method, strings.Replace(path, "{dataset_id}", url.PathEscape(datasetID), 1), nil, nil)
	if err != nil {
		return report{}, err
	}
	what.path = path
	return c.exchange.do(req, what)
}
