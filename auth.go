package modelarts

import (
	"net/http"
)

// An Authenticator adds credentials to requests. [TokenAuth], [Signer] and [IAM.PasswordAuth] are the ones
// of this package; a caller's own may wrap them, and should then forward [Observer] too.
type Authenticator interface {
	// Authenticate adds credentials to req. It is called for every attempt on a request that the client
	// owns, may block on req.Context(), and must be safe for concurrent use.
	Authenticate(req *http.Request) error
}

// AuthenticatorFunc makes an [Authenticator] of a function.
type AuthenticatorFunc func(req *http.Request) error

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(req *http.Request) error { return f(req) }

// Observer is implemented by an [Authenticator] that learns from answers: it renews a stale secret,
// corrects the clock, stops using a refused key. [Signer] and [IAM.PasswordAuth] implement it; a wrapper
// forwards it.
type Observer interface {
	// Observe is called for every answer; refused is nil unless the status is 401. The body of resp is
	// gone. True asks for one repeat of the request.
	Observe(sent *http.Request, resp *http.Response, refused *APIError) (repeat bool)
}

// checker is an authenticator that can tell before the first request that it will never work.
type checker interface{ check() error }

const (
	tokenHeader         = "X-Auth-Token"
	securityTokenHeader = "X-Security-Token"
	projectHeader       = "X-Project-Id"
	authorizationHeader = "Authorization"
)

// TokenAuth sends a token of IAM as X-Auth-Token. The token lasts about a day and is not renewed;
// [IAM.PasswordAuth] does that. A token that no header can hold is an error of [NewClient], or else of the
// first Authenticate, without being shown.
func TokenAuth(token string) Authenticator {
	return tokenAuth{hidden: "modelarts.TokenAuth(" + redacted + ")", token: newSecret(token)}
}

type tokenAuth struct {
	hidden
	token secret
}

func (a tokenAuth) check() error { return checkSecret("token", a.token(), false) }

func (a tokenAuth) Authenticate(req *http.Request) error {
	if err := a.check(); err != nil {
		return err
	}
	setToken(req, a.token())
	return nil
}

func setToken(req *http.Request, token string) {
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header.Set(tokenHeader, token)
}
