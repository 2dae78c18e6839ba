package cli

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// Again is the command line of this process, to be pasted into a shell, with the flags that were given. Those in
// without are left out, since the caller puts others in their place. A secret key is not repeated; what stands there
// takes it from its variable.
func Again(flags *flag.FlagSet, without ...string) string {
	words := []string{self()}
	flags.Visit(func(f *flag.Flag) {
		boolean, ok := f.Value.(interface{ IsBoolFlag() bool })
		switch {
		case slices.Contains(without, f.Name):
		case f.Name == "sk":
			words = append(words, "-sk", `"$HUAWEICLOUD_SDK_SK"`)
		case ok && boolean.IsBoolFlag():
			words = append(words, "-"+f.Name+"="+f.Value.String())
		default:
			words = append(words, "-"+f.Name, Quote(f.Value.String()))
		}
	})
	return strings.Join(words, " ")
}

// self is how this program was called. What go run has built is gone when the program has ended.
func self() string {
	built, ok := debug.ReadBuildInfo()
	if ok && strings.Contains(os.Args[0], "go-build") && filepath.Base(filepath.Dir(os.Args[0])) == "exe" {
		return "go run " + Quote(built.Path)
	}
	return Quote(os.Args[0])
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,][A-Za-z0-9_./:@%+,=-]*$`)

// Quote makes one word of text for a shell.
func Quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
