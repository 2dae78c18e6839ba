package modelarts_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// credIAM is a client of the fake's IAM.
func credIAM(t *testing.T, fake *modelartstest.Server, opts ...modelarts.Option) *modelarts.IAM {
	t.Helper()
	opts = append([]modelarts.Option{modelarts.WithHTTPClient(fake.HTTPClient())}, opts...)
	iam, err := modelarts.NewIAM(modelartstest.IAMEndpoint, opts...)
	require.NoError(t, err)
	return iam
}

var credLogin = modelarts.PasswordLogin{
	DomainName: modelartstest.DomainName, UserName: modelartstest.UserName, Password: modelartstest.Password,
	ProjectID: modelartstest.ProjectID,
}

// credPassword authenticates by the fake's password.
func credPassword(t *testing.T, fake *modelartstest.Server, opts ...modelarts.Option) modelarts.Authenticator {
	t.Helper()
	return credIAM(t, fake, opts...).PasswordAuth(credLogin)
}

func credJSON(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(text, &v), string(text))
	return v
}

func TestPasswordLoginRequest(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*modelarts.PasswordLogin)
		scope  string
	}{
		"by id":           {func(*modelarts.PasswordLogin) {}, `{"id":"` + modelartstest.ProjectID + `"}`},
		"by name":         {func(l *modelarts.PasswordLogin) { l.ProjectID, l.ProjectName = "", modelartstest.ProjectName }, `{"name":"cn-north-4"}`},
		"id before names": {func(l *modelarts.PasswordLogin) { l.ProjectName = "wrong" }, `{"id":"` + modelartstest.ProjectID + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := credFake()
			iam := modelartstest.NewIAM(fake)
			login := credLogin
			c.change(&login)
			client := credClient(t, fake, credIAM(t, fake).PasswordAuth(login))
			require.NoError(t, credPoll(t.Context(), client))
			require.NoError(t, credPoll(t.Context(), client))

			requests := iam.Requests()
			require.Len(t, requests, 1, "the token is cached")
			r := requests[0]
			assert.Equal(t, "POST /v3/auth/tokens?nocatalog=true", r.Method+" "+r.Path+"?"+r.RawQuery)
			assert.JSONEq(t, `{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"fake-user",
				"password":"fake-password-of-modelartstest","domain":{"name":"fake-domain"}}}},"scope":{"project":`+c.scope+`}}}`, string(r.Body))
			assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
			assert.Equal(t, "application/json", r.Header.Get("Accept"))
			assert.Contains(t, r.Header.Get("User-Agent"), "modelarts-go/")
			assert.NotContains(t, r.Header, "X-Project-Id")
			assert.NotContains(t, r.Header, "X-Auth-Token")
			assert.NotEmpty(t, fake.Requests()[1].Header.Get("X-Auth-Token"))
			assert.NotContains(t, fake.Requests()[1].Header, "Authorization")
		})
	}
}

func TestPasswordLoginThatIsIncomplete(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for missing, change := range map[string]func(*modelarts.PasswordLogin){
		"domain name":        func(l *modelarts.PasswordLogin) { l.DomainName = "" },
		"user name":          func(l *modelarts.PasswordLogin) { l.UserName = "" },
		"password":           func(l *modelarts.PasswordLogin) { l.Password = "" },
		"project id or name": func(l *modelarts.PasswordLogin) { l.ProjectID = "" },
	} {
		login := credLogin
		change(&login)
		fake := credFake()
		auth := credIAM(t, fake).PasswordAuth(login)
		_, err := modelarts.NewClient(modelartstest.Endpoint, "p", auth)
		require.EqualError(t, err, "modelarts: the password login has no "+missing)
		require.EqualError(t, auth.Authenticate(credRequest(t, "GET", "https://h.test/", "")), err.Error())
	}
}

func TestPasswordLoginPrintsNoPassword(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	login := credLogin
	login.Password = "canary-password"
	for _, value := range []any{login, &login, []modelarts.PasswordLogin{login}, struct{ L modelarts.PasswordLogin }{login}} {
		credSecrets(t, value, "canary")
	}
	assert.Contains(t, login.String(), "fake-domain/fake-user for "+modelartstest.ProjectID)
	require.Error(t, gob.NewEncoder(new(bytes.Buffer)).Encode(login))

	iam, err := modelarts.NewIAM("https://iam.test/v3")
	require.NoError(t, err)
	assert.Equal(t, "modelarts.IAM(https://iam.test)", fmt.Sprintf("%+v", iam))
}

