package modelartstest

import (
	"cmp"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelarts-go/modelarts"
)

// A dataset is one of the project, with its synchronization.
type dataset struct {
	modelarts.Dataset
	plan           []modelarts.SyncStatus
	run            syncRun
	before         modelarts.SyncStatus // shown until hiddenUntil
	hiddenUntil    time.Time
	starts         int
	lastCreateTime int64
}

var errNoDataset = &problem{http.StatusBadRequest, "ModelArts.4352", "Dataset does not exist"}

// AddDataset adds a dataset that was never synchronized. Each synchronization steps through plan, one status a
// poll, and the last one stays; an empty plan is QUEUING, RUNNING, COMPLETED. What a status has no TaskID,
// DatasetID or CreateTime for is filled, with a new id and a later time for each synchronization. Whether one
// is running, which keeps the next one away, is decided by the status that was shown last.
//
// A Status of 0 becomes [modelarts.DatasetNormal]. Whatever the Status is, the dataset shows
// [modelarts.DatasetSynchronizing] while a synchronization runs. An id that is there already is replaced, its
// synchronization too. A dataset without an id panics: it is a mistake in the test.
func (s *Server) AddDataset(ds modelarts.Dataset, plan ...modelarts.SyncStatus) {
	if ds.ID == "" {
		panic("modelartstest: AddDataset needs a dataset with an ID")
	}
	if ds.Status == 0 {
		ds.Status = modelarts.DatasetNormal
	}
	if len(plan) == 0 {
		plan = []modelarts.SyncStatus{
			{Status: modelarts.SyncQueuing}, {Status: modelarts.SyncRunning}, {Status: modelarts.SyncCompleted},
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.byID[ds.ID]
	if d == nil {
		d = new(dataset)
		s.byID[ds.ID] = d
		s.datasets = append(s.datasets, d)
	}
	*d = dataset{
		Dataset: ds, plan: slices.Clone(plan),
		starts: d.starts, lastCreateTime: d.lastCreateTime, // so that ids stay unique and times grow
	}
}

// SetPagingByItem makes the list take offset as the index of an item. By default it is the index of a page, as
// the service documents it; some of its clients expect the other.
func (s *Server) SetPagingByItem(byItem bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byItem = byItem
}

func (s *Server) getDataset(w http.ResponseWriter, _ *http.Request, datasetID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.byID[datasetID]
	if d == nil {
		errNoDataset.write(w)
		return
	}
	shown := d.show()
	shown.DataURL = "" // in lists only
	writeJSON(w, http.StatusOK, shown)
}

// listDatasets honors limit, offset, sort_by, order, search_content and dataset_type. It accepts the other
// parameters of the list and does nothing with them.
func (s *Server) listDatasets(w http.ResponseWriter, r *http.Request, _ string) {
	query, err := parseListQuery(r.URL.Query())
	if err != nil {
		err.write(w)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]*modelarts.Dataset, 0, len(s.datasets))
	for _, d := range s.datasets {
		if query.matches(d) {
			found = append(found, d.show())
		}
	}
	query.sort(found)
	writeJSON(w, http.StatusOK, modelarts.DatasetPage{
		Datasets: query.page(found, s.byItem), TotalNumber: len(found),
	})
}

// show returns a copy of the dataset as it looks now.
func (d *dataset) show() *modelarts.Dataset {
	shown := d.Dataset
	if d.run.unfinished() {
		shown.Status = modelarts.DatasetSynchronizing
	}
	return &shown
}

// isText reports whether the dataset is of a type that cannot be synchronized.
func (d *dataset) isText() bool {
	return d.Type == modelarts.DatasetTextClassification || d.Type == modelarts.DatasetNamedEntity ||
		d.Type == modelarts.DatasetTextTriplet
}

type listQuery struct {
	limit, offset int
	byName, desc  bool
	search        string // in lower case
	datasetType   *modelarts.DatasetType
}

func parseListQuery(values url.Values) (listQuery, *problem) {
	query := listQuery{limit: 10, desc: true, search: strings.ToLower(values.Get("search_content"))}
	bad := func(name string) (listQuery, *problem) {
		return query, &problem{http.StatusBadRequest, "ModelArts.0104", "Invalid parameter: " + name}
	}
	for _, number := range []struct {
		name        string
		value       *int
		least, most int
	}{
		{"limit", &query.limit, 1, 100}, {"offset", &query.offset, 0, math.MaxInt},
	} {
		if !values.Has(number.name) {
			continue
		}
		value, err := strconv.Atoi(values.Get(number.name))
		if err != nil || value < number.least || value > number.most {
			return bad(number.name)
		}
		*number.value = value
	}
	switch values.Get("sort_by") {
	case "", "create_time":
	case "dataset_name":
		query.byName = true
	default:
		return bad("sort_by")
	}
	switch values.Get("order") {
	case "", "desc":
	case "asc":
		query.desc = false
	default:
		return bad("order")
	}
	if values.Has("dataset_type") {
		number, err := strconv.Atoi(values.Get("dataset_type"))
		if err != nil {
			return bad("dataset_type")
		}
		datasetType := modelarts.DatasetType(number)
		query.datasetType = &datasetType
	}
	return query, nil
}

func (q *listQuery) matches(d *dataset) bool {
	return strings.Contains(strings.ToLower(d.Name), q.search) &&
		(q.datasetType == nil || *q.datasetType == d.Type)
}

// sort orders datasets that come in the order in which they were added, which decides between equal ones.
func (q *listQuery) sort(found []*modelarts.Dataset) {
	slices.SortStableFunc(found, func(a, b *modelarts.Dataset) int {
		if q.byName {
			return cmp.Compare(a.Name, b.Name)
		}
		return cmp.Compare(a.CreateTime, b.CreateTime)
	})
	if q.desc {
		slices.Reverse(found)
	}
}

func (q *listQuery) page(found []*modelarts.Dataset, byItem bool) []*modelarts.Dataset {
	start := min(q.offset, len(found))
	if !byItem {
		start = min(start*q.limit, len(found))
	}
	return found[start:min(start+q.limit, len(found))]
}
