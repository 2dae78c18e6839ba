package main

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/modelarts-go/modelarts/modelartstest"
)

// A service is the three fakes behind one address, told apart by their paths.
type service struct {
	server   *modelartstest.Server
	iam      *modelartstest.IAM
	metadata *modelartstest.Metadata
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var part http.Handler = s.server
	switch path := r.URL.EscapedPath(); {
	case strings.HasPrefix(path, "/v3/"), strings.HasPrefix(path, "/v3.0/"):
		part = s.iam
	case strings.HasPrefix(path, "/meta-data/"), strings.HasPrefix(path, "/openstack/"):
		part = s.metadata
	}
	part.ServeHTTP(w, r)
}

// logged writes one line for every request: method, path and status. Headers, queries and bodies stay out of
// it, since they may hold secrets.
func logged(next http.Handler, out io.Writer) http.Handler {
	logger := log.New(out, "", log.Ltime)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &observer{ResponseWriter: w, status: "no answer"}
		defer func() { logger.Print(r.Method, " ", r.URL.EscapedPath(), " ", seen.status) }()
		next.ServeHTTP(seen, r)
	})
}

// An observer remembers how a request was answered.
type observer struct {
	http.ResponseWriter
	status string
}

func (o *observer) WriteHeader(status int) {
	o.status = strconv.Itoa(status)
	o.ResponseWriter.WriteHeader(status)
}

// Hijack is how a fault drops the connection.
func (o *observer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	o.status = "dropped"
	return http.NewResponseController(o.ResponseWriter).Hijack()
}
