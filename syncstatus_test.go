package modelarts_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

const statusDataset = "gfghHSokody6AJigS5A"

// statusOf asks for the status of statusDataset and is answered with body.
func statusOf(t *testing.T, body string) (*modelarts.SyncStatus, error) {
	t.Helper()
	client := errsClient(t, nil, func(req *http.Request) (*http.Response, error) {
		return errsResponse(req, 200, nil, body), nil
	})
	return client.GetSyncStatus(t.Context(), statusDataset)
}

// statusFull has all ten fields, each with a value of its own.
var statusFull = modelarts.SyncStatus{
	TaskID: "gfghHSokody6AJigS5A_1", DatasetID: statusDataset, Status: modelarts.SyncFailed, CreateTime: 1606114833874,
	DurationTime: 2, TotalSampleCount: 3, AddSampleCount: 4, DeletedSampleCount: 5, ErrorCode: "ModelArts.4360", ErrorMsg: "no",
}

const statusFullJSON = `{"task_id":"gfghHSokody6AJigS5A_1","dataset_id":"gfghHSokody6AJigS5A","status":"FAILED","create_time":1606114833874,` +
	`"duration_time":2,"total_sample_count":3,"add_sample_count":4,"deleted_sample_count":5,"error_code":"ModelArts.4360","error_msg":"no"}`

func TestSyncStatusAnswers(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	done := modelarts.SyncStatus{Status: modelarts.SyncCompleted}
	created := done
	created.CreateTime = 12
	for _, c := range []struct {
		name, body string
		want       modelarts.SyncStatus
	}{
		{"all ten fields", statusFullJSON, statusFull},
		{"the two fields of the reference's example", `{"status":"COMPLETED","dataset_id":"gfghHSokody6AJigS5A"}`, modelarts.SyncStatus{Status: "COMPLETED", DatasetID: statusDataset}},
		{"only the status", `{"status":"COMPLETED"}`, done},
		{"blanks around", "\r\n {\"status\" : \"COMPLETED\" } \n", done},
		{"unknown fields", `{"status":"COMPLETED","progress":{"status":"FAILED","a":[1,2]},"x":null}`, done},
		{
			"null is absent", `{"status":"COMPLETED","task_id":null,"dataset_id":null,"create_time":null,"duration_time":null,"total_sample_count":null,` +
				`"add_sample_count":null,"deleted_sample_count":null,"error_code":null,"error_msg":null}`, done,
		},
		{
			"numbers as strings", strings.NewReplacer(`:1606114833874`, `:"1606114833874"`, `:2`, `:"2"`, `:3`, `:"3"`, `:4`, `:"4"`, `:5`, `:"5"`).Replace(statusFullJSON),
			statusFull,
		},
		{"empty strings for numbers", `{"status":"COMPLETED","create_time":"","duration_time":"","add_sample_count":"","total_sample_count":"","deleted_sample_count":""}`, done},
		{"numbers and strings mixed", `{"status":"COMPLETED","create_time":"12","duration_time":0,"add_sample_count":""}`, created},
		{"the largest number", `{"status":"COMPLETED","create_time":9223372036854775807}`, modelarts.SyncStatus{Status: "COMPLETED", CreateTime: 1<<63 - 1}},
		{"the largest number as a string", `{"status":"COMPLETED","create_time":"9223372036854775807"}`, modelarts.SyncStatus{Status: "COMPLETED", CreateTime: 1<<63 - 1}},
		{"negative", `{"status":"COMPLETED","create_time":"-1","duration_time":-2}`, modelarts.SyncStatus{Status: "COMPLETED", CreateTime: -1, DurationTime: -2}},
		{"texts that look like numbers stay texts", `{"status":"COMPLETED","task_id":"12","error_msg":"3","create_time":"12"}`, modelarts.SyncStatus{Status: "COMPLETED", TaskID: "12", ErrorMsg: "3", CreateTime: 12}},
		{"a task that has failed", `{"status":"FAILED","error_code":"ModelArts.4352","error_msg":"m"}`, modelarts.SyncStatus{Status: "FAILED", ErrorCode: "ModelArts.4352", ErrorMsg: "m"}},
		{"a completed task with a code", `{"status":"COMPLETED","error_code":"ModelArts.4918"}`, modelarts.SyncStatus{Status: "COMPLETED", ErrorCode: "ModelArts.4918"}},
		{"bytes that are not UTF-8", "{\"status\":\"COMPLETED\",\"error_msg\":\"a\xffb\"}", modelarts.SyncStatus{Status: "COMPLETED", ErrorMsg: "a\uFFFDb"}},

		{"a second spelling before the key", `{"STATUS":"FAILED","Status":"FAILED","status":"COMPLETED"}`, done},
		{"a second spelling behind the key", `{"status":"COMPLETED","STATUS":"FAILED","sTATUS":"FAILED"}`, done},
		{"a spelling that folds to the key", "{\"status\":\"COMPLETED\",\"\u017ftatus\":\"FAILED\",\"tas\u212a_id\":\"x\"}", done},
		{
			"second spellings of the other fields", `{"status":"COMPLETED","Task_ID":"x","TASK_ID":"x","Dataset_Id":"x","DATASET_ID":7,"Create_Time":9,"CREATE_TIME":"9","Duration_Time":9,` +
				`"Total_Sample_Count":9,"Add_Sample_Count":9,"Deleted_Sample_Count":9,"Error_Code":"x","Error_Msg":"x"}`, done,
		},
		{"second spellings next to numbers as strings", `{"CREATE_TIME":"9","Create_Time":"9","create_time":"12","status":"COMPLETED","STATUS":"FAILED","Create_time":{}}`, created},
		{"the last of two equal keys", `{"status":"RUNNING","create_time":1,"status":"COMPLETED","create_time":12}`, created},
		{"the last of two equal keys, as a string", `{"status":"COMPLETED","create_time":1,"create_time":"12"}`, created},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, err := statusOf(t, c.body)
			require.NoError(t, err)
			assert.Equal(t, c.want, *status)
		})
	}
}

