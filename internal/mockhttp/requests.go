package mockhttp

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Request is one that the server has got.
type Request struct {
	Time   time.Time
	Method string
	Host   string
	URL    *url.URL
	Header http.Header
	// Body is decompressed.
	Body []byte
}

// Next has the next requests of the path answered by the handlers, one each. nil stands for what the server does by
// itself.
func (s *Server) Next(path string, handlers ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[path] = append(s.next[path], handlers...)
}

// Requests returns all requests of the path, the oldest first.
func (s *Server) Requests(path string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests[path])
}

// record notes a request and returns the handler that the test has for it; nil if there is none.
func (s *Server) record(r *http.Request) http.HandlerFunc {
	request := Request{time.Now(), r.Method, r.Host, r.URL, r.Header.Clone(), body(r)}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.URL.Path
	s.requests[path] = append(s.requests[path], request)
	if len(s.next[path]) == 0 {
		return nil
	}
	handler := s.next[path][0]
	s.next[path] = s.next[path][1:]
	return handler
}

// body returns the body of a request, or as much of it as can be read.
func body(r *http.Request) []byte {
	reader := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if unzipped, err := gzip.NewReader(r.Body); err == nil {
			reader = unzipped
		}
	}
	data, _ := io.ReadAll(reader)
	return data
}
