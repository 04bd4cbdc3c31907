package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"github.com/cleatdev/cleat"
)

// capabilities are what the suite is told that the client can do.
func capabilities() []string {
	return []string{
		"server-side", "strongly-typed",
		"all-flags-with-reasons", "all-flags-client-side-only", "all-flags-details-only-for-tracked-flags",
		"big-segments", "client-prereq-events", "context-type", "context-comparison", "user-type", "secure-mode-hash",
		"server-side-polling", "service-endpoints", "tags", "filtering", "filtering-strict",
		"polling-gzip", "event-gzip", "optional-event-gzip", "inline-context", "inline-context-all",
		"anonymous-redaction", "omit-anonymous-contexts", "event-sampling", "migrations",
		"evaluation-hooks", "track-hooks", "hook-environment-id", "instance-id", "wrapper",
		"http-proxy", "tls:verify-peer", "tls:skip-verify-peer",
		"persistent-data-store-redis", "persistent-data-store-consul", "persistent-data-store-dynamodb", "persistent-data-store-recovery",
		"retry-conformance-fdv1-streaming", "retry-conformance-fdv1-polling",
		"flag-change-listeners", "flag-value-change-listeners", "fdv1-fallback", "evaluate-batch",
	}
}

// service holds the clients that the suite has made.
type service struct {
	stop   func()
	logger *slog.Logger

	mu      sync.Mutex // guards what follows
	last    int
	clients map[string]*client
}

func newService(stop func(), logger *slog.Logger) *service {
	return &service{stop: stop, logger: logger, clients: map[string]*client{}}
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.describe)
	mux.HandleFunc("DELETE /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		s.stop()
	})
	mux.HandleFunc("POST /{$}", s.create)
	mux.HandleFunc("POST /clients/{id}", s.command)
	mux.HandleFunc("DELETE /clients/{id}", s.remove)
	return mux
}

func (s *service) describe(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]any{"name": "cleat", "clientVersion": cleat.Version, "capabilities": capabilities()})
}

func (s *service) create(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Tag           string        `json:"tag"`
		Configuration configuration `json:"configuration"`
	}
	if !decode(w, r, &request) {
		return
	}
	client, err := newClient(r.Context(), &request.Configuration, s.logger.With("test", request.Tag))
	if err != nil {
		refuse(w, err)
		return
	}
	s.mu.Lock()
	s.last++
	id := strconv.Itoa(s.last)
	s.clients[id] = client
	s.mu.Unlock()
	w.Header().Set("Location", "/clients/"+id)
	w.WriteHeader(http.StatusCreated)
}

func (s *service) command(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	client := s.clients[r.PathValue("id")]
	s.mu.Unlock()
	if client == nil {
		http.NotFound(w, r)
		return
	}
	var request commandRequest
	if !decode(w, r, &request) {
		return
	}
	result, err := client.execute(r.Context(), &request)
	switch {
	case err != nil:
		refuse(w, err)
	case result == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		reply(w, result)
	}
}

func (s *service) remove(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	client := s.clients[r.PathValue("id")]
	delete(s.clients, r.PathValue("id"))
	s.mu.Unlock()
	if client == nil {
		http.NotFound(w, r)
		return
	}
	if err := client.Close(); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *service) closeAll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.clients))
	for _, client := range s.clients {
		errs = append(errs, client.Close())
	}
	s.clients = nil
	return errors.Join(errs...)
}

// errBadRequest marks an error of the request and not of the client.
var errBadRequest = errors.New("bad request")

func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, errBadRequest) {
		status = http.StatusBadRequest
	}
	http.Error(w, err.Error(), status)
}

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		refuse(w, fmt.Errorf("%w: %w", errBadRequest, err))
		return false
	}
	return true
}

func reply(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
