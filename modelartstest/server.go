package modelartstest

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelarts-go/modelarts"
)

// What a new [Server] accepts. Endpoint is where its in-memory client finds it; over sockets, the address of
// the httptest server takes its place.
const (
	ProjectID = "0123456789abcdef0123456789abcdef"
	AccessKey = "FAKEACCESSKEY0000001"
	SecretKey = "fake-secret-key-of-modelartstest"
	Token     = "fake-token-of-modelartstest"
	Endpoint  = "https://modelarts.test"
)

// Server is a fake of the ModelArts service and of the API gateway before it. [New] makes one.
type Server struct {
	fake
	accounts    accounts
	clockOffset atomic.Int64

	mu                sync.Mutex
	hosts             map[string]http.Handler // of the in-memory clients
	datasets          []*dataset              // in the order in which they were added
	byID              map[string]*dataset
	registrationDelay time.Duration
	sparse            bool
	byItem            bool
}

// New returns a service with one project, ProjectID, and no datasets. It accepts AccessKey with SecretKey, and
// Token.
func New() *Server {
	s := &Server{byID: make(map[string]*dataset), hosts: make(map[string]http.Handler)}
	s.fake = fake{server: s, serve: s.serveAPI, idHeader: requestIDHeader}
	s.attach(Endpoint, &s.fake)
	s.accounts.addKey(&key{access: AccessKey, secret: SecretKey})
	s.accounts.addToken(&token{value: Token, projectID: ProjectID})
	return s
}

// Client returns a client of this service. It works in memory and signs with AccessKey; opts come after these
// settings, and so override them. Options that NewClient refuses panic: they are a mistake in the test.
func (s *Server) Client(opts ...modelarts.Option) *modelarts.Client {
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: AccessKey, SecretKey: SecretKey})
	opts = append([]modelarts.Option{modelarts.WithHTTPClient(s.HTTPClient())}, opts...)
	client, err := modelarts.NewClient(Endpoint, ProjectID, signer, opts...)
	if err != nil {
		panic("modelartstest: " + err.Error())
	}
	return client
}

// SetClockOffset sets the clock of the service, of its IAM and of its instance metadata against the machine's.
// It shows in the Date of every answer and decides which signatures, tokens and keys are too old.
func (s *Server) SetClockOffset(d time.Duration) { s.clockOffset.Store(int64(d)) }

// serveAPI is the service: the gateway finds the API and checks the caller, ModelArts does the rest.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	project, datasetID, call := s.route(r)
	if call == nil {
		errNoAPI.write(w)
		return
	}
	caller, refused := s.authenticate(r)
	if refused != nil {
		refused.write(w)
		return
	}
	switch {
	case caller.unscoped:
		(&problem{http.StatusBadRequest, "ModelArts.0204", "Token must contain projectId"}).write(w)
	case project != ProjectID || caller.projectID != "" && caller.projectID != project:
		(&problem{http.StatusNotFound, "ModelArts.2786", "TokenProjectIDNotMatch"}).write(w)
	default:
		call(w, r, datasetID)
	}
}

type apiCall func(w http.ResponseWriter, r *http.Request, datasetID string)

// route finds the call for a request of /v2/{project_id}/datasets…, and returns none for all others.
func (s *Server) route(r *http.Request) (project, datasetID string, call apiCall) {
	var parts []string
	for part := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/") {
		decoded, err := url.PathUnescape(part)
		if err != nil || decoded == "" {
			return "", "", nil
		}
		parts = append(parts, decoded)
	}
	if len(parts) < 3 || parts[0] != "v2" || parts[2] != "datasets" {
		return "", "", nil
	}
	project = parts[1]
	if len(parts) > 3 {
		datasetID = parts[3]
		parts[3] = "{dataset_id}"
	}
	switch r.Method + " " + strings.Join(parts[2:], "/") {
	case "GET datasets":
		call = s.listDatasets
	case "GET datasets/{dataset_id}":
		call = s.getDataset
	case "GET datasets/{dataset_id}/sync-data/status":
		call = s.getSyncStatus
	case "POST datasets/{dataset_id}/sync-data":
		call = s.startSync
	}
	return project, datasetID, call
}

// attach gives h the host of endpoint in the in-memory clients.
func (s *Server) attach(endpoint string, h http.Handler) {
	_, host, _ := strings.Cut(endpoint, "://")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts[host] = h
}
