package modelarts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// A syncLister is a service that answers lists by a func of the query. It is its clients' transport.
type syncLister struct {
	answer  func(query url.Values) (status int, body string)
	queries []url.Values
}

// RoundTrip makes a lister its client's transport.
func (l *syncLister) RoundTrip(req *http.Request) (*http.Response, error) {
	query := req.URL.Query()
	l.queries = append(l.queries, query)
	status, body := l.answer(query)
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

func (l *syncLister) client(t *testing.T) *modelarts.Client {
	t.Helper()
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, modelarts.TokenAuth(modelartstest.Token),
		modelarts.WithHTTPClient(&http.Client{Transport: l}),
		modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	return client
}

// offsets returns the offsets that were asked for.
func (l *syncLister) offsets() []string {
	offsets := make([]string, 0, len(l.queries))
	for _, query := range l.queries {
		offsets = append(offsets, query.Get("offset"))
	}
	return offsets
}

// syncAnswers makes a lister of fixed bodies. What comes after them is an error.
func syncAnswers(bodies ...string) *syncLister {
	lister := new(syncLister)
	lister.answer = func(url.Values) (int, string) {
		if len(lister.queries) > len(bodies) {
			return http.StatusForbidden, `{"error_code":"ModelArts.0108"}`
		}
		return http.StatusOK, bodies[len(lister.queries)-1]
	}
	return lister
}

// A syncShelf is a project with datasets, and a way of paging.
type syncShelf struct {
	ids      []string
	byItem   bool // offset is the index of an item
	fixed    bool // offset is not looked at
	noTotal  bool
	cap      int // of total_number, if not 0
	pageSize int // the largest, if not 0
	nulls    bool
	// before is called before each page but the first.
	before func(s *syncShelf)
}

func syncIDs(from, to int) []string {
	var ids []string
	for i := from; i < to; i++ {
		ids = append(ids, "id-"+strconv.Itoa(i))
	}
	return ids
}

func (s *syncShelf) lister() *syncLister {
	lister := new(syncLister)
	lister.answer = func(query url.Values) (int, string) {
		if s.before != nil && len(lister.queries) > 1 {
			s.before(s)
		}
		return http.StatusOK, s.page(query)
	}
	return lister
}

func (s *syncShelf) page(query url.Values) string {
	limit, _ := strconv.Atoi(query.Get("limit"))
	offset, _ := strconv.Atoi(query.Get("offset"))
	if s.pageSize > 0 {
		limit = min(limit, s.pageSize)
	}
	start := offset * limit
	switch {
	case s.byItem:
		start = offset
	case s.fixed:
		start = 0
	}
	start = min(start, len(s.ids))
	page := map[string]any{}
	entries := []any{}
	for _, id := range s.ids[start:min(start+limit, len(s.ids))] {
		entries = append(entries, map[string]any{"dataset_id": id, "dataset_name": "name of " + id})
		if s.nulls && len(entries) == 1 {
			entries = append(entries, nil)
		}
	}
	page["datasets"] = entries
	if !s.noTotal {
		page["total_number"] = len(s.ids)
		if s.cap > 0 {
			page["total_number"] = min(len(s.ids), s.cap)
		}
	}
	text, err := json.Marshal(page)
	if err != nil {
		panic(err) // cannot happen
	}
	return string(text)
}

// syncCollect reads all datasets and returns their ids.
func syncCollect(t *testing.T, client *modelarts.Client, opts *modelarts.DatasetListOptions) []string {
	t.Helper()
	var ids []string
	for dataset, err := range client.Datasets(t.Context(), opts) {
		require.NoError(t, err)
		require.NotNil(t, dataset)
		ids = append(ids, dataset.ID)
		require.Less(t, len(ids), 10_000, "it never ends")
	}
	return ids
}

func TestListDatasetsQuery(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	zero, two, no, yes := 0, 2, false, true
	imageClassification, custom := modelarts.DatasetImageClassification, modelarts.DatasetCustom
	tests := map[string]struct {
		opts *modelarts.DatasetListOptions
		want string
	}{
		"nothing":                {nil, ""},
		"zero values":            {&modelarts.DatasetListOptions{}, ""},
		"limit":                  {&modelarts.DatasetListOptions{Limit: 20}, "limit=20"},
		"offset":                 {&modelarts.DatasetListOptions{Offset: 3}, "offset=3"},
		"sort_by":                {&modelarts.DatasetListOptions{SortBy: "dataset_name"}, "sort_by=dataset_name"},
		"order":                  {&modelarts.DatasetListOptions{Order: "asc"}, "order=asc"},
		"search_content":         {&modelarts.DatasetListOptions{SearchContent: "a b&c=ü+/%"}, "search_content=a%20b%26c%3D%C3%BC%2B%2F%25"},
		"dataset_type":           {&modelarts.DatasetListOptions{DatasetType: &custom}, "dataset_type=900"},
		"dataset_type of 0":      {&modelarts.DatasetListOptions{DatasetType: &imageClassification}, "dataset_type=0"},
		"check_running_task":     {&modelarts.DatasetListOptions{CheckRunningTask: true}, "check_running_task=true"},
		"running_task_type":      {&modelarts.DatasetListOptions{RunningTaskType: &two}, "running_task_type=2"},
		"running_task_type of 0": {&modelarts.DatasetListOptions{RunningTaskType: &zero}, "running_task_type=0"},
		"contain_versions":       {&modelarts.DatasetListOptions{ContainVersions: &yes}, "contain_versions=true"},
		"contain_versions, no":   {&modelarts.DatasetListOptions{ContainVersions: &no}, "contain_versions=false"},
		"support_export":         {&modelarts.DatasetListOptions{SupportExport: true}, "support_export=true"},
		"train_evaluate_ratio":   {&modelarts.DatasetListOptions{TrainEvaluateRatio: "0.0,1.0"}, "train_evaluate_ratio=0.0%2C1.0"},
		"version_format":         {&modelarts.DatasetListOptions{VersionFormat: &two}, "version_format=2"},
		"version_format of 0":    {&modelarts.DatasetListOptions{VersionFormat: &zero}, "version_format=0"},
		"file_preview":           {&modelarts.DatasetListOptions{FilePreview: true}, "file_preview=true"},
		"with_labels":            {&modelarts.DatasetListOptions{WithLabels: true}, "with_labels=true"},
		"workspace_id":           {&modelarts.DatasetListOptions{WorkspaceID: "0"}, "workspace_id=0"},
		"dataset_version":        {&modelarts.DatasetListOptions{DatasetVersion: "all"}, "dataset_version=all"},
		"several, sorted":        {&modelarts.DatasetListOptions{SortBy: "create_time", Limit: 1, Order: "desc"}, "limit=1&order=desc&sort_by=create_time"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := modelartstest.New()
			_, err := fake.Client().ListDatasets(t.Context(), test.opts)
			require.NoError(t, err, "and so the signature covers the query")
			requests := fake.Requests()
			require.Len(t, requests, 1)
			assert.Equal(t, test.want, requests[0].RawQuery)
			assert.Equal(t, "/v2/"+modelartstest.ProjectID+"/datasets", requests[0].Path)
		})
	}
}

