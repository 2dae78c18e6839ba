package modelarts

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

const expiredHint = "the token or temporary key has expired or is of another region: get a new one (a static token does not renew itself)"

// hint says what to do about an answer whose cause is known, for the end of an error's line. The meanings
// are those of the service's error pages and of answers seen in public logs.
func (e *APIError) hint() string {
	switch {
	case e.StatusCode == http.StatusUnauthorized && e.badSignature():
		return e.signatureHint()
	case e.StatusCode >= 300 && e.StatusCode < 400:
		return "redirects are never followed: check the endpoint"
	case e.StatusCode == http.StatusUnauthorized && e.expired():
		return expiredHint
	case e.StatusCode == http.StatusNotFound && e.gatewayCode("0101"),
		e.StatusCode == http.StatusNotFound && e.hasCode("ModelArts.4204"):
		return "the gateway does not know this API: check that the endpoint is that of ModelArts in the right region"
	case e.StatusCode == http.StatusNotFound && e.hasCode("ModelArts.2786"),
		(e.StatusCode == http.StatusBadRequest || e.StatusCode == http.StatusForbidden) && e.hasCode("ModelArts.0210"):
		return "the project id does not belong to these credentials: use the id of the project in the endpoint's region"
	case e.StatusCode == http.StatusBadRequest && e.hasCode("ModelArts.0204"),
		e.StatusCode == http.StatusUnauthorized && e.hasCode("ModelArts.0207 ModelArts.0212"):
		return "the token is not of this project: get one with the scope of the project in the endpoint's region"
	case e.StatusCode == http.StatusForbidden && e.hasCode("ModelArts.0206"):
		return "check the access key and the secret key"
	case e.StatusCode == http.StatusUnauthorized && e.hasCode("ModelArts.0428"),
		e.StatusCode == http.StatusForbidden && e.hasCode("ModelArts.2785 ModelArts.4335"):
		return "ModelArts has no agency to act for this user: authorize it in the ModelArts console under settings"
	case e.StatusCode == http.StatusForbidden && e.hasCode("ModelArts.4310"):
		return "the agency of ModelArts may not read the dataset's OBS path"
	case e.StatusCode == http.StatusForbidden && e.gatewayCode("0801", "0802"):
		return "the service or the region is not open to this account"
	case e.Is(ErrDatasetNotFound):
		return "check the dataset id and its project"
	case e.Is(ErrSyncRunning):
		return "wait for the running synchronization, or try again when it has finished"
	case e.StatusCode == http.StatusNotImplemented && e.hasCode("ModelArts.4383"):
		return "datasets of this type, such as text, cannot be synchronized"
	case e.StatusCode == http.StatusInternalServerError && e.hasCode("ModelArts.4360"):
		return "the synchronization itself failed: its status may say why"
	case e.StatusCode == http.StatusUnauthorized && e.hasCode("IAM.0061"):
		return "the account is locked after wrong logins: wait before the next try"
	case e.Is(ErrConflict):
		return "another task of the dataset is in the way: try again when it is done"
	case e.StatusCode == http.StatusRequestEntityTooLarge, e.StatusCode == http.StatusRequestHeaderFieldsTooLarge, e.StatusCode == 494:
		return "the request is too large, most likely its token: get one without the catalog, or sign with keys"
	}
	return ""
}

// signatureHint tells the many causes of a refused signature apart, which share their code.
func (e *APIError) signatureHint() string {
	message := strings.ToLower(e.Message)
	switch {
	case strings.Contains(message, "signature expired"):
		if skew, ok := clockSkew(e.Message); ok {
			return "this machine's clock is off by about " + skew.Abs().String() + ": set it right"
		}
		return "this machine's clock is off by more than 15 minutes: set it right"
	case strings.Contains(message, "reach the limit"):
		return "the access key is locked for five minutes after too many bad signatures: fix the keys, then wait"
	case strings.Contains(message, "not exist"):
		return "the access key is unknown there: check the key, and that cloud and region are the key's own"
	case strings.Contains(message, "signature fail"):
		return "check that the secret key belongs to the access key, and that no proxy rewrites the path, the query or the host"
	case strings.Contains(message, "x-auth-token not found"):
		return "the request arrived without credentials"
	case e.expired():
		return expiredHint
	}
	return "check the access key and the secret key, the region and this machine's clock"
}

// clockSkew reads how far a signature's time is from the gateway's, from a text such as "signature
// expired, signature time:20211217T064303Z,server time:20211217T065804Z".
func clockSkew(message string) (time.Duration, bool) {
	at := func(label string) (time.Time, error) {
		_, text, _ := strings.Cut(message, label)
		return time.Parse(sdkhmac.DateLayout, text[:min(len(text), len(sdkhmac.DateLayout))])
	}
	signed, err1 := at("signature time:")
	server, err2 := at("server time:")
	return server.Sub(signed), err1 == nil && err2 == nil
}

// expired reports whether an answer says that a token or temporary key is over, rather than wrong. A
// signature that is too old is a matter of the clock, not of the key.
func (e *APIError) expired() bool {
	if e.gatewayCode("0307") || e.hasCode("ModelArts.0202 ModelArts.0203 ModelArts.4127 ModelArts.4201 IAM.0066 IAM.0067") {
		return true
	}
	// A wrong signature is answered with the canonical request, in which anything may stand.
	message := strings.ToLower(e.Message)
	if strings.Contains(message, "signature expired") || strings.Contains(message, "signature fail") {
		return false
	}
	message, _, _ = strings.Cut(message, "canonical")
	for _, word := range []string{"expire", "renew", "must be updated", "decrypt token fail"} {
		if strings.Contains(message, word) {
			return true
		}
	}
	return false
}

// transportHint says what to do about a request that got no answer, where the cause is known.
func transportHint(cause error) string {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(cause, &dns) && dns.IsNotFound:
		return "check the endpoint and its region"
	case errors.As(cause, &authority):
		return "to trust a private authority, pass an http.Client with its RootCAs"
	case errors.As(cause, &host):
		return "check the endpoint: the certificate is that of another host"
	case errors.As(cause, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate is out of date, or this machine's clock is off"
	case errors.As(cause, &record), strings.Contains(cause.Error(), "server gave HTTP response to HTTPS client"):
		return "the endpoint does not speak TLS on this port"
	}
	return ""
}
