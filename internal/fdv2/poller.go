package fdv2

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// PollerOptions configures a [Poller].
type PollerOptions struct {
	// BaseURI is where the polling service is.
	BaseURI string
	// Interval is the time from the beginning of one poll to that of the next, to which up to a tenth is added at random.
	Interval time.Duration
	// RequestTimeout is how long a poll may take.
	RequestTimeout time.Duration
	// MaxPayloadSize is the size in bytes above which an answer is refused, counted after decompression.
	MaxPayloadSize int64
}

// Poller asks the flag service for payloads. It is not safe for concurrent use.
type Poller struct {
	endpoint *flagservice.Endpoint
	options  PollerOptions
	logger   *slog.Logger
}

// NewPoller makes a poller. All options must be set. An error wraps [core.ErrInvalid].
func NewPoller(settings core.ClientSettings, options PollerOptions) (*Poller, error) {
	settings = settings.WithDefaults()
	endpoint, err := flagservice.NewEndpoint(settings, options.BaseURI, "sdk/poll", "")
	if err != nil {
		return nil, fmt.Errorf("polling: %w", err)
	}
	return &Poller{endpoint: endpoint, options: options, logger: settings.Logger}, nil
}

// Fetch asks once, for what has changed since the state that the client has. A [*Directive] may be returned together with data, which
// is to be used first.
func (p *Poller) Fetch(ctx context.Context, has core.Selector) (Update, error) {
	limited, cancel := context.WithTimeoutCause(ctx, p.options.RequestTimeout,
		fmt.Errorf("the flag service has not answered completely within %v", p.options.RequestTimeout))
	defer cancel()
	update, err := p.fetch(limited, has)
	if err != nil && ctx.Err() != nil {
		return Update{}, ctx.Err()
	}
	if !isFinal(err) {
		err = flagservice.Cause(limited, err)
	}
	return update, err
}

func (p *Poller) fetch(ctx context.Context, has core.Selector) (Update, error) {
	response, err := basis(p.endpoint, has).Get(ctx, http.Header{"Accept": {"application/json"}}) //nolint:bodyclose // Discard closes it
	if err != nil {
		return Update{}, err
	}
	defer flagservice.Discard(response.Body)
	directive := directiveOf(response.Header)
	if response.StatusCode != http.StatusOK {
		if directive != nil {
			return Update{}, directive
		}
		return Update{}, &flagservice.StatusError{Status: response.StatusCode}
	}
	body, err := io.ReadAll(flagservice.Limit(response.Body, p.options.MaxPayloadSize, "MaxPayloadSize"))
	if err != nil {
		return Update{}, err
	}
	update := Update{EnvironmentID: flagservice.EnvironmentID(response.Header)}
	var bye *Goodbye
	update.ChangeSet, bye, err = ReadPoll(body, p.logger)
	switch {
	case directive != nil:
		return update, directive
	case bye != nil && bye.FallbackTTL != nil:
		return Update{}, newDirective(*bye.FallbackTTL)
	default:
		return update, err
	}
}

// Run polls, and calls tell with what each poll comes to, until ctx ends, whose error it then returns, or until it is of no use to go
// on, and returns why: a [*Directive] or a [*flagservice.StatusError].
func (p *Poller) Run(ctx context.Context, has func() core.Selector, tell func(Update)) error {
	backoff := flagservice.Backoff{Initial: min(time.Second, p.options.Interval), Max: p.options.Interval}
	for {
		began := time.Now()
		update, err := p.Fetch(ctx, has())
		delay := flagservice.Spread(p.options.Interval)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case update.ChangeSet != nil:
			backoff.Reset()
			tell(update)
		case !isFinal(err):
			delay = backoff.Short()
			tell(Update{Err: err})
		}
		if isFinal(err) {
			return err
		}
		if err := wait(ctx, delay-time.Since(began)); err != nil {
			return err
		}
	}
}
