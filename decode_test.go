package modelarts_test

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
)

// decodeInto makes a call of the user's own that is answered with body.
func decodeInto(t *testing.T, body string, out any) error {
	t.Helper()
	client := errsClient(t, nil, func(req *http.Request) (*http.Response, error) {
		return errsResponse(req, 200, nil, body), nil
	})
	req, err := client.NewRequest(t.Context(), "GET", "/x", nil, nil)
	require.NoError(t, err)
	return client.Do(req, out)
}

type decodeInner struct {
	Count int32 `json:"count"`
	Next  *decodeInner
}

type decodeAll struct {
	decodeInner
	Plain   int
	Pointer *int64                 `json:"pointer"`
	List    []int                  `json:"list"`
	Map     map[string]int         `json:"map"`
	Structs []*decodeInner         `json:"structs"`
	ByName  map[string]decodeInner `json:"by_name"`
	Text    string                 `json:"text"`
	Float   float64                `json:"float"`
	Any     any                    `json:"any"`
	Raw     json.RawMessage        `json:"raw"`
	When    time.Time              `json:"when"`
	Quoted  int                    `json:"quoted,string"`
	Big     int64                  `json:"big"`
}

// Services have switched between 12 and "12", so integers are taken in both forms, wherever they are.
func TestIntegersAsStrings(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const rest = `,"text":"12","float":1.25,"any":"12","raw":["12"],"when":"2026-01-02T03:04:05Z","quoted":"8","big":9007199254740993}`
	var numbers, texts decodeAll
	require.NoError(t, decodeInto(t, `{"count":1,"Next":{"count":2},"Plain":3,"pointer":4,"list":[5,6],"map":{"a":7},`+
		`"structs":[{"count":8},{"Next":{"count":9}}],"by_name":{"x":{"count":10}}`+rest, &numbers))
	require.NoError(t, decodeInto(t, `{"count":"1","Next":{"count":"2"},"Plain":"3","pointer":"4","list":["5",6],"map":{"a":"7"},`+
		`"structs":[{"count":"8"},{"Next":{"count":"9"}}],"by_name":{"x":{"count":"10"}}`+rest, &texts))
	assert.Equal(t, numbers, texts)
	assert.EqualValues(t, 9007199254740993, texts.Big, "no way through a float")
	assert.Equal(t, 8, texts.Quoted)
	assert.Equal(t, "12", texts.Text)
	assert.Equal(t, "12", texts.Any)
	assert.EqualValues(t, 2, texts.Next.Count)

	var more struct {
		Unsigned uint64
		Array    [2]int8 `json:"array"`
		Untagged int
	}
	require.NoError(t, decodeInto(t, `{"Unsigned":"18446744073709551615","array":["-7","008"],"untagged":"9"}`, &more))
	assert.Equal(t, uint64(math.MaxUint64), more.Unsigned)
	assert.Equal(t, [2]int8{-7, 8}, more.Array)
	assert.Equal(t, 9, more.Untagged, "encoding/json takes any case, too")

	var list []decodeInner
	require.NoError(t, decodeInto(t, `[{"count":"1"},{"count":""},{"count":3}]`, &list))
	assert.Equal(t, []decodeInner{{Count: 1}, {}, {Count: 3}}, list)
}

func TestIntegersThatAreNone(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, c := range []struct{ body, field string }{
		{`{"count":"x"}`, "count"},
		{`{"count":"99999999999"}`, "count"}, // of 32 bits
		{`{"count":99999999999}`, "count"},
		{`{"Next":{"count":"1.5"}}`, "count"},
		{`{"structs":[{"count":"1"},{"count":"0x1"}]}`, "count"},
		{`{"list":["1","1e3"]}`, "list"},
		{`{"count":"+1"}`, "count"},
		{`{"count":"-"}`, "count"},
		{`{"pointer":"1_000"}`, "pointer"},
		{`{"text":12}`, "text"},
		{`{"count":"1","text":12}`, "text"},
	} {
		var out decodeAll
		err := decodeInto(t, c.body, &out)
		var apiErr *modelarts.APIError
		require.ErrorAs(t, err, &apiErr, c.body)
		assert.Equal(t, 200, apiErr.StatusCode)
		assert.Contains(t, apiErr.Message, `the field "`+c.field+`" cannot be `, c.body)
		errsPlain(t, err.Error())
	}
}

func TestDecodingIsBounded(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	var out decodeAll
	deep := strings.Repeat(`{"Next":`, 2000) + `{"count":"1"}` + strings.Repeat("}", 2000)
	require.NoError(t, decodeInto(t, deep, &out))
	require.Error(t, decodeInto(t, strings.Repeat(`{"Next":`, 20_000)+`{"count":"1"}`+strings.Repeat("}", 20_000), &out))
	require.NoError(t, decodeInto(t, `{"structs":[`+strings.Repeat(`{"count":"9"},`, 20_000)+`{}]}`, &out))
	assert.Len(t, out.Structs, 20_001)
	err := decodeInto(t, `{"count":"`+strings.Repeat("9", 500_000)+`"}`, &out)
	require.Error(t, err)
	errsPlain(t, err.Error())
	err = decodeInto(t, `{"count":`+strings.Repeat("9", 500_000)+`}`, &out)
	require.Error(t, err)
	errsPlain(t, err.Error())
}
