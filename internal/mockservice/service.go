package mockservice

import (
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"log/slog"
	"net/http"
	"sync"
	"testing"

	"github.com/cleatdev/cleat/core"
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
	listener *listener
	server   *http.Server
	client   *http.Client
	ended    chan struct{} // closed when the service is closed

	mu            sync.Mutex // guards what follows
	data          string
	environmentID string
	compress      bool
	streams       map[*stream]struct{}
	next          map[string][]http.HandlerFunc
	requests      map[string][]Request
}

// New starts a service without flags, which is closed when the test ends.
func New(t testing.TB) *Service {
	t.Helper()
	s := &Service{
		listener: newListener(),
		ended:    make(chan struct{}),
		data:     `{"flags":{},"segments":{}}`,
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

// Client returns a client that reaches the service, by whatever host a URL names.
func (s *Service) Client() *http.Client { return s.client }

// Settings returns what a client would give to its components to have them use the service.
func (s *Service) Settings() core.ClientSettings {
	return core.ClientSettings{
		SDKKey:     SDKKey,
		Logger:     slog.New(slog.DiscardHandler),
		Endpoints:  core.ServiceEndpoints{Streaming: URL, Polling: URL, Events: URL},
		HTTPClient: s.client,
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

// Next has the next requests of the path answered by the handlers, one each.
func (s *Service) Next(path string, handlers ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[path] = append(s.next[path], handlers...)
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler := s.record(r); handler != nil {
		handler(w, r)
		return
	}
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
