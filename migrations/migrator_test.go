package migrations_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/migrations"
)

func TestMigrator_CallsOriginsOfTheStage(t *testing.T) {
	forEach(t, func(t *testing.T, stage ldmigration.Stage, op ldmigration.Operation, order ldmigration.ExecutionOrder) {
		client, systems := &client{stage: stage}, &systems{}
		config := systems.config()
		config.ReadExecutionOrder = order
		expected := called(op, stage)

		result := run(t, client, config, op)
		require.Equal(t, migrations.OperationResult[string]{Origin: expected[0], Value: string(expected[0])}, result)

		var calls []string
		for _, origin := range expected {
			calls = append(calls, fmt.Sprintf("%s %s 5", op, origin))
		}
		if op == ldmigration.Write || order == ldmigration.Serial {
			require.Equal(t, calls, systems.calls)
		} else {
			require.ElementsMatch(t, calls, systems.calls)
		}
		event := client.event(t)
		require.Equal(t, setOf(expected...), event.Invoked)
		require.Empty(t, event.Failed)
		require.Len(t, event.Latency, len(expected))
	})
}

func TestMigrator_FailureOfAuthoritativeOriginIsTheResult(t *testing.T) {
	forEach(t, func(t *testing.T, stage ldmigration.Stage, op ldmigration.Operation, order ldmigration.ExecutionOrder) {
		expected := called(op, stage)
		errs := map[ldmigration.Origin]error{ldmigration.Old: errOld, ldmigration.New: errNew}
		client := &client{stage: stage}
		systems := &systems{fails: map[ldmigration.Origin]error{expected[0]: errs[expected[0]]}}
		config := systems.config()
		config.ReadExecutionOrder = order

		result := run(t, client, config, op)
		require.Equal(t, expected[0], result.Origin)
		require.Same(t, errs[expected[0]], result.Err)
		if op == ldmigration.Write {
			expected = expected[:1] // the other system is not written to
		}
		event := client.event(t)
		require.Equal(t, setOf(expected...), event.Invoked)
		require.Equal(t, setOf(expected[0]), event.Failed)
		require.Len(t, event.Latency, len(expected))
	})
}

func TestMigrator_FailureOfOtherOriginIsOnlyMeasured(t *testing.T) {
	forEach(t, func(t *testing.T, stage ldmigration.Stage, op ldmigration.Operation, order ldmigration.ExecutionOrder) {
		expected := called(op, stage)
		if len(expected) == 1 {
			expected = append(expected, map[ldmigration.Origin]ldmigration.Origin{
				ldmigration.Old: ldmigration.New, ldmigration.New: ldmigration.Old,
			}[expected[0]])
		}
		client := &client{stage: stage}
		systems := &systems{fails: map[ldmigration.Origin]error{expected[1]: errOld}}
		config := systems.config()
		config.ReadExecutionOrder = order

		result := run(t, client, config, op)
		require.Equal(t, migrations.OperationResult[string]{Origin: expected[0], Value: string(expected[0])}, result)
		failed := origins{}
		if len(called(op, stage)) == 2 {
			failed = setOf(expected[1])
		}
		require.Equal(t, failed, client.event(t).Failed)
	})
}

func TestMigrator_Write_ReturnsBothResults(t *testing.T) {
	for name, test := range map[string]struct {
		stage    ldmigration.Stage
		fails    map[ldmigration.Origin]error
		expected migrations.WriteResult[string]
	}{
		"both": {
			ldmigration.Shadow, nil,
			migrations.WriteResult[string]{
				Authoritative:    migrations.OperationResult[string]{Origin: ldmigration.Old, Value: "old"},
				NonAuthoritative: &migrations.OperationResult[string]{Origin: ldmigration.New, Value: "new"},
			},
		},
		"the stage has one": {
			ldmigration.Complete, nil,
			migrations.WriteResult[string]{
				Authoritative: migrations.OperationResult[string]{Origin: ldmigration.New, Value: "new"},
			},
		},
		"the authoritative one fails": {
			ldmigration.Live, map[ldmigration.Origin]error{ldmigration.New: errNew},
			migrations.WriteResult[string]{
				Authoritative: migrations.OperationResult[string]{Origin: ldmigration.New, Err: errNew},
			},
		},
		"the other one fails": {
			ldmigration.Live, map[ldmigration.Origin]error{ldmigration.Old: errOld},
			migrations.WriteResult[string]{
				Authoritative:    migrations.OperationResult[string]{Origin: ldmigration.New, Value: "new"},
				NonAuthoritative: &migrations.OperationResult[string]{Origin: ldmigration.Old, Err: errOld},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			systems := &systems{fails: test.fails}
			migrator, err := migrations.New(&client{stage: test.stage}, systems.config())
			require.NoError(t, err)
			require.Equal(t, test.expected, migrator.Write(t.Context(), flagKey, user, ldmigration.Off, 1))
		})
	}
}

