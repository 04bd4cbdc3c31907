package fdv2

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

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

var (
	_ core.Initializer           = (*Poller)(nil)
	_ core.Synchronizer          = (*Poller)(nil)
	_ core.DiagnosticDescription = (*Poller)(nil)
)

// NewPoller makes a poller. All options must be set. An error wraps [core.ErrInvalid].
func NewPoller(settings core.ClientSettings, options PollerOptions) (*Poller, error) {
	settings = settings.WithDefaults()
	endpoint, err := flagservice.NewEndpoint(settings, options.BaseURI, "sdk/poll", "")
	if err != nil {
		return nil, fmt.Errorf("polling: %w", err)
	}
	return &Poller{endpoint: endpoint, options: options, logger: settings.Logger}, nil
}

// String returns "polling".
func (*Poller) String() string { return "polling" }

// DescribeConfiguration implements [core.DiagnosticDescription].
func (p *Poller) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return flagservice.DescribePolling(p.options.Interval)
}

// Fetch implements [core.Initializer]: it asks once, for what has changed since the state that the client has.
func (p *Poller) Fetch(ctx context.Context, has core.Selector) (core.Update, *core.FallbackDirective) {
	update, err := p.fetchInTime(ctx, has)
	if directive := given(err); directive != nil || err == nil {
		return update, directive
	}
	return failed(err), nil
}

func (p *Poller) fetchInTime(ctx context.Context, has core.Selector) (core.Update, error) {
	limited, cancel := context.WithTimeoutCause(ctx, p.options.RequestTimeout,
		fmt.Errorf("the flag service has not answered completely within %v", p.options.RequestTimeout))
	defer cancel()
	update, err := p.fetch(limited, has)
	if given(err) != nil {
		return update, err
	}
	return update, flagservice.Cause(limited, err)
}

func (p *Poller) fetch(ctx context.Context, has core.Selector) (core.Update, error) {
	response, err := basis(p.endpoint, has).Get(ctx, http.Header{"Accept": {"application/json"}}) //nolint:bodyclose // Discard closes it
	if err != nil {
		return core.Update{}, err
	}
	defer flagservice.Discard(response.Body)
	asked := directiveOf(response.Header)
	if response.StatusCode != http.StatusOK {
		if asked != nil {
			return core.Update{}, asked
		}
		return core.Update{}, &flagservice.StatusError{Status: response.StatusCode}
	}
	body, err := io.ReadAll(flagservice.Limit(response.Body, p.options.MaxPayloadSize, "MaxPayloadSize"))
	if err != nil {
		return core.Update{}, err
	}
	update := core.Update{EnvironmentID: flagservice.EnvironmentID(response.Header)}
	var bye *Goodbye
	update.ChangeSet, bye, err = ReadPoll(body, p.logger)
	switch {
	case asked != nil:
		return update, asked
	case bye != nil && bye.FallbackTTL != nil:
		return core.Update{}, newDirective(*bye.FallbackTTL)
	default:
		return update, err
	}
}

// Run implements [core.Synchronizer]: it polls, until the flag service says that the request is wrong.
func (p *Poller) Run(ctx context.Context, has func() core.Selector, tell func(core.Update)) *core.FallbackDirective {
	backoff := flagservice.Backoff{Initial: min(time.Second, p.options.Interval), Max: p.options.Interval}
	for {
		began := time.Now()
		update, err := p.fetchInTime(ctx, has())
		delay := flagservice.Spread(p.options.Interval)
		directive := given(err)
		switch {
		case ctx.Err() != nil:
			return nil
		case update.ChangeSet != nil:
			backoff.Reset()
			tell(update)
		case directive == nil:
			delay = backoff.Short()
			tell(failed(err))
		}
		if directive != nil || isFinal(err) || !flagservice.Wait(ctx, delay-time.Since(began), nil) {
			return directive
		}
	}
}
