package modelarts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

// Signer signs requests with an access key and a secret key:
//
//	Authorization: SDK-HMAC-SHA256 Access=<access key>, SignedHeaders=host;x-project-id;x-sdk-date, Signature=<hex>
//
// It signs the host and those of X-Project-Id, X-Sdk-Date and X-Security-Token that the request has, and
// nothing that a proxy may rewrite. It works on any request to a Huawei Cloud API, also without a [Client].
//
// With a client, a Signer learns from answers, see [Observer]. It renews credentials that have expired. It
// corrects a clock that is off by more than five minutes, by the Date of a refused answer. And it brakes: the
// service locks a key for five minutes after more than five bad signatures in a row, for everybody who uses
// it. So while a key is unproven, at most three requests with it are under way, and after three refusals in
// a row Authenticate fails at once, with an error that matches [ErrUnauthorized], until the key changes or a
// minute has passed.
//
// Share one Signer between clients that use the same key. It prints without secrets.
type Signer struct {
	hidden
	state func() *signerState // where fmt neither finds secrets nor reads what others write
}

type signerState struct {
	scope  *sdkhmac.Scope
	static error // what is wrong with credentials that are known from the start
	cache  cache[Credentials]
	brake  brake
	offset atomic.Int64 // of the service's clock against this machine's, in nanoseconds
}

// SignerOption changes how a [Signer] signs.
type SignerOption func(*Signer)

// WithScope makes the scoped form of Open Telekom Cloud, Credential=<access key>/<date>/<region>/<service>/sdk_request,
// with a derived key. Both parts may be empty, as in the clients seen there. That cloud's documentation has
// both forms; try the plain one first.
func WithScope(region, service string) SignerOption {
	return func(s *Signer) { s.state().scope = &sdkhmac.Scope{Region: region, Service: service} }
}

// NewSigner returns a Signer that takes its credentials from provider, for which [Credentials] itself
// serves. It caches what the provider returns: until shortly before Expires, or without one until the
// service refuses it.
func NewSigner(provider CredentialsProvider, opts ...SignerOption) *Signer {
	state := &signerState{}
	state.cache.same = func(a, b Credentials) bool { return keyOf(a) == keyOf(b) }
	if isNil(provider) {
		state.static = errors.New("modelarts: the signer has no credentials provider")
		provider = providerFunc(func(context.Context) (Credentials, error) { return Credentials{}, state.static })
	} else if known, ok := provider.(Credentials); ok {
		state.static = known.validate()
	}
	retrieve := provider.Retrieve // a func value, which fmt does not look into
	state.cache.fetch = func(ctx context.Context) (Credentials, time.Time, error) {
		c, err := retrieve(ctx)
		if err == nil {
			err = c.validate()
		}
		return c, c.Expires, err
	}
	s := &Signer{hidden: "modelarts.Signer(" + redacted + ")", state: func() *signerState { return state }}
	for _, opt := range opts {
		if opt != nil {
			opt(s)
		}
	}
	return s
}

func (s *Signer) check() error {
	if s == nil || s.state == nil {
		return errors.New("modelarts: a Signer is made by NewSigner")
	}
	return s.state().static
}

func (s *Signer) secrets() []string {
	if s.state == nil {
		return nil
	}
	if h := s.state().cache.current.Load(); h != nil {
		return []string{h.value.SecretKey, h.value.SecurityToken}
	}
	return nil
}

// Authenticate signs req with the credentials and the time of now. It touches headers only. A body needs
// GetBody, as [http.NewRequest] sets it, or a hash in X-Sdk-Content-Sha256.
func (s *Signer) Authenticate(req *http.Request) error {
	if s == nil || s.state == nil {
		return s.check()
	}
	state := s.state()
	credentials, err := state.cache.get(req.Context())
	if err != nil {
		return err
	}
	err = state.brake.enter(req.Context(), keyOf(credentials))
	if errors.Is(err, ErrUnauthorized) && credentials.Expires.IsZero() {
		// By now the file that the key came from may hold another one.
		refused := keyOf(credentials)
		state.cache.drop(func(c Credentials) bool { return keyOf(c) == refused })
		fresh, fetchErr := state.cache.get(req.Context())
		if fetchErr == nil && keyOf(fresh) != refused {
			credentials = fresh
			err = state.brake.enter(req.Context(), keyOf(credentials))
		}
	}
	if err != nil {
		return err
	}
	now := time.Now().Add(time.Duration(state.offset.Load()))
	return sign(req, &credentials, state.scope, now)
}

// What is signed, in canonical order. The last one is left out of requests that do not have it.
var (
	signedHeaders        = []string{"Host", projectHeader, sdkhmac.DateHeader, securityTokenHeader}
	signedWithoutProject = []string{"Host", sdkhmac.DateHeader, securityTokenHeader}
)

