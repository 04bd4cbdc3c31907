package events_test

import (
	"math"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

type object = map[string]any

// evaluation returns an event of a flag with version 7 whose variation 1 is true.
func evaluation(context ldcontext.Context, key string) core.EvaluationEvent {
	return core.EvaluationEvent{
		EventBase:   at(context),
		Key:         key,
		Detail:      ldreason.NewEvaluationDetail(ldvalue.Bool(true), 1, ldreason.NewEvalReasonFallthrough()),
		Default:     ldvalue.Bool(false),
		FlagVersion: ldvalue.NewOptionalInt(7),
	}
}

func TestProcessor_Send_EvaluationCountsInSummary(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	for range 3 {
		processor.Send(evaluation(ldcontext.New("u"), "flag"))
	}
	unknown := evaluation(ldcontext.NewWithKind("org", "o"), "unknown")
	unknown.FlagVersion = ldvalue.OptionalInt{}
	unknown.Detail = ldreason.NewEvaluationDetailForError(ldreason.EvalErrorFlagNotFound, ldvalue.Bool(false))
	processor.Send(unknown)

	got := service.nextEvents(t, processor)
	require.Len(t, got, 2)
	require.Equal(t, []object{
		{"kind": "index", "creationDate": float64(now), "context": object{"kind": "user", "key": "u"}},
		{"kind": "index", "creationDate": float64(now), "context": object{"kind": "org", "key": "o"}},
	}, got["index"])
	require.Equal(t, []object{{
		"kind": "summary", "startDate": float64(now), "endDate": float64(now),
		"features": object{
			"flag": object{
				"default":      false,
				"contextKinds": []any{"user"},
				"counters":     []any{object{"variation": 1.0, "version": 7.0, "value": true, "count": 3.0}},
			},
			"unknown": object{
				"default":      false,
				"contextKinds": []any{"org"},
				"counters":     []any{object{"unknown": true, "value": false, "count": 1.0}},
			},
		},
	}}, got["summary"])
}

func TestProcessor_Send_FullEvaluationIsDeliveredByItself(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	event := evaluation(ldcontext.New("u"), "flag")
	event.RequireFullEvent = true
	processor.Send(event)
	event.WithReason = true
	event.PrerequisiteOf = "other"
	processor.Send(event)

	expected := object{
		"kind": "feature", "creationDate": float64(now), "key": "flag", "version": 7.0, "variation": 1.0,
		"value": true, "default": false, "context": object{"kind": "user", "key": "u"},
	}
	withReason := object{"reason": object{"kind": "FALLTHROUGH"}, "prereqOf": "other"}
	for property, value := range expected {
		withReason[property] = value
	}
	got := service.nextEvents(t, processor)
	require.Equal(t, []object{expected, withReason}, got["feature"])
	require.Len(t, got["index"], 1)
	require.Len(t, got["summary"], 1)
}

func TestProcessor_Send_ExcludedEvaluationIsInNoSummary(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	event := evaluation(ldcontext.New("u"), "flag")
	event.ExcludeFromSummaries = true
	event.RequireFullEvent = true
	processor.Send(event)

	got := service.nextEvents(t, processor)
	require.Len(t, got["feature"], 1)
	require.Empty(t, got["summary"])
}

func TestProcessor_Send_SamplingRatioDecidesHowManyAreDelivered(t *testing.T) {
	const sent = 1000
	for name, test := range map[string]struct {
		ratio    ldvalue.OptionalInt
		min, max int
	}{
		"none":     {ldvalue.OptionalInt{}, sent, sent},
		"one":      {ldvalue.NewOptionalInt(1), sent, sent},
		"four":     {ldvalue.NewOptionalInt(4), 100, 500},
		"zero":     {ldvalue.NewOptionalInt(0), 0, 0},
		"negative": {ldvalue.NewOptionalInt(-1), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			service := newService(t)
			processor := newProcessor(t, service, events.Options{})
			event := evaluation(ldcontext.New("u"), "flag")
			event.RequireFullEvent = true
			event.SamplingRatio = test.ratio
			migration := migrationEvent(ldcontext.New("u"))
			migration.SamplingRatio = test.ratio
			for range sent {
				processor.Send(event)
				processor.Send(migration)
			}
			got := service.nextEvents(t, processor)
			for _, kind := range []string{"feature", "migration_op"} {
				require.GreaterOrEqual(t, len(got[kind]), test.min, kind)
				require.LessOrEqual(t, len(got[kind]), test.max, kind)
			}
			counters := got["summary"][0]["features"].(object)["flag"].(object)["counters"].([]any)
			require.EqualValues(t, sent, counters[0].(object)["count"])
		})
	}
}

