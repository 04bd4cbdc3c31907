package mockhttp

import (
	"io"
	"log"
	"net/http"
	"sync"
	"testing"
)

// Server is an HTTP server. Make one with [New]. It is safe for concurrent use.
type Server struct {
	handler http.Handler
	server  *http.Server
	client  *http.Client
	closing sync.Once
	ended   chan struct{} // closed when the server is closed

	mu       sync.Mutex // guards what follows
	streams  map[*stream]struct{}
	next     map[string][]http.HandlerFunc
	requests map[string][]Request
}

// New starts a server, which is closed when the test ends. The handler answers the requests that nothing else is said of
// by [Server.Next].
func New(t testing.TB, handler http.Handler) *Server {
	t.Helper()
	s := &Server{
		handler:  handler,
		ended:    make(chan struct{}),
		streams:  map[*stream]struct{}{},
		next:     map[string][]http.HandlerFunc{},
		requests: map[string][]Request{},
	}
	l := newListener()
	s.server = &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)} //nolint:gosec // in memory, without strangers
	s.client = &http.Client{Transport: &http.Transport{DialContext: l.dial}}
	go func() { _ = s.server.Serve(l) }()
	t.Cleanup(s.Close)
	return s
}

// Close ends all connections and the server. It is idempotent.
func (s *Server) Close() {
	s.closing.Do(func() { close(s.ended) })
	_ = s.server.Close()
	s.client.CloseIdleConnections()
}

// Client returns a client that reaches the server, by whatever host a URL names.
func (s *Server) Client() *http.Client { return s.client }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler := s.record(r); handler != nil {
		handler(w, r)
		return
	}
	s.handler.ServeHTTP(w, r)
}
