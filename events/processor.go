package events

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/ldlogbridge"
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
		manager := newDiagnosticsManager(settings)
		return &recordingProcessor{processor: newProcessor(settings, &options, manager), manager: manager}, nil
	}
}

// processor translates events for the library, which does the rest in goroutines of its own.
type processor struct {
	library ldevents.EventProcessor
	logger  *slog.Logger
	strange sync.Once // guards a message that would otherwise come with every such event

	closed  atomic.Bool
	refused atomic.Bool // the service has said that it wants no more
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
	p.library = ldevents.NewDefaultEventProcessor(ldevents.EventsConfiguration{
		AllAttributesPrivate:        options.AllAttributesPrivate,
		Capacity:                    options.Capacity,
		DiagnosticRecordingInterval: options.DiagnosticInterval,
		DiagnosticsManager:          diagnostics,
		EventSender:                 newDelivery(lifetime, settings, options, loggers, &p.refused),
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
// nor could those beside it.
func (p *processor) Send(event core.Event) {
	if p.closed.Load() || p.refused.Load() {
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
	err := event.Context.Err()
	if err != nil {
		p.reportStrange(err.Error())
	}
	return err == nil
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

// Close implements [core.EventProcessor]. When ctx ends, what is being delivered is broken off, and what then remains
// of the processor ends by itself after at most Options.RetryDelay.
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
	p.err = p.library.Close()
}
