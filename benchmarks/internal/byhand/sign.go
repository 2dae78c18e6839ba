package byhand

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

const (
	dateLayout = "20060102T150405Z"
	algorithm  = "SDK-HMAC-SHA256"
	signed     = "host;x-project-id;x-sdk-date"
	emptyBody  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// Sign signs a request that has no query and no body, and a path without special characters, which is all that
// the one call needs.
func Sign(req *http.Request, accessKey, secretKey string, now time.Time) {
	date := now.UTC().Format(dateLayout)
	req.Header.Set("X-Sdk-Date", date)
	mac := hmac.New(sha256.New, []byte(secretKey))
	mac.Write([]byte(ToSign([]byte(Canonical(req, date)), date)))
	req.Header.Set("Authorization",
		algorithm+" Access="+accessKey+", SignedHeaders="+signed+", Signature="+hex.EncodeToString(mac.Sum(nil)))
}

// Canonical is the text whose hash is signed.
func Canonical(req *http.Request, date string) string {
	return req.Method + "\n" + req.URL.Path + "/\n\nhost:" + req.URL.Host + "\nx-project-id:" + req.Header.Get("X-Project-Id") +
		"\nx-sdk-date:" + date + "\n\n" + signed + "\n" + emptyBody
}

// ToSign is the text that is signed: it names the canonical text by its hash.
func ToSign(canonical []byte, date string) string {
	hash := sha256.Sum256(canonical)
	return algorithm + "\n" + date + "\n" + hex.EncodeToString(hash[:])
}
