package sdkhmac

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestMAC compares with crypto/hmac around every length at which mac does something else: keys of more
// than one block are hashed, and messages of more than 256 bytes leave the buffer.
func TestMAC(t *testing.T) {
	t.Parallel()
	material := make([]byte, 5000)
	for i := range material {
		material[i] = byte(i*7 + i>>8)
	}
	lengths := []int{257, 258, 319, 320, 321, 1000, 4096, 4700}
	for n := range 257 {
		lengths = append(lengths, n)
	}
	for k := range 201 {
		key := material[k : 2*k]
		for _, n := range lengths {
			message := material[300-k : 300-k+n]
			h := hmac.New(sha256.New, key)
			h.Write(message)
			if got := mac(key, message); !hmac.Equal(h.Sum(nil), got[:]) {
				t.Fatalf("key of %d bytes, message of %d: %x", k, n, got)
			}
		}
	}
}

// TestMACKeepsArguments matters because the key is a secret that is used again for the next signature.
func TestMACKeepsArguments(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 64, 65, 300} {
		key, message := make([]byte, n, 2*n), make([]byte, n, 2*n)
		mac(key, message)
		assert.Equal(t, make([]byte, 2*n), key[:2*n])
		assert.Equal(t, make([]byte, 2*n), message[:2*n])
	}
}

// TestFormatDate compares with time.Format, in a time zone that is not UTC, and where the year has no four
// digits.
func TestFormatDate(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", -9*60*60-1800)
	moment := time.Date(1969, 12, 31, 23, 59, 58, 999, zone)
	for range 20_000 {
		assert.Equal(t, moment.UTC().Format(DateLayout), FormatDate(moment))
		moment = moment.Add(31*time.Hour + 7*time.Minute + 11*time.Second)
	}
	for _, year := range []int{-1, 0, 7, 999, 9999, 10000} {
		moment := time.Date(year, 2, 3, 4, 5, 6, 0, time.UTC)
		assert.Equal(t, moment.Format(DateLayout), FormatDate(moment))
	}
}