func TestListDatasets(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("one page", func(t *testing.T) {
		t.Parallel()
		fake := modelartstest.New()
		for i := range 15 {
			fake.AddDataset(modelarts.Dataset{ID: fmt.Sprint("id-", i), Name: fmt.Sprint("n", i), CreateTime: int64(i)})
		}
		page, err := fake.Client().ListDatasets(t.Context(), nil)
		require.NoError(t, err)
		assert.Len(t, page.Datasets, 10, "the service's default")
		assert.Equal(t, 15, page.TotalNumber)
		assert.Equal(t, "id-14", page.Datasets[0].ID)
		page, err = fake.Client().ListDatasets(t.Context(), &modelarts.DatasetListOptions{Offset: 1})
		require.NoError(t, err)
		assert.Len(t, page.Datasets, 5)
	})
	t.Run("nulls are left out", func(t *testing.T) {
		t.Parallel()
		page, err := syncAnswers(`{"datasets":[null,{"dataset_id":"a"},null],"total_number":"3"}`).client(t).ListDatasets(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, page.Datasets, 1)
		assert.Equal(t, "a", page.Datasets[0].ID)
		assert.Equal(t, 3, page.TotalNumber)
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{
			`{"total_number":0,"datasets":[]}`, `{"total_number":0,"datasets":null}`, `{"total_number":0}`, `{"datasets":[]}`,
		} {
			page, err := syncAnswers(body).client(t).ListDatasets(t.Context(), nil)
			require.NoError(t, err, body)
			assert.Empty(t, page.Datasets)
			assert.Zero(t, page.TotalNumber)
		}
	})
	t.Run("no list at all", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{
			"", "null", "{}", "[]", `"ok"`, `<html><title>Welcome</title></html>`, `{"total_number":1,"datasets":[{"dataset_id":"a"}`,
			`{"datasets":{}}`, `{"error_code":"ModelArts.0010","error_msg":"Internal error"}`, `{"datasets":[{"create_time":"soon"}]}`,
			`{"datasets":[]} {}`,
		} {
			page, err := syncAnswers(body).client(t).ListDatasets(t.Context(), nil)
			var apiErr *modelarts.APIError
			require.ErrorAs(t, err, &apiErr, body)
			assert.Equal(t, http.StatusOK, apiErr.StatusCode)
			require.NotErrorIs(t, err, modelarts.ErrNotFound)
			assert.Nil(t, page)
			_, err = syncAnswers(body).client(t).FindDataset(t.Context(), "a")
			require.Error(t, err, body)
			require.NotErrorIs(t, err, modelarts.ErrDatasetNotFound, "nobody may delete records because of it")
		}
	})
}

