package modelarts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// IAM is the identity service of Huawei Cloud: it gives tokens and temporary keys, and knows the ids of
// projects. Its calls go through the same loop, limits and redaction as those of a [Client]. It is immutable
// and safe for concurrent use.
type IAM struct {
	hidden
	base     baseURL
	agent    string
	exchange *exchange // without an authenticator
}

// NewIAM returns an IAM at an endpoint such as "https://iam.cn-north-4.myhuaweicloud.com", see
// [IAMEndpointForRegion]. A final "/v3", as other tools' settings have it, is cut. It does no I/O.
func NewIAM(endpoint string, opts ...Option) (*IAM, error) {
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	base, err := parseEndpoint(endpoint, o.insecure)
	if err != nil {
		return nil, err
	}
	base.prefix = strings.TrimSuffix(base.prefix, "/v3")
	return &IAM{hidden: hidden("modelarts.IAM(" + base.String() + ")"), base: base, agent: o.agent, exchange: o.exchange(nil)}, nil
}

// do makes a call of IAM. auth may be nil.
func (i *IAM) do(ctx context.Context, auth Authenticator, method, path string, query, body any, c call) error {
	if i == nil || i.exchange == nil {
		return errors.New("modelarts: an IAM is made by NewIAM")
	}
	req, err := i.base.newRequest(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	setHeader(req, i.agent)
	x := *i.exchange
	x.auth = auth
	c.path = path
	_, err = x.do(req, c)
	return err
}

// PasswordLogin is a login of an IAM user. Accounts of the kind "HUAWEI ID" have no such login; they need an
// IAM user.
//
// It prints with the password redacted, like [Credentials], with the same exception.
type PasswordLogin struct {
	DomainName string // the account
	UserName   string
	Password   string
	// The token is for this project; the id wins over the name. The name of a region's default project is
	// that of the region.
	ProjectID, ProjectName string
}

// String shows everything but the password.
func (l PasswordLogin) String() string {
	return "modelarts.PasswordLogin(" + oneLine(l.DomainName+"/"+l.UserName+" for "+first(l.ProjectID, l.ProjectName)) + ", " + redacted + ")"
}

// Format writes [PasswordLogin.String], whatever the verb.
func (l PasswordLogin) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.String()) }

// LogValue returns [PasswordLogin.String].
func (l PasswordLogin) LogValue() slog.Value { return slog.StringValue(l.String()) }

// MarshalText returns [PasswordLogin.String].
func (l PasswordLogin) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// GobEncode refuses: a password is not written anywhere by accident.
func (l PasswordLogin) GobEncode() ([]byte, error) {
	return nil, errors.New("modelarts: a password login is not encoded")
}

func (l PasswordLogin) validate() error {
	for _, part := range []struct{ name, value string }{
		{"domain name", l.DomainName}, {"user name", l.UserName}, {"password", l.Password}, {"project id or name", l.ProjectID + l.ProjectName},
	} {
		if part.value == "" {
			return fmt.Errorf("modelarts: the password login has no %s", part.name)
		}
	}
	return nil
}

// PasswordAuth authenticates with a token that it gets by a password, caches, and renews: shortly before its
// end, and when the service says that it has expired. A login that was refused is not tried again for a
// minute, by nobody who shares the authenticator, since IAM locks accounts after wrong passwords.
func (i *IAM) PasswordAuth(login PasswordLogin) Authenticator {
	a := &passwordAuth{hidden: "modelarts.PasswordAuth(" + redacted + ")", tokens: new(cache[string]), invalid: login.validate()}
	a.password = newSecret(login.Password)
	a.tokens.same = func(a, b string) bool { return a == b }
	a.tokens.fetch = func(ctx context.Context) (string, time.Time, error) { return i.login(ctx, login) }
	return a
}

type passwordAuth struct {
	hidden
	tokens   *cache[string]
	password secret
	invalid  error
}

func (a *passwordAuth) check() error { return a.invalid }

func (a *passwordAuth) secrets() []string { return []string{a.password()} }

func (a *passwordAuth) Authenticate(req *http.Request) error {
	if a.invalid != nil {
		return a.invalid
	}
	token, err := a.tokens.get(req.Context())
	if err != nil {
		return err
	}
	setToken(req, token)
	return nil
}

