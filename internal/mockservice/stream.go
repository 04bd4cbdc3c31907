package mockservice

import (
	"fmt"
	"net/http"

	"github.com/cleatdev/cleat/internal/mockhttp"
)

// pending is how many texts may wait for a client that does not read.
const pending = 100

func (s *Service) serveStream(w http.ResponseWriter, r *http.Request) {
	data, _ := s.announce(w)
	s.ServeStream(w, r, mockhttp.Event("put", put(data)), pending)
}

// Send sends an event to all open streams.
func (s *Service) Send(name, data string) { s.Write(mockhttp.Event(name, data)) }

// SendData sets the data, as [Service.SetData] does, and sends it to all open streams.
func (s *Service) SendData(data string) {
	s.SetData(data)
	s.Send("put", put(data))
}

func put(data string) string { return fmt.Sprintf(`{"path":"/","data":%s}`, data) }
