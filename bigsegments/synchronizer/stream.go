package synchronizer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/launchdarkly/eventsource"

	"github.com/cleatdev/cleat/internal/flagservice"
)

// stream is one response of the streaming service. A goroutine of it reads events until the connection breaks or is
// closed.
type stream struct {
	cancel  context.CancelCauseFunc // ends the request
	body    io.ReadCloser
	silence *time.Timer // ends the request when it fires; runs while a read waits
	timeout time.Duration

	events chan string // the data of each event
	ended  chan error  // gets why there are no more events
	closed chan struct{}
	done   chan struct{} // closed when the goroutine has ended
}

// openStream makes the request and begins to read the response. cancel ends ctx. After an error there is nothing to close.
func (s *Synchronizer) openStream(ctx context.Context, cancel context.CancelCauseFunc) (*stream, error) {
	patience := time.AfterFunc(s.options.RequestTimeout, func() {
		cancel(fmt.Errorf("the flag service has not begun to stream big segments within %v", s.options.RequestTimeout))
	})
	response, err := s.streamEndpoint.Get(ctx, http.Header{
		"Accept":        {"text/event-stream"},
		"Cache-Control": {"no-cache"},
	})
	patience.Stop()
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, &flagservice.StatusError{Status: response.StatusCode}
	}
	opened := &stream{
		cancel:  cancel,
		body:    response.Body,
		timeout: s.options.ReadTimeout,
		events:  make(chan string),
		ended:   make(chan error, 1),
		closed:  make(chan struct{}),
		done:    make(chan struct{}),
	}
	opened.silence = time.AfterFunc(s.options.ReadTimeout, func() {
		cancel(fmt.Errorf("the stream of big segments has been silent for %v", s.options.ReadTimeout))
	})
	go opened.read(s.options.MaxSize)
	return opened, nil
}

// read passes events on. The decoder has a goroutine of its own, which ends only when its error has been received.
func (s *stream) read(maxSize int64) {
	defer close(s.done)
	decoder := eventsource.NewDecoder(newGuard(s, maxSize))
	for {
		event, err := decoder.Decode()
		if err != nil {
			s.ended <- explain(err)
			return
		}
		select {
		case s.events <- event.Data():
		case <-s.closed:
		}
	}
}

// Read reads from the connection. The clock that measures its silence runs only while a read waits, so that a slow store
// does not look like a silent service.
func (s *stream) Read(p []byte) (int, error) {
	s.silence.Reset(s.timeout)
	defer s.silence.Stop()
	return s.body.Read(p)
}

func explain(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the stream of big segments broke off in the middle of an event: %w", err)
	case errors.Is(err, io.EOF):
		return errors.New("the flag service has closed the stream of big segments")
	default:
		return err
	}
}

// close ends the request and waits until nothing of it is left.
func (s *stream) close() {
	close(s.closed)
	s.cancel(context.Canceled)
	_ = s.body.Close()
	<-s.done
	s.silence.Stop()
}

// guard fails when an event gets too large, so that a service that never ends one cannot use up all memory. The decoder
// copies what it has of an event for each further line, so that the copying is limited too.
type guard struct {
	reader io.Reader
	limit  int64

	size     int64 // of the event so far
	copied   int64 // what the decoder has copied for it
	lineSize int64
	returned bool // the last byte was a carriage return
}

const copies = 100 // how many times the largest event may be copied

func newGuard(reader io.Reader, limit int64) *guard { return &guard{reader: reader, limit: limit} }

// Read implements io.Reader.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.reader.Read(p)
	for _, b := range p[:n] {
		g.count(b)
	}
	if g.size > g.limit || g.copied/copies > g.limit {
		return 0, fmt.Errorf("%w: an event is %w", flagservice.ErrInvalidData, errTooLarge)
	}
	return n, err
}

// count follows the stream byte by byte. A line ends with a line feed, a carriage return, or both, and an event with an
// empty line.
func (g *guard) count(b byte) {
	returned := g.returned
	g.returned = b == '\r'
	switch {
	case b == '\n' && returned:
	case b != '\n' && b != '\r':
		g.size++
		g.lineSize++
	case g.lineSize == 0:
		g.size, g.copied = 0, 0
	default:
		g.copied += g.size
		g.lineSize = 0
	}
}
