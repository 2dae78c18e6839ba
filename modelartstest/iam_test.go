package modelartstest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

const (
	tokens        = "/v3/auth/tokens"
	idTokens      = "/v3.0/OS-AUTH/id-token/tokens"
	temporaryKeys = "/v3.0/OS-CREDENTIAL/securitytokens"
)

// withIAM returns a service in memory, and its IAM.
func withIAM(t *testing.T) (fake *modelartstest.Server, iam *modelartstest.IAM, service, identity site) {
	t.Helper()
	fake = withDataset()()
	iam = modelartstest.NewIAM(fake)
	service = inMemory(t, fake)
	return fake, iam, service, site{t, fake.HTTPClient(), modelartstest.IAMEndpoint}
}

func login(user, password, domain, scope string) string {
	return fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{
		"name":%q,"password":%q,"domain":{"name":%q}}}}%s}}`, user, password, domain, scope)
}

func loginTo(scope string) string {
	return login(modelartstest.UserName, modelartstest.Password, modelartstest.DomainName, scope)
}

const (
	byID   = `,"scope":{"project":{"id":"` + modelartstest.ProjectID + `"}}`
	byName = `,"scope":{"project":{"name":"` + modelartstest.ProjectName + `"},"domain":{"name":"d"}}`
)

// credential is what a client keeps of an answer with a temporary key.
func (r reply) credential(t *testing.T) modelarts.Credentials {
	t.Helper()
	c := decode[struct {
		Credential struct {
			Access, Secret, SecurityToken string
			ExpiresAt                     time.Time `json:"expires_at"`
		}
	}](t, r).Credential
	return modelarts.Credentials{
		AccessKey: c.Access, SecretKey: c.Secret, SecurityToken: c.SecurityToken, Expires: c.ExpiresAt,
	}
}

// use sends a signed request as the signer of a client does, without looking at the end of the credentials.
func (s site) use(credentials modelarts.Credentials) reply {
	s.t.Helper()
	credentials.Expires = time.Time{}
	req := s.request("GET", statusPath, "")
	require.NoError(s.t, modelarts.NewSigner(credentials).Authenticate(req))
	return s.do(req)
}

func TestPasswordToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, iam, service, identity := withIAM(t)
		for _, scope := range []string{byID, byName} {
			r := identity.withToken("POST", tokens, "", loginTo(scope))
			require.Equal(t, 201, r.status, r.body)
			assert.NotEmpty(t, r.header.Get("X-Iam-Trace-Id"))
			assert.Contains(t, r.body, `"issued_at":"2000-01-01T00:00:00.000000Z"`)
			assert.Contains(t, r.body, `"expires_at":"2000-01-02T00:00:00.000000Z"`)
			assert.Contains(t, r.body, `"id":"`+modelartstest.ProjectID+`","name":"cn-north-4"}`)
			assert.Contains(t, r.body, `"catalog":[{`)
			assert.Equal(t, 200, service.withToken("GET", statusPath, r.header.Get("X-Subject-Token"), "").status)
		}
		r := identity.withToken("POST", tokens+"?nocatalog=true", "", loginTo(byID))
		assert.NotContains(t, r.body, "catalog")

		iam.SetTokenLifetime(time.Minute)
		fake.SetClockOffset(time.Hour)
		r = identity.withToken("POST", tokens, "", loginTo(byID))
		assert.Contains(t, r.body, `"expires_at":"2000-01-01T01:01:00.000000Z"`)
		token := r.header.Get("X-Subject-Token")
		time.Sleep(time.Minute - 1)
		assert.Equal(t, 200, service.withToken("GET", statusPath, token, "").status)
		time.Sleep(time.Nanosecond)
		expired := service.withToken("GET", statusPath, token, "")
		assert.Equal(t, 401, expired.status)
		assert.Contains(t, expired.body, "token expires, expires_at: 2000-01-01T01:01:00.000000Z")
		assert.Equal(t, "IAM.0066", identity.withToken("GET", "/v3/projects", token, "").code(t))
	})
}

func TestRefusedLogins(t *testing.T) {
	_, iam, service, identity := withIAM(t)
	iam.AddProject("other", "cn-east-3", true)
	iam.AddProject("off", "off", false)
	for name, c := range map[string]struct {
		body   string
		status int
		want   string // in the answer
	}{
		"password":   {login(modelartstest.UserName, "wrong", modelartstest.DomainName, byID), 401, `{"error":{"code":401,"message":"The username or password is wrong.","title":"Unauthorized"}}`},
		"user":       {login("wrong", modelartstest.Password, modelartstest.DomainName, byID), 401, "wrong"},
		"domain":     {login(modelartstest.UserName, modelartstest.Password, "wrong", byID), 401, "wrong"},
		"empty":      {`{}`, 400, "IAM.0011"},
		"no JSON":    {`{`, 400, `"title":"Bad Request"`},
		"no project": {loginTo(`,"scope":{"project":{"name":"nowhere"}}`), 400, "IAM.1109"},
		"disabled":   {loginTo(`,"scope":{"project":{"id":"off"}}`), 400, "IAM.1109"},
	} {
		r := identity.withToken("POST", tokens, "", c.body)
		assert.Equal(t, c.status, r.status, name)
		assert.Contains(t, r.body, c.want, name)
		assert.Empty(t, r.header.Get("X-Subject-Token"), name)
	}
	byUserID := fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"id":%q,"password":%q}}}}}`,
		modelartstest.UserID, modelartstest.Password)
	r := identity.withToken("POST", tokens, "", byUserID)
	require.Equal(t, 201, r.status)
	assert.NotContains(t, r.body, `"project"`)
	unscoped := service.withToken("GET", statusPath, r.header.Get("X-Subject-Token"), "")
	assert.Equal(t, 400, unscoped.status)
	assert.Equal(t, "ModelArts.0204", unscoped.code(t))

	r = identity.withToken("POST", tokens, "", loginTo(`,"scope":{"project":{"id":"other"}}`))
	require.Equal(t, 201, r.status)
	assert.Equal(t, "ModelArts.2786", service.withToken("GET", statusPath, r.header.Get("X-Subject-Token"), "").code(t))
	assert.Equal(t, "APIGW.0101", identity.withToken("GET", "/v3/elsewhere", "", "").code(t))
}

func TestIDToken(t *testing.T) {
	_, iam, service, identity := withIAM(t)
	send := func(idp, idToken, scope string) reply {
		req := identity.request("POST", idTokens, fmt.Sprintf(`{"auth":{"id_token":{"id":%q}%s}}`, idToken, scope))
		req.Header.Set("X-Idp-Id", idp)
		return identity.do(req)
	}
	r := send(modelartstest.IDPID, modelartstest.IDToken, "")
	require.Equal(t, 201, r.status, r.body)
	keysFor := identity.withToken("POST", temporaryKeys, "", fmt.Sprintf(
		`{"auth":{"identity":{"methods":["token"],"token":{"id":%q,"duration_seconds":21600}}}}`,
		r.header.Get("X-Subject-Token")))
	require.Equal(t, 201, keysFor.status, keysFor.body)
	credentials := keysFor.credential(t)
	assert.WithinDuration(t, time.Now().Add(6*time.Hour), credentials.Expires, time.Minute)
	assert.Equal(t, 200, service.use(credentials).status)

	scoped := send(modelartstest.IDPID, modelartstest.IDToken, byID)
	assert.Equal(t, 200, service.withToken("GET", statusPath, scoped.header.Get("X-Subject-Token"), "").status)

	assert.Equal(t, 404, send("other", modelartstest.IDToken, "").status)
	assert.Equal(t, 401, send(modelartstest.IDPID, "other", "").status)
	iam.SetIDToken("other")
	assert.Equal(t, 201, send(modelartstest.IDPID, "other", "").status)
	assert.Equal(t, 401, send(modelartstest.IDPID, modelartstest.IDToken, "").status)
}

func assume(agency, domain string, seconds int) string {
	return fmt.Sprintf(`{"auth":{"identity":{"methods":["assume_role"],"assume_role":{
		"agency_name":%q,"domain_name":%q,"duration_seconds":%d}}}}`, agency, domain, seconds)
}

func TestAgency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, iam, service, identity := withIAM(t)
		get := func(body string) reply {
			req := identity.request("POST", temporaryKeys, body)
			require.NoError(t, modelarts.NewSigner(keys).Authenticate(req))
			return identity.do(req)
		}
		r := get(assume(modelartstest.AgencyName, modelartstest.DomainName, 0))
		require.Equal(t, 201, r.status, r.body)
		first := r.credential(t)
		assert.Equal(t, 15*time.Minute, time.Until(first.Expires))
		r = identity.withToken("POST", temporaryKeys, modelartstest.Token,
			assume(modelartstest.AgencyName, modelartstest.DomainName, 3600))
		second := r.credential(t)
		assert.Equal(t, time.Hour, time.Until(second.Expires))
		assert.NotEqual(t, first.AccessKey, second.AccessKey)

		assert.Equal(t, 404, get(assume("other", modelartstest.DomainName, 0)).status)
		assert.Equal(t, "IAM.0004", get(assume(modelartstest.AgencyName, "other", 0)).code(t))
		assert.Equal(t, "IAM.0011", get(assume(modelartstest.AgencyName, modelartstest.DomainName, 60)).code(t))
		assert.Equal(t, "IAM.0011", get(`{"auth":{"identity":{"methods":["magic"]}}}`).code(t))

		assert.Equal(t, 200, service.use(first).status)
		time.Sleep(15 * time.Minute)
		assert.Contains(t, service.use(first).body, "token expires")
		assert.Equal(t, 200, service.use(second).status)
		iam.RevokeIssued()
		assert.Contains(t, service.use(second).body, "decrypt token fail")

		iam.SetKeyLifetime(time.Minute)
		third := get(assume(modelartstest.AgencyName, modelartstest.DomainName, 3600)).credential(t)
		assert.Equal(t, time.Minute, time.Until(third.Expires))
		assert.Equal(t, 200, service.use(third).status)
	})
}

