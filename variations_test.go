package cleat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

func TestClient_Variations_ReturnTheFlagsValue(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t,
		"bool", flagtest.OnFlag("bool", 1, "true"), "int", flagtest.OnFlag("int", 1, "7.9"), "float", flagtest.OnFlag("float", 1, "2.5"),
		"string", flagtest.OnFlag("string", 1, `"x"`), "json", flagtest.OnFlag("json", 1, `{"a":[1]}`), "null", flagtest.OnFlag("null", 1, "null"),
	))
	ctx := t.Context()
	require.True(t, client.BoolVariation(ctx, "bool", user, false))
	require.Equal(t, 7, client.IntVariation(ctx, "int", user, 1))
	require.Equal(t, 2.5, client.Float64Variation(ctx, "float", user, 1)) //nolint:testifylint // exact in binary
	require.Equal(t, "x", client.StringVariation(ctx, "string", user, "d"))
	require.JSONEq(t, `{"a":[1]}`, client.JSONVariation(ctx, "json", user, ldvalue.Null()).JSONString())
	require.Equal(t, ldvalue.Bool(true), client.JSONVariation(ctx, "bool", user, ldvalue.Int(3)))
	require.Equal(t, ldvalue.Null(), client.JSONVariation(ctx, "null", user, ldvalue.Int(3)))

	fallthroughDetail := func(value ldvalue.Value) ldreason.EvaluationDetail {
		return ldreason.NewEvaluationDetail(value, 0, ldreason.NewEvalReasonFallthrough())
	}
	b, detail := client.BoolVariationDetail(ctx, "bool", user, false)
	require.True(t, b)
	require.Equal(t, fallthroughDetail(ldvalue.Bool(true)), detail)
	i, detail := client.IntVariationDetail(ctx, "int", user, 1)
	require.Equal(t, 7, i)
	require.Equal(t, fallthroughDetail(ldvalue.Float64(7.9)), detail)
	f, detail := client.Float64VariationDetail(ctx, "float", user, 1)
	require.Equal(t, 2.5, f) //nolint:testifylint // exact in binary
	require.Equal(t, fallthroughDetail(ldvalue.Float64(2.5)), detail)
	s, detail := client.StringVariationDetail(ctx, "string", user, "d")
	require.Equal(t, "x", s)
	require.Equal(t, fallthroughDetail(ldvalue.String("x")), detail)
	j, detail := client.JSONVariationDetail(ctx, "json", user, ldvalue.Null())
	require.Equal(t, j, detail.Value)
	require.Equal(t, ldreason.NewEvalReasonFallthrough(), detail.Reason)
}

func TestClient_Variations_ReturnTheDefaultWithAReason(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t,
		"string", flagtest.OnFlag("string", 1, `"x"`), "number", flagtest.OnFlag("number", 1, "1"), "null", flagtest.OnFlag("null", 1, "null"),
		"off", `{"key":"off","on":false,"variations":[1]}`,
		"undecodable", `{"key":"undecodable","on":"x"}`,
		"malformed", `{"key":"malformed","on":true,"fallthrough":{"variation":5},"variations":[1]}`,
		"deleted", `{"key":"deleted","version":2,"deleted":true}`,
	))
	for _, tc := range []struct {
		name, key string
		context   ldcontext.Context
		want      ldreason.EvaluationReason
	}{
		{"unknown", "unknown", user, ldreason.NewEvalReasonError(ldreason.EvalErrorFlagNotFound)},
		{"empty key", "", user, ldreason.NewEvalReasonError(ldreason.EvalErrorFlagNotFound)},
		{"deleted", "deleted", user, ldreason.NewEvalReasonError(ldreason.EvalErrorFlagNotFound)},
		{"zero context", "string", ldcontext.Context{}, ldreason.NewEvalReasonError(ldreason.EvalErrorUserNotSpecified)},
		{"invalid context", "string", ldcontext.New(""), ldreason.NewEvalReasonError(ldreason.EvalErrorUserNotSpecified)},
		{"string for bool", "string", user, ldreason.NewEvalReasonError(ldreason.EvalErrorWrongType)},
		{"number for bool", "number", user, ldreason.NewEvalReasonError(ldreason.EvalErrorWrongType)},
		{"null for bool", "null", user, ldreason.NewEvalReasonError(ldreason.EvalErrorWrongType)},
		{"undecodable", "undecodable", user, ldreason.NewEvalReasonError(ldreason.EvalErrorMalformedFlag)},
		{"malformed", "malformed", user, ldreason.NewEvalReasonError(ldreason.EvalErrorMalformedFlag)},
		{"off without value", "off", user, ldreason.NewEvalReasonOff()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			value, detail := client.BoolVariationDetail(t.Context(), tc.key, tc.context, true)
			require.True(t, value)
			require.Equal(t, ldreason.EvaluationDetail{Value: ldvalue.Bool(true), Reason: tc.want}, detail)
			require.True(t, client.BoolVariation(t.Context(), tc.key, tc.context, true))
		})
	}
}

