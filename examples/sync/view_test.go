package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
)

func TestIsTerminal(t *testing.T) {
	assert.False(t, isTerminal(new(bytes.Buffer)))
	file, err := os.Create(t.TempDir() + "/file")
	require.NoError(t, err)
	defer file.Close()
	assert.False(t, isTerminal(file))
	t.Setenv("TERM", "dumb")
	assert.False(t, isTerminal(os.Stdin))
	assert.False(t, newView(os.Stdin, true, time.Now()).terminal, "JSON is for programs")
}

// On a terminal there is one line, whose clock goes on between the polls.
func TestTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		v := newView(&out, false, time.Now())
		v.terminal = true
		v.show(&running)
		time.Sleep(2500 * time.Millisecond)
		v.show(&running)
		v.show(&completed)
		v.end()
		time.Sleep(time.Hour) // nothing moves any more

		line := func(text string) string { return "\r" + text + "\x1b[K" }
		assert.Equal(t, strings.Join([]string{
			line("RUNNING       0s  +3 -0 samples, 8 in total"),
			line("RUNNING       1s  +3 -0 samples, 8 in total"),
			line("RUNNING       2s  +3 -0 samples, 8 in total"),
			line("RUNNING       3s  +3 -0 samples, 8 in total"),
			line("COMPLETED     3s  +5 -1 samples, 9 in total") + "\n",
		}, ""), out.String())
	})
}

func TestEndWithoutALine(t *testing.T) {
	var out bytes.Buffer
	v := newView(&out, false, time.Now())
	v.terminal = true
	v.show(nil)
	v.show(&modelarts.SyncStatus{DatasetID: "ds"}) // what comes when nothing was seen
	v.end()
	assert.Empty(t, out.String())
}

// A word of the service cannot control the terminal.
func TestStateIsCleaned(t *testing.T) {
	var out bytes.Buffer
	newView(&out, false, time.Now()).show(&modelarts.SyncStatus{Status: "\x1b[2JGONE\n"})
	assert.NotContains(t, out.String(), "\x1b")
	assert.Equal(t, 1, strings.Count(out.String(), "\n"))
}
