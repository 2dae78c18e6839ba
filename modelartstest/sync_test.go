package modelartstest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func withDataset(plan ...modelarts.SyncStatus) func() *modelartstest.Server {
	return func() *modelartstest.Server {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "ds", Name: "flowers"}, plan...)
		return fake
	}
}

func (s site) status() modelarts.SyncStatus {
	s.t.Helper()
	r := s.signed("GET", statusPath)
	require.Equal(s.t, 200, r.status, r.body)
	return decode[modelarts.SyncStatus](s.t, r)
}

func (s site) start() reply {
	s.t.Helper()
	return s.signed("POST", syncPath)
}

func TestPlan(t *testing.T) {
	everywhere(t, withDataset(), func(s site, _ *modelartstest.Server) {
		t := s.t
		assert.Equal(t, modelarts.SyncStatus{Status: "NOT_EXIST", DatasetID: "ds"}, s.status())
		started := s.start()
		assert.Equal(t, 200, started.status)
		assert.Empty(t, started.body)

		first := s.status()
		assert.Equal(t, modelarts.SyncQueuing, first.Status)
		assert.Equal(t, "ds", first.DatasetID)
		assert.Equal(t, "ds_00000001", first.TaskID)
		assert.WithinDuration(t, time.Now(), first.CreatedAt(), time.Minute)
		for _, want := range []modelarts.SyncState{"RUNNING", "COMPLETED", "COMPLETED"} {
			next := s.status()
			assert.Equal(t, want, next.Status)
			assert.Equal(t, first.TaskID, next.TaskID)
			assert.Equal(t, first.CreateTime, next.CreateTime)
		}

		require.Equal(t, 200, s.start().status)
		second := s.status()
		assert.Equal(t, modelarts.SyncQueuing, second.Status)
		assert.Equal(t, "ds_00000002", second.TaskID)
		assert.Greater(t, second.CreateTime, first.CreateTime)
	})
}

func TestPlanKeepsWhatItHas(t *testing.T) {
	plan := modelarts.SyncStatus{
		TaskID: "own", DatasetID: "ds", Status: "FAILED", CreateTime: 12, DurationTime: 3, TotalSampleCount: 9,
		AddSampleCount: 4, DeletedSampleCount: 5, ErrorCode: "ModelArts.4360", ErrorMsg: "Sync data source error",
	}
	s := inMemory(t, withDataset(plan)())
	s.start()
	assert.Equal(t, plan, s.status())
}

func TestStartIsRefusedWhileOneRuns(t *testing.T) {
	everywhere(t, withDataset(), func(s site, fake *modelartstest.Server) {
		t := s.t
		s.start()
		for range 2 { // QUEUING and RUNNING
			r := s.start()
			assert.Equal(t, 400, r.status)
			assert.JSONEq(t, `{"error_code":"ModelArts.4355","error_msg":"Sync data source task exist"}`, r.body)
			assert.Equal(t, "application/json", r.header.Get("Content-Type"))
			s.status()
		}
		s.status()
		assert.Equal(t, 200, s.start().status)

		fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: "PAUSED"}) // no known word
		assert.Equal(t, "ModelArts.4355", s.start().code(t))
	})
}

func TestSetSyncStatus(t *testing.T) {
	fake := withDataset()()
	s := inMemory(t, fake)
	old := modelarts.SyncStatus{TaskID: "ds_old", Status: "COMPLETED", CreateTime: 1 << 50}
	fake.SetSyncStatus("ds", old)
	old.DatasetID = "ds"
	assert.Equal(t, old, s.status())
	assert.Equal(t, old, s.status())

	s.start()
	running := s.status()
	assert.Equal(t, modelarts.SyncQueuing, running.Status)
	assert.Greater(t, running.CreateTime, old.CreateTime, "later than all before, whatever the clock says")

	fake.SetSyncStatus("ds", modelarts.SyncStatus{Status: "FAILED", ErrorCode: "ModelArts.4340"})
	assert.Equal(t, modelarts.SyncStatus{Status: "FAILED", DatasetID: "ds", ErrorCode: "ModelArts.4340"}, s.status())
	assert.Equal(t, modelarts.SyncFailed, s.status().Status, "the plan is over")
	assert.Equal(t, 200, s.start().status)
	assert.Equal(t, modelarts.SyncQueuing, s.status().Status)
}