func TestClient_Variations_WrongTypeOfEveryKind(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t, "bool", flagtest.OnFlag("bool", 1, "true")))
	ctx := t.Context()
	require.Equal(t, 3, client.IntVariation(ctx, "bool", user, 3))
	require.Equal(t, 3.5, client.Float64Variation(ctx, "bool", user, 3.5)) //nolint:testifylint // exact in binary
	require.Equal(t, "d", client.StringVariation(ctx, "bool", user, "d"))
}

func TestClient_Variations_PrerequisitesAndSegments(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t,
		"base", `{"key":"base","on":true,"fallthrough":{"variation":1},"variations":[false,true]}`,
		"dependent", `{"key":"dependent","on":true,"prerequisites":[{"key":"base","variation":1}],"offVariation":0,
			"rules":[{"id":"r","variation":2,"clauses":[{"op":"segmentMatch","values":["segment-x"]}]}],
			"fallthrough":{"variation":1},"variations":["off","fallthrough","rule"]}`,
		"segment-x", `{"key":"segment-x","included":["someone"]}`,
		"lost", `{"key":"lost","on":true,"prerequisites":[{"key":"nowhere","variation":1}],"offVariation":0,"variations":["off"]}`,
		"broken", `{"key":"broken","on":"x"}`,
		"on-broken", `{"key":"on-broken","on":true,"prerequisites":[{"key":"broken","variation":1}],"offVariation":0,"variations":["off"]}`,
		"cycle", `{"key":"cycle","on":true,"prerequisites":[{"key":"cycle","variation":0}],"offVariation":0,"variations":["off"]}`,
		"no-segments", `{"key":"no-segments","on":true,
			"rules":[{"variation":0,"clauses":[{"op":"segmentMatch","values":["","nowhere","segment-broken"]}]}],
			"fallthrough":{"variation":1},"variations":["rule","fallthrough"]}`,
		"segment-broken", `{"key":"segment-broken","included":3}`,
		"big", `{"key":"big","on":true,"rules":[{"clauses":[{"op":"segmentMatch","values":["segment-big"]}]}],
			"fallthrough":{"variation":0},"variations":["out"]}`,
		"segment-big", `{"key":"segment-big","unbounded":true,"generation":1}`,
	))
	reason := func(key string, context ldcontext.Context) string {
		value, detail := client.StringVariationDetail(t.Context(), key, context, "default")
		return value + " " + detail.Reason.String()
	}
	require.Equal(t, "rule RULE_MATCH(0,r)", reason("dependent", user))
	require.Equal(t, "fallthrough FALLTHROUGH", reason("dependent", ldcontext.New("else")))
	require.Equal(t, "off PREREQUISITE_FAILED(nowhere)", reason("lost", user))
	require.Equal(t, "off PREREQUISITE_FAILED(broken)", reason("on-broken", user))
	require.Equal(t, "default ERROR(MALFORMED_FLAG)", reason("cycle", user))
	require.Equal(t, "fallthrough FALLTHROUGH", reason("no-segments", user))
	_, detail := client.StringVariationDetail(t.Context(), "big", user, "default")
	require.Equal(t, ldreason.BigSegmentsNotConfigured, detail.Reason.GetBigSegmentsStatus())
}

