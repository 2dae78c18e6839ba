package modelarts_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
)

func TestEndpointsOfRegions(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, c := range []struct{ region, modelarts, iam string }{
		{"cn-north-4", "modelarts.cn-north-4.myhuaweicloud.com", "iam.cn-north-4.myhuaweicloud.com"},
		{"cn-southwest-2", "modelarts.cn-southwest-2.myhuaweicloud.com", "iam.cn-southwest-2.myhuaweicloud.com"},
		{"sa-brazil-1", "modelarts.sa-brazil-1.myhuaweicloud.com", "iam.sa-brazil-1.myhuaweicloud.com"},
		{"ap-southeast-1", "modelarts.ap-southeast-1.myhuaweicloud.cn", "iam.ap-southeast-1.myhuaweicloud.com"},
		{"ap-southeast-2", "modelarts.ap-southeast-2.myhuaweicloud.com", "iam.ap-southeast-2.myhuaweicloud.com"},
		{"eu-west-101", "modelarts.eu-west-101.myhuaweicloud.eu", "iam.eu-west-101.myhuaweicloud.eu"},
		{"eu-west-0", "modelarts.eu-west-0.prod-cloud-ocb.orange-business.com", "iam.eu-west-0.prod-cloud-ocb.orange-business.com"},
		{"eu-de", "modelarts.eu-de.otc.t-systems.com", "iam.eu-de.otc.t-systems.com"},
		{"eu-nl", "modelarts.eu-nl.otc.t-systems.com", "iam.eu-nl.otc.t-systems.com"},
		{"eu-ch2", "modelarts.eu-ch2.sc.otc.t-systems.com", "iam-pub.eu-ch2.sc.otc.t-systems.com"},
		{"cn-north-11", "modelarts.cn-north-11.myhuaweicloud.com", "iam.myhuaweicloud.com"},
		{"cn-southwest-3", "modelarts.cn-southwest-3.myhuaweicloud.com", "iam.myhuaweicloud.com"},
		{"af-north-1", "modelarts.af-north-1.myhuaweicloud.com", "iam.myhuaweicloud.com"},
		{"xx-new-9", "modelarts.xx-new-9.myhuaweicloud.com", "iam.xx-new-9.myhuaweicloud.com"},
	} {
		endpoint, err := modelarts.EndpointForRegion(c.region)
		require.NoError(t, err)
		assert.Equal(t, "https://"+c.modelarts, endpoint)
		client, err := modelarts.NewClient(endpoint, "p", nil)
		require.NoError(t, err)
		assert.Equal(t, endpoint, client.Endpoint())

		endpoint, err = modelarts.IAMEndpointForRegion(c.region)
		require.NoError(t, err)
		assert.Equal(t, "https://"+c.iam, endpoint)
		_, err = modelarts.NewIAM(endpoint)
		require.NoError(t, err)
	}
}

func TestRegionsThatAreRefused(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for _, region := range []string{
		"", " ", "evil.com/", "evil.com", "a.b", "x@y", "x:y", "x/../y", "a b", "cn-north-4\n", "-", "-a", "a-", "a--b", "CN-NORTH-4", "é", "a%2e", "a?b", "a#b", `a\b`,
		strings.Repeat("a", 64), strings.Repeat("a", 1<<20),
	} {
		for _, find := range []func(string) (string, error){modelarts.EndpointForRegion, modelarts.IAMEndpointForRegion} {
			endpoint, err := find(region)
			if assert.Error(t, err, "%q", region) {
				assert.Empty(t, endpoint)
				assert.Contains(t, err.Error(), "modelarts: ")
				assert.Less(t, len(err.Error()), 400)
				errsPlain(t, err.Error())
			}
		}
	}
	longest := strings.Repeat("a", 63)
	endpoint, err := modelarts.EndpointForRegion(longest)
	require.NoError(t, err)
	u, err := url.Parse(endpoint)
	require.NoError(t, err)
	assert.Equal(t, "modelarts."+longest+".myhuaweicloud.com", u.Host)
}
