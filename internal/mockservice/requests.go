package mockservice

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Request is one that the service has got.
type Request struct {
	Time   time.Time
	Method string
	URL    *url.URL
	Header http.Header
	// Body is decompressed.
	Body []byte
}

// Requests returns all requests of the path, the oldest first.
func (s *Service) Requests(path string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests[path])
}

// record notes a request and returns the handler that the test has for it; nil if there is none.
func (s *Service) record(r *http.Request) http.HandlerFunc {
	request := Request{Time: time.Now(), Method: r.Method, URL: r.URL, Header: r.Header.Clone(), Body: body(r)}
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