func TestSparse(t *testing.T) {
	fake := withDataset()()
	s := inMemory(t, fake)
	s.start()
	fake.SetSparse(true)
	assert.JSONEq(t, `{"status":"QUEUING","dataset_id":"ds"}`, s.signed("GET", statusPath).body)
	fake.SetSparse(false)
	assert.NotEmpty(t, s.status().TaskID)
}

func TestLateRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := withDataset()()
		s := inMemory(t, fake)
		fake.SetRegistrationDelay(10 * time.Second)

		s.start()
		for range 3 {
			assert.Equal(t, modelarts.SyncStatus{Status: "NOT_EXIST", DatasetID: "ds"}, s.status())
		}
		assert.Equal(t, "ModelArts.4355", s.start().code(t), "the task is there, though it does not show")
		time.Sleep(10*time.Second - 1)
		assert.Equal(t, modelarts.SyncNotExist, s.status().Status)
		time.Sleep(time.Nanosecond)
		assert.Equal(t, modelarts.SyncQueuing, s.status().Status)

		old := modelarts.SyncStatus{TaskID: "ds_old", Status: "COMPLETED", DatasetID: "ds"}
		fake.SetSyncStatus("ds", old)
		s.start()
		assert.Equal(t, old, s.status())
		time.Sleep(10 * time.Second)
		assert.Equal(t, "ds_00000002", s.status().TaskID)
	})
}

func TestUnregisteredStepsOfAPlan(t *testing.T) {
	s := inMemory(t, withDataset(
		modelarts.SyncStatus{Status: "NOT_EXIST"}, modelarts.SyncStatus{Status: "COMPLETED"})())
	s.start()
	assert.Equal(t, modelarts.SyncStatus{Status: "NOT_EXIST", DatasetID: "ds"}, s.status())
	assert.Equal(t, "ModelArts.4355", s.start().code(t))
	assert.NotEmpty(t, s.status().TaskID)
}

func TestSyncRefusals(t *testing.T) {
	everywhere(t, func() *modelartstest.Server {
		fake := modelartstest.New()
		fake.AddDataset(modelarts.Dataset{ID: "ds", Type: modelarts.DatasetTextClassification})
		return fake
	}, func(s site, _ *modelartstest.Server) {
		t := s.t
		for _, c := range []struct {
			method, path string
			status       int
			code         string
		}{
			{"POST", syncPath, 501, "ModelArts.4383"},
			{"POST", datasetsPath + "/other/sync-data", 400, "ModelArts.4352"},
			{"GET", datasetsPath + "/other/sync-data/status", 400, "ModelArts.4352"},
			{"GET", datasetsPath + "/other", 400, "ModelArts.4352"},
			{"GET", "/v2/00000000000000000000000000000000/datasets", 404, "ModelArts.2786"},
			{"GET", "/v2/" + modelartstest.ProjectID + "/models", 404, "APIGW.0101"},
			{"GET", "/", 404, "APIGW.0101"},
			{"GET", syncPath, 404, "APIGW.0101"},
			{"DELETE", datasetsPath + "/ds", 404, "APIGW.0101"},
			{"GET", datasetsPath + "//sync-data/status", 404, "APIGW.0101"},
			{"GET", statusPath + "/", 404, "APIGW.0101"},
		} {
			r := s.signed(c.method, c.path)
			assert.Equal(t, c.status, r.status, c.path)
			assert.Equal(t, c.code, r.code(t), c.path)
			assert.Len(t, r.header.Get("X-Request-Id"), 32)
			if r.status == 404 && c.code == "APIGW.0101" {
				assert.Equal(t, r.header.Get("X-Request-Id"), decode[errorAnswer](t, r).RequestID)
			}
		}
	})
}

func TestMistakesPanic(t *testing.T) {
	fake := modelartstest.New()
	assert.PanicsWithValue(t, "modelartstest: AddDataset needs a dataset with an ID", func() {
		fake.AddDataset(modelarts.Dataset{Name: "flowers"})
	})
	assert.PanicsWithValue(t, `modelartstest: SetSyncStatus of the dataset "ds", which was not added`, func() {
		fake.SetSyncStatus("ds", modelarts.SyncStatus{})
	})
	assert.Panics(t, func() { fake.Client(modelarts.WithHTTPClient(nil)) })
	assert.Panics(t, func() { fake.Inject(modelartstest.Fault{Status: 99}) })
	assert.Panics(t, func() { fake.SetAccepted("nobody", false) })
}
