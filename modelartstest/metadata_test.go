package modelartstest_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts/modelartstest"
)

const (
	sessionPath = "/meta-data/latest/api/token"
	keyPath     = "/openstack/latest/securitykey"
)

func withMetadata(t *testing.T) (metadata *modelartstest.Metadata, service, instance site) {
	t.Helper()
	fake := withDataset()()
	metadata = modelartstest.NewMetadata(fake)
	return metadata, inMemory(t, fake), site{t, fake.HTTPClient(), modelartstest.MetadataEndpoint}
}

func (s site) session(seconds int) reply {
	s.t.Helper()
	req := s.request("PUT", sessionPath, "")
	if seconds != 0 {
		req.Header.Set("X-Metadata-Token-Ttl-Seconds", strconv.Itoa(seconds))
	}
	return s.do(req)
}

func (s site) key(session string) reply {
	s.t.Helper()
	req := s.request("GET", keyPath, "")
	if session != "" {
		req.Header.Set("X-Metadata-Token", session)
	}
	return s.do(req)
}

func TestMetadataKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metadata, service, instance := withMetadata(t)
		first := instance.key("").credential(t)
		assert.Equal(t, time.Hour, time.Until(first.Expires))
		assert.Equal(t, 200, service.use(first).status)

		time.Sleep(50*time.Minute - 1)
		assert.Equal(t, first, instance.key("").credential(t), "the same until ten minutes are left")
		time.Sleep(time.Nanosecond)
		second := instance.key("").credential(t)
		assert.NotEqual(t, first.AccessKey, second.AccessKey)
		assert.Equal(t, 200, service.use(first).status, "both are good meanwhile")
		assert.Equal(t, 200, service.use(second).status)
		time.Sleep(10 * time.Minute)
		assert.Equal(t, 401, service.use(first).status)

		metadata.RevokeIssued()
		assert.Equal(t, 401, service.use(second).status)
		metadata.SetKeyLifetime(time.Minute)
		third := instance.key("").credential(t)
		assert.Equal(t, time.Minute, time.Until(third.Expires))
		assert.Equal(t, 200, service.use(third).status)
		time.Sleep(50 * time.Second)
		assert.NotEqual(t, third, instance.key("").credential(t))
	})
}

func TestMetadataSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metadata, _, instance := withMetadata(t)
		session := instance.session(60)
		require.Equal(t, 200, session.status)
		assert.Equal(t, "text/plain; charset=utf-8", session.header.Get("Content-Type"))
		assert.Equal(t, 200, instance.key(session.body).status)
		assert.Equal(t, 401, instance.key("other").status)
		assert.Equal(t, 200, instance.key("").status)

		metadata.SetTokenRequired(true)
		assert.Equal(t, 401, instance.key("").status)
		assert.Equal(t, 200, instance.key(session.body).status)
		time.Sleep(time.Minute)
		assert.Equal(t, 401, instance.key(session.body).status)

		for _, seconds := range []int{0, -1, 21601} {
			assert.Equal(t, 400, instance.session(seconds).status)
		}
		assert.Equal(t, 200, instance.session(21600).status)
	})
}

func TestMetadataModes(t *testing.T) {
	metadata, _, instance := withMetadata(t)
	metadata.SetTokenSupport(false)
	assert.Equal(t, 404, instance.session(60).status)
	assert.Equal(t, 200, instance.key("").status)
	assert.Equal(t, 200, instance.key("ignored").status)
	metadata.Inject(modelartstest.Fault{Method: "PUT", Status: 405})
	assert.Equal(t, 405, instance.session(60).status)
	metadata.SetTokenSupport(true)

	metadata.SetAgency(false)
	r := instance.key("")
	assert.Equal(t, 401, r.status)
	assert.Equal(t, "Please configure Cloud Service Agency first", r.body)
	metadata.SetAgency(true)
	assert.Equal(t, 200, instance.key("").status)

	assert.Equal(t, 405, instance.do(instance.request("GET", sessionPath, "")).status)
	assert.Equal(t, 405, instance.do(instance.request("POST", keyPath, "")).status)
	assert.Equal(t, 404, instance.do(instance.request("GET", "/", "")).status)
	assert.Len(t, metadata.Requests(), 9)
}
