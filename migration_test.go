package cleat

import (
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
)

const stageFlag = `{"key":"stage","version":3,"on":true,"fallthrough":{"variation":0},"variations":["live"],` +
	`"samplingRatio":2,"migration":{"checkRatio":1}}`

func TestClient_MigrationVariation_ReturnsTheStageAndATracker(t *testing.T) {
	var sent eventLog
	client, _ := newTestClientWith(t, flagtest.Items(t, "stage", stageFlag), Config{Events: sent.factory})
	stage, tracker := client.MigrationVariation(t.Context(), "stage", user, ldmigration.Off)
	require.Equal(t, ldmigration.Live, stage)
	tracker.Operation(ldmigration.Read)
	tracker.TrackInvoked(ldmigration.New)
	tracker.TrackInvoked(ldmigration.Old)
	tracker.TrackError(ldmigration.Old)
	tracker.TrackLatency(ldmigration.New, time.Second)
	tracker.TrackConsistency(func() bool { return true })
	client.TrackMigration(t.Context(), tracker)

	require.Len(t, sent.events, 2)
	require.IsType(t, core.EvaluationEvent{}, sent.events[0])
	event := sent.events[1].(core.MigrationEvent)
	require.NotZero(t, event.Time)
	event.Time = 0
	require.Equal(t, core.MigrationEvent{
		EventBase: base(user), FlagKey: "stage", FlagVersion: ldvalue.NewOptionalInt(3), Operation: ldmigration.Read,
		Detail:       ldreason.NewEvaluationDetail(ldvalue.String("live"), 0, ldreason.NewEvalReasonFallthrough()),
		DefaultStage: ldmigration.Off, SamplingRatio: ldvalue.NewOptionalInt(2),
		Consistency: ldmigration.NewConsistencyCheck(true, 1),
		Invoked:     map[ldmigration.Origin]struct{}{ldmigration.Old: {}, ldmigration.New: {}},
		Failed:      map[ldmigration.Origin]struct{}{ldmigration.Old: {}},
		Latency:     map[ldmigration.Origin]time.Duration{ldmigration.New: time.Second},
	}, event)
}

func TestClient_MigrationVariation_WithoutAStage_IsTheDefault(t *testing.T) {
	var sent eventLog
	client, _ := newTestClientWith(t, flagtest.Items(t, "odd", flagtest.OnFlag("odd", 1, `"sideways"`), "number", flagtest.OnFlag("number", 1, "5")),
		Config{Events: sent.factory})
	for key, want := range map[string]ldreason.EvalErrorKind{
		"odd": ldreason.EvalErrorWrongType, "number": ldreason.EvalErrorWrongType, "unknown": ldreason.EvalErrorFlagNotFound,
	} {
		sent.events = nil
		stage, tracker := client.MigrationVariation(t.Context(), key, user, ldmigration.DualWrite)
		require.Equal(t, ldmigration.DualWrite, stage, key)
		counted := sent.events[0].(core.EvaluationEvent).Detail
		if key == "odd" {
			require.Equal(t, ldvalue.String("sideways"), counted.Value, "what the flag has is counted")
			require.Equal(t, ldvalue.NewOptionalInt(0), counted.VariationIndex)
		} else {
			require.Equal(t, ldvalue.String("dualwrite"), counted.Value, key)
		}
		detail := ldreason.NewEvaluationDetailForError(want, ldvalue.String("dualwrite"))
		tracker.Operation(ldmigration.Write)
		tracker.TrackInvoked(ldmigration.Old)
		client.TrackMigration(t.Context(), tracker)
		require.Equal(t, detail, sent.events[1].(core.MigrationEvent).Detail, key)
	}
}

// A default that is no stage is returned as it is, and does not hide why it is returned.
func TestClient_MigrationVariation_DefaultIsNoStage(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t, "off", `{"key":"off","version":1,"on":false,"variations":["live"]}`))
	for key, want := range map[string]ldreason.EvaluationReason{
		"unknown": ldreason.NewEvalReasonError(ldreason.EvalErrorFlagNotFound), "off": ldreason.NewEvalReasonOff(),
	} {
		stage, tracker := client.MigrationVariation(t.Context(), key, user, "no stage")
		require.Equal(t, ldmigration.Stage("no stage"), stage, key)
		tracker.Operation(ldmigration.Read)
		tracker.TrackInvoked(ldmigration.Old)
		event, err := tracker.Event()
		require.NoError(t, err)
		require.Equal(t, want, event.Detail.Reason, key)
	}
}

// An operation that was not measured gives no event, and no tracker no panic.
func TestClient_TrackMigration_NothingMeasured_SendsNothing(t *testing.T) {
	var sent eventLog
	client, _ := newTestClientWith(t, flagtest.Items(t, "stage", stageFlag), Config{Events: sent.factory})
	_, tracker := client.MigrationVariation(t.Context(), "stage", user, ldmigration.Off)
	sent.events = nil
	client.TrackMigration(t.Context(), tracker)
	client.TrackMigration(t.Context(), nil)
	require.Empty(t, sent.events)
}

func TestHooks_MigrationVariation_AreCalledWithTheStage(t *testing.T) {
	var calls []string
	var seen ldreason.EvaluationDetail
	hook := &scribe{name: "h", calls: &calls, after: func(e HookEvaluation, _ HookData, detail ldreason.EvaluationDetail) error {
		require.Equal(t, "MigrationVariation", e.Method)
		require.Equal(t, ldvalue.String("off"), e.DefaultValue)
		seen = detail
		return nil
	}}
	client, _ := newTestClientWith(t, flagtest.Items(t, "stage", stageFlag), Config{Hooks: []Hook{hook}})
	client.MigrationVariation(t.Context(), "stage", user, ldmigration.Off)
	require.Equal(t, ldvalue.String("live"), seen.Value)
	require.Equal(t, []string{"h before", "h after"}, calls)
}