// TestDatasets goes through all that a list may hold, over all kinds of services.
func TestDatasets(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	services := map[string]syncShelf{
		"by page":                            {},
		"by item":                            {byItem: true},
		"by page, counting to 100":           {cap: 100},
		"by item, counting to 100":           {byItem: true, cap: 100},
		"by page, without a total":           {noTotal: true},
		"by item, without a total":           {byItem: true, noTotal: true},
		"by page, 30 at most":                {pageSize: 30},
		"by item, 30 at most":                {byItem: true, pageSize: 30},
		"by page, 30 at most, count to 100":  {pageSize: 30, cap: 100},
		"by item, 30 at most, count to 100":  {byItem: true, pageSize: 30, cap: 100},
		"by page, 100 at most, count to 100": {pageSize: 100, cap: 100},
	}
	for name, service := range services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, count := range []int{0, 1, 2, 3, 29, 30, 31, 60, 99, 100, 101, 102, 150, 200, 201} {
				for _, limit := range []int{0, 1, 2, 3, 10, 99, 100} {
					if count > 31 && limit > 0 && limit < 10 {
						continue // nothing new, and many requests
					}
					shelf := service
					shelf.ids = syncIDs(0, count)
					lister := shelf.lister()
					ids := syncCollect(t, lister.client(t), &modelarts.DatasetListOptions{Limit: limit})
					assert.Equal(t, shelf.ids, ids, "%d datasets, limit %d", count, limit)
					// An item index with two items a page is not told from a page index, and costs a request an item.
					size := min(limit, max(shelf.pageSize, 100))
					if limit == 0 {
						size = 100
					}
					if shelf.pageSize > 0 {
						size = min(size, shelf.pageSize)
					}
					pages := count/size + 3
					if size == 2 && shelf.byItem {
						pages = count + 1
					}
					assert.LessOrEqual(t, len(lister.queries), pages, "%d datasets, limit %d", count, limit)
				}
			}
		})
	}
	t.Run("the fake, both ways", func(t *testing.T) {
		t.Parallel()
		for _, byItem := range []bool{false, true} {
			fake := modelartstest.New()
			fake.SetPagingByItem(byItem)
			for _, id := range syncIDs(0, 250) {
				fake.AddDataset(modelarts.Dataset{ID: id})
			}
			ids := syncCollect(t, fake.Client(), nil)
			slices.Reverse(ids) // the newest comes first
			assert.Equal(t, syncIDs(0, 250), ids)
			for _, request := range fake.Requests() {
				assert.Contains(t, request.RawQuery, "limit=100")
			}
		}
	})
}

