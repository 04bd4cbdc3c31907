package datasystem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// When a source is left for the next one. What concerns synchronizers is as LaunchDarkly documents it.
const (
	// initializerWait is how long an initializer may take.
	initializerWait = 30 * time.Second
	// firstDataWait is how long a synchronizer may take to deliver for the first time.
	firstDataWait = 10 * time.Second
	// interruptedWait is how long it may be interrupted without a break.
	interruptedWait = time.Minute
	// validWait is how long one that is not the first must have been valid until the first is tried again.
	validWait = 5 * time.Minute
)

// Sources are where a client's data comes from, in the order of preference.
type Sources struct {
	// Initializers are asked one after the other, until one knows the state that its data has.
	Initializers []core.Initializer
	// Synchronizers keep the data current. One is active at a time, by preference the first.
	Synchronizers []core.Synchronizer
	// Fallback takes the place of all of them while the flag service directs to its first protocol; nil if there is none.
	Fallback core.Synchronizer
}

// NewSources makes the sources of a data system.
func NewSources(system *core.DataSystem, settings core.ClientSettings) (Sources, error) {
	var sources Sources
	var errs []error
	for i, factory := range system.Initializers {
		source, err := makeSource(factory, settings)
		errs = append(errs, named("initializer", i, err))
		sources.Initializers = append(sources.Initializers, source)
	}
	for i, factory := range system.Synchronizers {
		source, err := makeSource(factory, settings)
		errs = append(errs, named("synchronizer", i, err))
		sources.Synchronizers = append(sources.Synchronizers, source)
	}
	if system.Fallback != nil {
		var err error
		sources.Fallback, err = makeSource(system.Fallback, settings)
		errs = append(errs, named("fallback", 0, err))
	}
	return sources, errors.Join(errs...)
}

// makeSource makes one source.
func makeSource[S any, F ~func(core.ClientSettings) (S, error)](factory F, settings core.ClientSettings) (S, error) {
	var none S
	if factory == nil {
		return none, fmt.Errorf("%w: there is no factory", core.ErrInvalid)
	}
	source, err := factory(settings)
	if err == nil && any(source) == nil {
		err = fmt.Errorf("%w: the factory made nothing and no error", core.ErrInvalid)
	}
	return source, err
}

// nameOf names one of several sources.
func nameOf(sort string, index int, source any) string {
	return fmt.Sprintf("%s %d (%s)", sort, index+1, typeOf(source))
}

// typeOf says what a source is: in its own words, or by its type.
func typeOf(source any) string {
	if named, ok := source.(fmt.Stringer); ok {
		return named.String()
	}
	return strings.TrimLeft(fmt.Sprintf("%T", source), "*")
}

func named(sort string, index int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %d: %w", sort, index+1, err)
}

// Synchronization is the [core.UpdateProcessor] of the second protocol: it decides which source is active. Its fields belong to the
// goroutine that Start starts, but for the selector.
type Synchronization struct {
	*lifecycle.Operation

	sources Sources
	sink    changeSetSink
	logger  *slog.Logger

	removed  map[int]bool // the synchronizers that are not used any more
	selector atomic.Pointer[core.Selector]
	filled   atomic.Bool
}

// changeSetSink is what a [Sink] is to the second protocol.
type changeSetSink interface {
	Apply(ctx context.Context, changes *core.ChangeSet) error
	UpdateStatus(state core.DataSourceState, err core.DataSourceErrorInfo)
	SetEnvironmentID(id string)
	UseSource(name string)
}

var (
	_ core.UpdateProcessor       = (*Synchronization)(nil)
	_ core.DiagnosticDescription = (*Synchronization)(nil)
)

// NewSynchronization makes the synchronization of a client. It does not begin.
func NewSynchronization(sources Sources, sink changeSetSink, logger *slog.Logger) *Synchronization {
	s := &Synchronization{sources: sources, sink: sink, logger: logger, removed: map[int]bool{}, Operation: lifecycle.NewOperation()}
	s.selector.Store(new(core.Selector))
	return s
}

// String names the sources.
func (s *Synchronization) String() string {
	names := make([]string, 0, len(s.sources.Initializers)+len(s.sources.Synchronizers))
	for i, source := range s.sources.Initializers {
		names = append(names, nameOf("initializer", i, source))
	}
	for i, source := range s.sources.Synchronizers {
		names = append(names, nameOf("synchronizer", i, source))
	}
	return strings.Join(names, ", ")
}

