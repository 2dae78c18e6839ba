package official

import (
	"net/http"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	sdkrequest "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"

	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
)

// Request is the call as the SDK's signer takes it, with the headers that the other signers sign.
type Request struct {
	request *sdkrequest.DefaultHttpRequest
}

// NewRequest returns the request for the call at an endpoint, which has the host that is signed.
func NewRequest(endpoint, host string) Request {
	builder := sdkrequest.NewHttpRequestBuilder().WithEndpoint(endpoint).WithMethod(http.MethodGet).
		WithPath("/v2/{project_id}/datasets/{dataset_id}/sync-data/status").
		AddAutoFilledPathParam("project_id", service.ProjectID).AddPathParam("dataset_id", service.DatasetID).
		AddHeaderParam("Host", host).AddHeaderParam("X-Project-Id", service.ProjectID)
	return Request{builder.Build()}
}

// Sign signs the request with the time of now and returns the date and the authorization.
func (r Request) Sign() (date, authorization string, err error) {
	// The signer takes the time from this header if it is there, as it is after the first signature.
	delete(r.request.GetHeaderParams(), signer.HeaderXDate)
	headers, err := signer.Sign(r.request, service.AccessKey, service.SecretKey)
	return headers[signer.HeaderXDate], headers[signer.HeaderAuthorization], err
}