func TestDatasetsPages(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	tests := map[string]struct {
		shelf   syncShelf
		opts    modelarts.DatasetListOptions
		want    []string
		offsets []string // "" is the first page
	}{
		"by page":                   {syncShelf{ids: syncIDs(0, 250)}, modelarts.DatasetListOptions{}, syncIDs(0, 250), []string{"", "1", "2"}},
		"by item":                   {syncShelf{ids: syncIDs(0, 250), byItem: true}, modelarts.DatasetListOptions{}, syncIDs(0, 250), []string{"", "1", "101", "201"}},
		"one short page":            {syncShelf{ids: syncIDs(0, 99)}, modelarts.DatasetListOptions{}, syncIDs(0, 99), []string{""}},
		"exactly full":              {syncShelf{ids: syncIDs(0, 200)}, modelarts.DatasetListOptions{}, syncIDs(0, 200), []string{"", "1"}},
		"full, and no total":        {syncShelf{ids: syncIDs(0, 200), noTotal: true}, modelarts.DatasetListOptions{}, syncIDs(0, 200), []string{"", "1", "2"}},
		"more than it counts":       {syncShelf{ids: syncIDs(0, 200), cap: 100}, modelarts.DatasetListOptions{}, syncIDs(0, 200), []string{"", "1", "2"}},
		"from a page on":            {syncShelf{ids: syncIDs(0, 50)}, modelarts.DatasetListOptions{Limit: 10, Offset: 3}, syncIDs(30, 50), []string{"3", "4", "5"}},
		"from an item on":           {syncShelf{ids: syncIDs(0, 50), byItem: true}, modelarts.DatasetListOptions{Limit: 10, Offset: 25}, syncIDs(25, 50), []string{"25", "26", "36", "46", "50"}},
		"no attention to offset":    {syncShelf{ids: syncIDs(0, 50), fixed: true, noTotal: true}, modelarts.DatasetListOptions{Limit: 10}, syncIDs(0, 10), []string{"", "1"}},
		"the same, with more ahead": {syncShelf{ids: syncIDs(0, 50), fixed: true}, modelarts.DatasetListOptions{Limit: 10}, syncIDs(0, 10), []string{"", "1", "11"}},
		"nulls":                     {syncShelf{ids: syncIDs(0, 25), nulls: true}, modelarts.DatasetListOptions{Limit: 10}, syncIDs(0, 25), []string{"", "1", "2"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lister := test.shelf.lister()
			before := test.opts
			assert.Equal(t, test.want, syncCollect(t, lister.client(t), &test.opts))
			assert.Equal(t, test.offsets, lister.offsets())
			assert.Equal(t, before, test.opts, "the options are the caller's")
		})
	}
	t.Run("nothing but nulls", func(t *testing.T) {
		t.Parallel()
		lister := &syncLister{answer: func(url.Values) (int, string) { return 200, `{"datasets":[null,null],"total_number":9}` }}
		assert.Empty(t, syncCollect(t, lister.client(t), &modelarts.DatasetListOptions{Limit: 2}))
		assert.Less(t, len(lister.queries), 4)
	})
	t.Run("the filter goes with every page", func(t *testing.T) {
		t.Parallel()
		lister := (&syncShelf{ids: syncIDs(0, 30)}).lister()
		syncCollect(t, lister.client(t), &modelarts.DatasetListOptions{Limit: 10, SearchContent: "cats", Order: "asc"})
		require.Len(t, lister.queries, 4)
		for _, query := range lister.queries {
			assert.Equal(t, "cats", query.Get("search_content"))
			assert.Equal(t, "asc", query.Get("order"))
			assert.Equal(t, "10", query.Get("limit"))
		}
	})
}

// TestDatasetsWhileOthersAreCreated puts new datasets before the others, as the default order does.
func TestDatasetsWhileOthersAreCreated(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, byItem := range []bool{false, true} {
		for _, created := range []int{1, 3, 6, 8} {
			if byItem && created > 3 {
				continue // which moves the datasets about as fast as the pages move on
			}
			t.Run(fmt.Sprintf("by item %v, %d between two pages", byItem, created), func(t *testing.T) {
				t.Parallel()
				old := syncIDs(0, 55)
				shelf := &syncShelf{ids: old, byItem: byItem}
				shelf.before = func(s *syncShelf) {
					if total := len(s.ids); total < 80 {
						s.ids = append(syncIDs(total, total+created), s.ids...)
					}
				}
				ids := syncCollect(t, shelf.lister().client(t), &modelarts.DatasetListOptions{Limit: 10})
				seen := make(map[string]int)
				for _, id := range ids {
					seen[id]++
				}
				for id, times := range seen {
					assert.Equal(t, 1, times, id)
				}
				for _, id := range old {
					assert.Contains(t, seen, id)
				}
			})
		}
	}
}