func TestWrongPasswordIsTriedOnceAMinute(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		login := credLogin
		login.Password = "canary-password"
		client := credClient(t, fake, credIAM(t, fake).PasswordAuth(login))
		for _, err := range credAll(1000, func(int) error { return credPoll(t.Context(), client) }) {
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
			require.ErrorContains(t, err, `login of "fake-domain"/"fake-user"`)
			require.ErrorContains(t, err, "The username or password is wrong.")
			require.NotContains(t, err.Error(), "canary")
		}
		assert.Len(t, iam.Requests(), 1)
		assert.Empty(t, fake.Requests())
		time.Sleep(time.Minute - 1)
		require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
		assert.Len(t, iam.Requests(), 1)
		time.Sleep(time.Nanosecond)
		require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
		assert.Len(t, iam.Requests(), 2)
	})
}

func TestTokenIsRenewed(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		client := credClient(t, fake, credPassword(t, fake), credOneTry)
		for hour := range 49 {
			require.NoError(t, credPoll(t.Context(), client), hour)
			time.Sleep(time.Hour)
		}
		assert.Len(t, iam.Requests(), 3)
		assert.Len(t, fake.Requests(), 49, "no call had to be repeated")
	})
}

func TestTokenThatEndsEarlyIsRenewedByOneForAll(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		client := credClient(t, fake, credPassword(t, fake))
		require.NoError(t, credPoll(t.Context(), client))
		iam.RevokeIssued()
		credSlow(fake, time.Second)
		for _, err := range credAll(200, func(int) error { return credPoll(t.Context(), client) }) {
			require.NoError(t, err)
		}
		assert.Len(t, iam.Requests(), 2)
		assert.Len(t, fake.Requests(), 401)
	})
}

func TestTokenThatIsRefusedAgain(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := credFake()
	iam := modelartstest.NewIAM(fake)
	fake.Inject(modelartstest.Fault{Status: 401, Code: "APIGW.0307", Message: "The token must be updated", Times: -1})
	require.ErrorIs(t, credPoll(t.Context(), credClient(t, fake, credPassword(t, fake))), modelarts.ErrUnauthorized)
	assert.Len(t, fake.Requests(), 2)
	assert.Len(t, iam.Requests(), 2)

	fake = credFake()
	iam = modelartstest.NewIAM(fake)
	fake.Inject(modelartstest.Fault{Status: 401, Code: "APIGW.0311", Message: "no", Times: -1})
	require.ErrorIs(t, credPoll(t.Context(), credClient(t, fake, credPassword(t, fake))), modelarts.ErrUnauthorized)
	assert.Len(t, fake.Requests(), 1, "not every refusal is one of age")
	assert.Len(t, iam.Requests(), 1)
}

func TestSameTokenIsNotSentAgain(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := credFake()
	iam := modelartstest.NewIAM(fake)
	same := modelartstest.Fault{
		Path: "/v3/auth/tokens", Status: 201, Body: `{"token":{}}`, Header: http.Header{"X-Subject-Token": {"one-token"}}, Times: -1,
	}
	iam.Inject(same)
	fake.Inject(modelartstest.Fault{Status: 401, Code: "APIGW.0307", Message: "The token must be updated", Times: -1})
	client := credClient(t, fake, credPassword(t, fake))
	for range 5 {
		require.ErrorIs(t, credPoll(t.Context(), client), modelarts.ErrUnauthorized)
	}
	assert.Len(t, fake.Requests(), 5)
	assert.Len(t, iam.Requests(), 2)
}

func TestIAMRetries(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		iam.Inject(modelartstest.Fault{Status: 503}, modelartstest.Fault{Drop: true}, modelartstest.Fault{Status: 429})
		require.NoError(t, credPoll(t.Context(), credClient(t, fake, credPassword(t, fake))))
		assert.Len(t, iam.Requests(), 4)

		iam.Inject(modelartstest.Fault{Status: 500, Times: -1})
		err := credPoll(t.Context(), credClient(t, fake, credPassword(t, fake)))
		var failure *modelarts.APIError
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, 500, failure.StatusCode)
		assert.Len(t, iam.Requests(), 8, "the client itself does not retry what IAM's part has retried")
	})
}

