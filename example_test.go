package modelarts_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// exampleFake is a fake service with one dataset, for the examples of this file.
func exampleFake() *modelartstest.Server {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d1", Name: "street-signs"},
		modelarts.SyncStatus{Status: modelarts.SyncRunning, AddSampleCount: 120, TotalSampleCount: 4120},
		modelarts.SyncStatus{Status: modelarts.SyncCompleted, AddSampleCount: 412, TotalSampleCount: 4410})
	return fake
}

func Example() {
	client := exampleFake().Client() // a real one comes from NewClient or NewClientFromEnv

	status, err := client.Sync(context.Background(), "d1", &modelarts.WaitOptions{MaxInterval: 10 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status)
	// Output: COMPLETED task d1_00000001, 412 added, 4410 total
}

func ExampleNewClient() {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "SK"})
	client, err := modelarts.NewClient("https://modelarts.cn-north-4.myhuaweicloud.com", "0605768a3f80d5762f2dc01fbf2a0bc4", signer,
		modelarts.WithUserAgent("trainer/1.4"),
		modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 2}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Endpoint())
	// Output: https://modelarts.cn-north-4.myhuaweicloud.com
}

func ExampleEndpointForRegion() {
	endpoint, err := modelarts.EndpointForRegion("ap-southeast-3")
	fmt.Println(endpoint, err)
	// Output: https://modelarts.ap-southeast-3.myhuaweicloud.com <nil>
}

func ExampleIAMEndpointForRegion() {
	endpoint, err := modelarts.IAMEndpointForRegion("eu-west-101")
	fmt.Println(endpoint, err)
	// Output: https://iam.eu-west-101.myhuaweicloud.eu <nil>
}

// One client serves all goroutines, and prints without secrets.
func ExampleClient() {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: "AK", SecretKey: "the secret"})
	client, err := modelarts.NewClient("https://modelarts.cn-north-4.myhuaweicloud.com/", "0605768a3f80d5762f2dc01fbf2a0bc4", signer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Endpoint(), client.ProjectID())
	fmt.Printf("%+v\n", client)
	// Output:
	// https://modelarts.cn-north-4.myhuaweicloud.com 0605768a3f80d5762f2dc01fbf2a0bc4
	// modelarts.Client(https://modelarts.cn-north-4.myhuaweicloud.com, project 0605768a3f80d5762f2dc01fbf2a0bc4)
}

// A call that the package does not have: the labels of a dataset, with a query and a value in the path.
func ExampleClient_NewRequest() {
	client := exampleFake().Client()
	query := struct {
		VersionID string `url:"version_id,omitempty"`
		Limit     int    `url:"limit"`
	}{Limit: 10}
	req, err := client.NewRequest(context.Background(), http.MethodGet,
		"/v2/{project_id}/datasets/d1/data-annotations/labels/"+url.PathEscape("road works"), query, nil)
	if err != nil {
		log.Fatal(err)
	}
	_, path, _ := strings.Cut(req.URL.String(), client.ProjectID())
	fmt.Println(path)
	// Output: /datasets/d1/data-annotations/labels/road%20works?limit=10
}

// Do authenticates, retries and decodes as the calls of the package do.
func ExampleClient_Do() {
	client := exampleFake().Client()
	query := struct {
		CheckRunningTask bool `url:"check_running_task"`
	}{true}
	req, err := client.NewRequest(context.Background(), http.MethodGet, "/v2/{project_id}/datasets/d1", query, nil)
	if err != nil {
		log.Fatal(err)
	}
	var answer struct {
		Name string `json:"dataset_name"`
	}
	if err := client.Do(req, &answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(req.URL.RawQuery, answer.Name)
	// Output: check_running_task=true street-signs
}

// A program that goes on after its last call can give the connections back.
func ExampleClient_CloseIdleConnections() {
	client := exampleFake().Client()
	defer client.CloseIdleConnections()

	status, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(status, err)
	// Output: NOT_EXIST dataset d1 <nil>
}

// countingTransport counts what goes out, retries included.
type countingTransport struct {
	next  http.RoundTripper
	count int
}

func (t *countingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.count++
	return t.next.RoundTrip(req)
}

// Metrics, traces, proxies and certificates go into the transport of an http.Client.
func ExampleWithHTTPClient() {
	fake := exampleFake()
	fake.Inject(modelartstest.Fault{Status: http.StatusServiceUnavailable})
	transport := &countingTransport{next: fake.HTTPClient().Transport} // else http.DefaultTransport, or a clone of it

	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: modelartstest.SecretKey})
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, signer,
		modelarts.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(transport.count, err)
	// Output: 2 <nil>
}

