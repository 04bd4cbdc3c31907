package mockservice

import (
	"fmt"
	"net/http"
)

// stream is one that is open.
type stream struct {
	texts chan string   // what to write
	cut   chan struct{} // closed to end it
	gone  chan struct{} // closed when it has ended
}

// pending is how many texts may wait for a client that does not read.
const pending = 100

func (s *Service) serveStream(w http.ResponseWriter, r *http.Request) {
	opened := &stream{texts: make(chan string, pending), cut: make(chan struct{}), gone: make(chan struct{})}
	defer close(opened.gone)
	data, _ := s.announce(w)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	flush := http.NewResponseController(w).Flush
	_, _ = fmt.Fprint(w, event("put", put(data)))
	_ = flush()
	s.setOpen(opened, true)
	defer s.setOpen(opened, false)
	for {
		select {
		case text := <-opened.texts:
			_, _ = fmt.Fprint(w, text)
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

func (s *Service) setOpen(opened *stream, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open {
		s.streams[opened] = struct{}{}
	} else {
		delete(s.streams, opened)
	}
}

// Streams returns how many streams are open that have been sent their first data.
func (s *Service) Streams() int { return len(s.open()) }

func (s *Service) open() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make([]*stream, 0, len(s.streams))
	for opened := range s.streams {
		open = append(open, opened)
	}
	return open
}

// Send sends an event to all open streams.
func (s *Service) Send(name, data string) { s.Write(event(name, data)) }

// SendData sets the data, as [Service.SetData] does, and sends it to all open streams.
func (s *Service) SendData(data string) {
	s.SetData(data)
	s.Send("put", put(data))
}

// Write writes text, be it an event or not, to all open streams. It does not wait until it has arrived.
func (s *Service) Write(text string) {
	for _, opened := range s.open() {
		select {
		case opened.texts <- text:
		case <-opened.gone:
		}
	}
}

// Disconnect ends all open streams, and returns when they have ended on this side.
func (s *Service) Disconnect() {
	for _, opened := range s.open() {
		close(opened.cut)
		<-opened.gone
	}
}

func put(data string) string { return fmt.Sprintf(`{"path":"/","data":%s}`, data) }

func event(name, data string) string { return fmt.Sprintf("event: %s\ndata: %s\n\n", name, data) }
