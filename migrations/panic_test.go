package migrations_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/migrations"
)

// failing returns a configuration in which only the functions of the other origin return.
func failing(origin ldmigration.Origin, fail func()) migrations.Config[int, string] {
	function := func(own ldmigration.Origin) func(context.Context, int) (string, error) {
		return func(context.Context, int) (string, error) {
			if own == origin {
				fail()
			}
			return string(own), nil
		}
	}
	fromOld, fromNew := function(ldmigration.Old), function(ldmigration.New)
	return migrations.Config[int, string]{ReadOld: fromOld, ReadNew: fromNew, WriteOld: fromOld, WriteNew: fromNew}
}

func TestMigrator_PanicIsAnErrorOfItsOrigin(t *testing.T) {
	cause := errors.New("boom")
	forEach(t, func(t *testing.T, stage ldmigration.Stage, op ldmigration.Operation, order ldmigration.ExecutionOrder) {
		for i, origin := range called(op, stage) {
			client, config := &client{stage: stage}, failing(origin, func() { panic(cause) })
			config.ReadExecutionOrder = order
			result := run(t, client, config, op)
			require.Equal(t, setOf(origin), client.event(t).Failed)
			if i > 0 {
				require.NoError(t, result.Err)
				continue
			}
			require.ErrorIs(t, result.Err, cause)
			var panicked *migrations.PanicError
			require.ErrorAs(t, result.Err, &panicked)
			require.Equal(t, origin, panicked.Origin)
			require.Contains(t, string(panicked.Stack), "failing")
			require.Contains(t, result.Err.Error(), "boom")
		}
	})
}

func TestPanicError_UnwrapsErrorsOnly(t *testing.T) {
	require.NoError(t, (&migrations.PanicError{Value: "text"}).Unwrap())
	require.Equal(t, errOld, (&migrations.PanicError{Value: errOld}).Unwrap())
}

func TestMigrator_Read_GoexitInTheOtherGoroutineIsAnError(t *testing.T) {
	client, config := &client{stage: ldmigration.Shadow}, failing(ldmigration.New, runtime.Goexit)
	result := run(t, client, config, ldmigration.Read)
	require.NoError(t, result.Err)
	require.Equal(t, setOf(ldmigration.New), client.event(t).Failed)
}

func TestMigrator_Read_GoexitInTheCallersGoroutineLeavesNothingRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, config := &client{stage: ldmigration.Shadow}, failing(ldmigration.Old, runtime.Goexit)
		config.ReadNew = func(context.Context, int) (string, error) {
			time.Sleep(time.Second)
			return "new", nil
		}
		migrator, err := migrations.New(client, config)
		require.NoError(t, err)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			migrator.Read(t.Context(), flagKey, user, ldmigration.Off, 1)
		}()
		<-ended
		event := client.event(t)
		require.Equal(t, setOf(ldmigration.Old), event.Failed)
		require.Equal(t, time.Second, event.Latency[ldmigration.New])
	})
}