func TestProcessor_Send_Identify(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	multi := ldcontext.NewMulti(
		ldcontext.NewBuilder("u").Name("Mina").SetString("city", "Whitby").Build(),
		ldcontext.NewBuilder("o").Kind("org").Anonymous(true).SetInt("size", 3).Build(),
	)
	processor.Send(core.IdentifyEvent{EventBase: at(multi)})

	require.Equal(t, map[string][]object{"identify": {{
		"kind": "identify", "creationDate": float64(now), "context": object{
			"kind": "multi",
			"user": object{"key": "u", "name": "Mina", "city": "Whitby"},
			"org":  object{"key": "o", "anonymous": true, "size": 3.0},
		},
	}}}, service.nextEvents(t, processor))
}

func TestProcessor_Send_Custom(t *testing.T) {
	user := ldcontext.New("u")
	for name, test := range map[string]struct {
		event    core.CustomEvent
		expected object // what is there beside kind, date, key and context
	}{
		"nothing":     {core.CustomEvent{}, object{}},
		"data":        {core.CustomEvent{Data: ldvalue.ArrayOf(ldvalue.Int(1))}, object{"data": []any{1.0}}},
		"metric":      {core.CustomEvent{Metric: 2.5, HasMetric: true}, object{"metricValue": 2.5}},
		"zero metric": {core.CustomEvent{HasMetric: true}, object{"metricValue": 0.0}},
		"not a number": {
			core.CustomEvent{Metric: math.NaN(), HasMetric: true, Data: ldvalue.Bool(true)}, object{"data": true},
		},
		"infinite": {core.CustomEvent{Metric: math.Inf(-1), HasMetric: true}, object{}},
	} {
		t.Run(name, func(t *testing.T) {
			service := newService(t)
			processor := newProcessor(t, service, events.Options{})
			test.event.EventBase = at(user)
			test.event.Key = "bought"
			processor.Send(test.event)

			expected := object{
				"kind": "custom", "creationDate": float64(now), "key": "bought", "context": object{"kind": "user", "key": "u"},
			}
			for property, value := range test.expected {
				expected[property] = value
			}
			got := service.nextEvents(t, processor)
			require.Equal(t, []object{expected}, got["custom"])
			require.Len(t, got["index"], 1)
		})
	}
}

func migrationEvent(context ldcontext.Context) core.MigrationEvent {
	return core.MigrationEvent{
		EventBase:    at(context),
		FlagKey:      "move",
		FlagVersion:  ldvalue.NewOptionalInt(7),
		Operation:    ldmigration.Read,
		Detail:       ldreason.NewEvaluationDetail(ldvalue.String("live"), 3, ldreason.NewEvalReasonFallthrough()),
		DefaultStage: ldmigration.Off,
		Consistency:  ldmigration.NewConsistencyCheck(false, 4),
		Invoked:      map[ldmigration.Origin]struct{}{ldmigration.Old: {}, ldmigration.New: {}},
		Failed:       map[ldmigration.Origin]struct{}{ldmigration.New: {}},
		Latency: map[ldmigration.Origin]time.Duration{
			ldmigration.Old: 0, ldmigration.New: 12*time.Millisecond + 900*time.Microsecond,
		},
	}
}

func TestProcessor_Send_Migration(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	event := migrationEvent(ldcontext.New("u"))
	processor.Send(event)
	clear(event.Invoked) // it was copied

	got := service.nextEvents(t, processor)["migration_op"]
	require.Len(t, got, 1)
	require.ElementsMatch(t, []any{
		object{"key": "invoked", "values": object{"old": true, "new": true}},
		object{"key": "consistent", "value": false, "samplingRatio": 4.0},
		object{"key": "latency_ms", "values": object{"old": 0.0, "new": 12.0}},
		object{"key": "error", "values": object{"new": true}},
	}, got[0]["measurements"])
	delete(got[0], "measurements")
	require.Equal(t, object{
		"kind": "migration_op", "creationDate": float64(now), "operation": "read",
		"context": object{"kind": "user", "key": "u"},
		"evaluation": object{
			"key": "move", "value": "live", "variation": 3.0, "version": 7.0, "default": "off",
			"reason": object{"kind": "FALLTHROUGH"},
		},
	}, got[0])
}

func TestProcessor_Send_MigrationWithoutMeasurements(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	event := migrationEvent(ldcontext.New("u"))
	event.Consistency, event.Failed, event.Latency = nil, nil, nil
	processor.Send(event)

	got := service.nextEvents(t, processor)["migration_op"]
	require.Len(t, got, 1)
	require.Equal(t, []any{object{"key": "invoked", "values": object{"old": true, "new": true}}}, got[0]["measurements"])
}
