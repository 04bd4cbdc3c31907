package migrations_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"
)

func TestMigrator_Read_BothResultsAreCompared(t *testing.T) {
	forEach(t, func(t *testing.T, stage ldmigration.Stage, op ldmigration.Operation, order ldmigration.ExecutionOrder) {
		for _, equal := range []bool{false, true} {
			client, systems := &client{stage: stage}, &systems{}
			config := systems.config()
			config.ReadExecutionOrder = order
			config.Compare = func(fromOld, fromNew string) bool {
				require.Equal(t, "old", fromOld)
				require.Equal(t, "new", fromNew)
				return equal
			}
			run(t, client, config, op)
			event := client.event(t)
			if op == ldmigration.Write || len(called(op, stage)) == 1 {
				require.Nil(t, event.Consistency)
				continue
			}
			require.Equal(t, ldmigration.NewConsistencyCheck(equal, 1), event.Consistency)
		}
	})
}

func TestMigrator_Read_FailedResultsAreNotCompared(t *testing.T) {
	for _, failing := range []ldmigration.Origin{ldmigration.Old, ldmigration.New} {
		client := &client{stage: ldmigration.Shadow}
		systems := &systems{fails: map[ldmigration.Origin]error{failing: errOld}}
		config := systems.config()
		compared := false
		config.Compare = func(string, string) bool {
			compared = true
			return true
		}
		run(t, client, config, ldmigration.Read)
		require.False(t, compared)
		require.Nil(t, client.event(t).Consistency)
	}
}

func TestMigrator_Read_FlagSaysHowManyAreCompared(t *testing.T) {
	for name, test := range map[string]struct {
		ratio    ldvalue.OptionalInt
		drawn    int
		compared int // the ratio of the event; 0 if there is no comparison
	}{
		"none":            {ldvalue.OptionalInt{}, 5, 1},
		"one":             {ldvalue.NewOptionalInt(1), 5, 1},
		"zero":            {ldvalue.NewOptionalInt(0), 0, 0},
		"negative":        {ldvalue.NewOptionalInt(-4), 0, 0},
		"ten and drawn":   {ldvalue.NewOptionalInt(10), 0, 10},
		"ten and missed":  {ldvalue.NewOptionalInt(10), 1, 0},
		"ten and missed2": {ldvalue.NewOptionalInt(10), 9, 0},
	} {
		t.Run(name, func(t *testing.T) {
			client, systems := &client{stage: ldmigration.Shadow, checkRatio: test.ratio}, &systems{}
			config := systems.config()
			compared := false
			config.Compare = func(string, string) bool {
				compared = true
				return true
			}
			config.SetRandom(func(n int) int {
				require.Equal(t, 10, n)
				return test.drawn
			})
			run(t, client, config, ldmigration.Read)
			require.Equal(t, test.compared > 0, compared)
			consistency := client.event(t).Consistency
			if !compared {
				require.Nil(t, consistency)
				return
			}
			require.Equal(t, ldmigration.NewConsistencyCheck(true, test.compared), consistency)
		})
	}
}

func TestMigrator_Read_CompareThatPanicsLosesNoResult(t *testing.T) {
	client, systems := &client{stage: ldmigration.Live}, &systems{}
	var output bytes.Buffer
	config := systems.config()
	config.Logger = slog.New(slog.NewTextHandler(&output, nil))
	config.Compare = func(string, string) bool { panic("cannot compare") }
	require.Equal(t, "new", run(t, client, config, ldmigration.Read).Value)
	event := client.event(t)
	require.Nil(t, event.Consistency)
	require.Empty(t, event.Failed)
	require.Contains(t, output.String(), "cannot compare")
}