func sign(req *http.Request, credentials *Credentials, scope *sdkhmac.Scope, now time.Time) error {
	host, err := sentHost(req)
	if err != nil {
		return err
	}
	payload, err := payloadHash(req)
	if err != nil {
		return err
	}
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	// One array for all values that are set here.
	values := make([]string, 3)
	set := func(i int, name, value string) {
		values[i] = value
		req.Header[name] = values[i : i+1 : i+1]
	}
	if credentials.SecurityToken != "" {
		set(2, securityTokenHeader, credentials.SecurityToken)
	}
	date := sdkhmac.FormatDate(now)
	set(0, sdkhmac.DateHeader, date)

	signed := signedHeaders
	if len(req.Header[projectHeader]) == 0 {
		signed = signedWithoutProject
	}
	if len(req.Header[securityTokenHeader]) == 0 {
		signed = signed[:len(signed)-1]
	}
	var buffer [256]byte
	set(1, authorizationHeader, string(sdkhmac.AppendAuthorization(buffer[:0], &sdkhmac.Request{
		Method: first(req.Method, http.MethodGet), Host: host,
		Path: req.URL.EscapedPath(), Query: req.URL.RawQuery,
		Date: date, Payload: payload, Signed: signed, Header: req.Header,
	}, sdkhmac.Key{Access: credentials.AccessKey, Secret: credentials.SecretKey, Scope: scope})))
	return nil
}

// sentHost is the host as net/http sends it, without the zone of an IPv6 address.
func sentHost(req *http.Request) (string, error) {
	host := first(req.Host, req.URL.Host)
	if !isPrintableASCII(host) {
		return "", fmt.Errorf("modelarts: to be signed, the host %s must be in ASCII (the form with xn--)", quote(host))
	}
	if address, zone, found := strings.Cut(host, "%"); found && host[0] == '[' {
		if end := strings.LastIndexByte(zone, ']'); end >= 0 {
			host = address + zone[end:]
		}
	}
	return host, nil
}

func payloadHash(req *http.Request) (string, error) {
	if hash := req.Header[sdkhmac.ContentHeader]; len(hash) > 0 && hash[0] != "" {
		return hash[0], nil
	}
	if req.Body == nil || req.Body == http.NoBody {
		return sdkhmac.EmptyPayload, nil
	}
	if req.GetBody == nil {
		return "", errors.New("modelarts: a request body cannot be signed without GetBody")
	}
	body, err := req.GetBody()
	if err != nil {
		return "", fmt.Errorf("modelarts: reading the request body to sign it: %w", err)
	}
	defer body.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, body); err != nil {
		return "", fmt.Errorf("modelarts: reading the request body to sign it: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Observe learns from an answer, as the type's comment says.
func (s *Signer) Observe(sent *http.Request, resp *http.Response, refused *APIError) bool {
	if s.state == nil {
		return false
	}
	state := s.state()
	if refused == nil && state.brake.knows(sent) {
		return false
	}
	key := state.brake.signer(sent)
	match := func(c Credentials) bool { return keyOf(c) == key }
	signature := refused != nil && refused.badSignature()
	call := callFrom(sent.Context())
	switch {
	case signature && state.correctClock(sent, resp):
		state.brake.answered(sent, false)
		first := !call.clocked
		call.clocked = true
		return first
	case refused != nil && refused.expired():
		state.brake.answered(sent, false)
		if call.renewed {
			state.cache.drop(match)
			return false
		}
		call.renewed = state.cache.renew(sent.Context(), match)
		return call.renewed
	case signature:
		if state.brake.refused(sent, refused) {
			state.cache.keepNoLonger() // nothing is sent any more that would make it ask again
		}
		// Without an end of its own, a key is over when it is refused: the file that it came from may
		// hold another one by now.
		state.cache.drop(func(c Credentials) bool { return c.Expires.IsZero() && match(c) })
	default:
		state.brake.answered(sent, refused == nil && accepts(resp.StatusCode))
	}
	return false
}

// accepts reports whether a status proves that the signature was good. The gateway may give any other answer,
// that it knows no such API among them, before it has looked.
func accepts(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusConflict:
		return true
	}
	return status >= 200 && status < 300
}

// correctClock sets the offset by the Date of an answer that refused sent, and reports whether the clock
// explains the refusal. A date that was cached, or is more than a year off, teaches nothing.
func (s *signerState) correctClock(sent *http.Request, resp *http.Response) bool {
	const believed, tolerated = 365 * 24 * time.Hour, 5 * time.Minute
	signed, err1 := time.Parse(sdkhmac.DateLayout, sent.Header.Get(sdkhmac.DateHeader))
	date, err2 := http.ParseTime(resp.Header.Get("Date"))
	if err1 != nil || err2 != nil || resp.Header.Get("Age") != "" {
		return false
	}
	offset := time.Until(date)
	if offset.Abs() > believed || date.Sub(signed).Abs() <= tolerated {
		return false
	}
	if offset.Abs() <= tolerated {
		offset = 0 // the clock was set right since
	}
	s.offset.Store(int64(offset))
	return true
}
