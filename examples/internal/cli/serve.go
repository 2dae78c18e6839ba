package cli

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// Serve serves handler at address, such as "127.0.0.1:0" for any free port, until stop is called.
func Serve(address string, handler http.Handler) (endpoint string, stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("cannot listen: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	return "http://" + reachable(listener.Addr()), func() {
		_ = server.Close()
		<-done
	}, nil
}

// reachable is the address at which this machine finds a listener, also one for all addresses.
func reachable(address net.Addr) string {
	if tcp, ok := address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return address.String()
}