func TestClient_Variations_NilContextIsAnException(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")))
	_, detail := client.BoolVariationDetail(nil, "a", user, false)
	require.Equal(t, ldreason.NewEvalReasonError(ldreason.EvalErrorException), detail.Reason)
	require.False(t, client.AllFlagsState(nil, user).Valid())
}

func TestClient_Variations_CancelledContextStillGetsWhatIsInMemory(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.True(t, client.BoolVariation(ctx, "a", user, false))
}

func TestClient_Variations_StoreErrorIsAnException(t *testing.T) {
	data := flagtest.Items(t,
		"a", flagtest.OnFlag("a", 1, "true"),
		"dependent", `{"key":"dependent","on":true,"prerequisites":[{"key":"a","variation":0}],"offVariation":0,
			"fallthrough":{"variation":0},"variations":[true]}`)
	store := &flagtest.Faulty{Store: filledStore(t, data)}
	client, err := New(t.Context(), Config{Daemon: true, Store: store, Cache: caching.Options{Mode: caching.Off()}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.True(t, client.BoolVariation(t.Context(), "dependent", user, false))

	store.Fail(errors.Join(core.ErrUnavailable, errors.New("connection refused")))
	_, detail := client.BoolVariationDetail(t.Context(), "a", user, false)
	require.Equal(t, ldreason.NewEvalReasonError(ldreason.EvalErrorException), detail.Reason)
	require.False(t, client.AllFlagsState(t.Context(), user).Valid())
	eventually(t, func() bool { return !client.DataStoreStatus().Status().Available }, "the store is known to be down")
}

// A prerequisite that cannot be read must not look like one that failed.
func TestClient_Variations_StoreErrorInAPrerequisiteIsAnException(t *testing.T) {
	data := flagtest.Items(t,
		"a", flagtest.OnFlag("a", 1, "true"),
		"dependent", `{"key":"dependent","on":true,"prerequisites":[{"key":"a","variation":0}],"offVariation":0,
			"rules":[{"clauses":[{"op":"segmentMatch","values":["segment-x"]}]}],"fallthrough":{"variation":0},"variations":[true]}`)
	client, _ := newTestClient(t, data)
	client.store = brokenForKey{client.store, "a", errors.New("connection reset")}
	client.evaluators = newEvaluators(client.store, nil, time.Minute, client.logger)
	_, detail := client.BoolVariationDetail(t.Context(), "dependent", user, false)
	require.Equal(t, ldreason.NewEvalReasonError(ldreason.EvalErrorException), detail.Reason)
	state, found := client.AllFlagsState(t.Context(), user, WithReasons()).Flag("dependent")
	require.True(t, found)
	require.True(t, state.Value.IsNull())
	require.Equal(t, ldreason.EvalErrorException, state.Reason.GetErrorKind())

	client.store = brokenForKey{client.store, "segment-x", core.ErrCorrupt}
	client.evaluators = newEvaluators(client.store.(brokenForKey), nil, time.Minute, client.logger)
	require.False(t, client.BoolVariation(t.Context(), "dependent", user, false))
}

// brokenForKey is a store that cannot read one key.
type brokenForKey struct {
	core.FeatureStore
	key string
	err error
}

func (s brokenForKey) Get(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	if key == s.key {
		return nil, false, s.err
	}
	return s.FeatureStore.Get(ctx, kind, key)
}

func TestClient_Variations_PanicIsAnException(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")))
	client.evaluators = newEvaluators(panickingStore{client.store}, nil, time.Minute, client.logger)
	_, detail := client.BoolVariationDetail(t.Context(), "a", user, true)
	require.Equal(t, ldreason.EvaluationDetail{
		Value: ldvalue.Bool(true), Reason: ldreason.NewEvalReasonError(ldreason.EvalErrorException),
	}, detail)
}

func TestClient_AllFlagsState_PanicIsAnException(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true"), "dependent",
		`{"key":"dependent","on":true,"prerequisites":[{"key":"a","variation":0}],"offVariation":0,"variations":[true]}`))
	client.evaluators = newEvaluators(panickingStore{client.store}, nil, time.Minute, client.logger)
	state := client.AllFlagsState(t.Context(), user, WithReasons())
	require.Equal(t, ldvalue.Bool(true), state.Value("a"))
	dependent, _ := state.Flag("dependent")
	require.Equal(t, ldreason.EvalErrorException, dependent.Reason.GetErrorKind())
}