func TestMigrator_EventSaysWhatWasEvaluated(t *testing.T) {
	client, systems := &client{stage: ldmigration.Live}, &systems{}
	before := ldtime.UnixMillisNow()
	run(t, client, systems.config(), ldmigration.Write)
	event := client.event(t)
	require.Equal(t, flagKey, event.FlagKey)
	require.Equal(t, ldvalue.NewOptionalInt(7), event.FlagVersion)
	require.Equal(t, ldvalue.NewOptionalInt(3), event.SamplingRatio)
	require.Equal(t, ldvalue.String("live"), event.Detail.Value)
	require.Equal(t, ldmigration.DualWrite, event.DefaultStage)
	require.Equal(t, ldmigration.Write, event.Operation)
	require.Equal(t, user, event.Context)
	require.GreaterOrEqual(t, event.Time, before)
}

func TestMigrator_UnknownStageCountsAsOff(t *testing.T) {
	for _, operation := range operations {
		client, systems := &client{stage: "grief"}, &systems{}
		require.Equal(t, ldmigration.Old, run(t, client, systems.config(), operation).Origin)
		require.Equal(t, setOf(ldmigration.Old), client.event(t).Invoked)
	}
}

func TestMigrator_NilContextIsRefused(t *testing.T) {
	client, systems := &client{stage: ldmigration.Live}, &systems{}
	migrator, err := migrations.New(client, systems.config())
	require.NoError(t, err)
	read := migrator.Read(nil, flagKey, user, ldmigration.Complete, 1)
	require.ErrorIs(t, read.Err, core.ErrInvalid)
	require.Equal(t, ldmigration.New, read.Origin)
	write := migrator.Write(nil, flagKey, user, ldmigration.Off, 1)
	require.ErrorIs(t, write.Authoritative.Err, core.ErrInvalid)
	require.Nil(t, write.NonAuthoritative)
	require.Empty(t, systems.calls)
	require.Empty(t, client.events)
}

// silentClient wants no events.
type silentClient struct{ client }

func (c *silentClient) MigrationVariation(
	context.Context, string, ldcontext.Context, ldmigration.Stage,
) (ldmigration.Stage, *migrations.OpTracker) {
	return c.stage, nil
}

func TestMigrator_ClientWithoutTrackerGetsNoEvent(t *testing.T) {
	silent := &silentClient{client{stage: ldmigration.Shadow}}
	systems := &systems{}
	require.Equal(t, "old", run(t, silent, systems.config(), ldmigration.Read).Value)
	require.Len(t, systems.calls, 2)
	require.Empty(t, silent.events)
	require.Empty(t, silent.errs)
}

func TestMigrator_ContextReachesTheFunctions(t *testing.T) {
	type keyType struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), keyType{}, "value"))
	cancel()
	read := func(ctx context.Context, _ int) (string, error) {
		return ctx.Value(keyType{}).(string), ctx.Err()
	}
	client := &client{stage: ldmigration.Shadow}
	migrator, err := migrations.New(client, migrations.Config[int, string]{
		ReadOld: read, ReadNew: read, WriteOld: read, WriteNew: read,
	})
	require.NoError(t, err)
	result := migrator.Read(ctx, flagKey, user, ldmigration.Off, 1)
	require.Equal(t, "value", result.Value)
	require.Equal(t, context.Canceled, result.Err)
	require.Equal(t, setOf(ldmigration.Old, ldmigration.New), client.event(t).Failed)
}

func TestMigrator_TrackingCanBeDisabled(t *testing.T) {
	client := &client{stage: ldmigration.Off}
	systems := &systems{fails: map[ldmigration.Origin]error{ldmigration.Old: errOld}}
	config := systems.config()
	config.DisableErrorTracking = true
	config.DisableLatencyTracking = true
	require.Same(t, errOld, run(t, client, config, ldmigration.Read).Err)
	event := client.event(t)
	require.Equal(t, setOf(ldmigration.Old), event.Invoked)
	require.Empty(t, event.Failed)
	require.Empty(t, event.Latency)
}

func TestMigrator_Latency_IsWhatTheFunctionTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, systems := &client{stage: ldmigration.Off}, &systems{}
		config := systems.config()
		read := config.ReadOld
		config.ReadOld = func(ctx context.Context, payload int) (string, error) {
			time.Sleep(time.Minute)
			return read(ctx, payload)
		}
		run(t, client, config, ldmigration.Read)
		require.Equal(t, map[ldmigration.Origin]time.Duration{ldmigration.Old: time.Minute}, client.event(t).Latency)
	})
}

func TestNew_ConfigThatCannotBeUsedIsRefused(t *testing.T) {
	migrator, err := migrations.New(nil, migrations.Config[int, string]{ReadExecutionOrder: "odd"})
	require.Nil(t, migrator)
	require.ErrorIs(t, err, core.ErrInvalid)
	for _, problem := range []string{"client", "ReadOld", "ReadNew", "WriteOld", "WriteNew", `ReadExecutionOrder "odd"`} {
		require.ErrorContains(t, err, problem)
	}
}