func TestDatasetsEndsEarly(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("by a break", func(t *testing.T) {
		t.Parallel()
		lister := (&syncShelf{ids: syncIDs(0, 50)}).lister()
		var ids []string
		for dataset, err := range lister.client(t).Datasets(t.Context(), &modelarts.DatasetListOptions{Limit: 10}) {
			require.NoError(t, err)
			if ids = append(ids, dataset.ID); len(ids) == 15 {
				break
			}
		}
		assert.Equal(t, syncIDs(0, 15), ids)
		assert.Len(t, lister.queries, 2)
	})
	t.Run("by an error", func(t *testing.T) {
		t.Parallel()
		first := (&syncShelf{ids: syncIDs(0, 50)}).page(url.Values{"limit": {"10"}})
		lister := syncAnswers(first) // and then forbidden
		var ids []string
		var errs []error
		for dataset, err := range lister.client(t).Datasets(t.Context(), &modelarts.DatasetListOptions{Limit: 10}) {
			if err != nil {
				assert.Nil(t, dataset)
				errs = append(errs, err)
				continue
			}
			ids = append(ids, dataset.ID)
		}
		assert.Equal(t, syncIDs(0, 10), ids)
		require.Len(t, errs, 1, "once, as the last pair")
		require.ErrorIs(t, errs[0], modelarts.ErrForbidden)
		assert.Len(t, lister.queries, 2)
	})
	t.Run("by the context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		lister := (&syncShelf{ids: syncIDs(0, 50)}).lister()
		var lastErr error
		count := 0
		for _, err := range lister.client(t).Datasets(ctx, &modelarts.DatasetListOptions{Limit: 10}) {
			count++
			lastErr = err
			cancel()
		}
		require.ErrorIs(t, lastErr, context.Canceled)
		assert.Equal(t, 11, count)
		assert.Len(t, lister.queries, 1)
	})
	t.Run("and a second loop begins anew", func(t *testing.T) {
		t.Parallel()
		lister := (&syncShelf{ids: syncIDs(0, 25)}).lister()
		datasets := lister.client(t).Datasets(t.Context(), &modelarts.DatasetListOptions{Limit: 10})
		for range 2 {
			count := 0
			for _, err := range datasets {
				require.NoError(t, err)
				count++
			}
			assert.Equal(t, 25, count)
		}
	})
}

func TestGetDataset(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("there", func(t *testing.T) {
		t.Parallel()
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "a b~é", Name: "cats"})
		dataset, err := fake.Client().GetDataset(t.Context(), "a b~é")
		require.NoError(t, err)
		assert.Equal(t, "cats", dataset.Name)
		assert.Equal(t, modelarts.DatasetNormal, dataset.Status)
		assert.Empty(t, fake.Requests()[0].RawQuery)
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		dataset, err := modelartstest.New().Client().GetDataset(t.Context(), "gone")
		require.ErrorIs(t, err, modelarts.ErrDatasetNotFound)
		require.ErrorIs(t, err, modelarts.ErrNotFound)
		assert.Nil(t, dataset)
	})
	t.Run("an id that is refused", func(t *testing.T) {
		t.Parallel()
		fake := modelartstest.New()
		for _, id := range []string{"", " ", ".", "..", "a/b", `a\b`, "a?b", "a#b", "a%2e", "a\n"} {
			_, err := fake.Client().GetDataset(t.Context(), id)
			require.Error(t, err, id)
		}
		assert.Empty(t, fake.Requests())
	})
	for name, body := range map[string]string{
		"about another dataset": `{"dataset_id":"b","dataset_name":"dogs"}`,
		"without an id":         `{"dataset_name":"dogs"}`,
		"in other letters":      `{"dataset_id":"A"}`,
		"empty":                 ``,
		"no JSON":               `<html><title>Welcome</title></html>`,
	} {
		t.Run("an answer "+name, func(t *testing.T) {
			t.Parallel()
			dataset, err := syncAnswers(body).client(t).GetDataset(t.Context(), "a")
			var apiErr *modelarts.APIError
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, http.StatusOK, apiErr.StatusCode)
			require.NotErrorIs(t, err, modelarts.ErrNotFound)
			assert.Nil(t, dataset)
		})
	}
}

