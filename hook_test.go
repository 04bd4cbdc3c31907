package cleat

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/flagtest"
)

// scribe is a hook that writes down its calls, in one list for all hooks of a test.
type scribe struct {
	NoHook
	name  string
	calls *[]string

	before func() (HookData, error)
	after  func(HookEvaluation, HookData, ldreason.EvaluationDetail) error
	track  func(HookTrack) error
}

func (s *scribe) Name() string { return s.name }

func (s *scribe) note(call string) { *s.calls = append(*s.calls, s.name+" "+call) }

func (s *scribe) BeforeEvaluation(context.Context, HookEvaluation) (HookData, error) {
	s.note("before")
	if s.before == nil {
		return nil, nil
	}
	return s.before()
}

func (s *scribe) AfterEvaluation(
	_ context.Context, evaluation HookEvaluation, data HookData, detail ldreason.EvaluationDetail,
) error {
	s.note("after")
	if s.after == nil {
		return nil
	}
	return s.after(evaluation, data, detail)
}

func (s *scribe) AfterTrack(_ context.Context, event HookTrack) error {
	s.note("track")
	if s.track == nil {
		return nil
	}
	return s.track(event)
}

func TestHooks_Evaluation_AreCalledInOrderAndInReverseOrder(t *testing.T) {
	var calls []string
	client, _ := newTestClientWith(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")), Config{
		Hooks: []Hook{&scribe{name: "first", calls: &calls}, &scribe{name: "second", calls: &calls}},
	})
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
	require.Equal(t, []string{"first before", "second before", "second after", "first after"}, calls)
}

func TestHooks_Evaluation_EachSeesItsOwnDataAndTheValueOfTheCaller(t *testing.T) {
	var calls []string
	hook := &scribe{
		name: "keeper", calls: &calls, before: func() (HookData, error) { return HookData{"kept": 1}, nil },
		after: func(evaluation HookEvaluation, data HookData, detail ldreason.EvaluationDetail) error {
			require.Equal(t, HookEvaluation{
				FlagKey: "unknown", Context: user, DefaultValue: ldvalue.String("x"), Method: "StringVariationDetail",
				EnvironmentID: ldvalue.NewOptionalString("env"),
			}, evaluation)
			require.Equal(t, HookData{"kept": 1}, data)
			require.Equal(t, ldvalue.String("x"), detail.Value)
			require.Equal(t, ldreason.EvalErrorFlagNotFound, detail.Reason.GetErrorKind())
			return nil
		},
	}
	other := &scribe{name: "other", calls: &calls, after: func(_ HookEvaluation, data HookData, _ ldreason.EvaluationDetail) error {
		require.Empty(t, data)
		return nil
	}}
	client, _ := newTestClientWith(t, flagtest.Items(t), Config{Hooks: []Hook{hook, other}})
	client.sink.SetEnvironmentID("env")
	value, _ := client.StringVariationDetail(t.Context(), "unknown", user, "x")
	require.Equal(t, "x", value)
	require.Len(t, calls, 4)
}

// What a hook returns together with an error is not passed on, and neither errors nor panics concern other hooks.
func TestHooks_Evaluation_TroublesConcernNobodyElse(t *testing.T) {
	for name, trouble := range map[string]func() (HookData, error){
		"error": func() (HookData, error) { return HookData{"lost": true}, errors.New("rotten") },
		"panic": func() (HookData, error) { panic("rotten") },
	} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			var log bytes.Buffer
			client, _ := newTestClientWith(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")), Config{
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
				Hooks: []Hook{
					&scribe{
						name: "bad", calls: &calls, before: trouble,
						after: func(_ HookEvaluation, data HookData, _ ldreason.EvaluationDetail) error {
							require.Empty(t, data)
							_, err := trouble()
							return err
						},
						track: func(HookTrack) error { _, err := trouble(); return err },
					},
					&scribe{name: "good", calls: &calls},
				},
			})
			require.True(t, client.BoolVariation(t.Context(), "a", user, false))
			require.NoError(t, client.Track(t.Context(), "e", user))
			require.Equal(t, []string{
				"bad before", "good before", "good after", "bad after", "bad track", "good track",
			}, calls)
			require.Contains(t, log.String(), "hook=bad")
			require.Contains(t, log.String(), "rotten")
			require.NotContains(t, log.String(), "hook=good")
		})
	}
}

// nameless is a hook that does not even say its name.
type nameless struct{ NoHook }

func (nameless) Name() string { panic("no name") }

func (nameless) AfterTrack(context.Context, HookTrack) error { return errors.New("rotten") }

func TestHooks_Name_PanicsWhileAnErrorIsLogged(t *testing.T) {
	client, _ := newTestClientWith(t, flagtest.Items(t), Config{Hooks: []Hook{nameless{}}})
	require.NoError(t, client.Track(t.Context(), "e", user))
}

func TestHooks_Track_AreCalledInOrderWithTheEvent(t *testing.T) {
	var calls []string
	seen := func(event HookTrack) error {
		require.Equal(t, HookTrack{
			Key: "bought", Context: user, Data: ldvalue.Int(3), Metric: 2.5, HasMetric: true,
		}, event)
		return nil
	}
	client, _ := newTestClientWith(t, flagtest.Items(t), Config{Hooks: []Hook{
		&scribe{name: "first", calls: &calls, track: seen}, &scribe{name: "second", calls: &calls, track: seen},
	}})
	require.NoError(t, client.TrackMetric(t.Context(), "bought", user, 2.5, ldvalue.Int(3)))
	require.Equal(t, []string{"first track", "second track"}, calls)
}

// counter is a hook that many goroutines call.
type counter struct {
	NoHook
	mu    sync.Mutex
	calls map[string]int
}

func (c *counter) AfterEvaluation(_ context.Context, e HookEvaluation, _ HookData, _ ldreason.EvaluationDetail) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[e.Method]++
	return nil
}

func TestHooks_Evaluation_EveryMethodTellsItsName(t *testing.T) {
	hook := &counter{calls: map[string]int{}}
	client, _ := newTestClientWith(t, flagtest.Items(t), Config{Hooks: []Hook{hook}})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			client.BoolVariation(t.Context(), "a", user, false)
			client.IntVariation(t.Context(), "a", user, 0)
			client.Float64Variation(t.Context(), "a", user, 0)
			client.StringVariation(t.Context(), "a", user, "")
			client.JSONVariation(t.Context(), "a", user, ldvalue.Null())
			client.BoolVariationDetail(t.Context(), "a", user, false)
			client.IntVariationDetail(t.Context(), "a", user, 0)
			client.Float64VariationDetail(t.Context(), "a", user, 0)
			client.StringVariationDetail(t.Context(), "a", user, "")
			client.JSONVariationDetail(t.Context(), "a", user, ldvalue.Null())
		})
	}
	all.Wait()
	want := map[string]int{}
	for _, name := range []string{"Bool", "Int", "Float64", "String", "JSON"} {
		want[name+"Variation"], want[name+"VariationDetail"] = 4, 4
	}
	require.Equal(t, want, hook.calls)
}