func TestIAMAnswersThatAreNoSuccess(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, fault := range map[string]modelartstest.Fault{
		"no token":           {Status: 201, Body: `{"token":{"expires_at":"2000-01-02T00:00:00.000000Z"}}`},
		"no JSON":            {Status: 201, Body: `canary`, Header: http.Header{"X-Subject-Token": {"canary"}}},
		"empty":              {Status: 201, Header: http.Header{"X-Subject-Token": {"canary"}}},
		"token with a blank": {Status: 201, Body: `{"token":{}}`, Header: http.Header{"X-Subject-Token": {"canary canary"}}},
		"a time that is none": {Status: 201, Body: `{"token":{"expires_at":"tomorrow"}}`,
			Header: http.Header{"X-Subject-Token": {"canary"}}},
		"a redirect": {Status: 302, Header: http.Header{"Location": {"https://elsewhere.test/"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := credFake()
			iam := modelartstest.NewIAM(fake)
			iam.Inject(fault)
			var log credLog
			client := credClient(t, fake, credPassword(t, fake, log.option()), log.option())
			err := credPoll(t.Context(), client)
			var failure *modelarts.APIError
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, fault.Status, failure.StatusCode)
			assert.NotContains(t, err.Error()+string(failure.Body)+log.String(), "canary")
			assert.Len(t, iam.Requests(), 1)
			assert.Empty(t, fake.Requests())
		})
	}
}

func TestIAMThatEchoesSecrets(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const idToken = "canary-id+token/=="
	file := filepath.Join(t.TempDir(), "id")
	require.NoError(t, os.WriteFile(file, []byte(idToken), 0o600))
	for name, c := range map[string]struct {
		path string
		auth func(iam *modelarts.IAM) modelarts.Authenticator
		more string // that the service knows without being told
	}{
		"password": {"/v3/auth/tokens", func(iam *modelarts.IAM) modelarts.Authenticator {
			login := credLogin
			login.Password = "canary/pass+word=%"
			return iam.PasswordAuth(login)
		}, ""},
		"id token": {"/v3.0/OS-AUTH/id-token/tokens", func(iam *modelarts.IAM) modelarts.Authenticator {
			return modelarts.NewSigner(iam.OIDCCredentials(modelartstest.IDPID, file))
		}, ""},
		"token in a body": {"/v3.0/OS-CREDENTIAL/securitytokens", func(iam *modelarts.IAM) modelarts.Authenticator {
			return modelarts.NewSigner(iam.OIDCCredentials(modelartstest.IDPID, file))
		}, ""},
		"keys of the caller": {"/v3.0/OS-CREDENTIAL/securitytokens", func(iam *modelarts.IAM) modelarts.Authenticator {
			base := modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "canary-secret", SecurityToken: "canary-token"})
			return modelarts.NewSigner(iam.AgencyCredentials(base, modelarts.Agency{Name: "a", DomainID: "d"}))
		}, "canary-secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, status := range []int{400, 401, 403, 418, 201} {
				echo := func(req *http.Request) (*http.Response, error) {
					resp := &http.Response{StatusCode: http.StatusCreated, ProtoMajor: 1, Header: http.Header{"X-Subject-Token": {"canary-subject-token"}}, Request: req}
					text := `{"token":{}}`
					if req.URL.Path == c.path {
						body, err := io.ReadAll(req.Body)
						if err != nil {
							return nil, err
						}
						echo := fmt.Sprintf("you sent %s with %v and %s, or decoded %q", body, req.Header, c.more, credJSONTexts(body))
						message, err := json.Marshal(echo)
						if err != nil {
							return nil, err
						}
						resp.StatusCode = status
						text = fmt.Sprintf(`{"error_code":"IAM.0001","error_msg":%s,"raw":%s,"credential":{"secret":"canary-new-secret"}}`, message, body)
						resp.Header.Set("X-Iam-Trace-Id", echo)
						resp.Header.Del("X-Subject-Token")
					}
					resp.Body = io.NopCloser(strings.NewReader(text))
					return resp, nil
				}
				var log credLog
				fake := credFake()
				iam := credIAM(t, fake, log.option(), modelarts.WithHTTPClient(&http.Client{Transport: credRoundTrip(echo)}))
				err := credPoll(t.Context(), credClient(t, fake, c.auth(iam), log.option()))
				var failure *modelarts.APIError
				require.ErrorAs(t, err, &failure)
				assert.Equal(t, status, failure.StatusCode)
				for _, text := range []string{err.Error(), failure.Message, failure.RequestID, string(failure.Body), fmt.Sprintf("%+v", *failure), log.String()} {
					assert.NotContains(t, text, "canary", status)
				}
			}
		})
	}
}

