package modelartstest

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The account behind a [Server], as IAM knows it.
const (
	IAMEndpoint = "https://iam.test" // of the in-memory client
	DomainName  = "fake-domain"
	DomainID    = "00000000000000000000000000d0a115"
	UserName    = "fake-user"
	UserID      = "00000000000000000000000000005e12"
	Password    = "fake-password-of-modelartstest"
	ProjectName = "cn-north-4"                // the name of the project ProjectID: its region, as by default
	AgencyName  = "fake-agency"               // an agency of DomainName that every caller may assume
	IDPID       = "fake-idp"                  // an identity provider for OpenID Connect
	IDToken     = "fake.openid-connect.token" // what it vouches for, until SetIDToken
)

// IAM is a fake of the identity service. It issues tokens and temporary keys, which its Server then accepts,
// and knows the projects. [NewIAM] makes one.
//
// It answers these calls:
//
//	POST /v3/auth/tokens                       a token, by password, with a project or without
//	POST /v3.0/OS-AUTH/id-token/tokens         a token, by an OpenID Connect ID token
//	POST /v3.0/OS-CREDENTIAL/securitytokens    temporary keys, by token or by agency
//	GET  /v3/projects                          the projects, by name
//	GET  /v3/auth/projects                     the projects
//
// Slow, failing and denying answers are faults, see Inject.
type IAM struct {
	fake
	issuer

	mu            sync.Mutex
	projects      []project
	pageSize      int
	tokenLifetime time.Duration
	idToken       string
}

// NewIAM returns an identity service for the account of server, and gives it the host of IAMEndpoint in the
// in-memory clients of server.
func NewIAM(server *Server) *IAM {
	i := &IAM{
		projects: []project{{ProjectID, ProjectName, true}},
		pageSize: largestPage, tokenLifetime: 24 * time.Hour, idToken: IDToken,
	}
	i.fake = fake{server: server, serve: i.serveAPI, idHeader: traceIDHeader}
	i.issuer = issuer{accounts: &server.accounts}
	server.attach(IAMEndpoint, &i.fake)
	return i
}

// SetTokenLifetime sets how long the tokens live that are issued from now on. It is 24 hours by default.
func (i *IAM) SetTokenLifetime(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tokenLifetime = d
}

// SetIDToken makes idToken the only ID token that is accepted, as if the identity provider had issued a new
// one and the old one had ended.
func (i *IAM) SetIDToken(idToken string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.idToken = idToken
}

func (i *IAM) serveAPI(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.EscapedPath() {
	case "POST /v3/auth/tokens":
		i.withBody(w, r, i.passwordToken)
	case "POST /v3.0/OS-AUTH/id-token/tokens":
		i.withBody(w, r, i.idTokenToken)
	case "POST /v3.0/OS-CREDENTIAL/securitytokens":
		i.withBody(w, r, i.temporaryKey)
	case "GET /v3/projects":
		i.listProjects(w, r)
	case "GET /v3/auth/projects":
		i.listOwnProjects(w, r)
	default:
		errNoAPI.write(w)
	}
}

// authRequest is the body of all POSTs, each of which uses a part of it.
type authRequest struct {
	Auth struct {
		Identity struct {
			Methods  []string `json:"methods"`
			Password struct {
				User struct {
					reference
					Password string    `json:"password"`
					Domain   reference `json:"domain"`
				} `json:"user"`
			} `json:"password"`
			Token struct {
				ID       string `json:"id"`
				Duration int    `json:"duration_seconds"`
			} `json:"token"`
			AssumeRole struct {
				AgencyName string `json:"agency_name"`
				DomainID   string `json:"domain_id"`
				DomainName string `json:"domain_name"`
				Duration   int    `json:"duration_seconds"`
			} `json:"assume_role"`
		} `json:"identity"`
		IDToken struct {
			ID string `json:"id"`
		} `json:"id_token"`
		Scope struct {
			Project *reference `json:"project"` // wins over a domain
		} `json:"scope"`
	} `json:"auth"`
}

// A reference names something by its id or, where that is missing, by its name.
type reference struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

func (ref reference) means(id, name string) bool {
	if ref.ID != "" {
		return ref.ID == id
	}
	return ref.Name == name
}

type iamCall func(w http.ResponseWriter, r *http.Request, body *authRequest) *problem

func (i *IAM) withBody(w http.ResponseWriter, r *http.Request, call iamCall) {
	body := new(authRequest)
	if err := json.Unmarshal(readBody(r), body); err != nil {
		(&problem{http.StatusBadRequest, "", "Request body is invalid."}).write(w)
		return
	}
	if failed := call(w, r, body); failed != nil {
		failed.write(w)
	}
}

var (
	errWrongLogin   = &problem{http.StatusUnauthorized, "", "The username or password is wrong."}
	errNoLogin      = &problem{http.StatusUnauthorized, "", "The request you have made requires authentication."}
	errWrongIDToken = &problem{http.StatusUnauthorized, "", "The ID token is invalid."}
	errNoMethod     = &problem{http.StatusBadRequest, "IAM.0011", "The authentication method is not supported."}
	errNoProject    = &problem{http.StatusBadRequest, "IAM.1109", "The project does not exist."}
	errNoAgency     = &problem{http.StatusNotFound, "IAM.0004", "The agency does not exist."}
	errNoIDP        = &problem{http.StatusNotFound, "IAM.0004", "The identity provider does not exist."}
	errTokenExpired = &problem{http.StatusUnauthorized, "IAM.0066", "The token has expired."}
	errTokenInvalid = &problem{http.StatusUnauthorized, "IAM.0067", "The token is invalid."}
	errDuration     = &problem{http.StatusBadRequest, "IAM.0011", "duration_seconds must be from 900 to 86400."}
)

