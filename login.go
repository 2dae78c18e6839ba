package modelarts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

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
