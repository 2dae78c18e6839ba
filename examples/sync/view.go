package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/modelarts-go/modelarts"
)

// A view shows statuses as they come: on a terminal in one line that is redrawn, elsewhere a line a change.
type view struct {
	out      io.Writer
	json     bool
	terminal bool
	began    time.Time
	shown    modelarts.SyncStatus

	// On a terminal the elapsed time moves between two polls too.
	mu      sync.Mutex
	current modelarts.SyncStatus
	stop    chan struct{} // ends the clock, nil while there is none
	done    chan struct{}
}

func newView(out io.Writer, asJSON bool, began time.Time) *view {
	return &view{out: out, json: asJSON, terminal: !asJSON && isTerminal(out), began: began}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

func (v *view) show(status *modelarts.SyncStatus) {
	if status == nil || status.Status == "" || !v.terminal && *status == v.shown {
		return
	}
	v.shown = *status
	switch {
	case v.json:
		if line, err := json.Marshal(status); err == nil {
			fmt.Fprintf(v.out, "%s\n", line)
		}
	case v.terminal:
		v.redraw(status)
		if v.stop == nil {
			v.stop, v.done = make(chan struct{}), make(chan struct{})
			go v.tick()
		}
	default:
		fmt.Fprintln(v.out, v.text(status))
	}
}

// tick redraws the line every second.
func (v *view) tick() {
	defer close(v.done)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			v.redraw(nil)
		case <-v.stop:
			return
		}
	}
}

// redraw draws the line of a status, or that of the last one again.
func (v *view) redraw(status *modelarts.SyncStatus) {
	const eraseToEnd = "\x1b[K"
	v.mu.Lock()
	defer v.mu.Unlock()
	if status != nil {
		v.current = *status
	}
	fmt.Fprint(v.out, "\r", v.text(&v.current), eraseToEnd)
}

func (v *view) text(s *modelarts.SyncStatus) string {
	return fmt.Sprintf("%-9s  %5s  +%d -%d samples, %d in total",
		clean(s.Status), time.Since(v.began).Round(time.Second), s.AddSampleCount, s.DeletedSampleCount, s.TotalSampleCount)
}

// clean keeps a word of the service from controlling the terminal.
func clean(state modelarts.SyncState) string {
	return (&modelarts.SyncStatus{Status: state}).String()
}

// end leaves the terminal's cursor on a line of its own.
func (v *view) end() {
	if v.stop != nil {
		close(v.stop)
		<-v.done
		v.stop = nil
		fmt.Fprintln(v.out)
	}
}
