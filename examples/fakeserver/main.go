// Command fakeserver is the fake service on a port, for trying out programs in any language.
//
//	fakeserver -dataset ds1=flowers -plan QUEUING,RUNNING:+120-2=4120,COMPLETED -fail 'GET /sync-data/status 503 - 2'
//
// IAM and the instance metadata service answer at the same address. The exit status is 0 after Ctrl-C, 1 when
// the port is taken, and 2 for wrong use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/examples/internal/cli"
	"github.com/modelarts-go/modelarts/modelartstest"
)

func main() { cli.Main(run) }

// settings are what the flags say.
type settings struct {
	datasets datasets
	plan     plan
	faults   faults
	sparse   bool
	delay    time.Duration
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("fakeserver", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen at; port 0 is any free one")
	flags.Var(&s.datasets, "dataset", "`id=name` of a dataset, or its id alone; a list with commas, or several times")
	flags.Var(&s.plan, "plan", "`states` of each synchronization, one a poll, such as QUEUING,RUNNING:+120-2=4120,COMPLETED with samples added, deleted and in total")
	flags.Var(&s.faults, "fail", "`fault` as \"METHOD PATH STATUS CODE TIMES\", such as \"GET /sync-data/status 503 - 2\": * is any method, PATH is how a path ends, STATUS may be drop, - is no code, TIMES may be always; the last two may be left out; several times")
	flags.BoolVar(&s.sparse, "sparse", false, "answer with nothing but status and dataset_id, as in the service's reference")
	flags.DurationVar(&s.delay, "registration-delay", 0, "how long after a start its task does not show yet")
	if done, status := cli.Parse(flags, args, stdout, stderr); done {
		return status
	}
	if *addr == "" { // which would be any port of all interfaces
		fmt.Fprintln(stderr, "fakeserver: -addr cannot be empty")
		return cli.Misused
	}
	if s.delay < 0 {
		fmt.Fprintln(stderr, "fakeserver: -registration-delay cannot be negative")
		return cli.Misused
	}
	if words := s.plan.unknown(); len(words) > 0 {
		// A service may have such states one day, so a plan may too; more often they are slips.
		fmt.Fprintf(stderr, "fakeserver: warning: -plan has %s, which the service does not document, and clients wait through; it has %s\n",
			join(words), join(states))
	}
	fake := newService(&s)
	endpoint, stop, err := cli.Serve(*addr, logged(fake, stdout))
	if err != nil {
		fmt.Fprintf(stderr, "fakeserver: %v (-addr chooses another address)\n", err)
		var malformed *net.AddrError
		if errors.As(err, &malformed) {
			return cli.Misused
		}
		return cli.Failed
	}
	defer stop()
	welcome(stdout, endpoint, s.datasets.orDefault()[0].ID)
	<-ctx.Done()
	return cli.OK
}

// welcome says how to reach the service at endpoint.
func welcome(out io.Writer, endpoint, dataset string) {
	fmt.Fprintf(out, `A fake ModelArts, with IAM and instance metadata, at %[1]s until Ctrl-C.

export MODELARTS_ENDPOINT=%[1]s
export HUAWEICLOUD_SDK_IAM_ENDPOINT=%[1]s
export MODELARTS_METADATA_ENDPOINT=%[1]s
export HUAWEICLOUD_SDK_PROJECT_ID=%[2]s
export HUAWEICLOUD_SDK_AK=%[3]s
export HUAWEICLOUD_SDK_SK=%[4]s

The token is %[5]s; the login is %[6]s with %[7]s in %[8]s.

curl -H 'X-Auth-Token: %[5]s' %[1]s/v2/%[2]s/datasets/%[9]s/sync-data/status

`, endpoint, modelartstest.ProjectID, modelartstest.AccessKey, modelartstest.SecretKey, modelartstest.Token,
		modelartstest.UserName, modelartstest.Password, modelartstest.DomainName, dataset)
}

// newService makes the fakes as the settings say.
func newService(s *settings) *service {
	server := modelartstest.New()
	fake := &service{server, modelartstest.NewIAM(server), modelartstest.NewMetadata(server)}
	for _, dataset := range s.datasets.orDefault() {
		server.AddDataset(dataset, s.plan...)
	}
	server.SetSparse(s.sparse)
	server.SetRegistrationDelay(s.delay)
	for _, part := range []interface {
		Inject(faults ...modelartstest.Fault)
		SetRecording(on bool)
	}{fake.server, fake.iam, fake.metadata} {
		part.Inject(s.faults...)
		part.SetRecording(false) // nobody reads it, and it would only grow
	}
	return fake
}

func (d datasets) orDefault() datasets {
	if len(d) > 0 {
		return d
	}
	return datasets{modelarts.Dataset{ID: "gfghHSokody6AJigS5A", Name: "street-signs"}}
}
