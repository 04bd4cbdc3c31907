package mockservice

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

func (s *Service) servePoll(w http.ResponseWriter, r *http.Request) {
	data, compress := s.announce(w)
	tag := tagOf(data)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", tag)
	accepted := strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	switch {
	case !compress:
		_, _ = io.WriteString(w, data)
	case !accepted:
		w.WriteHeader(http.StatusBadRequest)
	default:
		w.Header().Set("Content-Encoding", "gzip")
		zipped := gzip.NewWriter(w)
		_, _ = io.WriteString(zipped, data)
		_ = zipped.Close()
	}
}
