package cleat

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/flagtest"
)

// eventLog is an event processor that keeps everything.
type eventLog struct {
	mu      sync.Mutex
	events  []core.Event
	flushes int
	closes  int
}

func (c *eventLog) factory(core.ClientSettings) (core.EventProcessor, error) { return c, nil }

func (c *eventLog) Send(event core.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, event)
}

func (c *eventLog) Flush() { c.flushes++ }

func (c *eventLog) Close(context.Context) error { c.closes++; return nil }

// evaluations returns the evaluation events, with their times put to zero after a check.
func (c *eventLog) evaluations(t *testing.T) (events []core.EvaluationEvent) {
	t.Helper()
	for _, event := range c.events {
		evaluation := event.(core.EvaluationEvent)
		age := time.Since(time.UnixMilli(int64(evaluation.Time)))
		require.Less(t, age, time.Minute)
		require.Greater(t, age, -time.Second)
		evaluation.Time = 0
		events = append(events, evaluation)
	}
	return events
}

func base(of ldcontext.Context) core.EventBase { return core.EventBase{Context: of} }

func TestClient_Variation_SendsAnEvent(t *testing.T) {
	var sent eventLog
	flag := `{"key":"a","version":7,"on":true,"fallthrough":{"variation":1},"variations":["no","yes"],` +
		`"trackEvents":true,"debugEventsUntilDate":5000,"samplingRatio":3,"excludeFromSummaries":true}`
	client, _ := newTestClientWith(t, flagtest.Items(t, "a", flag), Config{Events: sent.factory})
	client.StringVariation(t.Context(), "a", user, "default")
	client.StringVariationDetail(t.Context(), "a", user, "default")
	want := core.EvaluationEvent{
		EventBase: base(user), Key: "a", Default: ldvalue.String("default"), FlagVersion: ldvalue.NewOptionalInt(7),
		Detail:           ldreason.NewEvaluationDetail(ldvalue.String("yes"), 1, ldreason.NewEvalReasonFallthrough()),
		RequireFullEvent: true, DebugEventsUntil: ldtime.UnixMillisecondTime(5000),
		SamplingRatio: ldvalue.NewOptionalInt(3), ExcludeFromSummaries: true,
	}
	withReason := want
	withReason.WithReason = true
	require.Equal(t, []core.EvaluationEvent{want, withReason}, sent.evaluations(t))
}

func TestClient_Variation_EventOfWhatHasNoValue(t *testing.T) {
	var sent eventLog
	client, _ := newTestClientWith(t, flagtest.Items(t, "number", flagtest.OnFlag("number", 2, "5")), Config{Events: sent.factory})
	client.BoolVariation(t.Context(), "unknown", user, true)
	client.BoolVariation(t.Context(), "number", user, true)
	client.BoolVariation(t.Context(), "number", ldcontext.New(""), true)
	failure := func(kind ldreason.EvalErrorKind) ldreason.EvaluationDetail {
		return ldreason.NewEvaluationDetailForError(kind, ldvalue.Bool(true))
	}
	require.Equal(t, []core.EvaluationEvent{
		{EventBase: base(user), Key: "unknown", Default: ldvalue.Bool(true), Detail: failure(ldreason.EvalErrorFlagNotFound)},
		{
			EventBase: base(user), Key: "number", Default: ldvalue.Bool(true), Detail: failure(ldreason.EvalErrorWrongType),
			FlagVersion: ldvalue.NewOptionalInt(2),
		},
	}, sent.evaluations(t), "and none for a context that is not valid")
}

func TestClient_Variation_PrerequisitesHaveEventsOfTheirOwn(t *testing.T) {
	var sent eventLog
	dependent := func(key, on string) string {
		return fmt.Sprintf(`{"key":%q,"version":1,"on":true,"fallthrough":{"variation":0},"variations":["x"],`+
			`"prerequisites":[{"key":%q,"variation":0}]}`, key, on)
	}
	client, _ := newTestClientWith(t, flagtest.Items(t, "a", dependent("a", "b"), "b", dependent("b", "c"), "c", flagtest.OnFlag("c", 1, `"x"`)),
		Config{Events: sent.factory})
	require.Equal(t, "x", client.StringVariation(t.Context(), "a", user, "default"))
	var seen []string
	for _, event := range sent.evaluations(t) {
		seen = append(seen, event.Key+" of "+event.PrerequisiteOf)
		require.Equal(t, ldvalue.String("x"), event.Detail.Value)
		require.Equal(t, ldvalue.NewOptionalInt(1), event.FlagVersion)
	}
	require.Equal(t, []string{"c of b", "b of a", "a of "}, seen)
}

