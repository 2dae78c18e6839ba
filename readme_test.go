package modelarts_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADMECompiles builds every Go block of the README: programs and tests as they are, fragments inside of
// a function that has the names which they use.
func TestREADMECompiles(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	root, err := filepath.Abs(".")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllStringSubmatch(string(readme), -1)
	require.Greater(t, len(blocks), 6)

	// The blocks are laid over folders of the module that do not exist, so that its requirements hold.
	replace := make(map[string]string)
	var folders []string
	for i, block := range blocks {
		source := filepath.Join(t.TempDir(), "block.go")
		require.NoError(t, os.WriteFile(source, []byte(readmeSource(block[1])), 0o600))
		folder := fmt.Sprintf("internal/readme/block%02d", i)
		replace[filepath.Join(root, folder, "block.go")] = source
		folders = append(folders, "./"+folder)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	overlayFile := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))

	args := append([]string{"build", "-overlay", overlayFile}, folders...)
	output, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// readmeSource makes a source file of a block.
func readmeSource(block string) string {
	if strings.HasPrefix(block, "package ") {
		return block
	}
	// This module does not require OpenTelemetry; what is compiled is the shape of the call.
	var standIn string
	if strings.Contains(block, "otelhttp.") {
		standIn = "var otelhttp struct{ NewTransport func(http.RoundTripper) http.RoundTripper }\n"
	}
	if !strings.HasPrefix(block, "func ") {
		block = "func fragment(ctx context.Context, client *modelarts.Client, signer *modelarts.Signer,\n" +
			"endpoint, projectID, datasetID, ak, sk string) (result error) {\n" +
			"{\n" + block + "\n" + readmeUses(block) + "}\nreturn nil\n}\n"
	}
	source := "package block\n\nimport (\n"
	for _, path := range []string{
		"context", "encoding/json", "errors", "fmt", "log", "log/slog", "net/http", "testing", "testing/synctest", "time",
		"github.com/modelarts-go/modelarts", "github.com/modelarts-go/modelarts/modelartstest",
	} {
		if regexp.MustCompile(`\b` + filepath.Base(path) + `\.`).MatchString(block + standIn) {
			source += fmt.Sprintf("%q\n", path)
		}
	}
	return source + ")\n\n" + standIn + block
}

// readmeUses uses the variables that a fragment declares on its outermost level, and leaves to its reader.
func readmeUses(block string) string {
	var uses string
	for _, names := range regexp.MustCompile(`(?m)^(\w+(?:, \w+)*) :=`).FindAllStringSubmatch(block, -1) {
		uses += strings.Repeat("_, ", strings.Count(names[1], ",")) + "_ = " + names[1] + "\n"
	}
	return uses
}
