package modelartstest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func (s site) list(query string) ([]string, int) {
	s.t.Helper()
	r := s.signed("GET", datasetsPath+query)
	require.Equal(s.t, 200, r.status, r.body)
	page := decode[modelarts.DatasetPage](s.t, r)
	ids := []string{}
	for _, ds := range page.Datasets {
		ids = append(ids, ds.ID)
	}
	return ids, page.TotalNumber
}

func TestList(t *testing.T) {
	fake := modelartstest.New()
	s := inMemory(t, fake)
	assert.JSONEq(t, `{"datasets":[],"total_number":0}`, s.signed("GET", datasetsPath).body)
	for i, name := range []string{"Flowers", "trees", "wildflowers", "speech"} {
		fake.AddDataset(modelarts.Dataset{ID: fmt.Sprint("ds", i), Name: name, CreateTime: int64(1000 - i)})
	}
	fake.AddDataset(modelarts.Dataset{ID: "ds4", Name: "boxes", Type: modelarts.DatasetObjectDetection, CreateTime: 997})

	for query, want := range map[string][]string{
		"":                                  {"ds0", "ds1", "ds2", "ds4", "ds3"},
		"?order=asc":                        {"ds3", "ds4", "ds2", "ds1", "ds0"},
		"?sort_by=dataset_name&order=asc":   {"ds0", "ds4", "ds3", "ds1", "ds2"},
		"?search_content=FLOW":              {"ds0", "ds2"},
		"?dataset_type=1":                   {"ds4"},
		"?dataset_type=0&search_content=ee": {"ds1", "ds3"},
		"?dataset_type=600":                 {},
		"?search_content=%25":               {},
	} {
		ids, total := s.list(query)
		assert.Equal(t, want, ids, query)
		assert.Equal(t, len(want), total, query)
	}
	for _, query := range []string{
		"?limit=0", "?limit=101", "?limit=x", "?limit=", "?offset=-1", "?sort_by=size", "?order=up", "?dataset_type=x",
	} {
		r := s.signed("GET", datasetsPath+query)
		assert.Equal(t, 400, r.status, query)
		assert.Equal(t, "ModelArts.0104", r.code(t), query)
	}
}

func TestPaging(t *testing.T) {
	fake := modelartstest.New()
	for i := range 25 {
		fake.AddDataset(modelarts.Dataset{ID: fmt.Sprintf("ds%02d", i)})
	}
	s := inMemory(t, fake)
	check := func(query, first string, length int) {
		t.Helper()
		ids, total := s.list(query + "&order=asc")
		assert.Equal(t, 25, total)
		assert.Len(t, ids, length)
		if length > 0 && len(ids) > 0 {
			assert.Equal(t, first, ids[0])
		}
	}
	check("?", "ds00", 10)
	check("?limit=100", "ds00", 25)
	check("?offset=2", "ds20", 5)
	check("?limit=7&offset=3", "ds21", 4)
	check("?limit=5&offset=5", "", 0)
	check("?limit=100&offset=9223372036854775807", "", 0)
	fake.SetPagingByItem(true)
	check("?offset=2", "ds02", 10)
	check("?limit=7&offset=21", "ds21", 4)
	check("?offset=25", "", 0)
}

func TestDetail(t *testing.T) {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{
		ID: "ds", Name: "flowers", DataURL: "/bucket/in/", WorkPath: "/bucket/out/",
		DataSources: []modelarts.DataSource{{DataPath: "/bucket/in/"}},
	})
	fake.AddDataset(modelarts.Dataset{ID: "odd", Status: modelarts.DatasetAbnormal})
	s := inMemory(t, fake)
	show := func(path string) modelarts.Dataset {
		t.Helper()
		return decode[modelarts.Dataset](t, s.signed("GET", path))
	}
	assert.Equal(t, modelarts.Dataset{
		ID: "ds", Name: "flowers", Status: modelarts.DatasetNormal, WorkPath: "/bucket/out/",
		DataSources: []modelarts.DataSource{{DataPath: "/bucket/in/"}},
	}, show(datasetsPath+"/ds"))
	assert.Contains(t, s.signed("GET", datasetsPath).body, `"data_url":"/bucket/in/"`)
	assert.Equal(t, modelarts.DatasetAbnormal, show(datasetsPath+"/odd").Status)

	s.start()
	for _, want := range []modelarts.DatasetStatus{
		modelarts.DatasetSynchronizing, modelarts.DatasetSynchronizing, modelarts.DatasetNormal,
	} {
		s.status()
		assert.Equal(t, want, show(datasetsPath+"/ds").Status)
	}

	fake.AddDataset(modelarts.Dataset{ID: "ds", Name: "new"})
	assert.Equal(t, modelarts.Dataset{ID: "ds", Name: "new", Status: modelarts.DatasetNormal}, show(datasetsPath+"/ds"))
	assert.Equal(t, modelarts.SyncNotExist, s.status().Status)
	s.start()
	assert.Equal(t, "ds_00000002", s.status().TaskID, "ids stay unique")
}

func TestIDsWithSpecialLetters(t *testing.T) {
	const id = "a b;ü&:@$+%"
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: id})
	r := inMemory(t, fake).signed("GET", datasetsPath+"/a%20b%3B%C3%BC%26%3A%40%24%2B%25")
	assert.Equal(t, id, decode[modelarts.Dataset](t, r).ID)
	assert.Equal(t, datasetsPath+"/a%20b%3B%C3%BC%26%3A%40%24%2B%25", fake.Requests()[0].Path)
}