func TestRevokedTokens(t *testing.T) {
	_, iam, service, identity := withIAM(t)
	token := identity.withToken("POST", tokens, "", loginTo(byID)).header.Get("X-Subject-Token")
	iam.RevokeIssued()
	r := service.withToken("GET", statusPath, token, "")
	assert.Equal(t, 401, r.status)
	assert.Equal(t, "APIGW.0307", r.code(t))
	next := identity.withToken("POST", tokens, "", loginTo(byID)).header.Get("X-Subject-Token")
	assert.Equal(t, 200, service.withToken("GET", statusPath, next, "").status)
	assert.Equal(t, 200, service.withToken("GET", statusPath, modelartstest.Token, "").status, "not issued by this IAM")
}

func TestIAMAuthentication(t *testing.T) {
	_, _, _, identity := withIAM(t)
	for _, path := range []string{"/v3/projects", "/v3/auth/projects"} {
		r := identity.do(identity.request("GET", path, ""))
		assert.Equal(t, 401, r.status)
		assert.Contains(t, r.body, `"title":"Unauthorized"`)
		r = identity.withToken("GET", path, "wrong", "")
		assert.Equal(t, 401, r.status)
		assert.Equal(t, "IAM.0067", r.code(t))
		req := identity.request("GET", path, "")
		require.NoError(t, modelarts.NewSigner(modelarts.Credentials{AccessKey: "A", SecretKey: "S"}).Authenticate(req))
		r = identity.do(req)
		assert.Equal(t, 401, r.status)
		assert.Equal(t, "APIGW.0301", r.code(t))
		assert.Equal(t, r.header.Get("X-Iam-Trace-Id"), decode[errorAnswer](t, r).RequestID)
	}
	r := identity.withToken("POST", temporaryKeys, "", assume(modelartstest.AgencyName, modelartstest.DomainName, 0))
	assert.Equal(t, 401, r.status)
	r = identity.withToken("POST", temporaryKeys, "", `{"auth":{"identity":{"methods":["token"]}}}`)
	assert.Equal(t, "IAM.0067", r.code(t))
}

