package cleat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/datasystem"
)

// method is a method of [Client] that evaluates a flag.
type method struct {
	name   string
	wanted ldvalue.ValueType // of the value; null means any type, null included
	detail bool              // the caller wants the reason
}

var (
	boolVariation          = method{"BoolVariation", ldvalue.BoolType, false}
	boolVariationDetail    = method{"BoolVariationDetail", ldvalue.BoolType, true}
	intVariation           = method{"IntVariation", ldvalue.NumberType, false}
	intVariationDetail     = method{"IntVariationDetail", ldvalue.NumberType, true}
	float64Variation       = method{"Float64Variation", ldvalue.NumberType, false}
	float64VariationDetail = method{"Float64VariationDetail", ldvalue.NumberType, true}
	stringVariation        = method{"StringVariation", ldvalue.StringType, false}
	stringVariationDetail  = method{"StringVariationDetail", ldvalue.StringType, true}
	jsonVariation          = method{"JSONVariation", ldvalue.NullType, false}
	jsonVariationDetail    = method{"JSONVariationDetail", ldvalue.NullType, true}
)

// conclude puts the default value in the place of one that is missing or of another type than the wanted one.
func (m *method) conclude(detail *ldreason.EvaluationDetail, defaultValue ldvalue.Value) {
	switch {
	case detail.IsDefaultValue():
		detail.Value = defaultValue
	case m.wanted != ldvalue.NullType && detail.Value.Type() != m.wanted:
		*detail = ldreason.NewEvaluationDetailForError(ldreason.EvalErrorWrongType, defaultValue)
	}
}

// evaluated is the result of an evaluation together with the flag. It is large, so it is filled where the caller has it
// and not passed on by value.
type evaluated struct {
	evaluation.Result
	flag          *ldmodel.FeatureFlag // nil if there is none
	prerequisites *prerequisites       // nil if they were not to be recorded, or there are none
}

// fail makes it a result without a value.
func (r *evaluated) fail(kind ldreason.EvalErrorKind) {
	r.Result = evaluation.Result{Detail: failed(kind)}
}

// prerequisites are the evaluations of prerequisites in the course of one evaluation, in their order.
type prerequisites []evaluation.PrerequisiteFlagEvent

func (p *prerequisites) record(event evaluation.PrerequisiteFlagEvent) { *p = append(*p, event) }

// all returns them; none if p is nil.
func (p *prerequisites) all() []evaluation.PrerequisiteFlagEvent {
	if p == nil {
		return nil
	}
	return *p
}

// failed returns the detail of an evaluation that has no value.
func failed(kind ldreason.EvalErrorKind) ldreason.EvaluationDetail {
	return ldreason.NewEvaluationDetailForError(kind, ldvalue.Null())
}

// evaluators evaluates flags. The engine is not given a context for what it reads while it evaluates, and does not ask
// for errors; so each evaluation borrows an engine with a reader of its own, which holds both. Lending them from a pool
// costs neither an allocation nor a lock.
type evaluators struct {
	store    core.ReadOnlyStore
	pool     sync.Pool
	patience time.Duration // for what one evaluation reads, big segments aside
}

// engine is an evaluation engine and what it reads through.
type engine struct {
	bigSegments *bigsegments.Lookups // nil if there are none
	logger      *slog.Logger
	evaluator   evaluation.Evaluator

	store    core.ReadOnlyStore // of the caller who has borrowed the engine, as what follows
	ctx      context.Context    //nolint:containedctx // see above
	reading  context.Context    //nolint:containedctx // for reading flags and segments
	patience time.Duration      // for what one evaluation reads, big segments aside
	err      error              // the first error in this evaluation, because of which its result cannot be relied on
	reads    int                // in this evaluation
	began    time.Time          // when it was first looked how long they take
}

// newEvaluators makes evaluators that give up an evaluation soon after patience, if it has to wait for the store that long.
func newEvaluators(
	store core.ReadOnlyStore, bigSegments *bigsegments.Manager, patience time.Duration, logger *slog.Logger,
) *evaluators {
	return &evaluators{store: store, patience: patience, pool: sync.Pool{New: func() any {
		e := &engine{patience: patience, logger: logger}
		if bigSegments != nil {
			e.bigSegments = bigSegments.Lookups()
		}
		e.renew()
		return e
	}}}
}

// view returns what one evaluation reads, or one of all flags: the data of one moment, if the store has it so.
func (p *evaluators) view() core.ReadOnlyStore { return datasystem.View(p.store) }

// borrow returns an engine that works for the caller with the context, and reads flags and segments from the store with the other
// one. What it had to wait for of big segments, it remembers until it is given back.
func (p *evaluators) borrow(ctx, reading context.Context, store core.ReadOnlyStore) *engine {
	e := p.pool.Get().(*engine)
	e.ctx, e.reading, e.store = ctx, reading, store
	return e
}

func (p *evaluators) giveBack(e *engine) {
	e.ctx, e.reading, e.store = nil, nil, nil
	if e.bigSegments != nil {
		e.bigSegments.Forget()
	}
	p.pool.Put(e)
}

