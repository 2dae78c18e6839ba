package main

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// datasets is the value of -dataset.
type datasets []modelarts.Dataset

// String is for package flag.
func (d *datasets) String() string { return "" }

// Set adds a list such as "id=name,id".
func (d *datasets) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		id, name, _ := strings.Cut(item, "=")
		if id == "" || strings.ContainsAny(id, `/\?#% `) {
			return fmt.Errorf("%q is not id=name", item)
		}
		if name == "" {
			name = id
		}
		*d = append(*d, modelarts.Dataset{ID: id, Name: name})
	}
	return nil
}

// plan is the value of -plan.
type plan []modelarts.SyncStatus

// String is for package flag.
func (p *plan) String() string { return "" }

var step = regexp.MustCompile(`^([A-Z_]+)(?::(?:\+(\d{1,18}))?(?:-(\d{1,18}))?(?:=(\d{1,18}))?)?$`)

// Set takes a list such as "QUEUING,RUNNING:+120-2=4120,COMPLETED".
func (p *plan) Set(text string) error {
	*p = nil
	for item := range strings.SplitSeq(text, ",") {
		parts := step.FindStringSubmatch(item)
		if parts == nil {
			return fmt.Errorf("%q is not STATE or STATE:+ADDED-DELETED=TOTAL", item)
		}
		*p = append(*p, modelarts.SyncStatus{
			Status:         modelarts.SyncState(parts[1]),
			AddSampleCount: number(parts[2]), DeletedSampleCount: number(parts[3]), TotalSampleCount: number(parts[4]),
		})
	}
	return nil
}

// states are those that the service documents.
var states = []modelarts.SyncState{
	modelarts.SyncQueuing, modelarts.SyncStarting, modelarts.SyncRunning,
	modelarts.SyncCompleted, modelarts.SyncFailed, modelarts.SyncNotExist,
}

// unknown returns the states of the plan that the service does not document, each once.
func (p *plan) unknown() []modelarts.SyncState {
	var words []modelarts.SyncState
	for _, status := range *p {
		if !slices.Contains(states, status.Status) && !slices.Contains(words, status.Status) {
			words = append(words, status.Status)
		}
	}
	return words
}

func join(words []modelarts.SyncState) string {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = string(word)
	}
	return strings.Join(texts, ", ")
}

// number reads digits, of which there may be none.
func number(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// faults is the value of -fail.
type faults []modelartstest.Fault

// String is for package flag.
func (f *faults) String() string { return "" }

// Set adds a fault such as "GET /sync-data/status 503 - 2".
func (f *faults) Set(text string) error {
	fields := strings.Fields(text)
	if len(fields) < 3 || len(fields) > 5 {
		return errors.New(`want "METHOD PATH STATUS CODE TIMES", the last two of which may be left out`)
	}
	fault := modelartstest.Fault{Path: fields[1]}
	if fields[0] != "*" {
		fault.Method = strings.ToUpper(fields[0])
	}
	if fields[2] == "drop" {
		fault.Drop = true
	} else if err := setStatus(&fault, fields[2]); err != nil {
		return err
	}
	if len(fields) > 3 && fields[3] != "-" {
		fault.Code, fault.Message = fields[3], "A fault that was asked for"
	}
	if len(fields) > 4 {
		if err := setTimes(&fault, fields[4]); err != nil {
			return err
		}
	}
	*f = append(*f, fault)
	return nil
}

func setStatus(fault *modelartstest.Fault, text string) error {
	status, err := strconv.Atoi(text)
	if err != nil || status < http.StatusOK || status > 599 {
		return fmt.Errorf("the status %q is neither 200 to 599 nor drop", text)
	}
	fault.Status = status
	return nil
}

func setTimes(fault *modelartstest.Fault, text string) error {
	if text == "always" {
		fault.Times = -1
		return nil
	}
	times, err := strconv.Atoi(text)
	if err != nil || times < 1 {
		return fmt.Errorf("the times %q are neither a number from 1 nor always", text)
	}
	fault.Times = times
	return nil
}
