package modelartstest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// MetadataEndpoint is where every instance finds its metadata, and where the in-memory client does.
const MetadataEndpoint = "http://169.254.169.254"

// Metadata is a fake of the metadata service of an ECS instance that has an agency. It issues temporary keys,
// which its Server then accepts. [NewMetadata] makes one.
//
// It answers these calls:
//
//	PUT /meta-data/latest/api/token       a session token, for X-Metadata-Token-Ttl-Seconds
//	GET /openstack/latest/securitykey     the temporary keys of the agency
//
// Slow and failing answers are faults, see Inject.
type Metadata struct {
	fake
	issuer

	mu             sync.Mutex
	withoutTokens  bool
	tokensRequired bool
	withoutAgency  bool
	sessions       map[string]time.Time // by token, when it ends
	current        *key
	margin         time.Duration // before the end of current, when the next key is issued
}

// NewMetadata returns the metadata service of an instance in the account of server, and gives it the host of
// MetadataEndpoint in the in-memory clients of server. The instance has an agency, and session tokens may be
// used but need not be.
func NewMetadata(server *Server) *Metadata {
	m := &Metadata{sessions: make(map[string]time.Time)}
	m.fake = fake{server: server, serve: m.serveAPI}
	m.issuer = issuer{accounts: &server.accounts}
	server.attach(MetadataEndpoint, &m.fake)
	return m
}

// SetTokenSupport says whether the instance has session tokens. Older ones answer 404, and some 405 or 503,
// for which a fault can be injected.
func (m *Metadata) SetTokenSupport(supported bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.withoutTokens = !supported
}

// SetTokenRequired says whether keys are given only to callers with a session token, as the instance option
// http_tokens demands it.
func (m *Metadata) SetTokenRequired(required bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokensRequired = required
}

// SetAgency says whether the instance has an agency. Without one there are no keys.
func (m *Metadata) SetAgency(present bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.withoutAgency = !present
}

func (m *Metadata) serveAPI(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch r.URL.EscapedPath() {
	case "/meta-data/latest/api/token":
		m.serveToken(w, r)
	case "/openstack/latest/securitykey":
		m.serveKey(w, r)
	default:
		writeText(w, http.StatusNotFound, "404 Not Found")
	}
}

func (m *Metadata) serveToken(w http.ResponseWriter, r *http.Request) {
	const longest = 21600 // six hours
	switch seconds, err := strconv.Atoi(r.Header.Get("X-Metadata-Token-Ttl-Seconds")); {
	case m.withoutTokens:
		writeText(w, http.StatusNotFound, "404 Not Found")
	case r.Method != http.MethodPut:
		writeText(w, http.StatusMethodNotAllowed, "405 Method Not Allowed")
	case err != nil || seconds < 1 || seconds > longest:
		writeText(w, http.StatusBadRequest, "X-Metadata-Token-Ttl-Seconds must be from 1 to 21600")
	default:
		session := fmt.Sprintf("fake-metadata-token-%07d", m.accounts.nextNumber())
		m.sessions[session] = m.server.now().Add(time.Duration(seconds) * time.Second)
		writeText(w, http.StatusOK, session)
	}
}

func (m *Metadata) serveKey(w http.ResponseWriter, r *http.Request) {
	session := r.Header.Get("X-Metadata-Token")
	switch {
	case r.Method != http.MethodGet:
		writeText(w, http.StatusMethodNotAllowed, "405 Method Not Allowed")
	case session == "" && m.tokensRequired,
		session != "" && !m.withoutTokens && !m.server.now().Before(m.sessions[session]):
		writeText(w, http.StatusUnauthorized, "401 Unauthorized")
	case m.withoutAgency:
		writeText(w, http.StatusUnauthorized, "Please configure Cloud Service Agency first")
	default:
		writeJSON(w, http.StatusOK, m.key().answer())
	}
}

// key returns the current key. It is replaced when a sixth of its life is left, which is ten minutes of the
// usual hour; the old one stays good until its end.
func (m *Metadata) key() *key {
	now := m.server.now()
	if m.current != nil {
		known, _ := m.accounts.key(m.current.access)
		if !known.refused && known.expires.Sub(now) > m.margin {
			return m.current
		}
	}
	lifetime := m.lifetime(time.Hour)
	m.margin = lifetime / 6
	m.current = m.issueKey(now.Add(lifetime))
	return m.current
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
