// Package cli has what the example programs share: the flags that say which service to talk to, and a fake
// service on a loopback port for when there is none.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/modelarts-go/modelarts"
)

// The exit statuses of the example programs.
const (
	OK      = 0
	Failed  = 1
	Misused = 2
	Running = 3
)

// Service says which service to talk to. Every flag stands for an environment variable of
// [modelarts.NewClientFromEnv], and wins over it.
type Service struct {
	flags []serviceFlag
}

type serviceFlag struct {
	value    *string
	variable string
}

// Register adds the flags to set.
func (s *Service) Register(set *flag.FlagSet) {
	for _, f := range []struct{ name, variable, usage string }{
		{"region", "MODELARTS_REGION", "`region` of the service, such as cn-north-4, instead of an endpoint"},
		{"endpoint", "MODELARTS_ENDPOINT", "`URL` of the service"},
		{"project", "HUAWEICLOUD_SDK_PROJECT_ID", "project `id`"},
		{"ak", "HUAWEICLOUD_SDK_AK", "access `key`"},
		{"sk", "HUAWEICLOUD_SDK_SK", "secret `key`; better set the variable, which other users do not see"},
	} {
		s.flags = append(s.flags, serviceFlag{set.String(f.name, "", f.usage+" ("+f.variable+")"), f.variable})
	}
}

// Given reports whether a flag or the environment says anything of a service.
func (s *Service) Given() bool {
	for _, f := range s.flags {
		if *f.value != "" {
			return true
		}
	}
	for _, name := range []string{"MODELARTS_ENDPOINT", "MODELARTS_REGION", "HW_REGION_NAME", "OS_REGION_NAME"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// Client makes a client as the flags and the environment say.
func (s *Service) Client(ctx context.Context, opts ...modelarts.Option) (*modelarts.Client, error) {
	for _, f := range s.flags {
		if *f.value == "" {
			continue
		}
		if f.variable == "MODELARTS_REGION" {
			if err := os.Unsetenv("MODELARTS_ENDPOINT"); err != nil { // which would win over a region
				return nil, err
			}
		}
		if err := os.Setenv(f.variable, *f.value); err != nil {
			return nil, err
		}
	}
	return modelarts.NewClientFromEnv(ctx, opts...)
}

// Status is the exit status for an error: a service that refuses or cannot be reached is a failure, and what
// never left this machine is a mistake in how the program was called.
func Status(err error) int {
	var answer *modelarts.APIError
	var network net.Error
	if errors.As(err, &answer) || errors.As(err, &network) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Failed
	}
	return Misused
}

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

// Parse parses the arguments of a program that takes none but flags. It reports whether the program is done
// with that, after -help or a mistake, and its exit status then.
func Parse(flags *flag.FlagSet, args []string, stdout, stderr io.Writer) (done bool, status int) {
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stdout)
		flags.Usage()
		return true, OK
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v (see -help)\n", flags.Name(), err)
		return true, Misused
	}
	return false, OK
}

// Set gives the flags these values, as if they stood on the command line.
func (s *Service) Set(endpoint, project, accessKey, secretKey string) {
	for variable, value := range map[string]string{
		"MODELARTS_ENDPOINT": endpoint, "HUAWEICLOUD_SDK_PROJECT_ID": project,
		"HUAWEICLOUD_SDK_AK": accessKey, "HUAWEICLOUD_SDK_SK": secretKey,
	} {
		for _, f := range s.flags {
			if f.variable == variable {
				*f.value = value
			}
		}
	}
}