type credRoundTrip func(*http.Request) (*http.Response, error)

func (f credRoundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// credJSONTexts are all texts of a JSON value, decoded.
func credJSONTexts(body []byte) []string {
	var texts []string
	decoder := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return texts
		}
		if text, ok := token.(string); ok {
			texts = append(texts, text)
		}
	}
}

func TestAgencyCredentials(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, c := range map[string]struct {
		agency modelarts.Agency
		role   string
		life   time.Duration
	}{
		"by domain name": {
			modelarts.Agency{Name: modelartstest.AgencyName, DomainName: modelartstest.DomainName},
			`{"agency_name":"fake-agency","domain_name":"fake-domain","duration_seconds":3600}`, time.Hour,
		},
		"by domain id": {
			modelarts.Agency{Name: modelartstest.AgencyName, DomainID: modelartstest.DomainID, DomainName: "wrong", Duration: 12 * time.Hour},
			`{"agency_name":"fake-agency","domain_id":"` + modelartstest.DomainID + `","duration_seconds":43200}`, 12 * time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := credFake()
				iam := modelartstest.NewIAM(fake)
				provider := credIAM(t, fake).AgencyCredentials(modelarts.NewSigner(credKeys), c.agency)
				got, err := provider.Retrieve(t.Context())
				require.NoError(t, err)
				assert.Equal(t, c.life, time.Until(got.Expires))
				assert.NotEmpty(t, got.SecurityToken)
				r := iam.Requests()[0]
				assert.Equal(t, "POST /v3.0/OS-CREDENTIAL/securitytokens?", r.Method+" "+r.Path+"?"+r.RawQuery)
				assert.JSONEq(t, `{"auth":{"identity":{"methods":["assume_role"],"assume_role":`+c.role+`}}}`, string(r.Body))
				assert.Contains(t, r.Header.Get("Authorization"), "Access="+modelartstest.AccessKey)

				client := credClient(t, fake, modelarts.NewSigner(provider))
				for range 30 {
					require.NoError(t, credPoll(t.Context(), client))
					time.Sleep(time.Hour / 10)
				}
				calls := 1 + 1 + int(3*time.Hour/c.life)
				assert.LessOrEqual(t, len(iam.Requests()), calls+1)
				assert.Len(t, fake.Requests(), 30)
			})
		})
	}
	t.Run("by a token", func(t *testing.T) {
		t.Parallel()
		fake := credFake()
		modelartstest.NewIAM(fake)
		provider := credIAM(t, fake).AgencyCredentials(credPassword(t, fake), modelarts.Agency{Name: modelartstest.AgencyName, DomainID: modelartstest.DomainID})
		require.NoError(t, credPoll(t.Context(), credClient(t, fake, modelarts.NewSigner(provider))))
	})
}

func TestAgenciesThatCannotBe(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := credFake()
	iam := modelartstest.NewIAM(fake)
	base := modelarts.NewSigner(credKeys)
	good := modelarts.Agency{Name: modelartstest.AgencyName, DomainID: modelartstest.DomainID}
	var none *modelarts.Signer
	for name, c := range map[string]struct {
		base   modelarts.Authenticator
		agency modelarts.Agency
	}{
		"no name":           {base, modelarts.Agency{DomainID: "d"}},
		"no domain":         {base, modelarts.Agency{Name: "a"}},
		"negative duration": {base, modelarts.Agency{Name: "a", DomainID: "d", Duration: -1}},
		"nil base":          {none, good},
		"broken base":       {modelarts.NewSigner(modelarts.Credentials{}), good},
	} {
		_, err := credIAM(t, fake).AgencyCredentials(c.base, c.agency).Retrieve(t.Context())
		require.Error(t, err, name)
		require.NotErrorIs(t, err, modelarts.ErrNoCredentials, name)
	}
	assert.Empty(t, iam.Requests())

	_, err := credIAM(t, fake).AgencyCredentials(base, modelarts.Agency{Name: "other", DomainID: "d"}).Retrieve(t.Context())
	require.ErrorIs(t, err, modelarts.ErrNotFound)
	require.ErrorContains(t, err, `agency "other"`)
	good.Duration = time.Minute
	_, err = credIAM(t, fake).AgencyCredentials(base, good).Retrieve(t.Context())
	require.ErrorContains(t, err, "duration_seconds must be from 900 to 86400", "the service knows its limits")
}