func TestFindDataset(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	find := func(t *testing.T, name string, datasets ...modelarts.Dataset) (*modelarts.Dataset, *modelartstest.Server, error) {
		t.Helper()
		fake := modelartstest.New()
		for _, dataset := range datasets {
			fake.AddDataset(dataset)
		}
		dataset, err := fake.Client().FindDataset(t.Context(), name)
		return dataset, fake, err
	}
	t.Run("the exact name among similar ones", func(t *testing.T) {
		t.Parallel()
		dataset, fake, err := find(t, "cats",
			modelarts.Dataset{ID: "1", Name: "cats-2"}, modelarts.Dataset{ID: "2", Name: "Cats"},
			modelarts.Dataset{ID: "3", Name: "cats"}, modelarts.Dataset{ID: "4", Name: " cats"}, modelarts.Dataset{ID: "5", Name: "dogs"})
		require.NoError(t, err)
		assert.Equal(t, "3", dataset.ID)
		assert.Equal(t, "limit=100&search_content=cats", fake.Requests()[0].RawQuery)
	})
	t.Run("only similar ones", func(t *testing.T) {
		t.Parallel()
		dataset, _, err := find(t, "cats", modelarts.Dataset{ID: "1", Name: "cats-2"}, modelarts.Dataset{ID: "2", Name: "CATS"})
		require.ErrorIs(t, err, modelarts.ErrDatasetNotFound)
		require.ErrorIs(t, err, modelarts.ErrNotFound)
		require.ErrorContains(t, err, `"cats"`)
		assert.Nil(t, dataset)
	})
	t.Run("two of one name", func(t *testing.T) {
		t.Parallel()
		dataset, _, err := find(t, "cats", modelarts.Dataset{ID: "id-one", Name: "cats"}, modelarts.Dataset{ID: "id-two", Name: "cats"})
		require.Error(t, err)
		require.NotErrorIs(t, err, modelarts.ErrNotFound)
		require.ErrorContains(t, err, "id-one")
		require.ErrorContains(t, err, "id-two")
		assert.Nil(t, dataset)
	})
	t.Run("on a later page", func(t *testing.T) {
		t.Parallel()
		var datasets []modelarts.Dataset
		for i := range 230 {
			datasets = append(datasets, modelarts.Dataset{ID: fmt.Sprint("id-", i), Name: fmt.Sprint("cats-", i)})
		}
		dataset, _, err := find(t, "cats-1", datasets...)
		require.NoError(t, err)
		assert.Equal(t, "id-1", dataset.ID)
	})
	t.Run("without a name", func(t *testing.T) {
		t.Parallel()
		_, fake, err := find(t, "", modelarts.Dataset{ID: "1"})
		require.Error(t, err)
		require.NotErrorIs(t, err, modelarts.ErrNotFound)
		assert.Empty(t, fake.Requests())
	})
	t.Run("an error of the service", func(t *testing.T) {
		t.Parallel()
		_, err := syncAnswers().client(t).FindDataset(t.Context(), "cats")
		require.ErrorIs(t, err, modelarts.ErrForbidden)
		require.NotErrorIs(t, err, modelarts.ErrDatasetNotFound)
	})
	t.Run("a name with odd characters", func(t *testing.T) {
		t.Parallel()
		dataset, _, err := find(t, "a b&c=ü+/%", modelarts.Dataset{ID: "1", Name: "a b&c=ü+/%"})
		require.NoError(t, err)
		assert.Equal(t, "1", dataset.ID)
	})
}

// syncWholeDataset has everything that the service documents of a dataset, and what it does not.
const syncWholeDataset = `{
	"dataset_id": "gfghHSokody6AJigS5A", "dataset_name": "cats", "description": "all of them", "dataset_type": "0", "status": "5",
	"data_format": "Default", "dataset_format": "0", "create_time": "1605690595404", "update_time": 1605690596035, "data_update_time": "",
	"data_sources": [{
		"data_type": "0", "data_path": "/bucket/in/", "with_column_header": true,
		"schema_maps": [{"src_name": "from", "dest_name": "to"}],
		"source_info": {
			"cluster_id": "c1", "cluster_mode": "0", "cluster_name": "c", "database_name": "d", "input": "i", "ip": "192.0.2.1",
			"port": "5432", "queue_name": "q", "subnet_id": "s", "table_name": "t", "user_name": "u", "user_password": "PASSWORD-canary", "vpc_id": "v"
		}
	}],
	"total_sample_count": "9007199254740993", "annotated_sample_count": 2, "unconfirmed_sample_count": 3, "deleted_sample_count": 4,
	"loading_sample_count": 5, "total_sub_sample_count": 6, "annotated_sub_sample_count": "7",
	"current_version_id": "v1", "current_version_name": "V001", "next_version_num": "2", "dataset_version_count": 1,
	"versions": [{"version_id": "v1", "version_name": "V001", "version_format": "Default", "status": "1", "create_time": "1", "update_time": 2}],
	"work_path": "/bucket/out/", "work_path_type": "0", "inner_work_path": "a", "inner_annotation_path": "b", "inner_data_path": "c",
	"inner_log_path": "d", "inner_temp_path": "e", "inner_task_path": "f", "data_url": "g", "third_path": "h",
	"managed": true, "import_data": true, "content_labeling": true, "import_task_id": "j",
	"exist_running_task": true, "running_tasks_id": ["k"], "exist_workforce_task": true, "workforce_task_count": "8", "label_task_count": 9,
	"workforce_descriptor": [{"id": "x"}],
	"labels": [{"name": "cat", "type": "0", "property": {"@modelarts:color": "#3399ff"}}],
	"schema": [{"schema_id": "1", "name": "n", "type": "STRING", "description": "m"}],
	"dataset_tags": ["o"], "feature_supports": ["0"], "deletion_stats": {"p": "1", "q": 2}, "data_statistics": {"r": "3"},
	"workspace_id": "0", "enterprise_project_id": "0", "ai_project": "default-ai-project",
	"samples": [{"url": "https://bucket.test/cat.jpg?AccessKeyId=KEYCANARY&Expires=1&Signature=SIGNATURE-canary%3D", "file_Name": "cat.jpg", "size": 1}],
	"something_new": {"deep": [1, 2, 3]}
}`

