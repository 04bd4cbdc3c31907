package mockbigsegments

import (
	"log/slog"
	"math"
	"net/http"
	"sync"
	"testing"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockhttp"
)

// Paths of the service.
const (
	PollPath   = "/sdk/big-segments/revisions"
	StreamPath = "/big-segments"
)

// SDKKey is the key that requests must have.
const SDKKey = "sdk-key-of-the-mock-service"

// Base URIs of the service for its own client. It answers everything under both.
const (
	PollingURL   = "http://polling.flags.test"
	StreamingURL = "http://streaming.flags.test"
)

// Service tells of changes to big segments. Make one with [New]. It is safe for concurrent use.
type Service struct {
	*mockhttp.Server

	mu        sync.Mutex // guards what follows
	revisions []revision
	pageSize  int
	eventSize int
	form      Form
}

// New starts a service without revisions, which is closed when the test ends.
func New(t testing.TB) *Service {
	t.Helper()
	s := &Service{pageSize: math.MaxInt, eventSize: math.MaxInt}
	s.Server = mockhttp.New(t, http.HandlerFunc(s.serve))
	return s
}

// Settings returns what a client would give to its components to have them use the service.
func (s *Service) Settings() core.ClientSettings {
	return core.ClientSettings{
		SDKKey:     SDKKey,
		Logger:     slog.New(slog.DiscardHandler),
		Endpoints:  core.ServiceEndpoints{Streaming: StreamingURL, Polling: PollingURL},
		HTTPClient: s.Client(),
	}.WithDefaults()
}

// SetPageSize sets how many revisions a poll is answered with at most; by default there is no limit.
func (s *Service) SetPageSize(revisions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pageSize = revisions
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != SDKKey:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == PollPath:
		s.servePoll(w, r)
	case r.URL.Path == StreamPath:
		s.ServeStream(w, r, "", 0)
	default:
		http.NotFound(w, r)
	}
}

// Send sends an event with the patches to all open streams.
func (s *Service) Send(patches ...Patch) { s.Write(mockhttp.Event("patch", Text(patches...))) }
