package modelarts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	metadataEndpoint  = "http://169.254.169.254"
	metadataAttempt   = 2 * time.Second // the service is next door, or not there at all
	metadataTokenPath = "/meta-data/latest/api/token"
	metadataKeyPath   = "/openstack/latest/securitykey"
)

// MetadataCredentials takes temporary keys of the agency of the ECS instance that the program runs on, from
// the instance metadata service. It asks for a session token first, and goes without where the instance does
// not know them. It uses no proxy, follows no redirect, and gives up soon, so that a machine that is no
// instance is not kept waiting.
//
// MODELARTS_METADATA_ENDPOINT replaces the well-known address. With MODELARTS_METADATA_DISABLED=true nothing
// is asked, as if nothing were configured.
func MetadataCredentials() CredentialsProvider {
	return providerFunc(func(ctx context.Context) (Credentials, error) {
		return retrieveMetadata(ctx, metadataTransport())
	})
}

// metadataTransport goes straight to the service: no proxy has business with its keys.
var metadataTransport = sync.OnceValue(func() http.RoundTripper {
	return &http.Transport{
		DialContext:     (&net.Dialer{Timeout: metadataAttempt / 2}).DialContext,
		MaxIdleConns:    1,
		IdleConnTimeout: time.Second, // the next question is an hour away
	}
})

func retrieveMetadata(ctx context.Context, transport http.RoundTripper) (Credentials, error) {
	if os.Getenv("MODELARTS_METADATA_DISABLED") == "true" {
		return Credentials{}, notConfigured("instance metadata: MODELARTS_METADATA_DISABLED is set")
	}
	base, err := parseEndpoint(first(os.Getenv("MODELARTS_METADATA_ENDPOINT"), metadataEndpoint), true)
	if err != nil {
		return Credentials{}, fmt.Errorf("%w (from MODELARTS_METADATA_ENDPOINT)", err)
	}
	x := &exchange{
		client: ownClient(&http.Client{Transport: transport}),
		retry:  RetryPolicy{MaxAttempts: 2, MinDelay: 50 * time.Millisecond, MaxDelay: time.Second, AttemptTimeout: metadataAttempt},
		budget: newBudget(), log: loggerFrom(ctx),
	}
	token, err := metadataToken(ctx, x, base)
	if err != nil {
		return Credentials{}, err
	}
	req, err := base.newRequest(ctx, http.MethodGet, metadataKeyPath, nil, nil)
	if err != nil {
		return Credentials{}, err
	}
	if token != "" {
		req.Header.Set("X-Metadata-Token", token)
	}
	var answer credentialAnswer
	_, err = x.do(req, call{out: &answer, valid: answer.fault, path: metadataKeyPath, sensitive: true})
	var refusal *APIError
	switch {
	case errors.As(err, &refusal) && noAgency(refusal):
		return Credentials{}, notConfigured("instance metadata: the instance has no agency")
	case err != nil:
		return Credentials{}, within("instance metadata", err)
	}
	return answer.credentials(), nil
}

// noAgency reports whether an answer says that the instance has no keys to give. The service writes it as 404,
// or as 401 with a text that asks for an agency.
func noAgency(e *APIError) bool {
	return e.StatusCode == http.StatusNotFound ||
		e.StatusCode == http.StatusUnauthorized && strings.Contains(strings.ToLower(e.Message), "agency")
}

// metadataToken returns a session token, or none where the instance does not know such tokens. That nobody
// answers at all is how most machines that are no instance are found out.
func metadataToken(ctx context.Context, x *exchange, base baseURL) (string, error) {
	req, err := base.newRequest(ctx, http.MethodPut, metadataTokenPath, nil, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Metadata-Token-Ttl-Seconds", "21600")
	var token string
	_, err = x.do(req, call{text: &token, path: metadataTokenPath, attempts: 1, sensitive: true})
	var answer *APIError
	switch {
	case err == nil:
		token = strings.TrimSpace(token)
		if err := checkSecret("session token of the instance metadata", token, false); err != nil {
			return "", err
		}
		return token, nil
	case !errors.As(err, &answer):
		if ctx.Err() != nil {
			return "", within("instance metadata", err)
		}
		return "", &noCredentialsError{text: "instance metadata: " + bare(err), sources: []error{err}}
	}
	switch answer.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusServiceUnavailable:
		return "", nil
	}
	return "", within("instance metadata", err)
}

// A credentialAnswer is how IAM and the instance metadata write temporary keys.
type credentialAnswer struct {
	Credential struct {
		Access        string    `json:"access"`
		Secret        string    `json:"secret"`
		SecurityToken string    `json:"securitytoken"`
		ExpiresAt     time.Time `json:"expires_at"`
	} `json:"credential"`
}

func (a *credentialAnswer) fault() string {
	if a.Credential.Access == "" || a.Credential.Secret == "" {
		return "the answer has no keys"
	}
	return ""
}

func (a *credentialAnswer) credentials() Credentials {
	c := a.Credential
	return Credentials{AccessKey: c.Access, SecretKey: c.Secret, SecurityToken: c.SecurityToken, Expires: c.ExpiresAt}
}