func syncWantedDataset() *modelarts.Dataset {
	return &modelarts.Dataset{
		ID: syncDataset, Name: "cats", Description: "all of them", Type: modelarts.DatasetImageClassification, Status: modelarts.DatasetSynchronizing,
		DataFormat: "Default", CreateTime: 1605690595404, UpdateTime: 1605690596035,
		DataSources: []modelarts.DataSource{{
			DataPath: "/bucket/in/", WithColumnHeader: true, SchemaMaps: []modelarts.SchemaMap{{SrcName: "from", DestName: "to"}},
			SourceInfo: &modelarts.SourceInfo{
				ClusterID: "c1", ClusterMode: "0", ClusterName: "c", DatabaseName: "d", Input: "i", IP: "192.0.2.1",
				Port: "5432", QueueName: "q", SubnetID: "s", TableName: "t", UserName: "u", VPCID: "v",
			},
		}},
		TotalSampleCount: 9007199254740993, AnnotatedSampleCount: 2, UnconfirmedSampleCount: 3, DeletedSampleCount: 4,
		LoadingSampleCount: 5, TotalSubSampleCount: 6, AnnotatedSubSampleCount: 7,
		CurrentVersionID: "v1", CurrentVersionName: "V001", NextVersionNum: 2, DatasetVersionCount: 1,
		Versions: []modelarts.DatasetVersion{{VersionID: "v1", VersionName: "V001", VersionFormat: "Default", Status: 1, CreateTime: 1, UpdateTime: 2}},
		WorkPath: "/bucket/out/", InnerWorkPath: "a", InnerAnnotationPath: "b", InnerDataPath: "c",
		InnerLogPath: "d", InnerTempPath: "e", InnerTaskPath: "f", DataURL: "g", ThirdPath: "h",
		Managed: true, ImportData: true, ContentLabeling: true, ImportTaskID: "j",
		ExistRunningTask: true, RunningTasksID: []string{"k"}, ExistWorkforceTask: true, WorkforceTaskCount: 8, LabelTaskCount: 9,
		Labels:      []modelarts.DatasetLabel{{Name: "cat", Property: map[string]any{"@modelarts:color": "#3399ff"}}},
		Schema:      []modelarts.DatasetField{{SchemaID: 1, Name: "n", Type: "STRING", Description: "m"}},
		DatasetTags: []string{"o"}, FeatureSupports: []string{"0"}, DeletionStats: map[string]int64{"p": 1, "q": 2},
		DataStatistics: map[string]any{"r": "3"}, WorkspaceID: "0", EnterpriseProjectID: "0",
	}
}

func TestDatasetDecodes(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	t.Run("all fields, with numbers as strings", func(t *testing.T) {
		t.Parallel()
		dataset, err := syncAnswers(syncWholeDataset).client(t).GetDataset(t.Context(), syncDataset)
		require.NoError(t, err)
		assert.Equal(t, syncWantedDataset(), dataset)
	})
	t.Run("in a list", func(t *testing.T) {
		t.Parallel()
		ids := syncAnswers(`{"total_number":"1","datasets":[` + syncWholeDataset + `]}`)
		page, err := ids.client(t).ListDatasets(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, []*modelarts.Dataset{syncWantedDataset()}, page.Datasets)
	})
	t.Run("by the service's names and back", func(t *testing.T) {
		t.Parallel()
		text, err := json.Marshal(syncWantedDataset())
		require.NoError(t, err)
		var back modelarts.Dataset
		require.NoError(t, json.Unmarshal(text, &back))
		assert.Equal(t, syncWantedDataset(), &back)
	})
	t.Run("nulls", func(t *testing.T) {
		t.Parallel()
		dataset, err := syncAnswers(`{"dataset_id":"a","dataset_name":null,"dataset_type":null,"status":null,"create_time":null,
			"data_sources":null,"labels":null,"managed":null,"deletion_stats":null}`).client(t).GetDataset(t.Context(), "a")
		require.NoError(t, err)
		assert.Equal(t, modelarts.Dataset{ID: "a"}, *dataset)
	})
	t.Run("words and numbers that are new", func(t *testing.T) {
		t.Parallel()
		dataset, err := syncAnswers(`{"dataset_id":"a","dataset_type":1234,"status":99}`).client(t).GetDataset(t.Context(), "a")
		require.NoError(t, err)
		assert.Equal(t, modelarts.DatasetType(1234), dataset.Type)
		assert.Equal(t, "1234", dataset.Type.String())
		assert.Equal(t, "99", dataset.Status.String())
	})
	t.Run("a number that is none", func(t *testing.T) {
		t.Parallel()
		for _, value := range []string{`"soon"`, `1.5`, `true`, `{}`, `99999999999999999999`} {
			_, err := syncAnswers(`{"dataset_id":"a","total_sample_count":`+value+`}`).client(t).GetDataset(t.Context(), "a")
			require.ErrorContains(t, err, `"total_sample_count"`, value)
		}
	})
}

