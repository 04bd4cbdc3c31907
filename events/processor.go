package events

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/ldlogbridge"
)

const (
	flushWait     = 25 * time.Millisecond // how long a flush at the end waits for its answer before the next one
	quietRounds   = 2                     // after how many such flushes with few deliveries, or none, the library has room
	fewDeliveries = 2                     // fewer than the five that the library begins at once
)

// Processor returns what makes a processor that delivers events to the flag service. Options that cannot be used are
// reported by the factory, in an error wrapping [core.ErrInvalid] that names all of them.
//
// The processor works until it is closed. It is a [core.StreamInitRecorder] unless Options.DisableDiagnostics is set.
func Processor(options Options) core.EventProcessorFactory {
	return func(settings core.ClientSettings) (core.EventProcessor, error) {
		settings = settings.WithDefaults()
		options := options.withDefaults(settings)
		if err := options.validate(); err != nil {
			return nil, err
		}
		if options.DisableDiagnostics {
			return newProcessor(settings, &options, nil), nil
		}
		manager := newDiagnosticsManager(settings, &options)
		return &recordingProcessor{processor: newProcessor(settings, &options, manager), manager: manager}, nil
	}
}

// processor translates events for the library, which does the rest in goroutines of its own.
type processor struct {
	library  ldevents.EventProcessor
	delivery *delivery
	logger   *slog.Logger
	strange  sync.Once // guards a message that would otherwise come with every such event

	used    atomic.Bool // the library has been given an event
	closed  atomic.Bool
	closing sync.Once
	abort   context.CancelFunc // ends what is being delivered
	done    chan struct{}      // closed when the library has ended
	err     error              // what it ended with; belongs to who has seen done closed
}

var _ core.EventProcessor = (*processor)(nil)

func newProcessor(
	settings core.ClientSettings, options *Options, diagnostics *ldevents.DiagnosticsManager,
) *processor {
	lifetime, abort := context.WithCancel(context.Background())
	p := &processor{logger: settings.Logger, abort: abort, done: make(chan struct{})}
	loggers := ldlogbridge.New(settings.Logger, "events: ")
	loggers.SetMinLevel(ldlog.Info) // at the debug level it logs whole payloads, with contexts and a part of the SDK key
	p.delivery = newDelivery(lifetime, settings, options)
	p.library = ldevents.NewDefaultEventProcessor(ldevents.EventsConfiguration{
		AllAttributesPrivate:        options.AllAttributesPrivate,
		Capacity:                    options.Capacity,
		DiagnosticRecordingInterval: options.DiagnosticInterval,
		DiagnosticsManager:          diagnostics,
		EventSender:                 p.delivery,
		FlushInterval:               options.FlushInterval,
		Loggers:                     loggers,
		PrivateAttributes:           options.privateAttributes(),
		UserKeysCapacity:            options.ContextKeysCapacity,
		UserKeysFlushInterval:       options.ContextKeysFlushInterval,
		OmitAnonymousContexts:       options.OmitAnonymousContexts,
	})
	return p
}

// Send implements [core.EventProcessor]. An event of a context that is not valid is dropped: it could not be delivered,
// nor could those beside it. While delivery pauses, all events are dropped.
func (p *processor) Send(event core.Event) {
	if p.closed.Load() || p.delivery.events.paused() {
		return
	}
	switch event := event.(type) {
	case core.EvaluationEvent:
		if p.accepts(&event.EventBase) {
			p.library.RecordEvaluation(evaluationData(&event))
		}
	case core.IdentifyEvent:
		if p.accepts(&event.EventBase) {
			p.library.RecordIdentifyEvent(identifyData(&event))
		}
	case core.CustomEvent:
		if p.accepts(&event.EventBase) {
			p.library.RecordCustomEvent(customData(&event))
		}
	case core.MigrationEvent:
		if p.accepts(&event.EventBase) {
			p.library.RecordMigrationOpEvent(migrationData(&event))
		}
	default:
		p.reportStrange(fmt.Sprintf("its type is %T", event))
	}
}

func (p *processor) accepts(event *core.EventBase) bool {
	if err := event.Context.Err(); err != nil {
		p.reportStrange(err.Error())
		return false
	}
	if !p.used.Load() { // storing it every time would make goroutines wait for each other
		p.used.Store(true)
	}
	return true
}

func (p *processor) reportStrange(problem string) {
	p.strange.Do(func() {
		p.logger.Warn("events: an event is dropped, and so are others like it from now on", "problem", problem)
	})
}

// Flush implements [core.EventProcessor].
func (p *processor) Flush() {
	if !p.closed.Load() {
		p.library.Flush()
	}
}

// Close implements [core.EventProcessor]. It delivers what waits for the next delivery, after those that are under way
// if need be. When ctx ends, what is being delivered is broken off and the rest is dropped, and what then remains of
// the processor ends by itself after at most Options.RetryDelay, or 25 ms if that is longer.
func (p *processor) Close(ctx context.Context) error {
	if ctx == nil {
		return fmt.Errorf("events: %w: the context is nil", core.ErrInvalid)
	}
	p.closed.Store(true)
	p.closing.Do(func() { go p.end() })
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
	}
	select {
	case <-p.done:
		return p.err
	default:
		p.abort()
		return ctx.Err()
	}
}

func (p *processor) end() {
	defer close(p.done)
	defer p.abort()
	if p.used.Load() {
		p.drain()
	}
	p.err = p.library.Close()
}

// drain makes the library hand over what it has buffered. Its own Close tries that once, and drops everything if its
// goroutines have not taken the previous payload yet. A flush is answered when its payload has been delivered; it isn't
// if there was nothing to deliver or no room for the payload. There is room when some of those goroutines are idle, but
// one look is not enough: on a busy machine they may not have run since. Close waits for deliveries under way itself.
func (p *processor) drain() {
	for quiet := 0; quiet < quietRounds && p.delivery.lifetime.Err() == nil; {
		if p.library.FlushBlocking(flushWait) {
			return
		}
		if p.delivery.underWay.Load() <= fewDeliveries {
			quiet++
		} else {
			quiet = 0
		}
	}
}
