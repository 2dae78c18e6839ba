package modelarts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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

// An object is one of JSON.
type object = map[string]any

// A reference names something by its id or its name.
type reference struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
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
	return "", fmt.Errorf("modelarts: several projects have the name %s: ids %s; give the project id", quote(name), shorten(oneLine(strings.Join(ids, ", ")), textKept))
}
