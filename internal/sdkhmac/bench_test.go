package sdkhmac_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

func usual() (*sdkhmac.Request, sdkhmac.Key) {
	r := &sdkhmac.Request{
		Method: "GET", Host: "modelarts.cn-north-4.myhuaweicloud.com", Path: statusPath, Date: winter,
		Payload: sdkhmac.EmptyPayload, Signed: []string{"Host", "X-Project-Id", "X-Sdk-Date"},
		Header: http.Header{"X-Project-Id": {project}},
	}
	// Real keys have 20 and 40 characters.
	return r, sdkhmac.Key{Access: strings.Repeat("A", 20), Secret: strings.Repeat("s", 40)}
}

// TestAllocations is not parallel, since testing.AllocsPerRun counts for the whole process.
func TestAllocations(t *testing.T) {
	r, key := usual()
	dst := make([]byte, 0, 512)
	allocs := testing.AllocsPerRun(100, func() { dst = sdkhmac.AppendAuthorization(dst[:0], r, key) })
	assert.Zero(t, allocs)
	assert.Equal(t, naiveAuthorization(r, key), string(dst))
}

func BenchmarkSign(b *testing.B) {
	r, key := usual()
	b.ReportAllocs()
	dst := make([]byte, 0, 512)
	for b.Loop() {
		dst = sdkhmac.AppendAuthorization(dst[:0], r, key)
	}
}

func BenchmarkSignScoped(b *testing.B) {
	r, key := usual()
	key.Scope = &sdkhmac.Scope{Region: "eu-de", Service: "modelarts"}
	b.ReportAllocs()
	dst := make([]byte, 0, 512)
	for b.Loop() {
		dst = sdkhmac.AppendAuthorization(dst[:0], r, key)
	}
}

func BenchmarkSignQuery(b *testing.B) {
	r, key := usual()
	r.Query = "limit=100&offset=0&search_content=street%20signs&sort_by=create_time"
	b.ReportAllocs()
	dst := make([]byte, 0, 512)
	for b.Loop() {
		dst = sdkhmac.AppendAuthorization(dst[:0], r, key)
	}
}

func BenchmarkVerify(b *testing.B) {
	signed, key := usual()
	authorization := string(sdkhmac.AppendAuthorization(nil, signed, key))
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wireForm(signed, "", authorization))))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		auth, err := sdkhmac.Parse(r.Header.Get("Authorization"))
		if err != nil || !auth.Verify(r, nil, key.Secret) {
			b.Fatal("a good signature is refused")
		}
	}
}