func TestOIDCCredentials(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		file := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(file, []byte(modelartstest.IDToken+"\n"), 0o600))
		provider := credIAM(t, fake).OIDCCredentials(modelartstest.IDPID, file)
		client := credClient(t, fake, modelarts.NewSigner(provider))
		require.NoError(t, credPoll(t.Context(), client))

		requests := iam.Requests()
		require.Len(t, requests, 2)
		assert.Equal(t, "POST /v3.0/OS-AUTH/id-token/tokens?", requests[0].Method+" "+requests[0].Path+"?"+requests[0].RawQuery)
		assert.Equal(t, modelartstest.IDPID, requests[0].Header.Get("X-Idp-Id"))
		assert.JSONEq(t, `{"auth":{"id_token":{"id":"`+modelartstest.IDToken+`"}}}`, string(requests[0].Body))
		assert.NotContains(t, requests[0].Header, "Authorization")
		assert.Equal(t, "/v3.0/OS-CREDENTIAL/securitytokens", requests[1].Path)
		identity := credJSON(t, requests[1].Body)["auth"].(map[string]any)["identity"].(map[string]any) //nolint:forcetypeassert // a panic fails the test
		assert.Equal(t, []any{"token"}, identity["methods"])
		token := identity["token"].(map[string]any) //nolint:forcetypeassert // a panic fails the test
		assert.InDelta(t, 21600, token["duration_seconds"], 0)
		assert.NotEmpty(t, token["id"])
		assert.Len(t, identity, 2)
		assert.NotContains(t, requests[1].Header, "X-Auth-Token")

		// The issuer replaces the file, and the old token is over by the next renewal.
		iam.SetIDToken("rotated-id-token")
		require.NoError(t, os.WriteFile(file, []byte("rotated-id-token"), 0o600))
		time.Sleep(6 * time.Hour)
		require.NoError(t, credPoll(t.Context(), client))
		assert.Len(t, iam.Requests(), 4)
	})
}

