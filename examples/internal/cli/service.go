package cli

import (
	"context"
	"flag"
	"os"

	"github.com/modelarts-go/modelarts"
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
