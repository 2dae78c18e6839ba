package modelartstest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

const (
	longestSkew = 15 * time.Minute // between a signature and the service's clock
	iamTime     = "2006-01-02T15:04:05.000000Z"
)

// A caller is who sent a request.
type caller struct {
	projectID string // of the token, empty for keys
	unscoped  bool   // a token without a project
}

// refusal is the gateway's 401. Most of its texts are known from public logs; see each use.
func refusal(format string, args ...any) *problem {
	return &problem{
		http.StatusUnauthorized, "APIGW.0301", "Incorrect IAM authentication information: " + fmt.Sprintf(format, args...),
	}
}

// authenticate finds out who sent r, as the API gateway does. A token counts before a signature.
func (s *Server) authenticate(r *http.Request) (caller, *problem) {
	if value := r.Header.Get("X-Auth-Token"); value != "" {
		return s.checkToken(value)
	}
	if value := r.Header.Get("Authorization"); value != "" {
		return s.checkSignature(r, value)
	}
	return caller{}, refusal("x-auth-token not found")
}

func (s *Server) checkToken(value string) (caller, *problem) {
	t, known := s.accounts.token(value)
	switch {
	case !known:
		return caller{}, refusal("decrypt token fail")
	case t.refused:
		return caller{}, &problem{http.StatusUnauthorized, "APIGW.0307", "The token must be updated"}
	case expired(t.expires, s.now()):
		return caller{}, refusal("token expires, expires_at: %s", t.expires.UTC().Format(iamTime))
	}
	return caller{projectID: t.projectID, unscoped: t.projectID == ""}, nil
}

func (s *Server) checkSignature(r *http.Request, header string) (caller, *problem) {
	date := r.Header.Get(sdkhmac.DateHeader)
	if date == "" {
		return caller{}, refusal("calc aksk signature fail:x-sdk-date not found")
	}
	auth, err := sdkhmac.Parse(header)
	if err != nil {
		return caller{}, refusal("authorization header is malformed")
	}
	k, known := s.accounts.key(auth.Access)
	if !known {
		return caller{}, noSuchKey(auth.Access)
	}
	if refused := k.check(r.Header.Get("X-Security-Token"), s.now()); refused != nil {
		return caller{}, refused
	}
	signedAt, err := time.Parse(sdkhmac.DateLayout, date)
	if err != nil {
		return caller{}, refusal("calc aksk signature fail:x-sdk-date is malformed")
	}
	now := s.now().UTC()
	if skew := now.Sub(signedAt).Abs(); skew > longestSkew {
		return caller{}, refusal("calc aksk signature fail:signature expired, signature time:%s,server time:%s",
			date, now.Format(sdkhmac.DateLayout))
	}
	sent := asSent(r)
	body := readBody(r)
	if !auth.Verify(sent, body, k.secret) {
		return caller{}, refusal("verify aksk signature fail, signature:%s,canonicalRequest:%s",
			auth.Signature, canonicalRequest(auth, sent, body))
	}
	return caller{}, nil
}

func noSuchKey(access string) *problem {
	return refusal("Get secretKey failed,ak:%s,err:ak not exist", access)
}

// check refuses a key that is over. A temporary one is known to the gateway by its security token only, so
// the texts are those of tokens (derived, not documented). A permanent key with a security token is let
// through, since what the service does then is not known.
func (k *key) check(securityToken string, now time.Time) *problem {
	switch {
	case k.securityToken == "" && k.refused, k.securityToken != "" && securityToken == "":
		return noSuchKey(k.access)
	case k.refused, k.securityToken != "" && k.securityToken != securityToken:
		return refusal("decrypt token fail")
	case expired(k.expires, now):
		return refusal("token expires, expires_at: %s", k.expires.UTC().Format(iamTime))
	}
	return nil
}

func expired(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

// asSent is r with the path that the client sent and signed, which http.StripPrefix may have cut.
func asSent(r *http.Request) *http.Request {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return r
	}
	sent := *r
	sent.URL = u
	return &sent
}

// canonicalRequest is what the gateway echoes when a signature does not fit, with | for the ends of lines.
func canonicalRequest(auth sdkhmac.Authorization, r *http.Request, body []byte) string {
	payload := r.Header.Get(sdkhmac.ContentHeader)
	if payload == "" {
		payload = sdkhmac.HashPayload(body)
	}
	text := sdkhmac.AppendCanonicalRequest(nil, &sdkhmac.Request{
		Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Date: r.Header.Get(sdkhmac.DateHeader), Payload: payload, Signed: auth.Signed, Header: r.Header,
	})
	return strings.ReplaceAll(string(text), "\n", "|")
}