func TestOIDCThatCannotWork(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := credFake()
	iam := modelartstest.NewIAM(fake)
	directory := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(directory, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	for name, c := range map[string]struct{ idp, file, want string }{
		"no file":       {modelartstest.IDPID, filepath.Join(directory, "missing"), "missing"},
		"a directory":   {modelartstest.IDPID, directory, directory},
		"an empty file": {modelartstest.IDPID, file("empty", " \n"), "is empty"},
		"two lines":     {modelartstest.IDPID, file("lines", "canary\ncanary"), "at byte 6 of 13"},
		"no provider":   {"", file("good", modelartstest.IDToken), "identity provider's id is empty"},
		"a bad name":    {"a\r\nb", file("good", modelartstest.IDToken), "identity provider's id has a character"},
	} {
		_, err := credIAM(t, fake).OIDCCredentials(c.idp, c.file).Retrieve(t.Context())
		require.ErrorContains(t, err, c.want, name)
		assert.NotContains(t, err.Error(), "canary")
		require.NotErrorIs(t, err, modelarts.ErrNoCredentials, name)
	}
	assert.Empty(t, iam.Requests())

	_, err := credIAM(t, fake).OIDCCredentials(modelartstest.IDPID, file("other", "canary-token")).Retrieve(t.Context())
	require.ErrorIs(t, err, modelarts.ErrUnauthorized)
	assert.NotContains(t, err.Error(), "canary")
	_, err = credIAM(t, fake).OIDCCredentials("other", file("good", modelartstest.IDToken)).Retrieve(t.Context())
	require.ErrorIs(t, err, modelarts.ErrNotFound)
	iam.Inject(modelartstest.Fault{Path: "/securitytokens", Status: 403, Code: "IAM.0002", Message: "forbidden"})
	_, err = credIAM(t, fake).OIDCCredentials(modelartstest.IDPID, file("good", modelartstest.IDToken)).Retrieve(t.Context())
	require.ErrorIs(t, err, modelarts.ErrForbidden)
}

func TestProjectID(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	signer := modelarts.NewSigner(credKeys)
	lookUp := func(t *testing.T, fake *modelartstest.Server, auth modelarts.Authenticator, name string) (string, error) {
		t.Helper()
		return credIAM(t, fake).ProjectID(t.Context(), auth, name)
	}
	t.Run("one", func(t *testing.T) {
		t.Parallel()
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		iam.AddProject("sub", modelartstest.ProjectName+"_sub", true)
		for _, auth := range []modelarts.Authenticator{signer, modelarts.TokenAuth(modelartstest.Token), credPassword(t, fake)} {
			id, err := lookUp(t, fake, auth, modelartstest.ProjectName)
			require.NoError(t, err)
			assert.Equal(t, modelartstest.ProjectID, id)
		}
		r := iam.Requests()[0]
		assert.Equal(t, "GET /v3/projects?name=cn-north-4", r.Method+" "+r.Path+"?"+r.RawQuery)
		assert.NotContains(t, r.Header, "X-Project-Id")
		assert.NotContains(t, r.Header, "Content-Type")
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		fake := credFake()
		modelartstest.NewIAM(fake).AddProject("off", "disabled", false)
		for _, name := range []string{"nowhere", "disabled", "CN-NORTH-4", "a&name=cn-north-4"} {
			_, err := lookUp(t, fake, signer, name)
			require.ErrorIs(t, err, modelarts.ErrNotFound, name)
			assert.ErrorContains(t, err, "give the project id")
		}
	})
	t.Run("several", func(t *testing.T) {
		t.Parallel()
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		iam.AddProject("off", modelartstest.ProjectName, false)
		id, err := lookUp(t, fake, signer, modelartstest.ProjectName)
		require.NoError(t, err, "a disabled one does not count")
		assert.Equal(t, modelartstest.ProjectID, id)
		iam.AddProject("second", modelartstest.ProjectName, true)
		_, err = lookUp(t, fake, signer, modelartstest.ProjectName)
		require.ErrorContains(t, err, modelartstest.ProjectID+", second")
		assert.NotErrorIs(t, err, modelarts.ErrNotFound)
	})
	t.Run("a whole crowd", func(t *testing.T) {
		t.Parallel()
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		for i := range 1000 {
			iam.AddProject(fmt.Sprintf("crowd-%04d", i), "crowd", true)
		}
		_, err := lookUp(t, fake, signer, "crowd")
		require.ErrorContains(t, err, "crowd-0000, crowd-0001")
		assert.Less(t, len(err.Error()), 2048, "some of them will do")
	})
	t.Run("on a later page", func(t *testing.T) {
		t.Parallel()
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		for i := range 5 {
			iam.AddProject(fmt.Sprintf("off%d", i), "far", false)
		}
		iam.AddProject("far-id", "far", true)
		iam.SetProjectPage(2)
		id, err := lookUp(t, fake, signer, "far")
		require.NoError(t, err)
		assert.Equal(t, "far-id", id)
		requests := iam.Requests()
		require.Len(t, requests, 3)
		assert.Equal(t, "name=far&page=3", requests[2].RawQuery)
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		for status, want := range map[int]error{401: modelarts.ErrUnauthorized, 403: modelarts.ErrForbidden} {
			fake := credFake()
			iam := modelartstest.NewIAM(fake)
			iam.Inject(modelartstest.Fault{Status: status, Code: "IAM.0002", Message: "no", Times: -1})
			_, err := lookUp(t, fake, signer, "cn-north-4")
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, "give the project id")
			assert.Len(t, iam.Requests(), 1)
		}
	})
	t.Run("refused as expired, again and again", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fake := credFake()
			iam := modelartstest.NewIAM(fake)
			iam.Inject(modelartstest.Fault{Path: "/v3/projects", Status: 401, Code: "APIGW.0307", Message: "The token must be updated", Times: -1})
			_, err := lookUp(t, fake, credPassword(t, fake), "cn-north-4")
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
			var paths []string
			for _, r := range iam.Requests() {
				paths = append(paths, r.Path)
			}
			assert.Equal(t, []string{"/v3/auth/tokens", "/v3/projects", "/v3/auth/tokens", "/v3/projects"}, paths, "one renewal, one repeat")
		})
	})
	t.Run("refused as expired, the login too", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fake := credFake()
			iam := modelartstest.NewIAM(fake)
			iam.Inject(modelartstest.Fault{Status: 401, Code: "APIGW.0307", Message: "The token must be updated", Times: -1})
			_, err := lookUp(t, fake, credPassword(t, fake), "cn-north-4")
			require.ErrorIs(t, err, modelarts.ErrUnauthorized)
			assert.Len(t, iam.Requests(), 1, "a login does not log in to log in")
		})
	})
	t.Run("without a name or an authenticator", func(t *testing.T) {
		t.Parallel()
		fake := credFake()
		iam := modelartstest.NewIAM(fake)
		_, err := lookUp(t, fake, signer, "")
		require.ErrorContains(t, err, "empty")
		var none *modelarts.Signer
		_, err = lookUp(t, fake, none, "x")
		require.Error(t, err)
		assert.Empty(t, iam.Requests())
		_, err = lookUp(t, fake, nil, "x")
		require.ErrorIs(t, err, modelarts.ErrUnauthorized, "an http.Client may authenticate by itself")
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fake := credFake()
			modelartstest.NewIAM(fake).Inject(modelartstest.Fault{Delay: time.Minute, Times: -1})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := credIAM(t, fake).ProjectID(ctx, modelarts.NewSigner(credKeys), "cn-north-4")
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	})
}

