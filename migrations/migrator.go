package migrations

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

// Client is what a migrator needs of a flag client.
type Client interface {
	// MigrationVariation returns the stage that the flag gives for the context, or the default stage, and a tracker for one
	// operation in that stage.
	MigrationVariation(
		ctx context.Context, key string, evalContext ldcontext.Context, defaultStage ldmigration.Stage,
	) (ldmigration.Stage, *OpTracker)

	// TrackMigration sends the event of the operation that the tracker has measured. An operation that gives no event is
	// reported in the log.
	TrackMigration(ctx context.Context, tracker *OpTracker)
}

// Migrator reads and writes in the stage that a flag gives. It is made by [New] and holds nothing that would have to be
// released.
type Migrator[P, R any] struct {
	client Client
	config Config[P, R]
}

// New returns a migrator. A configuration that cannot be used is refused by an error wrapping [core.ErrInvalid] that
// names all that is wrong with it.
func New[P, R any](client Client, config Config[P, R]) (*Migrator[P, R], error) {
	if err := config.validate(client); err != nil {
		return nil, err
	}
	config.setDefaults()
	return &Migrator[P, R]{client: client, config: config}, nil
}

// Read reads in the stage that the flag with the key gives for evalContext, and returns the result of the authoritative
// origin. The functions get ctx, with which the flag is evaluated too, and the payload.
func (m *Migrator[P, R]) Read(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultStage ldmigration.Stage, payload P,
) OperationResult[R] {
	if ctx == nil {
		return refused[R](readPlan(defaultStage))
	}
	stage, op := m.begin(ctx, key, evalContext, defaultStage, ldmigration.Read)
	defer op.end(ctx)
	plan := readPlan(stage)
	authoritative, other := op.read(ctx, plan, payload)
	if plan.other != "" && authoritative.Err == nil && other.Err == nil {
		op.compare(ctx, &authoritative, &other)
	}
	return authoritative
}

// Write writes in the stage that the flag with the key gives for evalContext: to the authoritative origin first, and to
// the other one, if the stage has one, only after that has succeeded. The functions get ctx, with which the flag is
// evaluated too, and the payload.
func (m *Migrator[P, R]) Write(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultStage ldmigration.Stage, payload P,
) WriteResult[R] {
	if ctx == nil {
		return WriteResult[R]{Authoritative: refused[R](writePlan(defaultStage))}
	}
	stage, op := m.begin(ctx, key, evalContext, defaultStage, ldmigration.Write)
	defer op.end(ctx)
	plan := writePlan(stage)
	var result WriteResult[R]
	op.call(ctx, plan.authoritative, payload, &result.Authoritative)
	if result.Authoritative.Err == nil && plan.other != "" {
		result.NonAuthoritative = new(OperationResult[R])
		op.call(ctx, plan.other, payload, result.NonAuthoritative)
	}
	return result
}

func refused[R any](plan plan) OperationResult[R] {
	return OperationResult[R]{
		Origin: plan.authoritative,
		Err:    fmt.Errorf("migrations: %w: the context is nil", core.ErrInvalid),
	}
}

// operation is one read or write.
type operation[P, R any] struct {
	*Migrator[P, R]
	kind    ldmigration.Operation
	tracker *OpTracker
	silent  bool // the client wants no event
}

func (m *Migrator[P, R]) begin(
	ctx context.Context, key string, evalContext ldcontext.Context, defaultStage ldmigration.Stage,
	kind ldmigration.Operation,
) (ldmigration.Stage, *operation[P, R]) {
	stage, tracker := m.client.MigrationVariation(ctx, key, evalContext, defaultStage)
	op := &operation[P, R]{Migrator: m, kind: kind, tracker: tracker}
	if tracker == nil {
		op.silent = true
		op.tracker = NewOpTracker(key, ldvalue.OptionalInt{}, evalContext, ldreason.EvaluationDetail{}, defaultStage,
			ldvalue.OptionalInt{}, ldvalue.OptionalInt{})
	}
	op.tracker.useRandom(m.config.random)
	op.tracker.Operation(kind)
	return stage, op
}

func (o *operation[P, R]) end(ctx context.Context) {
	if !o.silent {
		o.client.TrackMigration(ctx, o.tracker)
	}
}

// read calls what the plan names in the configured order.
func (o *operation[P, R]) read(
	ctx context.Context, plan plan, payload P,
) (authoritative, other OperationResult[R]) {
	switch {
	case plan.other == "":
		o.call(ctx, plan.authoritative, payload, &authoritative)
	case o.config.ReadExecutionOrder == ldmigration.Concurrent:
		var group sync.WaitGroup
		group.Go(func() { o.call(ctx, plan.other, payload, &other) })
		// Deferred, so that nothing runs on even if the function here ends the goroutine of the caller.
		defer group.Wait()
		o.call(ctx, plan.authoritative, payload, &authoritative)
	case o.config.ReadExecutionOrder == ldmigration.Random && o.config.random(2) == 1:
		o.call(ctx, plan.other, payload, &other)
		o.call(ctx, plan.authoritative, payload, &authoritative)
	default:
		o.call(ctx, plan.authoritative, payload, &authoritative)
		o.call(ctx, plan.other, payload, &other)
	}
	return authoritative, other
}

// call calls one function and measures it.
func (o *operation[P, R]) call(ctx context.Context, origin ldmigration.Origin, payload P, result *OperationResult[R]) {
	o.tracker.TrackInvoked(origin)
	began := time.Now()
	defer func() {
		if !o.config.DisableLatencyTracking {
			o.tracker.TrackLatency(origin, time.Since(began))
		}
		if result.Err != nil && !o.config.DisableErrorTracking {
			o.tracker.TrackError(origin)
		}
	}()
	call(ctx, origin, o.function(origin), payload, result)
}

func (o *operation[P, R]) function(origin ldmigration.Origin) func(context.Context, P) (R, error) {
	switch {
	case o.kind == ldmigration.Read && origin == ldmigration.Old:
		return o.config.ReadOld
	case o.kind == ldmigration.Read:
		return o.config.ReadNew
	case origin == ldmigration.Old:
		return o.config.WriteOld
	default:
		return o.config.WriteNew
	}
}

// compare compares two results, if that is wanted.
func (o *operation[P, R]) compare(ctx context.Context, authoritative, other *OperationResult[R]) {
	if o.config.Compare == nil {
		return
	}
	fromOld, fromNew := authoritative, other
	if authoritative.Origin == ldmigration.New {
		fromOld, fromNew = other, authoritative
	}
	// The result of the read is there already and must not be lost.
	defer func() {
		if cause := recover(); cause != nil {
			o.config.Logger.ErrorContext(ctx, "migrations: comparing two results panicked",
				"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	o.tracker.TrackConsistency(func() bool { return o.config.Compare(fromOld.Value, fromNew.Value) })
}