// Observe renews a token that the service calls expired, once a call.
func (a *passwordAuth) Observe(sent *http.Request, _ *http.Response, refused *APIError) bool {
	if refused == nil || !refused.expired() {
		return false
	}
	rejected := func(token string) bool { return token == sent.Header.Get(tokenHeader) }
	call := callFrom(sent.Context())
	if call.renewed {
		a.tokens.drop(rejected)
		return false
	}
	call.renewed = a.tokens.renew(sent.Context(), rejected)
	return call.renewed
}

// An object is one of JSON.
type object = map[string]any

// A reference names something by its id or its name.
type reference struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

func (i *IAM) login(ctx context.Context, l PasswordLogin) (string, time.Time, error) {
	project := reference{ID: l.ProjectID}
	if l.ProjectID == "" {
		project.Name = l.ProjectName
	}
	body := object{"auth": object{
		"identity": object{
			"methods":  []string{"password"},
			"password": object{"user": object{"name": l.UserName, "password": l.Password, "domain": reference{Name: l.DomainName}}},
		},
		"scope": object{"project": project},
	}}
	var answer struct {
		Token struct {
			ExpiresAt time.Time `json:"expires_at"`
		} `json:"token"`
	}
	query := struct {
		NoCatalog bool `url:"nocatalog"` // which is long, and of no use here
	}{true}
	token, err := i.subjectToken(ctx, nil, "/v3/auth/tokens", query, body, call{out: &answer, secrets: []string{l.Password}})
	if err != nil {
		return "", time.Time{}, within("login of "+quote(l.DomainName)+"/"+quote(l.UserName), err)
	}
	return token, answer.Token.ExpiresAt, nil
}

// subjectToken makes a call that answers with a token, which comes in a header.
func (i *IAM) subjectToken(ctx context.Context, auth Authenticator, path string, query, body any, c call) (string, error) {
	var token string
	c.header = func(h http.Header) string {
		token = h.Get("X-Subject-Token")
		if err := checkSecret("token in X-Subject-Token", token, false); err != nil {
			return bare(err)
		}
		return ""
	}
	c.idempotent, c.sensitive = true, true
	err := i.do(ctx, auth, http.MethodPost, path, query, body, c)
	return token, err
}

// temporaryKeys asks for temporary keys, by an agency or by a token.
func (i *IAM) temporaryKeys(ctx context.Context, auth Authenticator, identity object, secrets ...string) (Credentials, error) {
	var answer credentialAnswer
	err := i.do(ctx, auth, http.MethodPost, "/v3.0/OS-CREDENTIAL/securitytokens", nil, object{"auth": object{"identity": identity}},
		call{out: &answer, valid: answer.fault, idempotent: true, sensitive: true, secrets: secrets})
	if err != nil {
		return Credentials{}, err
	}
	return answer.credentials(), nil
}

// Agency names an agency that another account has set up for the caller's.
type Agency struct {
	Name string
	// DomainID or DomainName names the account that owns it; the id wins.
	DomainID, DomainName string
	// Duration is how long the keys last: 15 min to 24 h, in whole seconds. 0 is one hour.
	Duration time.Duration
}

// AgencyCredentials provides temporary keys of an agency. base authenticates the request for them, and needs
// the right to act for agencies.
func (i *IAM) AgencyCredentials(base Authenticator, agency Agency) CredentialsProvider {
	return providerFunc(func(ctx context.Context) (Credentials, error) {
		if agency.Name == "" || agency.DomainID == "" && agency.DomainName == "" || agency.Duration < 0 {
			return Credentials{}, errors.New("modelarts: an agency needs a name, the id or name of its domain, and no negative duration")
		}
		if err := checkAuthenticator(base); err != nil {
			return Credentials{}, err
		}
		role := object{"agency_name": agency.Name, "duration_seconds": int64(cmp.Or(agency.Duration.Truncate(time.Second), time.Hour).Seconds())}
		if agency.DomainID != "" {
			role["domain_id"] = agency.DomainID
		} else {
			role["domain_name"] = agency.DomainName
		}
		c, err := i.temporaryKeys(ctx, base, object{"methods": []string{"assume_role"}, "assume_role": role})
		if err != nil {
			return Credentials{}, within("agency "+quote(agency.Name), err)
		}
		return c, nil
	})
}