// The links of an answer lead nowhere else, and not in circles.
func TestProjectIDFollowsNoForeignLink(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, next := range map[string]string{
		"another host": `"https://elsewhere.test/v3/projects?name=evil&page=2"`,
		"itself":       `"https://iam.test/v3/projects?name=cn-north-4&page=2"`,
		"nowhere":      `"::"`,
		"no query":     `"https://iam.test/"`,
		"null":         `null`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := credFake()
			iam := modelartstest.NewIAM(fake)
			iam.Inject(modelartstest.Fault{Body: `{"projects":[{"id":"p","name":"cn-north-4"}],"links":{"next":` + next + `}}`, Times: -1})
			id, err := credIAM(t, fake).ProjectID(t.Context(), modelarts.NewSigner(credKeys), "cn-north-4")
			require.NoError(t, err)
			assert.Equal(t, "p", id, "the same project on two pages is one, and no word of its state is enabled")
			for _, r := range iam.Requests() {
				assert.Contains(t, r.RawQuery, "name=cn-north-4")
			}
			assert.LessOrEqual(t, len(iam.Requests()), 2)
			assert.Empty(t, fake.Requests())
		})
	}
}

func TestIAMEndpoint(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for endpoint, want := range map[string]string{
		"https://iam.test":           "https://iam.test",
		"https://iam.test/v3":        "https://iam.test",
		"https://iam.test/v3/":       "https://iam.test",
		"https://IAM.test:443/v3":    "https://iam.test",
		"https://proxy.test/iam/v3":  "https://proxy.test/iam",
		"https://proxy.test/v3/iam":  "https://proxy.test/v3/iam",
		"https://proxy.test/iam-v3/": "https://proxy.test/iam-v3",
	} {
		iam, err := modelarts.NewIAM(endpoint)
		require.NoError(t, err)
		assert.Equal(t, "modelarts.IAM("+want+")", fmt.Sprint(iam))
	}
	for _, endpoint := range []string{"", "iam.test", "http://iam.test", "https://user:canary@iam.test", "https://iam.test/?a", "ftp://iam.test"} {
		_, err := modelarts.NewIAM(endpoint)
		require.Error(t, err, endpoint)
		assert.NotContains(t, err.Error(), "canary")
	}
	_, err := modelarts.NewIAM("http://iam.test", modelarts.WithInsecureHTTP())
	require.NoError(t, err)
	_, err = modelarts.NewIAM("https://iam.test", modelarts.WithHTTPClient(nil))
	require.Error(t, err)
}
