package migrations_test

import (
	"sync"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/migrations"
)

func newTracker(key string, context ldcontext.Context) *migrations.OpTracker {
	return migrations.NewOpTracker(key, ldvalue.OptionalInt{}, context, ldreason.EvaluationDetail{}, ldmigration.Off,
		ldvalue.OptionalInt{}, ldvalue.OptionalInt{})
}

func TestOpTracker_Event_RefusesContradictions(t *testing.T) {
	complete := func(tracker *migrations.OpTracker) {
		tracker.Operation(ldmigration.Read)
		tracker.TrackInvoked(ldmigration.Old)
	}
	for name, test := range map[string]struct {
		key      string
		context  ldcontext.Context
		track    func(*migrations.OpTracker)
		expected string
	}{
		"key":     {"", user, complete, "key is empty"},
		"context": {"f", ldcontext.Context{}, complete, "context is invalid"},
		"operation": {
			"f", user, func(tracker *migrations.OpTracker) { tracker.TrackInvoked(ldmigration.Old) }, "operation was not reported",
		},
		"unknown operation": {"f", user, func(tracker *migrations.OpTracker) {
			complete(tracker)
			tracker.Operation("sing")
		}, `operation "sing"`},
		"invoked": {
			"f", user, func(tracker *migrations.OpTracker) { tracker.Operation(ldmigration.Write) }, "no origin was reported",
		},
		"unknown origin": {"f", user, func(tracker *migrations.OpTracker) {
			complete(tracker)
			tracker.TrackInvoked("both")
		}, `origin "both" is unknown`},
		"error": {"f", user, func(tracker *migrations.OpTracker) {
			complete(tracker)
			tracker.TrackError(ldmigration.New)
		}, `error was reported for origin "new"`},
		"latency": {"f", user, func(tracker *migrations.OpTracker) {
			complete(tracker)
			tracker.TrackLatency(ldmigration.New, 1)
		}, `latency was reported for origin "new"`},
		"consistency": {"f", user, func(tracker *migrations.OpTracker) {
			complete(tracker)
			tracker.TrackConsistency(func() bool { return true })
		}, "not both origins invoked"},
	} {
		t.Run(name, func(t *testing.T) {
			tracker := newTracker(test.key, test.context)
			test.track(tracker)
			event, err := tracker.Event()
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, test.expected)
			require.Equal(t, core.MigrationEvent{}, event)
		})
	}
}

func TestOpTracker_Event_NamesAllProblems(t *testing.T) {
	_, err := newTracker("", user).Event()
	require.ErrorContains(t, err, "key")
	require.ErrorContains(t, err, "operation")
	require.ErrorContains(t, err, "origin")
}

func TestOpTracker_Event_IsWhatWasMeasuredSoFar(t *testing.T) {
	tracker := newTracker("f", user)
	tracker.Operation(ldmigration.Write)
	tracker.Operation(ldmigration.Read)
	tracker.TrackInvoked(ldmigration.Old)
	first, err := tracker.Event()
	require.NoError(t, err)

	tracker.TrackInvoked(ldmigration.New)
	tracker.TrackError(ldmigration.New)
	tracker.TrackLatency(ldmigration.Old, time.Second)
	tracker.TrackLatency(ldmigration.Old, time.Minute)
	tracker.TrackLatency(ldmigration.New, -1)
	tracker.TrackConsistency(nil)
	second, err := tracker.Event()
	require.NoError(t, err)

	require.Equal(t, setOf(ldmigration.Old), first.Invoked, "it is a copy")
	require.Empty(t, first.Failed)
	require.Empty(t, first.Latency)
	require.Equal(t, ldmigration.Read, second.Operation)
	require.Equal(t, setOf(ldmigration.Old, ldmigration.New), second.Invoked)
	require.Equal(t, setOf(ldmigration.New), second.Failed)
	require.Equal(t, map[ldmigration.Origin]time.Duration{ldmigration.Old: time.Minute, ldmigration.New: 0}, second.Latency)
	require.Nil(t, second.Consistency)
}

func TestOpTracker_TrackConsistency_IsSampled(t *testing.T) {
	const calls = 4000
	tracker := migrations.NewOpTracker("f", ldvalue.OptionalInt{}, user, ldreason.EvaluationDetail{}, ldmigration.Off,
		ldvalue.OptionalInt{}, ldvalue.NewOptionalInt(4))
	compared := 0
	for range calls {
		tracker.TrackConsistency(func() bool {
			compared++
			return true
		})
	}
	require.InDelta(t, calls/4, compared, calls/8)
}

func TestOpTracker_ConcurrentUse(t *testing.T) {
	tracker := newTracker("f", user)
	var group sync.WaitGroup
	for range 4 {
		for _, origin := range []ldmigration.Origin{ldmigration.Old, ldmigration.New} {
			group.Go(func() {
				tracker.Operation(ldmigration.Read)
				tracker.TrackInvoked(origin)
				tracker.TrackLatency(origin, time.Second)
				tracker.TrackError(origin)
				tracker.TrackConsistency(func() bool { return true })
				_, _ = tracker.Event()
			})
		}
	}
	group.Wait()
	event, err := tracker.Event()
	require.NoError(t, err)
	require.Len(t, event.Failed, 2)
}