type panickingStore struct{ core.FeatureStore }

func (panickingStore) Get(context.Context, core.DataKind, string) (*core.Item, bool, error) {
	panic("the driver broke")
}

func TestClient_BoolVariation_AllocatesNothing(t *testing.T) {
	data := flagtest.Items(t,
		"simple", flagtest.OnFlag("simple", 1, "true"),
		"targeted", `{"key":"targeted","on":true,"targets":[{"variation":1,"values":["someone"]}],"variations":[false,true]}`)
	inMemory, _ := newTestClient(t, data)
	cached, _ := newTestClientWith(t, data, Config{Store: memorystore.New(nil, nil), Cache: caching.Options{Mode: caching.Forever()}})
	ctx := t.Context()
	for name, client := range map[string]*Client{"in memory": inMemory, "cached": cached} {
		for _, key := range []string{"simple", "targeted"} {
			require.True(t, client.BoolVariation(ctx, key, user, false))
			require.Zero(t, testing.AllocsPerRun(1000, func() { client.BoolVariation(ctx, key, user, false) }), "%s, %s", name, key)
		}
	}
}

// With events, the event is all that an evaluation allocates.
func TestClient_BoolVariation_WithEvents_AllocatesTheEvent(t *testing.T) {
	var discarded discardEvents
	client, _ := newTestClientWith(t, flagtest.Items(t, "simple", flagtest.OnFlag("simple", 1, "true")), Config{Events: discarded.factory})
	ctx := t.Context()
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { client.BoolVariation(ctx, "simple", user, false) }), 1.0)
}

// A store that answers slowly, and not too slowly to be believed, does not hold up an evaluation for as many times as the flag
// refers to something.
func TestClient_BoolVariation_SlowStore_IsGivenUpSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newTestClient(t, flagtest.Items(t, "many", manySegments(30)))
		const each = 1900 * time.Millisecond
		client.evaluators = newEvaluators(slowStore{client.store, each}, nil, caching.DefaultReadTimeout, client.logger)
		began := time.Now()
		_, detail := client.BoolVariationDetail(t.Context(), "many", user, false)
		require.Equal(t, ldreason.EvalErrorException, detail.Reason.GetErrorKind())
		require.Less(t, time.Since(began), 5*each)
		client.evaluators = newEvaluators(slowStore{client.store, time.Millisecond}, nil, caching.DefaultReadTimeout, client.logger)
		for range 2 { // the time of one evaluation is not counted in the next
			time.Sleep(time.Minute)
			require.True(t, client.BoolVariation(t.Context(), "many", user, false))
		}
	})
}

// manySegments is a flag whose last rule is met unless one of n segments holds the context.
func manySegments(n int) string {
	var rules strings.Builder
	for i := range n {
		fmt.Fprintf(&rules, `{"variation":0,"clauses":[{"op":"segmentMatch","values":["segment-%d"]}]},`, i)
	}
	return `{"key":"many","version":1,"on":true,"variations":[false,true],"fallthrough":{"variation":1},"rules":[` +
		strings.TrimSuffix(rules.String(), ",") + `]}`
}

type slowStore struct {
	core.FeatureStore
	each time.Duration
}

func (s slowStore) Get(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	time.Sleep(s.each)
	return s.FeatureStore.Get(ctx, kind, key)
}
