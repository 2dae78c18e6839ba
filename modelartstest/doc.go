// Package modelartstest is a fake of the service that package modelarts talks to, for tests of programs that
// use it. It runs inside the test, checks signatures and tokens for real, answers in the shapes of the service
// and its gateway, and fails on demand.
//
// A test makes a [Server], puts datasets into it, and takes a client from it. Nothing touches the network, and
// nothing runs in the background, so all of it works inside a testing/synctest bubble, where hours of waiting
// take no time:
//
//	fake := modelartstest.New()
//	fake.AddDataset(modelarts.Dataset{ID: "flowers"})
//	fake.Inject(modelartstest.Fault{Status: 503, Times: 2})
//
//	status, err := fake.Client().Sync(ctx, "flowers", nil)
//
// The same Server is an [net/http.Handler]. Over sockets it needs a client made with the package's constants:
//
//	web := httptest.NewServer(fake)
//	defer web.Close()
//	keys := modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey}
//	client, err := modelarts.NewClient(web.URL, modelartstest.ProjectID, modelarts.NewSigner(keys))
//
// [NewIAM] and [NewMetadata] add the two services that credentials come from. What they issue, the Server
// accepts, until it ends or is revoked.
//
// Where the service's documentation is silent, the fake does what comparable services do; each such choice
// stands in a comment. All times are those of the service's clock, which is the machine's until
// [Server.SetClockOffset] sets it apart. Every fake is independent of all others, gives the same ids in the
// same order on every run, and may be used by any number of goroutines.
package modelartstest
