package cli_test

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts/examples/internal/cli"
)

func TestAgain(t *testing.T) {
	flags := flag.NewFlagSet("prog", flag.ContinueOnError)
	new(cli.Service).Register(flags)
	flags.Bool("json", false, "")
	flags.Bool("color", true, "")
	flags.Duration("timeout", 0, "")
	flags.String("dataset", "", "")
	require.NoError(t, flags.Parse([]string{
		"-timeout", "90s", "-dataset", "ds", "-sk", "the secret", "-json", "-color=false", "-endpoint", "https://it's.test", "-ak", "AK",
	}))
	assert.Equal(t, cli.Quote(os.Args[0])+` -ak AK -color=false -endpoint 'https://it'\''s.test' -json=true -sk "$HUAWEICLOUD_SDK_SK" -timeout 1m30s`,
		cli.Again(flags, "dataset"))
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"a-b_c/d.e:1@2%": "a-b_c/d.e:1@2%", "": "''", "a b": "'a b'", "$HOME": "'$HOME'", "it's": `'it'\''s'`, "~": "'~'", "-x": "'-x'", `a\b`: `'a\b'`,
	} {
		assert.Equal(t, want, cli.Quote(text))
	}
}
