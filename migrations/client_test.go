package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/migrations"
)

const flagKey = "move"

var (
	user   = ldcontext.New("u")
	stages = []ldmigration.Stage{
		ldmigration.Off, ldmigration.DualWrite, ldmigration.Shadow, ldmigration.Live, ldmigration.RampDown,
		ldmigration.Complete,
	}
	orders     = []ldmigration.ExecutionOrder{"", ldmigration.Serial, ldmigration.Random, ldmigration.Concurrent}
	operations = []ldmigration.Operation{ldmigration.Read, ldmigration.Write}
)

// client is a flag client whose flag gives one stage.
type client struct {
	stage      ldmigration.Stage
	checkRatio ldvalue.OptionalInt

	mu     sync.Mutex
	events []core.MigrationEvent
	errs   []error
}

var _ migrations.Client = (*client)(nil)

func (c *client) MigrationVariation(
	_ context.Context, key string, evalContext ldcontext.Context, defaultStage ldmigration.Stage,
) (ldmigration.Stage, *migrations.OpTracker) {
	detail := ldreason.NewEvaluationDetail(ldvalue.String(string(c.stage)), 1, ldreason.NewEvalReasonFallthrough())
	return c.stage, migrations.NewOpTracker(key, ldvalue.NewOptionalInt(7), evalContext, detail, defaultStage,
		ldvalue.NewOptionalInt(3), c.checkRatio)
}

func (c *client) TrackMigration(_ context.Context, tracker *migrations.OpTracker) {
	event, err := tracker.Event()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.errs = append(c.errs, err)
		return
	}
	c.events = append(c.events, event)
}

// event returns the only event of the client.
func (c *client) event(t testing.TB) core.MigrationEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Empty(t, c.errs)
	require.Len(t, c.events, 1)
	return c.events[0]
}

// systems is an old and a new system that say who was called, and fail if asked to.
type systems struct {
	mu    sync.Mutex
	calls []string
	fails map[ldmigration.Origin]error
}

var (
	errOld = errors.New("the old one failed")
	errNew = errors.New("the new one failed")
)

func (s *systems) function(operation ldmigration.Operation, origin ldmigration.Origin) func(context.Context, int) (string, error) {
	return func(_ context.Context, payload int) (string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls = append(s.calls, fmt.Sprintf("%s %s %d", operation, origin, payload))
		if err := s.fails[origin]; err != nil {
			return "", err
		}
		return string(origin), nil
	}
}

func (s *systems) config() migrations.Config[int, string] {
	return migrations.Config[int, string]{
		ReadOld:  s.function(ldmigration.Read, ldmigration.Old),
		ReadNew:  s.function(ldmigration.Read, ldmigration.New),
		WriteOld: s.function(ldmigration.Write, ldmigration.Old),
		WriteNew: s.function(ldmigration.Write, ldmigration.New),
	}
}

// run reads or writes with the payload 5, and returns what the authoritative origin returned.
func run(
	t testing.TB, client migrations.Client, config migrations.Config[int, string], operation ldmigration.Operation,
) migrations.OperationResult[string] {
	migrator, err := migrations.New(client, config)
	require.NoError(t, err)
	if operation == ldmigration.Read {
		return migrator.Read(t.Context(), flagKey, user, ldmigration.DualWrite, 5)
	}
	return migrator.Write(t.Context(), flagKey, user, ldmigration.DualWrite, 5).Authoritative
}

type origins = map[ldmigration.Origin]struct{}

func setOf(list ...ldmigration.Origin) origins {
	set := origins{}
	for _, origin := range list {
		set[origin] = struct{}{}
	}
	return set
}

// called returns the origins that an operation calls in a stage, the authoritative one first.
func called(operation ldmigration.Operation, stage ldmigration.Stage) []ldmigration.Origin {
	const o, n = ldmigration.Old, ldmigration.New
	return map[ldmigration.Operation]map[ldmigration.Stage][]ldmigration.Origin{
		ldmigration.Read: {
			ldmigration.Off: {o}, ldmigration.DualWrite: {o}, ldmigration.Shadow: {o, n},
			ldmigration.Live: {n, o}, ldmigration.RampDown: {n}, ldmigration.Complete: {n},
		},
		ldmigration.Write: {
			ldmigration.Off: {o}, ldmigration.DualWrite: {o, n}, ldmigration.Shadow: {o, n},
			ldmigration.Live: {n, o}, ldmigration.RampDown: {n, o}, ldmigration.Complete: {n},
		},
	}[operation][stage]
}

// forEach runs the test for every stage, operation and order.
func forEach(
	t *testing.T, test func(t *testing.T, stage ldmigration.Stage, op ldmigration.Operation, order ldmigration.ExecutionOrder),
) {
	for _, stage := range stages {
		for _, operation := range operations {
			for _, order := range orders {
				t.Run(fmt.Sprintf("%s %s %s", stage, operation, order), func(t *testing.T) {
					test(t, stage, operation, order)
				})
			}
		}
	}
}