// What is part of an experiment is recorded by itself, with its reason, whatever the flag says otherwise.
func TestClient_Variation_ExperimentRequiresTheFullEvent(t *testing.T) {
	var sent eventLog
	flag := `{"key":"a","version":1,"on":true,"fallthrough":{"variation":0},"variations":[true],"trackEventsFallthrough":true}`
	client, _ := newTestClientWith(t, flagtest.Items(t, "a", flag), Config{Events: sent.factory})
	client.BoolVariation(t.Context(), "a", user, false)
	events := sent.evaluations(t)
	require.Len(t, events, 1)
	require.True(t, events[0].RequireFullEvent)
	require.True(t, events[0].WithReason)
}

func TestClient_AllFlagsState_SendsNoEvent(t *testing.T) {
	var sent eventLog
	client, _ := newTestClientWith(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")), Config{Events: sent.factory})
	require.True(t, client.AllFlagsState(t.Context(), user).Valid())
	remove := client.FlagTracker().AddFlagValueChangeListener("a", user, ldvalue.Null(), func(core.FlagValueChange) {})
	remove()
	require.Empty(t, sent.events)
}

func TestClient_Track_SendsEvents(t *testing.T) {
	var sent eventLog
	client, _ := newTestClientWith(t, flagtest.Items(t), Config{Events: sent.factory})
	require.NoError(t, client.Identify(t.Context(), user))
	require.NoError(t, client.Track(t.Context(), "plain", user))
	require.NoError(t, client.TrackData(t.Context(), "data", user, ldvalue.String("x")))
	require.NoError(t, client.TrackMetric(t.Context(), "metric", user, 1.5, ldvalue.Null()))
	for i, event := range sent.events {
		switch e := event.(type) {
		case core.IdentifyEvent:
			e.Time = 0
			sent.events[i] = e
		case core.CustomEvent:
			e.Time = 0
			sent.events[i] = e
		}
	}
	require.Equal(t, []core.Event{
		core.IdentifyEvent{EventBase: base(user)},
		core.CustomEvent{EventBase: base(user), Key: "plain"},
		core.CustomEvent{EventBase: base(user), Key: "data", Data: ldvalue.String("x")},
		core.CustomEvent{EventBase: base(user), Key: "metric", Metric: 1.5, HasMetric: true},
	}, sent.events)
	client.Flush()
	require.Equal(t, 1, sent.flushes)
}

func TestClient_Track_RefusesWhatNobodyCanUse(t *testing.T) {
	var sent eventLog
	client, _ := newTestClientWith(t, flagtest.Items(t), Config{Events: sent.factory})
	invalid := ldcontext.New("")
	require.ErrorIs(t, client.Identify(t.Context(), invalid), core.ErrInvalid)
	require.ErrorIs(t, client.Track(t.Context(), "e", invalid), core.ErrInvalid)
	require.ErrorIs(t, client.Track(t.Context(), "", user), core.ErrInvalid)
	require.ErrorIs(t, client.Track(nil, "e", user), core.ErrInvalid)
	require.ErrorIs(t, client.Identify(nil, user), core.ErrInvalid)
	require.Empty(t, sent.events)
}

func TestClient_Close_ClosesTheEventProcessorOnceAndSendsNothingAfterwards(t *testing.T) {
	var sent eventLog
	client, err := New(t.Context(), Config{DataSource: (&manualSource{first: flagtest.Items(t)}).factory, Events: sent.factory})
	require.NoError(t, err)
	require.NoError(t, client.Close())
	require.NoError(t, client.Close())
	require.Equal(t, 1, sent.closes)
	require.NoError(t, client.Track(t.Context(), "e", user))
	require.NoError(t, client.Identify(t.Context(), user))
	client.BoolVariation(t.Context(), "a", user, false)
	require.Empty(t, sent.events)
}

// panicking is an event processor that breaks.
type panicking struct{ events.Discarding }

func (*panicking) Send(core.Event) { panic("rotten") }

func TestClient_EventProcessorPanics_ConcernsNobody(t *testing.T) {
	var log bytes.Buffer
	client, _ := newTestClientWith(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")), Config{
		Events: func(core.ClientSettings) (core.EventProcessor, error) { return &panicking{}, nil },
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
	require.NoError(t, client.Track(t.Context(), "e", user))
	require.Contains(t, log.String(), "rotten")
}
