package flagservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// StreamOptions bounds a [Stream].
type StreamOptions struct {
	// ResponseTimeout is how long to wait for the response to begin.
	ResponseTimeout time.Duration
	// ReadTimeout is how long the response may be silent. Any byte counts, also that of a comment. Time in which no caller
	// reads, because the events are not taken, is no silence.
	ReadTimeout time.Duration
	// MaxEventSize is the size in bytes above which an event is refused.
	MaxEventSize int64
	// Arrived is called, on a goroutine of the stream's, when the first byte has come; optional.
	Arrived func()
}

// Stream is a response of server-sent events. It makes no second request.
//
// LaunchDarkly's package eventsource is not used: its stream has one retry delay where the service's protocol wants two regimes,
// measures silence in lines, so that a large event on a slow line looks like silence, and its decoder has no limit on the size of
// an event and copies one several times.
type Stream struct {
	// Header is that of the response.
	Header http.Header

	options StreamOptions
	cancel  context.CancelCauseFunc // ends the request
	ctx     context.Context         //nolint:containedctx // its cause says why the request ended
	body    io.ReadCloser
	silence *time.Timer  // ends the request when it fires; runs while a read waits
	arrived bool         // belongs to the goroutine that reads
	reader  *eventReader // likewise, but for its begun

	events chan Event
	ended  chan error
	closed chan struct{}
	done   chan struct{} // closed when the goroutine has ended
}

// OpenStream makes a request for server-sent events. Unless it returns an error, the stream must be closed.
func (e *Endpoint) OpenStream(ctx context.Context, options StreamOptions) (*Stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	patience := time.AfterFunc(options.ResponseTimeout, func() {
		cancel(fmt.Errorf("the flag service has not responded within %v", options.ResponseTimeout))
	})
	response, err := e.Get(ctx, http.Header{
		"Accept":        {"text/event-stream"},
		"Cache-Control": {"no-cache"},
	})
	patience.Stop()
	if err == nil {
		err = checkStream(response)
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	s := &Stream{
		Header:  response.Header,
		options: options,
		cancel:  cancel,
		ctx:     ctx,
		body:    response.Body,
		events:  make(chan Event),
		ended:   make(chan error, 1),
		closed:  make(chan struct{}),
		done:    make(chan struct{}),
	}
	s.silence = time.AfterFunc(options.ReadTimeout, func() {
		cancel(fmt.Errorf("the flag service has been silent for %v", options.ReadTimeout))
	})
	s.reader = newEventReader(watched{s}, options.MaxEventSize)
	go s.read()
	return s, nil
}

// checkStream closes a response that is none of server-sent events.
func checkStream(response *http.Response) (err error) {
	const want = "text/event-stream"
	got := response.Header.Get("Content-Type")
	mediaType, _, parseErr := mime.ParseMediaType(got)
	switch {
	case response.StatusCode != http.StatusOK:
		err = &StatusError{Status: response.StatusCode, Header: response.Header}
	case parseErr != nil || mediaType != want:
		err = fmt.Errorf("%w: the response has the content type %.100q and not %s; check the base URI", ErrInvalidData, got, want)
	default:
		return nil
	}
	_ = response.Body.Close()
	return err
}

// Events returns where events arrive.
func (s *Stream) Events() <-chan Event { return s.events }

// Begun reports whether an event has come, or the beginning of one. A comment is none.
func (s *Stream) Begun() bool { return s.reader.begun.Load() }

// Ended returns where, once, the reason arrives why there are no more events: an error of ErrInvalidData's if they could
// not be read, the cause if the context that the stream was opened with has ended, and otherwise that of the connection.
func (s *Stream) Ended() <-chan error { return s.ended }

// Close ends the request and waits until nothing of it is left. It is called once.
func (s *Stream) Close() {
	close(s.closed)
	s.cancel(context.Canceled)
	_ = s.body.Close()
	<-s.done
	s.silence.Stop()
}

// read passes events on.
func (s *Stream) read() {
	defer close(s.done)
	for {
		event, err := s.reader.next()
		if err != nil {
			s.ended <- Cause(s.ctx, explainEnd(err))
			return
		}
		select {
		case s.events <- event:
		case <-s.closed:
		}
	}
}

func explainEnd(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the stream broke off in the middle of an event: %w", err)
	case errors.Is(err, io.EOF):
		return errors.New("the flag service has closed the stream")
	default:
		return err
	}
}

// watched is the stream's body, whose silence is measured. The clock runs only while a read waits: the reader who takes the
// events may be slow, such as a store, and the service must not be blamed for that.
type watched struct{ stream *Stream }

func (w watched) Read(p []byte) (int, error) {
	s := w.stream
	s.silence.Reset(s.options.ReadTimeout)
	n, err := s.body.Read(p)
	s.silence.Stop()
	if n == 0 {
		return n, err
	}
	if !s.arrived && s.options.Arrived != nil {
		s.options.Arrived()
	}
	s.arrived = true
	return n, err
}