func TestSyncStatusStates(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for state, finished := range map[modelarts.SyncState]bool{
		modelarts.SyncQueuing: false, modelarts.SyncStarting: false, modelarts.SyncRunning: false,
		modelarts.SyncCompleted: true, modelarts.SyncFailed: true, modelarts.SyncNotExist: false,
		"PAUSED": false, "completed": false, " COMPLETED ": false, "COMPLETED\n": false, "FINISHED": false, "\u0421OMPLETED": false,
	} {
		text, err := json.Marshal(state)
		require.NoError(t, err)
		status, err := statusOf(t, `{"status":`+string(text)+`}`)
		require.NoError(t, err)
		assert.Equal(t, state, status.Status, "as it was sent")
		assert.Equal(t, finished, status.Status.Finished(), "%q", state)
	}
	assert.False(t, modelarts.SyncState("").Finished())
	assert.Equal(t, []string{"QUEUING", "STARTING", "RUNNING", "COMPLETED", "FAILED", "NOT_EXIST"}, []string{
		string(modelarts.SyncQueuing), string(modelarts.SyncStarting), string(modelarts.SyncRunning),
		string(modelarts.SyncCompleted), string(modelarts.SyncFailed), string(modelarts.SyncNotExist),
	})
}

// A number that is none is an error which names its field, not a zero that nobody can tell from a real one; and
// an answer without a state says nothing. A wait takes both for an outage and polls on.
func TestSyncStatusAnswersThatAreRefused(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{"no status", `{"dataset_id":"gfghHSokody6AJigS5A"}`, `no "status"`},
		{"nothing", `{}`, `no "status"`},
		{"null as status", `{"status":null}`, `no "status"`},
		{"empty status", `{"status":""}`, `no "status"`},
		{"only other spellings", `{"STATUS":"COMPLETED","Status":"COMPLETED"}`, `no "status"`},
		{"all null", `{"status":null,"dataset_id":null,"create_time":null}`, `no "status"`},
		{"status is a number", `{"status":4}`, `the field "status" cannot be number`},
		{"status is an object", `{"status":{"a":"COMPLETED"}}`, `the field "status" cannot be object`},
		{"status is an array", `{"status":["COMPLETED"]}`, `the field "status" cannot be array`},
		{"status is a boolean", `{"status":true}`, `the field "status" cannot be bool`},
		{"another dataset", `{"status":"COMPLETED","dataset_id":"other"}`, "about another dataset"},
		{"another dataset, by case", `{"status":"COMPLETED","dataset_id":"GFGHHSokody6AJigS5A"}`, "about another dataset"},
		{"another dataset with an odd id", `{"status":"COMPLETED","dataset_id":"a\n\u001b[31m"}`, "about another dataset"},
		{"fraction", `{"status":"COMPLETED","add_sample_count":1.5}`, `the field "add_sample_count" cannot be number 1.5`},
		{"fraction as a string", `{"status":"COMPLETED","add_sample_count":"1.5"}`, `the field "add_sample_count" cannot be string`},
		{"exponent", `{"status":"COMPLETED","create_time":1e3}`, `the field "create_time" cannot be number 1e3`},
		{"exponent as a string", `{"status":"COMPLETED","create_time":"1e3"}`, `the field "create_time" cannot be string`},
		{"overflow", `{"status":"COMPLETED","create_time":9223372036854775808}`, `the field "create_time" cannot be number 9223372036854775808`},
		{"overflow as a string", `{"status":"COMPLETED","create_time":"9223372036854775808"}`, `the field "create_time" cannot be string`},
		{"hexadecimal", `{"status":"COMPLETED","duration_time":"0x10"}`, `the field "duration_time"`},
		{"blanks in a number", `{"status":"COMPLETED","duration_time":" 1"}`, `the field "duration_time"`},
		{"words", `{"status":"COMPLETED","deleted_sample_count":"many","create_time":"12"}`, `the field "deleted_sample_count"`},
		{"boolean for a number", `{"status":"COMPLETED","total_sample_count":true}`, `the field "total_sample_count" cannot be bool`},
		{"object for a text", `{"status":"COMPLETED","task_id":{}}`, `the field "task_id" cannot be object`},
		{"another answer altogether", `{"datasets":[],"total_number":0}`, `no "status"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, err := statusOf(t, c.body)
			assert.Nil(t, status, "never a zero value")
			var apiErr *modelarts.APIError
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, 200, apiErr.StatusCode)
			assert.Contains(t, apiErr.Message, c.want)
			assert.Empty(t, errsMatches(err))
			assert.Equal(t, c.body, string(apiErr.Body))
			errsPlain(t, err.Error())
		})
	}
}

func TestSyncStatusIsItsOwnJSON(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	text, err := json.Marshal(statusFull)
	require.NoError(t, err)
	assert.JSONEq(t, statusFullJSON, string(text))
	var back modelarts.SyncStatus
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, statusFull, back)

	text, err = json.Marshal(&modelarts.SyncStatus{Status: modelarts.SyncNotExist})
	require.NoError(t, err)
	assert.JSONEq(t, `{"status":"NOT_EXIST"}`, string(text))
	var fields map[string]any
	text, err = json.Marshal(&modelarts.SyncStatus{})
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &fields))
	assert.Equal(t, map[string]any{"status": ""}, fields)
}

func TestSyncStatusCreatedAt(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	assert.True(t, (&modelarts.SyncStatus{}).CreatedAt().IsZero())
	created := (&modelarts.SyncStatus{CreateTime: 1606114833874}).CreatedAt()
	assert.Equal(t, "2020-11-23T07:00:33.874Z", created.UTC().Format(time.RFC3339Nano))
}

func TestSyncStatusString(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, c := range []struct {
		status *modelarts.SyncStatus
		want   string
	}{
		{nil, "no status"},
		{&modelarts.SyncStatus{Status: "COMPLETED", DatasetID: "ds"}, "COMPLETED dataset ds"},
		{&modelarts.SyncStatus{Status: "COMPLETED", DatasetID: "ds", TaskID: "task", AddSampleCount: 3, TotalSampleCount: 10, DeletedSampleCount: 2}, "COMPLETED task task, 3 added, 2 deleted, 10 total"},
		{&statusFull, "FAILED task gfghHSokody6AJigS5A_1, 4 added, 5 deleted, 3 total: ModelArts.4360 no"},
		{&modelarts.SyncStatus{Status: "FAILED", ErrorMsg: "only a message"}, "FAILED: only a message"},
		{&modelarts.SyncStatus{Status: "FAILED", ErrorCode: "C"}, "FAILED: C"},
		{&modelarts.SyncStatus{Status: "RUN\nNING", TaskID: "a\x1bb", ErrorMsg: "x\r\ny"}, "RUN NING task a b: x  y"},
	} {
		assert.Equal(t, c.want, c.status.String())
	}
}

func TestGetSyncStatusOfTheFake(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "ds"})
	client := fake.Client()
	status, err := client.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err)
	assert.Equal(t, modelarts.SyncStatus{Status: modelarts.SyncNotExist, DatasetID: "ds"}, *status)

	full := statusFull
	full.DatasetID = "ds"
	fake.SetSyncStatus("ds", full)
	status, err = client.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err, "a task that has failed is no error of the call")
	assert.Equal(t, full, *status)

	fake.SetSparse(true)
	status, err = client.GetSyncStatus(t.Context(), "ds")
	require.NoError(t, err)
	assert.Equal(t, modelarts.SyncStatus{Status: modelarts.SyncFailed, DatasetID: "ds"}, *status)

	_, err = client.GetSyncStatus(t.Context(), "missing")
	require.ErrorIs(t, err, modelarts.ErrDatasetNotFound)
	require.ErrorIs(t, err, modelarts.ErrNotFound)
	assert.Contains(t, err.Error(), "check the dataset id")

	for _, request := range fake.Requests() {
		assert.Equal(t, http.MethodGet, request.Method)
		assert.Empty(t, request.Body)
		assert.Empty(t, request.RawQuery)
		assert.Equal(t, modelartstest.ProjectID, request.Header.Get("X-Project-Id"))
	}
}