// TestDatasetSecrets looks for the password of a database source and the signed URLs of samples in all that may
// be printed.
func TestDatasetSecrets(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	assertClean := func(t *testing.T, values ...any) {
		t.Helper()
		for _, value := range values {
			text, err := json.Marshal(value)
			require.NoError(t, err)
			var log strings.Builder
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
			for _, printed := range []string{
				string(text), log.String(), fmt.Sprintf("%v %+v %#v %s %q", value, value, value, value, value),
			} {
				for _, canary := range []string{"PASSWORD-canary", "SIGNATURE-canary"} {
					assert.NotContains(t, printed, canary)
				}
			}
		}
	}
	t.Run("in a dataset", func(t *testing.T) {
		t.Parallel()
		dataset, err := syncAnswers(syncWholeDataset).client(t).GetDataset(t.Context(), syncDataset)
		require.NoError(t, err)
		assertClean(t, dataset, *dataset, dataset.DataSources, *dataset.DataSources[0].SourceInfo)
		page, err := syncAnswers(`{"total_number":1,"datasets":[`+syncWholeDataset+`]}`).client(t).ListDatasets(t.Context(), nil)
		require.NoError(t, err)
		assertClean(t, page, *page)
	})
	t.Run("in an error", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{
			syncWholeDataset,                           // about another dataset than the one asked for
			syncWholeDataset + "}",                     // one brace too many
			syncWholeDataset[:len(syncWholeDataset)-9], // cut short
			`{"user_password":"PASSWORD-canary","url":"https://b.test/?Signature=SIGNATURE-canary"`, // near the beginning
		} {
			_, err := syncAnswers(body).client(t).GetDataset(t.Context(), "other")
			var apiErr *modelarts.APIError
			require.ErrorAs(t, err, &apiErr)
			assertClean(t, err, err.Error(), apiErr, *apiErr, string(apiErr.Body))
		}
	})
}

func TestDatasetWords(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	types := map[modelarts.DatasetType]string{
		modelarts.DatasetImageClassification: "0 image classification", modelarts.DatasetObjectDetection: "1 object detection",
		modelarts.DatasetImageSegmentation: "3 image segmentation", modelarts.DatasetTextClassification: "100 text classification",
		modelarts.DatasetNamedEntity: "101 named entity", modelarts.DatasetTextTriplet: "102 text triplet",
		modelarts.DatasetSoundClassification: "200 sound classification", modelarts.DatasetSpeechContent: "201 speech content",
		modelarts.DatasetSpeechParagraph: "202 speech paragraph", modelarts.DatasetTable: "400 table",
		modelarts.DatasetVideo: "600 video", modelarts.DatasetCustom: "900 custom",
	}
	for datasetType, want := range types {
		assert.Equal(t, want, fmt.Sprintf("%d %v", datasetType, datasetType))
	}
	statuses := []modelarts.DatasetStatus{
		modelarts.DatasetCreating, modelarts.DatasetNormal, modelarts.DatasetDeleting, modelarts.DatasetDeleted, modelarts.DatasetAbnormal,
		modelarts.DatasetSynchronizing, modelarts.DatasetPublishing, modelarts.DatasetSwitching, modelarts.DatasetImporting,
	}
	words := []string{
		"creating", "normal", "deleting", "deleted", "abnormal", "synchronizing", "publishing", "switching version", "importing",
	}
	for number, status := range statuses {
		assert.EqualValues(t, number, status)
		assert.Equal(t, words[number], status.String())
	}
}
