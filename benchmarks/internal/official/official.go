// Package official makes the call with the core of huaweicloud-sdk-go-v3. That SDK has no method for this call;
// its methods for others are what is written here, with another path and other types.
package official

import (
	"context"
	"net/http"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/def"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/utils"

	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
)

// Client makes the call with the official SDK.
type Client struct{ core *core.HcHttpClient }

// New returns a client with the SDK's defaults, but for transport if that is given.
func New(endpoint string, transport http.RoundTripper) (*Client, error) {
	credentials, err := basic.NewCredentialsBuilder().
		WithAk(service.AccessKey).WithSk(service.SecretKey).WithProjectId(service.ProjectID).SafeBuild()
	if err != nil {
		return nil, err
	}
	settings := config.DefaultHttpConfig()
	if transport != nil {
		settings.WithHttpRoundTripper(transport)
	}
	client, err := core.NewHcHttpClientBuilder().WithEndpoint(endpoint).WithCredential(credentials).
		WithHttpConfig(settings).SafeBuild()
	if err != nil {
		return nil, err
	}
	return &Client{client}, nil
}

// Close does nothing: the SDK has no way to close the connections of a client.
func (c *Client) Close() {}

type request struct {
	DatasetID string `json:"dataset_id"`
}

// Status is the answer in the form of the SDK's models, where every field is a pointer.
type Status struct {
	TaskID             *string `json:"task_id,omitempty"`
	DatasetID          *string `json:"dataset_id,omitempty"`
	Status             *string `json:"status,omitempty"`
	CreateTime         *int64  `json:"create_time,omitempty"`
	DurationTime       *int64  `json:"duration_time,omitempty"`
	TotalSampleCount   *int64  `json:"total_sample_count,omitempty"`
	AddSampleCount     *int64  `json:"add_sample_count,omitempty"`
	DeletedSampleCount *int64  `json:"deleted_sample_count,omitempty"`
	ErrorCode          *string `json:"error_code,omitempty"`
	ErrorMsg           *string `json:"error_msg,omitempty"`
	HttpStatusCode     int     `json:"-"` //nolint:revive // the core sets a field of this name
}

// Get makes the call and checks the answer. The SDK's calls take no context.
func (c *Client) Get(context.Context) error {
	definition := def.NewHttpRequestDefBuilder().WithMethod(http.MethodGet).
		WithPath("/v2/{project_id}/datasets/{dataset_id}/sync-data/status").
		WithResponse(new(Status)).WithContentType("application/json").
		WithRequestField(def.NewFieldDef().WithName("DatasetID").WithJsonTag("dataset_id").WithLocationType(def.Path)).
		Build()
	response, err := c.core.Sync(&request{DatasetID: service.DatasetID}, definition)
	if err != nil {
		return err
	}
	status, ok := response.(*Status)
	if !ok || status.HttpStatusCode != http.StatusOK {
		return service.ErrWrong
	}
	return status.check()
}

func (s *Status) check() error {
	for _, number := range []*int64{s.CreateTime, s.DurationTime, s.TotalSampleCount, s.AddSampleCount, s.DeletedSampleCount} {
		if number == nil {
			return service.ErrWrong
		}
	}
	for _, text := range []*string{s.TaskID, s.DatasetID, s.Status} {
		if text == nil {
			return service.ErrWrong
		}
	}
	// The fake service leaves out what is empty.
	if s.ErrorCode == nil {
		s.ErrorCode = new(string)
	}
	if s.ErrorMsg == nil {
		s.ErrorMsg = new(string)
	}
	got := service.Status{
		TaskID: *s.TaskID, DatasetID: *s.DatasetID, Status: *s.Status,
		CreateTime: *s.CreateTime, DurationTime: *s.DurationTime,
		TotalSampleCount: *s.TotalSampleCount, AddSampleCount: *s.AddSampleCount, DeletedSampleCount: *s.DeletedSampleCount,
		ErrorCode: *s.ErrorCode, ErrorMsg: *s.ErrorMsg,
	}
	if got != service.Answer {
		return service.ErrWrong
	}
	return nil
}

// Decode decodes a body with the SDK's own function, and checks it.
func Decode(body []byte) error {
	status := new(Status)
	if err := utils.Unmarshal(body, status); err != nil {
		return err
	}
	return status.check()
}
