package modelartstest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// An answer is a response in memory. It is the http.ResponseWriter behind the in-memory client, and keeps what
// a fault may still lose or replace.
type answer struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	dropped bool // the connection was reset instead
}

func newAnswer(header http.Header) *answer { return &answer{header: header.Clone()} }

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// sendTo writes the answer out.
func (a *answer) sendTo(w http.ResponseWriter) {
	header := w.Header()
	clear(header)
	for name, values := range a.header {
		header[name] = values
	}
	a.WriteHeader(http.StatusOK)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // fails when the client has left, or where a fault declared a wrong length
}

// response makes of the answer what a transport would have read from a connection.
func (a *answer) response(req *http.Request) *http.Response {
	a.WriteHeader(http.StatusOK)
	for name, values := range a.header {
		if len(values) == 0 {
			delete(a.header, name) // how a handler keeps a header from being sent
		}
	}
	resp := &http.Response{
		Status:     strings.TrimSpace(strconv.Itoa(a.status) + " " + http.StatusText(a.status)),
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  a.header,
		Request: req,
	}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		a.body.Reset()
		resp.Body = http.NoBody
		return resp
	}
	sent := int64(a.body.Len())
	declared, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 64)
	if err != nil || declared < 0 {
		declared = sent
		a.header.Set("Content-Length", strconv.FormatInt(sent, 10))
	}
	resp.ContentLength = declared
	if req.Method == http.MethodHead {
		resp.Body = http.NoBody
		return resp
	}
	reader := io.LimitReader(&a.body, declared)
	if declared > sent {
		reader = io.MultiReader(&a.body, truncated{})
	}
	resp.Body = &body{reader: reader, ended: func() error { return context.Cause(req.Context()) }}
	return resp
}

// truncated is the end of a body that is shorter than its Content-Length.
type truncated struct{}

func (truncated) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	text, err := json.Marshal(v)
	if err != nil {
		panic("modelartstest: " + err.Error()) // a Dataset holds a value that JSON has no form for
	}
	_, _ = w.Write(text)
}

// A problem is an answer that is an error: what the service, its gateway or IAM says instead of doing it.
type problem struct {
	status        int
	code, message string
}

func (p *problem) write(w http.ResponseWriter) {
	switch {
	case p.code == "":
		writeJSON(w, p.status, map[string]any{"error": map[string]any{
			"code": p.status, "message": p.message, "title": http.StatusText(p.status),
		}})
	case strings.HasPrefix(p.code, "APIG"): // the gateways, APIGW and APIG
		id := w.Header().Get(requestIDHeader)
		if id == "" {
			id = w.Header().Get(traceIDHeader)
		}
		writeJSON(w, p.status, map[string]any{"error_msg": p.message, "error_code": p.code, "request_id": id})
	default:
		writeJSON(w, p.status, serviceError{Code: p.code, Message: p.message})
	}
}

type serviceError struct {
	Code    string `json:"error_code,omitempty"`
	Message string `json:"error_msg,omitempty"`
}

var errNoAPI = &problem{http.StatusNotFound, "APIGW.0101", "The API does not exist or has not been published in the environment"}
