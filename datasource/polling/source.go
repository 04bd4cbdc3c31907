package polling

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// Source returns what makes a data source that polls the flag service. Options that cannot be used are reported by the
// factory, in an error wrapping [core.ErrInvalid] that names all of them; nothing is fetched before Start.
//
// Stop does not wait; the data source's goroutine and its request are gone when Done is closed.
func Source(options Options) core.UpdateProcessorFactory {
	return func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
		if err := options.validate(); err != nil {
			return nil, err
		}
		settings = settings.WithDefaults()
		options := options.withDefaults(settings).limitInterval(settings.Logger)
		if options.Requester == nil {
			requester, err := NewRequester(settings, options)
			if err != nil {
				return nil, err
			}
			options.Requester = requester
		}
		return &source{
			Operation:  lifecycle.NewOperation(),
			options:    options,
			sink:       sink,
			logger:     settings.Logger,
			store:      make(chan struct{}, 1),
			backoff:    flagservice.Backoff{Initial: min(firstDelay, options.Interval), Max: options.Interval},
			redelivery: flagservice.Backoff{Initial: firstDelay, Max: flagservice.MaxDelay},
			reporter:   flagservice.Reporter{Sink: sink, Logger: settings.Logger, What: "polling for flag data"},
		}, nil
	}
}

// source is a polling data source. What is not protected belongs to the goroutine that Start starts.
type source struct {
	*lifecycle.Operation

	options Options
	sink    core.DataSourceUpdateSink
	logger  *slog.Logger
	store   chan struct{} // holds a token if the status of the store has changed
	stale   atomic.Bool   // the store has asked for everything again

	backoff     flagservice.Backoff
	reporter    flagservice.Reporter
	successes   int               // how many polls in succession have succeeded
	current     []core.Collection // the last good data; nil before there is any
	refused     bool              // the store has refused current
	initialized atomic.Bool

	redelivery     flagservice.Backoff // between two deliveries because the store asks
	redelivered    time.Time           // when the last one was
	nextRedelivery time.Time           // when the next one may be
}

var (
	_ core.UpdateProcessor       = (*source)(nil)
	_ core.DiagnosticDescription = (*source)(nil)
)

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *source) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return flagservice.DescribePolling(s.options.Interval)
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