// An operator or a queue that tries again by itself wants an answer soon, whatever it is.
func ExampleWithRetryPolicy() {
	fake := exampleFake()
	fake.Inject(modelartstest.Fault{Status: http.StatusServiceUnavailable, Times: -1})
	client := fake.Client(modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 1, AttemptTimeout: 5 * time.Second}))

	_, err := client.GetSyncStatus(context.Background(), "d1")
	fmt.Println(len(fake.Requests()), err != nil)
	// Output: 1 true
}

// More patience than by default: up to six attempts, with pauses of up to a minute. The pauses are random; each
// is at most twice as long as the one before it might have been.
func ExampleRetryPolicy() {
	policy := modelarts.RetryPolicy{MaxAttempts: 6, MinDelay: time.Second, MaxDelay: time.Minute}
	client, err := modelarts.NewClient("https://modelarts.cn-north-4.myhuaweicloud.com", "0605768a3f80d5762f2dc01fbf2a0bc4",
		modelarts.TokenAuth("token"), modelarts.WithRetryPolicy(policy))
	fmt.Println(client.ProjectID(), err)
	// Output: 0605768a3f80d5762f2dc01fbf2a0bc4 <nil>
}

func ExampleWithUserAgent() {
	fake := exampleFake()
	client := fake.Client(modelarts.WithUserAgent("trainer/1.4"))

	if _, err := client.GetSyncStatus(context.Background(), "d1"); err != nil {
		log.Fatal(err)
	}
	product, _, _ := strings.Cut(fake.Requests()[0].Header.Get("User-Agent"), " ")
	fmt.Println(product)
	// Output: trainer/1.4
}

// A logger at Warn shows what goes wrong, one at Debug every attempt. No record holds a secret.
func ExampleWithLogger() {
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { // for the sake of the output
			switch a.Key {
			case slog.TimeKey, "wait", "request_id":
				return slog.Attr{}
			}
			return a
		},
	})
	fake := exampleFake()
	fake.Inject(modelartstest.Fault{Status: http.StatusServiceUnavailable, Code: "APIGW.0613", Message: "Busy"})
	client := fake.Client(modelarts.WithLogger(slog.New(handler).With("component", "nightly")))

	if _, err := client.GetSyncStatus(context.Background(), "d1"); err != nil {
		log.Fatal(err)
	}
	// Output: level=WARN msg="modelarts: retry" component=nightly method=GET path=/v2/{project_id}/datasets/{dataset_id}/sync-data/status attempt=1 status=503 code=APIGW.0613
}

// Plain http is for loopback, unless it is asked for.
func ExampleWithInsecureHTTP() {
	const endpoint = "http://modelarts.internal" // such as a proxy in the same pod's network
	auth := modelarts.TokenAuth("token")

	_, err := modelarts.NewClient(endpoint, "0605768a3f80d5762f2dc01fbf2a0bc4", auth)
	fmt.Println(err != nil)
	client, err := modelarts.NewClient(endpoint, "0605768a3f80d5762f2dc01fbf2a0bc4", auth, modelarts.WithInsecureHTTP())
	fmt.Println(client.Endpoint(), err)
	// Output:
	// true
	// http://modelarts.internal <nil>
}
