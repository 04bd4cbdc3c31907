package migrations

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

// OpTracker gathers what was measured in one operation of a migration. The client makes one with each evaluation of the
// stage; who does not use a [Migrator] reports to it what happens and then hands it to the client's TrackMigration.
// Its methods may be called from any goroutine.
type OpTracker struct {
	flagKey       string
	flagVersion   ldvalue.OptionalInt
	context       ldcontext.Context
	detail        ldreason.EvaluationDetail
	defaultStage  ldmigration.Stage
	samplingRatio ldvalue.OptionalInt
	checkRatio    int

	mu          sync.Mutex // guards what follows
	random      func(n int) int
	operation   ldmigration.Operation
	consistency *ldmigration.ConsistencyCheck
	invoked     map[ldmigration.Origin]struct{}
	failed      map[ldmigration.Origin]struct{}
	latency     map[ldmigration.Origin]time.Duration
}

// NewOpTracker returns a tracker for one operation in the stage that an evaluation gave. flagVersion is none if the flag
// is unknown. samplingRatio is n if one in n events is to be delivered; none means all, and 0 or less means none.
// consistencyCheckRatio says in the same way how many results are to be compared.
func NewOpTracker(
	flagKey string,
	flagVersion ldvalue.OptionalInt,
	evalContext ldcontext.Context,
	detail ldreason.EvaluationDetail,
	defaultStage ldmigration.Stage,
	samplingRatio ldvalue.OptionalInt,
	consistencyCheckRatio ldvalue.OptionalInt,
) *OpTracker {
	return &OpTracker{
		flagKey:       flagKey,
		flagVersion:   flagVersion,
		context:       evalContext,
		detail:        detail,
		defaultStage:  defaultStage,
		samplingRatio: samplingRatio,
		checkRatio:    consistencyCheckRatio.OrElse(1),
		random:        rand.IntN,
		invoked:       map[ldmigration.Origin]struct{}{},
		failed:        map[ldmigration.Origin]struct{}{},
		latency:       map[ldmigration.Origin]time.Duration{},
	}
}

// useRandom replaces the source of what decides whether results are compared.
func (t *OpTracker) useRandom(random func(n int) int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.random = random
}

// Operation says whether something is read or written. It is required; the last call counts.
func (t *OpTracker) Operation(operation ldmigration.Operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.operation = operation
}

// TrackInvoked says that the origin is called. At least one must be.
func (t *OpTracker) TrackInvoked(origin ldmigration.Origin) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.invoked[origin] = struct{}{}
}

// TrackError says that the call of the origin failed.
func (t *OpTracker) TrackError(origin ldmigration.Origin) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed[origin] = struct{}{}
}

// TrackLatency says how long the call of the origin took; the last call counts. A negative time counts as none.
func (t *OpTracker) TrackLatency(origin ldmigration.Origin, latency time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latency[origin] = max(0, latency)
}

// TrackConsistency finds out whether both origins returned the same: it calls compare at once if the flag asks for this
// comparison, and otherwise does nothing. A nil compare does nothing.
func (t *OpTracker) TrackConsistency(compare func() bool) {
	if compare == nil || !t.sampled() {
		return
	}
	consistency := ldmigration.NewConsistencyCheck(compare(), t.checkRatio)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.consistency = consistency
}

// sampled draws whether a comparison is among the one in checkRatio.
func (t *OpTracker) sampled() bool {
	if t.checkRatio <= 1 {
		return t.checkRatio == 1
	}
	t.mu.Lock()
	random := t.random
	t.mu.Unlock()
	return random(t.checkRatio) == 0
}

// Event returns the event of the operation as it has been measured so far, with the present time. If what was reported
// contradicts itself or something required is missing, there is none, and the error, which wraps [core.ErrInvalid],
// names all of that.
func (t *OpTracker) Event() (core.MigrationEvent, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.validate(); err != nil {
		return core.MigrationEvent{}, err
	}
	return core.MigrationEvent{
		EventBase:     core.EventBase{Time: ldtime.UnixMillisNow(), Context: t.context},
		FlagKey:       t.flagKey,
		FlagVersion:   t.flagVersion,
		Operation:     t.operation,
		Detail:        t.detail,
		DefaultStage:  t.defaultStage,
		SamplingRatio: t.samplingRatio,
		Consistency:   t.consistency,
		Invoked:       maps.Clone(t.invoked),
		Failed:        maps.Clone(t.failed),
		Latency:       maps.Clone(t.latency),
	}, nil
}

// validate is called with the lock held.
func (t *OpTracker) validate() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("migrations: %w: "+format, append([]any{core.ErrInvalid}, args...)...))
	}
	if t.flagKey == "" {
		refuse("the flag's key is empty")
	}
	if err := t.context.Err(); err != nil {
		refuse("the context is invalid: %v", err)
	}
	switch t.operation {
	case ldmigration.Read, ldmigration.Write:
	case "":
		refuse("the operation was not reported")
	default:
		refuse("the operation %q is unknown", string(t.operation))
	}
	if len(t.invoked) == 0 {
		refuse("no origin was reported as invoked")
	}
	t.validateOrigins(refuse)
	return errors.Join(errs...)
}

// validateOrigins looks for origins that are unknown, or were measured and not invoked.
func (t *OpTracker) validateOrigins(refuse func(format string, args ...any)) {
	for origin := range t.invoked {
		if origin != ldmigration.Old && origin != ldmigration.New {
			refuse("the origin %q is unknown", string(origin))
		}
	}
	for origin := range t.failed {
		if !t.wasInvoked(origin) {
			refuse("an error was reported for origin %q, which was not invoked", string(origin))
		}
	}
	for origin := range t.latency {
		if !t.wasInvoked(origin) {
			refuse("a latency was reported for origin %q, which was not invoked", string(origin))
		}
	}
	if t.consistency != nil && (!t.wasInvoked(ldmigration.Old) || !t.wasInvoked(ldmigration.New)) {
		refuse("results were compared, but not both origins invoked")
	}
}

func (t *OpTracker) wasInvoked(origin ldmigration.Origin) bool {
	_, invoked := t.invoked[origin]
	return invoked
}
