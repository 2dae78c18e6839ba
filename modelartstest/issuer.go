package modelartstest

import (
	"fmt"
	"sync"
	"time"
)

// issuer is what IAM and the instance metadata have in common: they issue what the Server accepts.
type issuer struct {
	accounts *accounts

	mu          sync.Mutex
	keyLifetime time.Duration
}

// SetKeyLifetime sets how long the temporary keys live that are issued from now on. 0 is the service's own
// rule: what the caller of IAM asks for, 15 minutes where it asks for nothing, and an hour from an instance's
// metadata.
func (i *issuer) SetKeyLifetime(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keyLifetime = d
}

// RevokeIssued ends all keys and tokens that this fake has issued so far, before their time. The next ones are
// good.
func (i *issuer) RevokeIssued() { i.accounts.revoke(i) }

// lifetime is how long a key lives that by itself would live for d.
func (i *issuer) lifetime(d time.Duration) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.keyLifetime != 0 {
		return i.keyLifetime
	}
	return d
}

// issueKey makes a temporary key. Its texts have characters that need care in headers and queries, as the real
// ones do.
func (i *issuer) issueKey(expires time.Time) *key {
	number := i.accounts.nextNumber()
	k := &key{
		issuer:        i,
		access:        fmt.Sprintf("FAKETEMPORARY%07d", number),
		secret:        fmt.Sprintf("fake/temporary+secret=%07d", number),
		securityToken: fmt.Sprintf("fake/security+token=%07d==", number),
		expires:       expires,
	}
	i.accounts.addKey(k)
	return k
}

// issueToken makes a token, without a project where projectID is empty.
func (i *issuer) issueToken(projectID string, expires time.Time) *token {
	t := &token{
		issuer: i, value: fmt.Sprintf("fake/issued+token=%07d==", i.accounts.nextNumber()),
		projectID: projectID, expires: expires,
	}
	i.accounts.addToken(t)
	return t
}

// credential is a temporary key as IAM and the instance metadata hand it out.
type credential struct {
	Access        string `json:"access"`
	Secret        string `json:"secret"`
	SecurityToken string `json:"securitytoken"`
	ExpiresAt     string `json:"expires_at"`
}

func (k *key) answer() any {
	return map[string]credential{"credential": {k.access, k.secret, k.securityToken, k.expires.UTC().Format(iamTime)}}
}
