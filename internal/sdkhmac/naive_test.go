package sdkhmac_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strings"

	"github.com/modelarts-go/modelarts/internal/sdkhmac"
)

// This file is a second implementation of the signature. It is written after the published description,
// with the plain means of the standard library and no thought of speed, and shares no code with the
// package, so that a mistake has to be made twice to go unseen.

var naivePercent = regexp.MustCompile(`%([0-9A-Fa-f]{2})?`)

// naiveMend makes every percent sign that begins no escape stand for itself, after which the decoders of
// net/url cannot fail.
func naiveMend(escaped string) string {
	return naivePercent.ReplaceAllStringFunc(escaped, func(match string) string {
		if match == "%" {
			return "%25"
		}
		return match
	})
}

// naiveEncode relies on url.QueryEscape, which leaves the same characters alone as the signature does and
// differs in the space only.
func naiveEncode(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func naivePath(escaped string) string {
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(naiveMend(segment))
		if err != nil {
			panic("a mended segment is not decodable")
		}
		segments[i] = naiveEncode(decoded)
	}
	path := strings.Join(segments, "/")
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return path
}

func naiveQuery(escaped string) string {
	values := map[string][]string{}
	for _, part := range strings.Split(escaped, "&") {
		if part == "" {
			continue
		}
		if !strings.Contains(part, "=") {
			part += "="
		}
		sides := strings.SplitN(part, "=", 2)
		for i, side := range sides {
			decoded, err := url.QueryUnescape(naiveMend(side))
			if err != nil {
				panic("a mended query is not decodable")
			}
			sides[i] = decoded
		}
		values[sides[0]] = append(values[sides[0]], sides[1])
	}
	var keys []string
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	var parts []string
	for _, key := range keys {
		sort.Strings(values[key])
		for _, value := range values[key] {
			parts = append(parts, naiveEncode(key)+"="+naiveEncode(value))
		}
	}
	return strings.Join(parts, "&")
}

func naiveNames(r *sdkhmac.Request) []string {
	var names []string
	for _, name := range r.Signed {
		names = append(names, strings.ToLower(name))
	}
	sort.Strings(names)
	return names
}

func naiveCanonical(r *sdkhmac.Request) string {
	var headers string
	for _, name := range naiveNames(r) {
		var value string
		switch name {
		case "host":
			value = r.Host
		case "x-sdk-date":
			value = r.Date
		default:
			var values []string
			for _, v := range r.Header.Values(name) {
				values = append(values, strings.TrimSpace(v))
			}
			value = strings.Join(values, ",")
		}
		headers += name + ":" + value + "\n"
	}
	return strings.Join([]string{
		r.Method, naivePath(r.Path), naiveQuery(r.Query), headers, strings.Join(naiveNames(r), ";"), r.Payload,
	}, "\n")
}

func naiveMAC(key, message string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(message))
	return string(h.Sum(nil))
}

func naiveHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func naiveAuthorization(r *sdkhmac.Request, key sdkhmac.Key) string {
	who := "Access=" + key.Access
	secret := key.Secret
	lines := []string{"SDK-HMAC-SHA256", r.Date}
	if s := key.Scope; s != nil {
		day := r.Date
		if len(day) > 8 {
			day = day[:8]
		}
		scope := strings.Join([]string{day, s.Region, s.Service, "sdk_request"}, "/")
		who = "Credential=" + key.Access + "/" + scope
		secret = naiveMAC(naiveMAC(naiveMAC(naiveMAC("SDK"+secret, day), s.Region), s.Service), "sdk_request")
		lines = append(lines, scope)
	}
	lines = append(lines, naiveHash(naiveCanonical(r)))
	return "SDK-HMAC-SHA256 " + who + ", SignedHeaders=" + strings.Join(naiveNames(r), ";") +
		", Signature=" + hex.EncodeToString([]byte(naiveMAC(secret, strings.Join(lines, "\n"))))
}

// signedKeys turns the names of a SignedHeaders list into what Request.Signed holds.
func signedKeys(list string) []string {
	names := strings.Split(list, ";")
	for i, name := range names {
		names[i] = http.CanonicalHeaderKey(name)
	}
	return names
}
