package modelartstest

import (
	"fmt"
	"sync"
	"time"

	"github.com/modelarts-go/modelarts"
)

// accounts are the keys and tokens that the service and IAM accept. IAM and the instance metadata issue more
// of them.
type accounts struct {
	mu     sync.Mutex
	keys   map[string]*key   // by access key
	tokens map[string]*token // by value
	issued int
}

type key struct {
	issuer         *issuer // nil for those of a test
	access, secret string
	securityToken  string    // of temporary keys
	expires        time.Time // zero for never
	refused        bool
}

type token struct {
	issuer    *issuer
	value     string
	projectID string    // empty where the token has no project
	expires   time.Time // zero for never
	refused   bool
}

func (a *accounts) addKey(k *key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		a.keys = make(map[string]*key)
	}
	a.keys[k.access] = k
}

func (a *accounts) addToken(t *token) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tokens == nil {
		a.tokens = make(map[string]*token)
	}
	a.tokens[t.value] = t
}

// key returns a copy of what is known about an access key.
func (a *accounts) key(access string) (key, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.keys[access]
	if k == nil {
		return key{}, false
	}
	return *k, true
}

func (a *accounts) token(value string) (token, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tokens[value]
	if t == nil {
		return token{}, false
	}
	return *t, true
}

// setAccepted reports whether there is such a key or token.
func (a *accounts) setAccepted(id string, accepted bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, t := a.keys[id], a.tokens[id]
	if k != nil {
		k.refused = !accepted
	}
	if t != nil {
		t.refused = !accepted
	}
	return k != nil || t != nil
}

// revoke refuses all that issuer has issued.
func (a *accounts) revoke(by *issuer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.keys {
		k.refused = k.refused || k.issuer == by
	}
	for _, t := range a.tokens {
		t.refused = t.refused || t.issuer == by
	}
}

func (a *accounts) nextNumber() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.issued++
	return a.issued
}

// AddKey makes the service accept one more key, besides AccessKey. With a SecurityToken it is a temporary one,
// which counts only together with that token; with Expires it ends by itself.
func (s *Server) AddKey(credentials modelarts.Credentials) {
	s.accounts.addKey(&key{
		access: credentials.AccessKey, secret: credentials.SecretKey,
		securityToken: credentials.SecurityToken, expires: credentials.Expires,
	})
}

// SetAccepted revokes an access key or a token, and accepts it again: AccessKey, Token, and all that was added
// or issued. One that the service never had panics: it is a mistake in the test.
func (s *Server) SetAccepted(accessKeyOrToken string, accepted bool) {
	if !s.accounts.setAccepted(accessKeyOrToken, accepted) {
		panic(fmt.Sprintf("modelartstest: there is no key or token %q to accept or refuse", accessKeyOrToken))
	}
}
