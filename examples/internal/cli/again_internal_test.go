package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCalled(t *testing.T) {
	const path = "example.test/examples/sync"
	for file, want := range map[string]string{
		"/var/folders/x/go-build123/b001/exe/sync":  "go run " + path,
		"/home/x/.cache/go-build/3f/3f3ff08-d/sync": "go run " + path,
		"./sync":             "./sync",
		"/opt/my tools/sync": "'/opt/my tools/sync'",
	} {
		assert.Equal(t, want, called(file, path))
	}
	assert.Equal(t, "/var/folders/x/go-build123/b001/sync.test", called("/var/folders/x/go-build123/b001/sync.test", path))
}
