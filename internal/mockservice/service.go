package mockservice

import (
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockhttp"
)

// Paths of the service.
const (
	StreamPath     = "/all"
	PollPath       = "/sdk/latest-all"
	EventsPath     = "/bulk"
	DiagnosticPath = "/diagnostic"
)

// SDKKey is the key in [Service.Settings]. The service takes any.
const SDKKey = "sdk-key-of-the-mock-service"

// URL is the base URI of the service for its own client, without a slash at its end.
const URL = "http://flags.test"

// Service is a flag service. Make one with [New]. It is safe for concurrent use.
type Service struct {
	*mockhttp.Server

	mu            sync.Mutex // guards what follows
	data          string
	environmentID string
	compress      bool
}

// Request is one that the service has got.
type Request = mockhttp.Request

// New starts a service without flags, which is closed when the test ends.
func New(t testing.TB) *Service {
	t.Helper()
	s := &Service{data: `{"flags":{},"segments":{}}`}
	s.Server = mockhttp.New(t, http.HandlerFunc(s.serve))
	return s
}

// Settings returns what a client would give to its components to have them use the service.
func (s *Service) Settings() core.ClientSettings {
	return core.ClientSettings{
		SDKKey:     SDKKey,
		Logger:     slog.New(slog.DiscardHandler),
		Endpoints:  core.ServiceEndpoints{Streaming: URL, Polling: URL, Events: URL},
		HTTPClient: s.Client(),
	}.WithDefaults()
}

// SetData sets what new streams begin with and polls are answered with: {"flags":{…},"segments":{…}}. Streams that are
// open are told nothing; see [Service.SendData].
func (s *Service) SetData(data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = data
}

// SetEnvironmentID sets what the X-LD-EnvID header of streams and polls says; by default they have none.
func (s *Service) SetEnvironmentID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.environmentID = id
}

// Compress makes polls be answered with gzip, and refused with status 400 if they do not accept that.
func (s *Service) Compress() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.compress = true
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case StreamPath:
		s.serveStream(w, r)
	case PollPath:
		s.servePoll(w, r)
	case EventsPath, DiagnosticPath:
		w.WriteHeader(http.StatusAccepted)
	default:
		http.NotFound(w, r)
	}
}

// announce sets the headers that streams and polls have in common, and returns the data.
func (s *Service) announce(w http.ResponseWriter) (data string, compress bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.environmentID != "" {
		w.Header().Set("X-LD-EnvID", s.environmentID)
	}
	return s.data, s.compress
}

// tagOf returns the entity tag of data.
func tagOf(data string) string {
	hash := fnv.New64a()
	_, _ = io.WriteString(hash, data)
	return fmt.Sprintf(`"%x"`, hash.Sum64())
}
