package fdv2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// StreamerOptions configures a [Streamer].
type StreamerOptions struct {
	// BaseURI is where the streaming service is.
	BaseURI string
	// InitialRetryDelay is how long to wait after the first error.
	InitialRetryDelay time.Duration
	// ResponseTimeout is how long to wait, once a request is made, for the response to begin.
	ResponseTimeout time.Duration
	// ReadTimeout is how long a connection may be silent. Any byte counts, also that of a comment.
	ReadTimeout time.Duration
	// MaxPayloadSize is the size in bytes above which an event is refused, and a payload by the sum of its events.
	MaxPayloadSize int64
}

// Streamer gets payloads over a stream from the flag service. It is not safe for concurrent use.
type Streamer struct {
	endpoint *flagservice.Endpoint
	options  StreamerOptions
	logger   *slog.Logger
	inits    core.StreamInitRecorder // nil if they are not counted
}

var (
	_ core.Synchronizer          = (*Streamer)(nil)
	_ core.DiagnosticDescription = (*Streamer)(nil)
)

// NewStreamer makes a streamer. All options must be set. An error wraps [core.ErrInvalid].
func NewStreamer(settings core.ClientSettings, options StreamerOptions) (*Streamer, error) {
	settings = settings.WithDefaults()
	endpoint, err := flagservice.NewEndpoint(settings, options.BaseURI, "sdk/stream", "")
	if err != nil {
		return nil, fmt.Errorf("streaming: %w", err)
	}
	return &Streamer{endpoint: endpoint, options: options, logger: settings.Logger, inits: settings.StreamInits}, nil
}

// String returns "streaming".
func (*Streamer) String() string { return "streaming" }

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *Streamer) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return flagservice.DescribeStreaming(s.options.InitialRetryDelay)
}

// Run implements [core.Synchronizer]: it makes one connection after the other, until the flag service says that the request is wrong.
func (s *Streamer) Run(ctx context.Context, has func() core.Selector, tell func(core.Update)) *core.FallbackDirective {
	backoff := flagservice.Backoff{Initial: s.options.InitialRetryDelay, Max: flagservice.MaxDelay}
	for {
		began := time.Now()
		err := s.connect(ctx, has(), tell)
		if ctx.Err() != nil {
			return nil
		}
		if directive := given(err); directive != nil {
			return directive
		}
		if time.Since(began) >= flagservice.HealthyAfter {
			backoff.Reset()
		}
		tell(failed(err))
		if isFinal(err) || !flagservice.Wait(ctx, backoff.Short(), nil) {
			return nil
		}
	}
}

// connect makes one connection and follows it until it ends, and returns why that was.
func (s *Streamer) connect(ctx context.Context, has core.Selector, tell func(core.Update)) error {
	attempt := flagservice.NewAttempt(s.inits)
	defer attempt.Failed(ctx)
	stream, err := basis(s.endpoint, has).OpenStream(ctx, flagservice.StreamOptions{
		ResponseTimeout: s.options.ResponseTimeout, ReadTimeout: s.options.ReadTimeout, MaxEventSize: s.options.MaxPayloadSize,
		Arrived: attempt.Succeeded,
	})
	if status, ok := errors.AsType[*flagservice.StatusError](err); ok {
		if asked := directiveOf(status.Header); asked != nil {
			return asked
		}
	}
	if err != nil {
		return err
	}
	defer stream.Close()
	c := &connection{
		reader: NewReader(s.logger, s.options.MaxPayloadSize), asked: directiveOf(stream.Header), environment: flagservice.EnvironmentID(stream.Header),
		logger: s.logger, tell: tell,
	}
	for err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event := <-stream.Events():
			err = c.take(ctx, event)
		case err = <-stream.Ended():
			err = errors.Join(err, c.asked) // which counts, though no payload came
		}
	}
	return err
}

// connection is what is known of one connection.
type connection struct {
	reader      *Reader
	asked       error // for the first protocol, by the response's header, to follow once there is a payload; nil if there is none
	environment string
	logger      *slog.Logger
	tell        func(core.Update)
}

// take takes an event. An error ends the connection.
func (c *connection) take(ctx context.Context, event flagservice.Event) error {
	message, err := c.reader.Read(event.Name, event.Data)
	switch {
	case err != nil:
		return err
	case message.ChangeSet != nil:
		c.tell(core.Update{ChangeSet: message.ChangeSet, EnvironmentID: c.environment})
		return c.asked
	case message.Goodbye != nil && message.Goodbye.FallbackTTL != nil:
		return newDirective(*message.Goodbye.FallbackTTL)
	case message.Goodbye != nil:
		return fmt.Errorf("the flag service says goodbye: %.200s", message.Goodbye.Reason)
	case message.Discarded != "":
		c.logger.WarnContext(ctx, "cleat: the flag service has taken back what it sent of a payload", "reason", message.Discarded)
	}
	return nil
}
