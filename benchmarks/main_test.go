package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelarts-go/modelarts/benchmarks/internal/ours"
	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// TestMain makes the test binary a child as well, when it starts itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		os.Exit(child(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestRun makes a quick run of everything that needs no network. It fails if a client fails or decodes another
// answer than the one that was sent; how long anything takes is of no interest here.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	markdown, svg := filepath.Join(dir, "table.md"), filepath.Join(dir, "chart.svg")
	var stdout, stderr strings.Builder
	if status := run(t.Context(), []string{"-quick", "-markdown", markdown, "-svg", svg}, &stdout, &stderr); status != 0 {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	table, err := os.ReadFile(markdown)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"signing alone", "a call over loopback", "a call without the network", "decoding alone", "64 goroutines over TLS",
		"connections for", "first call", "added to a binary", "waiters, heap of each",
	} {
		if !strings.Contains(stdout.String(), name) || !strings.Contains(string(table), name) {
			t.Errorf("no row %q in\n%s\n%s", name, stdout.String(), table)
		}
	}
	chart, err := os.Open(svg)
	if err != nil {
		t.Fatal(err)
	}
	defer chart.Close()
	decoder := xml.NewDecoder(chart)
	for err == nil {
		_, err = decoder.Token()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("the chart is no XML: %v", err)
	}
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{"-rows", "sing"}, {"-nothing"}} {
		var stdout, stderr strings.Builder
		if status := run(t.Context(), args, &stdout, &stderr); status != 2 || stderr.Len() == 0 {
			t.Errorf("%q: status %d, %q", args, status, stderr.String())
		}
	}
}

// TestWrongAnswers makes sure that the clients check what they get.
func TestWrongAnswers(t *testing.T) {
	fake := newFake()
	wrong := ours.Answer
	wrong.AddSampleCount++
	fake.SetSyncStatus(service.DatasetID, wrong)
	clients, err := newClients(modelartstest.Endpoint, fake.HTTPClient().Transport)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range clients {
		if c.Get(t.Context()) == nil {
			t.Errorf("%s takes an answer that is not the right one", name)
		}
	}
}
