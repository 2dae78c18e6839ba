package cli

import (
	"flag"
	"os"
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

// self is how this program was called.
func self() string {
	if built, ok := debug.ReadBuildInfo(); ok {
		return called(os.Args[0], built.Path)
	}
	return Quote(os.Args[0])
}

// called is how a program was called whose file and package these are. What go run has built is gone sooner or later,
// and lies in a folder of the go command's until then, as tests do too.
func called(file, path string) string {
	if strings.Contains(file, "go-build") && !strings.HasSuffix(strings.TrimSuffix(file, ".exe"), ".test") {
		return "go run " + Quote(path)
	}
	return Quote(file)
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,][A-Za-z0-9_./:@%+,=-]*$`)

// Quote makes one word of text for a shell.
func Quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
