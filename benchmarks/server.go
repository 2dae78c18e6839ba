package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
)

// serviceTime is how long the server thinks before it answers over TLS.
const serviceTime = 5 * time.Millisecond

// A server is the service of the benchmarks, in a process of its own. Both of its addresses speak HTTP/1.1,
// which is what the official SDK speaks.
type server struct {
	Plain       string // answers at once
	TLS         string // answers after serviceTime
	Certificate []byte

	stdin io.Closer // held, since the server ends with it
}

// sharedServer starts the server once a process, and makes all of the process trust its certificate, so that
// every client checks it in the same way. It ends with this process.
var sharedServer = sync.OnceValues(func() (*server, error) {
	cmd, err := childCommand(context.Background(), "serve")
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{stdin: stdin}
	if err := json.NewDecoder(stdout).Decode(s); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	certificate, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	x509.SetFallbackRoots(roots)
	return s, nil
})

// serve is the server's process. It ends when stdin does.
func serve(stdin io.Reader, stdout io.Writer) error {
	var opened atomic.Int64
	plain := http.NewServeMux()
	plain.HandleFunc("/", service.Handle)
	plain.HandleFunc("/opened", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, opened.Load()) })
	quickly := httptest.NewServer(plain)
	defer quickly.Close()
	slowly := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(serviceTime)
		service.Handle(w, r)
	}))
	slowly.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	slowly.StartTLS()
	defer slowly.Close()
	if err := say(stdout, server{Plain: quickly.URL, TLS: slowly.URL, Certificate: slowly.Certificate().Raw}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, stdin)
	return err
}

// opened is how many connections were made to the address with TLS so far.
func (s *server) opened(ctx context.Context) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Plain+"/opened", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var number float64
	if _, err := fmt.Fscan(resp.Body, &number); err != nil {
		return 0, errors.Join(errors.New("the server does not count its connections"), err)
	}
	return number, nil
}
