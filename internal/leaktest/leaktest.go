// Package leaktest finds what a test has left behind: goroutines, and with them connections, timers and waits.
package leaktest

import (
	"context"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a goroutine on its way out may take, on a machine that has other things to do.
var patience = 10 * time.Second

// label is the profiler label that a test's goroutines carry.
const label = "leaktest"

var tests atomic.Int64

// Check fails the test if a goroutine that was started in it, or in a subtest, is still there when its cleanups
// have run. It comes first in a test, so that its own cleanup comes last. Tests may run in parallel: goroutines
// inherit the label of the one that started them, so that each test answers for its own.
//
// The functions of settle are called before looking; they end what tests share, such as idle connections.
func Check(tb testing.TB, settle ...func()) {
	tb.Helper()
	name := strconv.FormatInt(tests.Add(1), 10)
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(label, name)))
	tb.Cleanup(func() {
		for _, f := range settle {
			f()
		}
		left := Until(func() string { return goroutines(name) })
		pprof.SetGoroutineLabels(context.Background())
		if left != "" {
			tb.Errorf("goroutines are left behind:\n%s", left)
		}
	})
}

// Files fails the test if it ends with more open files and sockets than it began with. It looks at the whole
// process, so the test must not be parallel. Where the system does not tell, it does nothing.
func Files(tb testing.TB) {
	tb.Helper()
	before, err := openFiles()
	if err != nil {
		return
	}
	tb.Cleanup(func() {
		left := Until(func() string {
			now, err := openFiles()
			if err != nil {
				return err.Error()
			}
			var more []string
			for name, target := range now {
				if before[name] != target && !strings.HasPrefix(target, "anon_inode:") {
					more = append(more, target)
				}
			}
			slices.Sort(more)
			return strings.Join(more, "\n")
		})
		if left != "" {
			tb.Errorf("files are left open:\n%s", left)
		}
	})
}

// Until calls left until it returns nothing, and returns what it last said.
func Until(left func() string) string {
	for end := time.Now().Add(patience); ; {
		what := left()
		if what == "" || time.Now().After(end) {
			return what
		}
		time.Sleep(time.Millisecond)
	}
}

// openFiles returns what each file descriptor of the process is.
func openFiles() (map[string]string, error) {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, len(entries))
	for _, entry := range entries {
		// What cannot be read is the directory itself, closed by now.
		if target, err := os.Readlink(dir + "/" + entry.Name()); err == nil {
			all[entry.Name()] = target
		}
	}
	return all, nil
}

// goroutines returns the stacks of the goroutines that the named test has started and that are not its own.
func goroutines(name string) string {
	var profile strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return err.Error()
	}
	var left []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, strconv.Quote(label)+":"+strconv.Quote(name)) && !strings.Contains(stack, "leaktest.Check.") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