// OIDCCredentials provides temporary keys for an id token of an OpenID Connect provider that is registered
// at IAM as idpID. The file with the id token is read anew each time, since whoever issues it replaces it.
func (i *IAM) OIDCCredentials(idpID, idTokenFile string) CredentialsProvider {
	return providerFunc(func(ctx context.Context) (Credentials, error) {
		c, err := i.oidc(ctx, idpID, idTokenFile)
		if err != nil {
			return Credentials{}, within("OIDC", err)
		}
		return c, nil
	})
}

func (i *IAM) oidc(ctx context.Context, idpID, idTokenFile string) (Credentials, error) {
	if err := checkSecret("identity provider's id", idpID, false); err != nil {
		return Credentials{}, err
	}
	file, err := os.Open(idTokenFile)
	if err != nil {
		return Credentials{}, fmt.Errorf("the file of the id token: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxBody))
	if err != nil {
		return Credentials{}, fmt.Errorf("the file of the id token: %w", err)
	}
	idToken := strings.TrimSpace(string(content))
	if err := checkSecret("id token in "+idTokenFile, idToken, false); err != nil {
		return Credentials{}, err
	}
	byIDP := AuthenticatorFunc(func(req *http.Request) error { req.Header.Set("X-Idp-Id", idpID); return nil })
	login := object{"auth": object{"id_token": reference{ID: idToken}}}
	token, err := i.subjectToken(ctx, byIDP, "/v3.0/OS-AUTH/id-token/tokens", nil, login, call{secrets: []string{idToken}})
	if err != nil {
		return Credentials{}, err
	}
	identity := object{"methods": []string{"token"}, "token": object{"id": token, "duration_seconds": int64((6 * time.Hour).Seconds())}}
	return i.temporaryKeys(ctx, nil, identity, token, idToken)
}

// ProjectID returns the id of the project with exactly this name, which must be enabled. The name of a
// region's default project is that of the region. None, or several, is an error.
func (i *IAM) ProjectID(ctx context.Context, auth Authenticator, name string) (string, error) {
	if name == "" {
		return "", errors.New("modelarts: the project name is empty")
	}
	if err := checkAuthenticator(auth); err != nil {
		return "", err
	}
	type page struct {
		Projects []struct {
			ID      string `json:"id"`
			Name    string `json:"name"`
			Enabled *bool  `json:"enabled"`
		} `json:"projects"`
		Links struct {
			Next string `json:"next"`
		} `json:"links"`
	}
	query := struct {
		Name    string `url:"name"`
		Page    string `url:"page,omitempty"`
		PerPage string `url:"per_page,omitempty"`
		Marker  string `url:"marker,omitempty"`
	}{Name: name}
	var ids []string
	const mostPages = 100
	for range mostPages {
		var answer page
		if err := i.do(ctx, auth, http.MethodGet, "/v3/projects", query, nil, call{out: &answer}); err != nil {
			return "", within("looking up the id of project "+quote(name)+" (to do without, give the project id)", err)
		}
		for _, p := range answer.Projects {
			if p.Name == name && p.ID != "" && (p.Enabled == nil || *p.Enabled) && !slices.Contains(ids, p.ID) {
				ids = append(ids, p.ID)
			}
		}
		// Only the query of the link is used: an answer does not decide where the next request goes.
		next, err := url.Parse(answer.Links.Next)
		if err != nil || answer.Links.Next == "" {
			break
		}
		more := query
		more.Page, more.PerPage, more.Marker = next.Query().Get("page"), next.Query().Get("per_page"), next.Query().Get("marker")
		if more == query {
			break
		}
		query = more
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", fmt.Errorf("%w: these credentials have no enabled project %s: check the name and the region, or give the project id", ErrNotFound, quote(name))
	}
	return "", fmt.Errorf("modelarts: several projects have the name %s: ids %s; give the project id", quote(name), oneLine(strings.Join(ids, ", ")))
}