// DescribeConfiguration implements [core.DiagnosticDescription]: what is said of the preferred synchronizers counts.
func (s *Synchronization) DescribeConfiguration(config core.ClientConfiguration) ldvalue.Value {
	all := ldvalue.ObjectBuild()
	for _, source := range slices.Backward(s.sources.Synchronizers) {
		if described, ok := source.(core.DiagnosticDescription); ok {
			for property, value := range described.DescribeConfiguration(config).AsValueMap().AsMap() {
				all.Set(property, value)
			}
		}
	}
	return all.Build()
}

// Start implements [core.BackgroundOperation].
func (s *Synchronization) Start(ctx context.Context) { s.Run(ctx, s.run) }

// Initialized implements [core.UpdateProcessor].
func (s *Synchronization) Initialized() bool { return s.filled.Load() }

// has returns the state that the client has.
func (s *Synchronization) has() core.Selector { return *s.selector.Load() }

// run uses the sources until ctx ends or there is none left.
func (s *Synchronization) run(ctx context.Context) {
	defer func() {
		if ctx.Err() == nil && len(s.sources.Synchronizers) == 0 {
			<-ctx.Done() // the initializers' data is all there will be, and is no less valid for that
		}
		s.sink.UpdateStatus(core.DataSourceOff, core.DataSourceErrorInfo{})
	}()
	directive := s.initialize(ctx)
	for ctx.Err() == nil {
		if directive == nil {
			if directive = s.synchronize(ctx); directive == nil {
				return
			}
		}
		s.fallBack(ctx, directive)
		directive = nil
	}
}

// initialize asks the initializers. A directive that one of them is given ends that.
func (s *Synchronization) initialize(ctx context.Context) *core.FallbackDirective {
	for i, initializer := range s.sources.Initializers {
		s.sink.UseSource(nameOf("initializer", i, initializer))
		update, directive := s.fetch(ctx, initializer)
		if ctx.Err() != nil {
			return nil
		}
		if update.ChangeSet != nil && update.ChangeSet.Type == core.ChangeSetNone {
			update.ChangeSet = nil // there is nothing yet that could be current
		}
		s.take(ctx, update)
		if directive != nil || s.has() != "" {
			return directive
		}
	}
	return nil
}

// fetch asks an initializer, for a limited time.
func (s *Synchronization) fetch(ctx context.Context, initializer core.Initializer) (core.Update, *core.FallbackDirective) {
	late := fmt.Errorf("%s has not delivered within %v", typeOf(initializer), initializerWait)
	ctx, cancel := context.WithTimeoutCause(ctx, initializerWait, late)
	defer cancel()
	update, directive := initializer.Fetch(ctx, s.has())
	if ctx.Err() != nil && update == (core.Update{}) {
		update.Error = core.DataSourceErrorInfo{Kind: core.DataSourceErrorUnknown, Message: late.Error(), Time: time.Now()}
	}
	return update, directive
}

// take passes an update on. It reports whether the source is current with it.
func (s *Synchronization) take(ctx context.Context, update core.Update) (current bool) {
	if update.EnvironmentID != "" {
		s.sink.SetEnvironmentID(update.EnvironmentID)
	}
	switch changes := update.ChangeSet; {
	case changes == nil && update.Error == (core.DataSourceErrorInfo{}):
		return false
	case changes == nil:
		s.sink.UpdateStatus(core.DataSourceInterrupted, update.Error)
		return false
	case changes.Type != core.ChangeSetNone:
		if s.sink.Apply(ctx, changes) != nil { // which the sink has reported
			return false
		}
		s.filled.Store(true)
		if changes.Selector != "" || changes.Type == core.ChangeSetFull {
			s.selector.Store(&changes.Selector)
		}
	}
	s.sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
	return true
}

// synchronize uses the synchronizers until one of them is given a directive, which it returns, or none is left or ctx ends.
func (s *Synchronization) synchronize(ctx context.Context) *core.FallbackDirective {
	for active := s.next(-1); active >= 0; {
		ending, directive := s.follow(ctx, active)
		switch {
		case ctx.Err() != nil || directive != nil:
			return directive
		case ending == final:
			s.removed[active] = true
			active = s.next(active)
		case ending == recovered:
			active = s.next(-1)
		default:
			active = s.next(active)
		}
		if active < 0 {
			s.logger.ErrorContext(ctx, "cleat: no source of flag data is left; all of them have ended for good")
			return nil
		}
		s.logger.InfoContext(ctx, "cleat: another source of flag data is used", "because", string(ending),
			"source", nameOf("synchronizer", active, s.sources.Synchronizers[active]))
	}
	return nil
}

