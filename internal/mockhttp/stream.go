package mockhttp

import (
	"io"
	"net/http"
)

// stream is one that is open.
type stream struct {
	texts chan string   // what to write
	cut   chan struct{} // closed to end it
	gone  chan struct{} // closed when it has ended
}

// ServeStream answers with server-sent events: with beginning, and then with what [Server.Write] is given, until either
// side ends the stream. Of what Write is given, as many texts as pending says may wait for a client that does not read.
func (s *Server) ServeStream(w http.ResponseWriter, r *http.Request, beginning string, pending int) {
	opened := &stream{texts: make(chan string, pending), cut: make(chan struct{}), gone: make(chan struct{})}
	defer close(opened.gone)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	flush := http.NewResponseController(w).Flush
	if beginning != "" {
		_, _ = io.WriteString(w, beginning)
		_ = flush()
	}
	s.setOpen(opened, true)
	defer s.setOpen(opened, false)
	_ = flush() // the header, if there is no beginning
	for {
		select {
		case text := <-opened.texts:
			_, _ = io.WriteString(w, text)
			_ = flush()
		case <-opened.cut:
			return
		case <-s.ended:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) setOpen(opened *stream, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open {
		s.streams[opened] = struct{}{}
	} else {
		delete(s.streams, opened)
	}
}

// Streams returns how many streams are open that have been sent their beginning.
func (s *Server) Streams() int { return len(s.open()) }

func (s *Server) open() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make([]*stream, 0, len(s.streams))
	for opened := range s.streams {
		open = append(open, opened)
	}
	return open
}

// Write writes text, be it an event or not, to all open streams. It does not wait until it has arrived.
func (s *Server) Write(text string) {
	for _, opened := range s.open() {
		select {
		case opened.texts <- text:
		case <-opened.gone:
		}
	}
}

// Disconnect ends all open streams, and returns when they have ended on this side.
func (s *Server) Disconnect() {
	for _, opened := range s.open() {
		close(opened.cut)
		<-opened.gone
	}
}

// Event returns the text of a server-sent event.
func Event(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }
