package modelarts

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var credProfileError = regexp.MustCompile(`^line [1-9][0-9]*( is neither a section nor "key = value"|: a section without its closing bracket)$`)

func FuzzProfile(f *testing.F) {
	for _, seed := range []string{
		"", "[basic]\nak = a\nsk = s\nsecurity_token = t\nproject_id = p\n", "\xef\xbb\xbf[basic]\r\nak=a\r\n", "# c\n; c\n[x]\na=b=c\n",
		"[", "]", "[]", "=", "a", "[basic]\n=v", "\xff\xfe[\x00", "[basic]\nak\u00a0=\u00a0a\u2028\n", "[basic\n]", "\xef\xbb\xbf\xef\xbb\xbf[basic]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		values, err := parseProfile(content)
		if err != nil {
			assert.Regexp(t, credProfileError, err.Error(), "an error shows nothing of the file")
			return
		}
		var again strings.Builder
		again.WriteString("[basic]\n")
		for key, value := range values {
			assert.NotEmpty(t, key)
			assert.Equal(t, strings.TrimSpace(key), key)
			assert.Equal(t, strings.TrimSpace(value), value)
			assert.NotContains(t, key+value, "\n")
			again.WriteString(key + " = " + value + "\n")
		}
		same, err := parseProfile([]byte(again.String()))
		require.NoError(t, err)
		assert.Equal(t, values, same)

		windows, err := parseProfile(bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n")))
		require.NoError(t, err)
		assert.Equal(t, values, windows)
		if !bytes.HasPrefix(content, []byte("\xef\xbb\xbf")) {
			marked, err := parseProfile(append([]byte("\xef\xbb\xbf"), content...))
			require.NoError(t, err)
			assert.Equal(t, values, marked)
		}
		if c, err := (profile{path: "path", values: values}).credentials(); err == nil {
			assert.NoError(t, c.validate())
		} else if len(values["sk"]) > 8 {
			assert.NotContains(t, err.Error(), values["sk"])
		}
	})
}