func projectNames(t *testing.T, r reply) (names []string, next string) {
	t.Helper()
	require.Equal(t, 200, r.status, r.body)
	answer := decode[struct {
		Projects []struct{ Name string }
		Links    struct{ Next string }
	}](t, r)
	for _, p := range answer.Projects {
		names = append(names, p.Name)
	}
	return names, answer.Links.Next
}

func TestProjects(t *testing.T) {
	_, iam, _, identity := withIAM(t)
	r := identity.signed("GET", "/v3/projects?name="+modelartstest.ProjectName)
	names, next := projectNames(t, r)
	assert.Equal(t, []string{modelartstest.ProjectName}, names)
	assert.Empty(t, next)
	assert.Contains(t, r.body, `"id":"`+modelartstest.ProjectID+`"`)
	names, _ = projectNames(t, identity.signed("GET", "/v3/projects?name=nowhere"))
	assert.Empty(t, names)

	iam.AddProject("1", "a", true)
	iam.AddProject("2", "b", false)
	names, _ = projectNames(t, identity.signed("GET", "/v3/projects?enabled=true"))
	assert.Equal(t, []string{modelartstest.ProjectName, "a"}, names)
	names, _ = projectNames(t, identity.withToken("GET", "/v3/auth/projects", modelartstest.Token, ""))
	assert.Equal(t, []string{modelartstest.ProjectName, "a", "b"}, names)

	walk := func(path string) (pages [][]string) {
		t.Helper()
		for {
			names, next := projectNames(t, identity.signed("GET", path))
			pages = append(pages, names)
			if next == "" {
				return pages
			}
			path = next[len(modelartstest.IAMEndpoint):]
			require.Equal(t, modelartstest.IAMEndpoint+path, next)
		}
	}
	assert.Equal(t, [][]string{{modelartstest.ProjectName, "a"}, {"b"}}, walk("/v3/projects?per_page=2"))
	iam.SetProjectPage(1)
	assert.Equal(t, [][]string{{modelartstest.ProjectName}, {"a"}, {"b"}}, walk("/v3/projects"))
	assert.Equal(t, [][]string{nil}, walk("/v3/projects?page=1048576"))
	for _, query := range []string{"page=0", "page=x", "per_page=5001"} {
		assert.Equal(t, "IAM.0011", identity.signed("GET", "/v3/projects?"+query).code(t))
	}
}

func TestIAMFaultsAndHosts(t *testing.T) {
	fake, iam, _, identity := withIAM(t)
	iam.Inject(modelartstest.Fault{Path: tokens, Status: 403, Code: "IAM.0002", Message: "You are not authorized."})
	r := identity.withToken("POST", tokens, "", loginTo(byID))
	assert.Equal(t, 403, r.status)
	assert.Equal(t, "IAM.0002", r.code(t))
	assert.Empty(t, fake.Requests())
	assert.Len(t, iam.Requests(), 1)

	own := inMemory(t, iam) // under any host
	assert.Equal(t, 201, own.withToken("POST", tokens, "", loginTo(byID)).status)
	service := site{t, iam.HTTPClient(), modelartstest.Endpoint}
	assert.Equal(t, 200, service.signed("GET", statusPath).status)

	server := httptest.NewServer(http.StripPrefix("/iam", iam))
	defer server.Close()
	sockets := site{t, server.Client(), server.URL + "/iam"}
	assert.Equal(t, 201, sockets.withToken("POST", tokens, "", loginTo(byID)).status)
}
