package streaming

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// Source returns what makes a data source that streams from the flag service. Options that cannot be used are reported
// by the factory, in an error wrapping [core.ErrInvalid] that names all of them; no connection is made before Start.
//
// Stop does not wait; the data source's goroutines and its connection are gone when Done is closed.
func Source(options Options) core.UpdateProcessorFactory {
	return func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
		if err := options.validate(); err != nil {
			return nil, err
		}
		settings = settings.WithDefaults()
		options := options.withDefaults(settings)
		endpoint, err := flagservice.NewEndpoint(settings, options.BaseURI, "all", options.PayloadFilter)
		if err != nil {
			return nil, fmt.Errorf("streaming: %w", err)
		}
		return &source{
			Operation: lifecycle.NewOperation(),
			options:   options,
			endpoint:  endpoint,
			sink:      sink,
			logger:    settings.Logger,
			inits:     settings.StreamInits,
			store:     make(chan struct{}, 1),
			backoff:   flagservice.Backoff{Initial: options.InitialRetryDelay, Max: flagservice.MaxDelay},
			reconnect: flagservice.Backoff{Initial: options.InitialRetryDelay, Max: flagservice.MaxDelay},
			reporter:  flagservice.Reporter{Sink: sink, Logger: settings.Logger, What: "the stream of flag data"},
		}, nil
	}
}

// source is a streaming data source. What is not protected belongs to the goroutine that Start starts.
type source struct {
	*lifecycle.Operation

	options  Options
	endpoint *flagservice.Endpoint
	sink     core.DataSourceUpdateSink
	logger   *slog.Logger
	inits    core.StreamInitRecorder // nil if they are not counted
	store    chan struct{}           // holds a token if the status of the store has changed
	stale    atomic.Bool             // the store has asked for everything again

	backoff     flagservice.Backoff // after failures of the service
	reconnect   flagservice.Backoff // because of the store
	well        time.Time           // since when the store has held what the connection brings; zero if it does not
	reporter    flagservice.Reporter
	filled      bool // the connection has sent everything once
	refused     bool // the store has refused an update
	initialized atomic.Bool
}

var (
	_ core.UpdateProcessor       = (*source)(nil)
	_ core.DiagnosticDescription = (*source)(nil)
)

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *source) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return flagservice.DescribeStreaming(s.options.InitialRetryDelay)
}

func (s *source) Start(ctx context.Context) { s.Run(ctx, s.run) }

func (s *source) Initialized() bool { return s.initialized.Load() }

// noticeStore is called by the store's status provider, on a goroutine that is not ours.
func (s *source) noticeStore(status core.DataStoreStatus) {
	if status.Stale {
		s.stale.Store(true)
	}
	select {
	case s.store <- struct{}{}:
	default:
	}
}