const (
	// maxReads is how many prerequisites and segments one evaluation may read. A flag that reads more than that is not meant
	// to be: a few kilobytes of flags that refer to each other twice each take a time that doubles with every flag, and a
	// chain of a hundred thousand takes the stack.
	maxReads = 10_000
	// readsPerLook is after how many of them the evaluation looks whether its caller still waits for it, and for how long
	// already, which costs more than a read from memory.
	readsPerLook = 4
)

// renew makes the engine's evaluator, or replaces one that panicked.
func (e *engine) renew() {
	options := []evaluation.EvaluatorOption{evaluation.EvaluatorOptionErrorLogger(engineLogger{e.logger})}
	if e.bigSegments != nil {
		options = append(options, evaluation.EvaluatorOptionBigSegmentProvider(e))
	}
	e.evaluator = evaluation.NewEvaluatorWithOptions(e, options...)
	e.forget()
}

// evaluate puts the result for the flag into result. The error is one of the store, because of which the result cannot be
// relied on.
func (e *engine) evaluate(
	flag *ldmodel.FeatureFlag, evalContext *ldcontext.Context, recorder evaluation.PrerequisiteFlagEventRecorder,
	result *evaluation.Result,
) (err error) {
	*result = e.evaluator.Evaluate(flag, *evalContext, recorder)
	err = e.err
	e.forget()
	return err
}

// forget makes the engine ready for another evaluation.
func (e *engine) forget() {
	e.err, e.reads, e.began = nil, 0, time.Time{}
	if e.bigSegments != nil {
		e.bigSegments.NextEvaluation()
	}
}

// GetFeatureFlag returns a prerequisite. One that cannot be decoded counts as missing, like one that does not exist.
func (e *engine) GetFeatureFlag(key string) *ldmodel.FeatureFlag {
	item := e.get(core.Flags, key)
	if item == nil {
		return nil
	}
	flag, err := item.Flag()
	if err != nil {
		logItem(e.ctx, e.logger, core.Flags, key, err)
		return nil
	}
	return flag
}

// GetSegment returns a segment in the same way.
func (e *engine) GetSegment(key string) *ldmodel.Segment {
	item := e.get(core.Segments, key)
	if item == nil {
		return nil
	}
	segment, err := item.Segment()
	if err != nil {
		logItem(e.ctx, e.logger, core.Segments, key, err)
		return nil
	}
	return segment
}

// GetMembership returns which big segments the context with the key is in. The time that takes has a limit of its own.
func (e *engine) GetMembership(contextKey string) (evaluation.BigSegmentMembership, ldreason.BigSegmentsStatus) {
	waited := e.bigSegments.Waited()
	membership, status := e.bigSegments.Membership(e.ctx, contextKey)
	if !e.began.IsZero() {
		e.began = e.began.Add(e.bigSegments.Waited() - waited)
	}
	return membership, status
}

func (e *engine) get(kind core.DataKind, key string) *core.Item {
	if key == "" || !e.mayRead(key) {
		return nil
	}
	item, found, err := e.store.Get(e.reading, kind, key)
	switch {
	case errors.Is(err, core.ErrCorrupt):
		logItem(e.ctx, e.logger, kind, key, err)
		return nil
	case err != nil:
		e.err = fmt.Errorf("reading %q of kind %q: %w", key, string(kind), err)
		return nil
	case !found:
		return nil
	}
	return item
}

// mayRead reports whether the evaluation may go on. Once it may not, nothing is read any more, and it ends soon.
func (e *engine) mayRead(key string) bool {
	e.reads++
	switch {
	case e.err != nil:
	case e.reads > maxReads:
		e.err = fmt.Errorf("%w: more than %d prerequisites and segments were read, %q the last", core.ErrCorrupt, maxReads, key)
	case e.reads == 2 || e.reads%readsPerLook == 0:
		e.err = e.look()
	}
	return e.err == nil
}

// look returns why the evaluation should not go on; nil if it should.
func (e *engine) look() error {
	if e.began.IsZero() {
		e.began = time.Now()
	}
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if time.Since(e.began) > e.patience {
		return fmt.Errorf("%w: reading what the flag refers to takes more than %v", core.ErrUnavailable, e.patience)
	}
	return nil
}

// logItem logs at a low level: it is called at every evaluation, and the store has reported what is corrupt.
func logItem(ctx context.Context, logger *slog.Logger, kind core.DataKind, key string, err error) {
	logger.DebugContext(ctx, "cleat: an item cannot be used", "kind", kind, "key", key, "error", err)
}

// engineLogger passes on what the engine says about flags that are malformed.
type engineLogger struct{ logger *slog.Logger }

func (l engineLogger) Println(values ...any) {
	l.logger.Debug("cleat: evaluating: " + fmt.Sprint(values...))
}

func (l engineLogger) Printf(format string, values ...any) {
	l.logger.Debug("cleat: evaluating: " + fmt.Sprintf(format, values...))
}
