package leaktest

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func init() { patience = time.Second / 2 }

// A double stands for a test that is watched. Its cleanups run when the watching test says so.
type double struct {
	testing.TB
	cleanups []func()
	failed   string
}

func (d *double) Helper()          {}
func (d *double) Cleanup(f func()) { d.cleanups = append(d.cleanups, f) }
func (d *double) Errorf(format string, _ ...any) {
	d.failed = format
}

func TestAGoroutineIsFound(t *testing.T) {
	t.Parallel()
	for _, leaks := range []bool{false, true} {
		d, end, done := new(double), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			Check(d, func() {
				if !leaks {
					close(end)
				}
			})
			go func() { <-end }()
			for _, f := range d.cleanups {
				f()
			}
		}()
		<-done
		assert.Equal(t, leaks, d.failed != "")
		if leaks {
			close(end)
		}
	}
}

func TestAFileIsFound(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("the system does not tell which files are open")
	}
	for _, leaks := range []bool{false, true} {
		d := new(double)
		Files(d)
		file, err := os.Open(os.Args[0])
		require.NoError(t, err)
		if !leaks {
			require.NoError(t, file.Close())
		}
		for _, f := range d.cleanups {
			f()
		}
		assert.Equal(t, leaks, d.failed != "")
		if leaks {
			require.NoError(t, file.Close())
		}
	}
}
