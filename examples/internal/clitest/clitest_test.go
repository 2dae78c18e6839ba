package clitest

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A variable that is new in the documentation must not leak into the tests of the programs.
func TestVariablesAreThoseOfTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../../../doc.go")
	require.NoError(t, err)
	for _, name := range regexp.MustCompile(`\b(?:MODELARTS|HUAWEICLOUD_SDK|HW|OS)_[A-Z_]*[A-Z]\b`).FindAllString(string(doc), -1) {
		assert.Contains(t, variables, name)
	}
}

func TestClearEnv(t *testing.T) {
	t.Setenv("HW_ACCESS_KEY", "somebody's")
	t.Run("inside", func(t *testing.T) {
		ClearEnv(t)
		assert.Empty(t, os.Getenv("HW_ACCESS_KEY"))
		require.NoError(t, os.Setenv("HUAWEICLOUD_SDK_AK", "a program's")) //nolint:usetesting // as a program does it
	})
	assert.Equal(t, "somebody's", os.Getenv("HW_ACCESS_KEY"))
	assert.Empty(t, os.Getenv("HUAWEICLOUD_SDK_AK"))
}
