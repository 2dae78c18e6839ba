package modelarts

import "net/http"

// SharedTransport is a copy of the transport that clients without an http.Client of their own share, so that a
// test can put a network of its own below it.
func SharedTransport() *http.Transport {
	shared, ok := sharedTransport().(*http.Transport)
	if !ok {
		panic("the shared transport is another one")
	}
	return shared.Clone()
}
