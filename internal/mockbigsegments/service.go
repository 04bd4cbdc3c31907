package mockbigsegments

import (
	"io"
	"log"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cleatdev/cleat/core"
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

// Request is one that the service has got.
type Request struct {
	Time   time.Time
	Host   string
	URL    *url.URL
	Header http.Header
}

// Service tells of changes to big segments. Make one with [New]. It is safe for concurrent use.
type Service struct {
	listener *listener
	server   *http.Server
	client   *http.Client
	ended    chan struct{} // closed when the service is closed

	mu        sync.Mutex // guards what follows
	revisions []revision
	pageSize  int
	streams   map[*stream]struct{}
	next      map[string][]http.HandlerFunc
	requests  map[string][]Request
}

// New starts a service without revisions, which is closed when the test ends.
func New(t testing.TB) *Service {
	t.Helper()
	s := &Service{
		listener: newListener(),
		ended:    make(chan struct{}),
		pageSize: math.MaxInt,
		streams:  map[*stream]struct{}{},
		next:     map[string][]http.HandlerFunc{},
		requests: map[string][]Request{},
	}
	s.server = &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)} //nolint:gosec // in memory, without strangers
	s.client = &http.Client{Transport: &http.Transport{DialContext: s.listener.dial}}
	go func() { _ = s.server.Serve(s.listener) }()
	t.Cleanup(s.Close)
	return s
}

// Close ends all connections and the service. It is idempotent.
func (s *Service) Close() {
	s.mu.Lock()
	select {
	case <-s.ended:
	default:
		close(s.ended)
	}
	s.mu.Unlock()
	_ = s.server.Close()
	s.client.CloseIdleConnections()
}

// Settings returns what a client would give to its components to have them use the service.
func (s *Service) Settings() core.ClientSettings {
	return core.ClientSettings{
		SDKKey:     SDKKey,
		Logger:     slog.New(slog.DiscardHandler),
		Endpoints:  core.ServiceEndpoints{Streaming: StreamingURL, Polling: PollingURL},
		HTTPClient: s.client,
	}.WithDefaults()
}

// Client returns a client that reaches the service, by whatever host a URL names.
func (s *Service) Client() *http.Client { return s.client }

// SetPageSize sets how many revisions a poll is answered with at most; by default there is no limit.
func (s *Service) SetPageSize(revisions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pageSize = revisions
}

// Next has the next requests of the path answered by the handlers, one each. nil stands for what the service does by
// itself.
func (s *Service) Next(path string, handlers ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[path] = append(s.next[path], handlers...)
}

// Requests returns all requests of the path, the oldest first.
func (s *Service) Requests(path string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests[path])
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler := s.record(r); handler != nil {
		handler(w, r)
		return
	}
	switch {
	case r.Header.Get("Authorization") != SDKKey:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == PollPath:
		s.servePoll(w, r)
	case r.URL.Path == StreamPath:
		s.serveStream(w, r)
	default:
		http.NotFound(w, r)
	}
}

// record notes a request and returns the handler that the test has for it; nil if there is none.
func (s *Service) record(r *http.Request) http.HandlerFunc {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.URL.Path
	s.requests[path] = append(s.requests[path], Request{time.Now(), r.Host, r.URL, r.Header.Clone()})
	if len(s.next[path]) == 0 {
		return nil
	}
	handler := s.next[path][0]
	s.next[path] = s.next[path][1:]
	return handler
}
