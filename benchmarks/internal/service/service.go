// Package service is what all clients of the benchmarks talk to: one dataset whose status is always the same.
package service

import (
	"errors"
	"net/http"
	"strconv"
)

// What every client asks for, and with which keys, which have the lengths of real ones.
const (
	ProjectID = "0123456789abcdef0123456789abcdef"
	DatasetID = "gfghHSokody6AJigS5A"
	AccessKey = "BENCHMARKACCESSKEY01"
	SecretKey = "benchmark-secret-key-with-forty-letters-"
	Path      = "/v2/" + ProjectID + "/datasets/" + DatasetID + "/sync-data/status"
)

// Body is the answer: all ten fields of a task that runs, so that nothing stands in the last two.
const Body = `{"task_id":"gfghHSokody6AJigS5A_RHJ1zOkIoI3Nzwxj8nh","dataset_id":"gfghHSokody6AJigS5A",` +
	`"status":"RUNNING","create_time":1605690595404,"duration_time":4210,"total_sample_count":4120,` +
	`"add_sample_count":120,"deleted_sample_count":2,"error_code":"","error_msg":""}`

// Status is the answer as a program without a library would declare it.
type Status struct {
	TaskID             string `json:"task_id"`
	DatasetID          string `json:"dataset_id"`
	Status             string `json:"status"`
	CreateTime         int64  `json:"create_time"`
	DurationTime       int64  `json:"duration_time"`
	TotalSampleCount   int64  `json:"total_sample_count"`
	AddSampleCount     int64  `json:"add_sample_count"`
	DeletedSampleCount int64  `json:"deleted_sample_count"`
	ErrorCode          string `json:"error_code"`
	ErrorMsg           string `json:"error_msg"`
}

// Answer is what Body says. Every client compares what it got with this.
var Answer = Status{
	TaskID: "gfghHSokody6AJigS5A_RHJ1zOkIoI3Nzwxj8nh", DatasetID: DatasetID, Status: "RUNNING",
	CreateTime: 1605690595404, DurationTime: 4210,
	TotalSampleCount: 4120, AddSampleCount: 120, DeletedSampleCount: 2,
}

// ErrWrong says that a client made something else of the answer.
var ErrWrong = errors.New("the answer was not decoded as it was sent")

// Handle answers. It does as little as a server can, so that the clients are what is measured; that the
// requests are signed well is checked beforehand.
func Handle(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != Path || r.Header.Get("Authorization") == "" {
		http.Error(w, "not what the benchmarks ask for", http.StatusNotFound)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(Body)))
	_, _ = w.Write([]byte(Body)) // fails when the client has left
}
