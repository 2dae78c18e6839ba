package modelartstest

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/modelarts-go/modelarts"
)

// A syncRun is what the service knows of a dataset's latest synchronization task: the statuses that it still
// goes through. The first one is the current one.
type syncRun struct {
	statuses []modelarts.SyncStatus
	polled   bool // the current status has been shown
}

// SetSyncStatus replaces the current state of the dataset's latest task, also in the middle of a run, whose
// plan ends with it. It stays until the next start, which goes through the plan of AddDataset. Use it for what
// an earlier task left behind, or to let a running one fail.
//
// The status is shown as it is, except that an empty DatasetID is filled. A dataset that was not added panics:
// it is a mistake in the test.
func (s *Server) SetSyncStatus(datasetID string, status modelarts.SyncStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.byID[datasetID]
	if d == nil {
		panic(fmt.Sprintf("modelartstest: SetSyncStatus of the dataset %q, which was not added", datasetID))
	}
	if status.DatasetID == "" {
		status.DatasetID = datasetID
	}
	d.run = syncRun{statuses: []modelarts.SyncStatus{status}}
	d.hiddenUntil = time.Time{}
	d.lastCreateTime = max(d.lastCreateTime, status.CreateTime)
}

// SetRegistrationDelay makes the service slow to show that a synchronization was started: for d after each
// later start the status stays what it was before, NOT_EXIST for a dataset that had no task, and the plan does
// not move on. The task is there nevertheless, so another start is refused.
//
// With SetSyncStatus and a completed task that has a TaskID or CreateTime, this is the trap for programs that start a synchronization, poll,
// and believe the first COMPLETED.
func (s *Server) SetRegistrationDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registrationDelay = d
}

// SetSparse reduces status answers to status and dataset_id, as in the example of the service's reference.
func (s *Server) SetSparse(sparse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sparse = sparse
}

func (s *Server) getSyncStatus(w http.ResponseWriter, _ *http.Request, datasetID string) {
	s.mu.Lock()
	d := s.byID[datasetID]
	var status modelarts.SyncStatus
	if d != nil {
		status = d.poll()
	}
	sparse := s.sparse
	s.mu.Unlock()

	if d == nil {
		errNoDataset.write(w)
		return
	}
	if sparse {
		status = modelarts.SyncStatus{Status: status.Status, DatasetID: status.DatasetID}
	}
	writeJSON(w, http.StatusOK, status)
}

func (s *Server) startSync(w http.ResponseWriter, _ *http.Request, datasetID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.byID[datasetID]
	switch {
	case d == nil:
		errNoDataset.write(w)
	case d.isText():
		(&problem{http.StatusNotImplemented, "ModelArts.4383", fmt.Sprintf(
			"Unsupported operation, dataset %s type is %d", datasetID, int(d.Type))}).write(w)
	case d.run.unfinished():
		(&problem{http.StatusBadRequest, "ModelArts.4355", "Sync data source task exist"}).write(w)
	default:
		d.start(s.now(), s.registrationDelay)
		w.WriteHeader(http.StatusOK) // and no body
	}
}

// start begins a new run of the plan.
func (d *dataset) start(now time.Time, delay time.Duration) {
	if delay > 0 {
		d.before = d.run.current(d.ID)
		d.hiddenUntil = time.Now().Add(delay)
	}
	d.starts++
	d.lastCreateTime = max(now.UnixMilli(), d.lastCreateTime+1)
	d.run = syncRun{statuses: slices.Clone(d.plan)}
	for i := range d.run.statuses {
		status := &d.run.statuses[i]
		if status.DatasetID == "" {
			status.DatasetID = d.ID
		}
		if status.Status == modelarts.SyncNotExist {
			continue // this step shows no task
		}
		if status.TaskID == "" {
			status.TaskID = fmt.Sprintf("%s_%08d", d.ID, d.starts)
		}
		if status.CreateTime == 0 {
			status.CreateTime = d.lastCreateTime
		}
	}
}

// poll returns what a status call shows, and moves the plan on.
func (d *dataset) poll() modelarts.SyncStatus {
	if time.Now().Before(d.hiddenUntil) {
		return d.before
	}
	if d.run.polled && len(d.run.statuses) > 1 {
		d.run.statuses = d.run.statuses[1:]
	}
	d.run.polled = true
	return d.run.current(d.ID)
}

func (run *syncRun) current(datasetID string) modelarts.SyncStatus {
	if len(run.statuses) == 0 {
		return modelarts.SyncStatus{Status: modelarts.SyncNotExist, DatasetID: datasetID}
	}
	return run.statuses[0]
}

// unfinished reports whether there is a task that keeps others away. NOT_EXIST in the middle of a plan is one
// that does not show yet.
func (run *syncRun) unfinished() bool {
	if len(run.statuses) == 0 {
		return false
	}
	state := run.statuses[0].Status
	return !state.Finished() && (state != modelarts.SyncNotExist || len(run.statuses) > 1)
}
