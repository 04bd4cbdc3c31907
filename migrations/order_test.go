package migrations_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/migrations"
)

func TestParseExecutionOrder(t *testing.T) {
	for text, expected := range map[string]ldmigration.ExecutionOrder{
		"serial": ldmigration.Serial, "random": ldmigration.Random,
		"concurrent": ldmigration.Concurrent, "parallel": ldmigration.Concurrent,
	} {
		order, err := migrations.ParseExecutionOrder(text)
		require.NoError(t, err)
		require.Equal(t, expected, order)
	}
	for _, text := range []string{"", "Serial", "odd"} {
		order, err := migrations.ParseExecutionOrder(text)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, `"`+text+`"`)
		require.Empty(t, order)
	}
}

func TestParseStage(t *testing.T) {
	for _, stage := range stages {
		require.Equal(t, stage, migrations.ParseStage(string(stage)))
	}
	for _, text := range []string{"", "Live", "grief"} {
		require.Equal(t, ldmigration.Off, migrations.ParseStage(text))
	}
}

// slow returns a configuration whose functions take 3 s for the old and 5 s for the new system.
func slow() migrations.Config[int, string] {
	function := func(text string, takes time.Duration) func(context.Context, int) (string, error) {
		return func(context.Context, int) (string, error) {
			time.Sleep(takes)
			return text, nil
		}
	}
	fromOld, fromNew := function("old", 3*time.Second), function("new", 5*time.Second)
	return migrations.Config[int, string]{ReadOld: fromOld, ReadNew: fromNew, WriteOld: fromOld, WriteNew: fromNew}
}

func TestMigrator_LatencyIsThatOfEachFunction(t *testing.T) {
	const o, n = ldmigration.Old, ldmigration.New
	for name, test := range map[string]struct {
		stage     ldmigration.Stage
		operation ldmigration.Operation
		order     ldmigration.ExecutionOrder
		took      time.Duration
		latency   map[ldmigration.Origin]time.Duration
	}{
		"one": {
			ldmigration.Off, ldmigration.Read, ldmigration.Concurrent, 3 * time.Second,
			map[ldmigration.Origin]time.Duration{o: 3 * time.Second},
		},
		"concurrent by default": {
			ldmigration.Shadow, ldmigration.Read, "", 5 * time.Second,
			map[ldmigration.Origin]time.Duration{o: 3 * time.Second, n: 5 * time.Second},
		},
		"concurrent": {
			ldmigration.Live, ldmigration.Read, ldmigration.Concurrent, 5 * time.Second,
			map[ldmigration.Origin]time.Duration{o: 3 * time.Second, n: 5 * time.Second},
		},
		"serial": {
			ldmigration.Live, ldmigration.Read, ldmigration.Serial, 8 * time.Second,
			map[ldmigration.Origin]time.Duration{o: 3 * time.Second, n: 5 * time.Second},
		},
		"random": {
			ldmigration.Live, ldmigration.Read, ldmigration.Random, 8 * time.Second,
			map[ldmigration.Origin]time.Duration{o: 3 * time.Second, n: 5 * time.Second},
		},
		"writes are never concurrent": {
			ldmigration.DualWrite, ldmigration.Write, ldmigration.Concurrent, 8 * time.Second,
			map[ldmigration.Origin]time.Duration{o: 3 * time.Second, n: 5 * time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, config := &client{stage: test.stage}, slow()
				config.ReadExecutionOrder = test.order
				began := time.Now()
				run(t, client, config, test.operation)
				require.Equal(t, test.took, time.Since(began))
				require.Equal(t, test.latency, client.event(t).Latency)
			})
		})
	}
}

func TestMigrator_Read_RandomOrderIsDrawn(t *testing.T) {
	for drawn, expected := range map[int][]string{
		0: {"read new 5", "read old 5"},
		1: {"read old 5", "read new 5"},
	} {
		client, systems := &client{stage: ldmigration.Live}, &systems{}
		config := systems.config()
		config.ReadExecutionOrder = ldmigration.Random
		config.SetRandom(func(n int) int {
			require.Equal(t, 2, n)
			return drawn
		})
		require.Equal(t, "new", run(t, client, config, ldmigration.Read).Value)
		require.Equal(t, expected, systems.calls)
	}
}