// next returns the first synchronizer behind the one with the index that has not been removed, going round; -1 if there is none.
func (s *Synchronization) next(index int) int {
	for i := range s.sources.Synchronizers {
		candidate := (index + 1 + i) % len(s.sources.Synchronizers)
		if !s.removed[candidate] {
			return candidate
		}
	}
	return -1
}

// ending is why a synchronizer is not followed any more.
type ending string

const (
	final       ending = "it is of no use to go on with the last one"
	late        ending = "the last one has not delivered in time"
	interrupted ending = "the last one was interrupted for too long"
	recovered   ending = "the last one has been valid for so long that the first is tried again"
)

// follow passes on what a synchronizer tells until it ends, or another one is to take its place.
func (s *Synchronization) follow(ctx context.Context, index int) (ending, *core.FallbackDirective) {
	first := s.next(-1)
	alone := s.next(index) == index
	s.sink.UseSource(nameOf("synchronizer", index, s.sources.Synchronizers[index]))
	limit := newLimit(firstDataWait, late)
	defer limit.timer.Stop()
	run := s.start(ctx, s.sources.Synchronizers[index])
	defer run.end()
	for {
		select {
		case directive := <-run.ended:
			return final, directive
		case <-limit.timer.C:
			if !alone {
				return limit.why, nil
			}
		case update := <-run.updates:
			current := s.take(ctx, update)
			run.taken <- struct{}{}
			switch {
			case !current:
				limit.toInterrupted()
			case index != first:
				limit.toValid(recovered)
			default:
				limit.toValid("")
			}
		}
	}
}

// limit is the time after which a synchronizer is left, unless its state changes before.
type limit struct {
	timer *time.Timer
	why   ending
	valid bool
}

func newLimit(wait time.Duration, why ending) *limit {
	return &limit{timer: time.NewTimer(wait), why: why}
}

// toInterrupted begins the time of an interruption, unless the synchronizer is interrupted or has delivered nothing yet.
func (l *limit) toInterrupted() {
	if l.valid {
		l.valid, l.why = false, interrupted
		l.timer.Reset(interruptedWait)
	}
}

// toValid begins the time of validity, unless the synchronizer is valid.
func (l *limit) toValid(why ending) {
	if l.valid {
		return
	}
	l.valid, l.why = true, why
	l.timer.Stop()
	if why != "" {
		l.timer.Reset(validWait)
	}
}

// running is a synchronizer that runs.
type running struct {
	updates chan core.Update
	taken   chan struct{} // answers updates
	ended   chan *core.FallbackDirective
	cancel  context.CancelFunc
	done    chan struct{}
}

// start runs a synchronizer on a goroutine, which ends with ctx or by end.
func (s *Synchronization) start(ctx context.Context, synchronizer core.Synchronizer) *running {
	r := &running{
		updates: make(chan core.Update), taken: make(chan struct{}, 1), ended: make(chan *core.FallbackDirective, 1), done: make(chan struct{}),
	}
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		r.ended <- synchronizer.Run(ctx, s.has, func(update core.Update) {
			select {
			case r.updates <- update:
				<-r.taken // soon: the other side does nothing but take it
			case <-ctx.Done():
			}
		})
	}()
	return r
}

// end stops the synchronizer and waits until it has ended.
func (r *running) end() {
	r.cancel()
	<-r.done
}

// fallBack uses the first protocol for as long as the directive says, less up to a half, so that not all clients return at once.
// Without a source for it, it waits.
func (s *Synchronization) fallBack(ctx context.Context, directive *core.FallbackDirective) {
	ttl := directive.TTL - rand.N(directive.TTL/2+1) //nolint:gosec // nothing secret
	ctx, cancel := context.WithTimeout(ctx, ttl)
	defer cancel()
	s.logger.WarnContext(ctx, "cleat: the flag service asks for its first protocol to be used", "for", ttl, "possible", s.sources.Fallback != nil)
	if s.sources.Fallback == nil {
		s.sink.UpdateStatus(core.DataSourceInterrupted, core.DataSourceErrorInfo{
			Kind: core.DataSourceErrorUnknown, Message: "the flag service asks for its first protocol, and there is no source for that",
		})
		<-ctx.Done()
		return
	}
	s.sink.UseSource("fallback (" + typeOf(s.sources.Fallback) + ")")
	run := s.start(ctx, s.sources.Fallback)
	defer run.end()
	for {
		select {
		case update := <-run.updates:
			s.take(ctx, update)
			run.taken <- struct{}{}
		case <-run.ended: // it is of no use until the second protocol is tried again
			<-ctx.Done()
			return
		case <-ctx.Done():
			return
		}
	}
}
