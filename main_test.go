package modelarts_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/modelarts-go/modelarts"
)

// TestMain fails if any test has left a goroutine of this package or of a connection behind.
func TestMain(m *testing.M) {
	status := m.Run()
	if fuzz := flag.Lookup("test.fuzz"); status == 0 && (fuzz == nil || fuzz.Value.String() == "") {
		if left := leftGoroutines(); left != "" {
			fmt.Fprintln(os.Stderr, "goroutines left behind by the tests:\n"+left)
			status = 1
		}
	}
	os.Exit(status)
}

// leftGoroutines returns the stacks of goroutines that do not end, given time for it.
func leftGoroutines() string {
	// All clients without an http.Client of their own share their connections.
	if client, err := modelarts.NewClient("https://localhost", "p", nil); err == nil {
		client.CloseIdleConnections()
	}
	var left []byte
	for range 300 {
		left = nil
		stacks := make([]byte, 1<<22)
		for _, stack := range bytes.Split(stacks[:runtime.Stack(stacks, true)], []byte("\n\n")) {
			ours := bytes.Contains(stack, []byte("modelarts")) || bytes.Contains(stack, []byte("net/http."))
			if ours && !bytes.Contains(stack, []byte("leftGoroutines")) {
				left = append(append(left, stack...), "\n\n"...)
			}
		}
		if left == nil {
			return ""
		}
		time.Sleep(10 * time.Millisecond)
	}
	return string(left)
}