// authenticate finds out who sent r. A bad signature is refused by the gateway, a bad token by IAM itself.
func (i *IAM) authenticate(r *http.Request) *problem {
	switch {
	case r.Header.Get("X-Auth-Token") != "":
		return i.checkToken(r.Header.Get("X-Auth-Token"))
	case r.Header.Get("Authorization") != "":
		_, refused := i.server.authenticate(r)
		return refused
	}
	return errNoLogin
}

func (i *IAM) checkToken(value string) *problem {
	t, known := i.server.accounts.token(value)
	switch {
	case !known:
		return errTokenInvalid
	case t.refused || expired(t.expires, i.server.now()):
		return errTokenExpired
	}
	return nil
}

func (i *IAM) passwordToken(w http.ResponseWriter, r *http.Request, body *authRequest) *problem {
	if !slices.Equal(body.Auth.Identity.Methods, []string{"password"}) {
		return errNoMethod
	}
	user := body.Auth.Identity.Password.User
	known := user.ID == UserID || user.ID == "" && user.Name == UserName && user.Domain.means(DomainID, DomainName)
	if !known || user.Password != Password {
		return errWrongLogin
	}
	return i.answerToken(w, r, "password", body.Auth.Scope.Project)
}

func (i *IAM) idTokenToken(w http.ResponseWriter, r *http.Request, body *authRequest) *problem {
	if r.Header.Get("X-Idp-Id") != IDPID {
		return errNoIDP
	}
	i.mu.Lock()
	wanted := i.idToken
	i.mu.Unlock()
	if body.Auth.IDToken.ID != wanted {
		return errWrongIDToken
	}
	return i.answerToken(w, r, "mapped", body.Auth.Scope.Project)
}

// answerToken issues a token for the project, or one without a project, and answers with it.
func (i *IAM) answerToken(w http.ResponseWriter, r *http.Request, method string, scope *reference) *problem {
	var of project
	i.mu.Lock()
	lifetime := i.tokenLifetime
	if scope != nil {
		at := slices.IndexFunc(i.projects, func(p project) bool { return p.enabled && scope.means(p.id, p.name) })
		if at < 0 {
			i.mu.Unlock()
			return errNoProject
		}
		of = i.projects[at]
	}
	i.mu.Unlock()

	now := i.server.now().UTC()
	issued := i.issueToken(of.id, now.Add(lifetime))
	domain := reference{DomainID, DomainName}
	answer := map[string]any{
		"methods": []string{method},
		"user":    map[string]any{"id": UserID, "name": UserName, "domain": domain, "password_expires_at": ""},
		"roles":   []reference{{ID: "0", Name: "te_admin"}},

		"issued_at":  now.Format(iamTime),
		"expires_at": issued.expires.Format(iamTime),
	}
	if scope != nil {
		answer["project"] = map[string]any{"id": of.id, "name": of.name, "domain": domain}
	} else {
		answer["domain"] = domain
	}
	if r.URL.Query().Get("nocatalog") == "" {
		answer["catalog"] = catalog(of.id)
	}
	w.Header().Set("X-Subject-Token", issued.value)
	writeJSON(w, http.StatusCreated, map[string]any{"token": answer})
	return nil
}

// catalog lists one of the many services that a real answer lists.
func catalog(projectID string) any {
	return []map[string]any{{
		"id": "0", "name": "modelartsv2", "type": "modelartsv2",
		"endpoints": []map[string]any{{
			"id": "0", "interface": "public", "region": ProjectName, "region_id": ProjectName,
			"url": Endpoint + "/v2/" + projectID,
		}},
	}}
}

func (i *IAM) temporaryKey(w http.ResponseWriter, r *http.Request, body *authRequest) *problem {
	identity := &body.Auth.Identity
	var seconds int
	switch {
	case slices.Equal(identity.Methods, []string{"token"}):
		value := r.Header.Get("X-Auth-Token") // overrides the one in the body
		if value == "" {
			value = identity.Token.ID
		}
		if refused := i.checkToken(value); refused != nil {
			return refused
		}
		seconds = identity.Token.Duration
	case slices.Equal(identity.Methods, []string{"assume_role"}):
		if refused := i.authenticate(r); refused != nil {
			return refused
		}
		role := &identity.AssumeRole
		if role.AgencyName != AgencyName || !(reference{role.DomainID, role.DomainName}).means(DomainID, DomainName) {
			return errNoAgency
		}
		seconds = role.Duration
	default:
		return errNoMethod
	}
	if seconds == 0 {
		seconds = 900
	}
	if seconds < 900 || seconds > 86400 {
		return errDuration
	}
	lifetime := i.lifetime(time.Duration(seconds) * time.Second)
	writeJSON(w, http.StatusCreated, i.issueKey(i.server.now().Add(lifetime)).answer())
	return nil
}
