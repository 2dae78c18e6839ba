package modelarts_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// What a program does about an error is decided by what it means, in errors.Is, and not by its status: the
// service says under 400 that a dataset does not exist.
func ExampleAPIError() {
	client := modelartstest.New().Client()

	_, err := client.GetSyncStatus(context.Background(), "gone")
	switch {
	case errors.Is(err, modelarts.ErrDatasetNotFound):
		fmt.Println("forget the dataset")
	case errors.Is(err, modelarts.ErrUnauthorized), errors.Is(err, modelarts.ErrForbidden):
		fmt.Println("tell a person")
	case err != nil:
		fmt.Println("try again later")
	}
	var apiErr *modelarts.APIError
	if errors.As(err, &apiErr) {
		fmt.Println(apiErr.StatusCode, apiErr.Code, apiErr.Message)
	}
	// Output:
	// forget the dataset
	// 400 ModelArts.4352 Dataset does not exist
}

// A service that asks for more patience than the retry policy has is told to the caller at once.
func ExampleAPIError_throttled() {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d1"})
	fake.Inject(modelartstest.Fault{Status: http.StatusTooManyRequests, Code: "APIGW.0308", Message: "Too many requests", RetryAfter: time.Minute})

	_, err := fake.Client().GetSyncStatus(context.Background(), "d1")
	var apiErr *modelarts.APIError
	if errors.Is(err, modelarts.ErrThrottled) && errors.As(err, &apiErr) {
		fmt.Println("again in", apiErr.RetryAfter)
	}
	// Output: again in 1m0s
}

// In a log an error is a group, without the body and without secrets.
func ExampleAPIError_LogValue() {
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "request_id" { // for the sake of the output
			return slog.Attr{}
		}
		return a
	}})
	_, err := modelartstest.New().Client().GetDataset(context.Background(), "gone")
	slog.New(handler).Error("nightly", "error", err)
	// Output: level=ERROR msg=nightly error.status=400 error.code=ModelArts.4352 error.message="Dataset does not exist" error.method=GET error.url=https://modelarts.test/v2/0123456789abcdef0123456789abcdef/datasets/gone error.attempts=1
}

// No answer at all is no APIError; it unwraps to its cause.
func ExampleAPIError_noAnswer() {
	fake := modelartstest.New()
	fake.Inject(modelartstest.Fault{Delay: time.Hour})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()

	_, err := fake.Client().GetSyncStatus(ctx, "d1")
	var apiErr *modelarts.APIError
	fmt.Println(errors.As(err, &apiErr), errors.Is(err, context.DeadlineExceeded))
	// Output: false true
}
