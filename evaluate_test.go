package cleat

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
)

// What is evaluated without the engine is what the engine would have made of it.
func TestEvaluateConstant_IsWhatTheEngineSays(t *testing.T) {
	engine := evaluation.NewEvaluator(bareFlags{"other": flagFrom(ldbuilders.NewFlagBuilder("other"))})
	constant, others := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		flag := drawFlag(t)
		var got evaluation.Result
		if !evaluateConstant(flag, &got) {
			require.Zero(t, got)
			others++
			return
		}
		constant++
		who := ldcontext.New("someone")
		if rapid.Bool().Draw(t, "multi") {
			who = ldcontext.NewMulti(who, ldcontext.NewWithKind("company", "acme"))
		}
		require.Equal(t, engine.Evaluate(flag, who, func(evaluation.PrerequisiteFlagEvent) { t.Fatal("a prerequisite") }), got)
	})
	require.NotZero(t, constant)
	require.NotZero(t, others)
}

// Flags that are off and flags that are on for everybody need no engine.
func TestEvaluateConstant_KnowsFlagsThatAreOffOrOnForAll(t *testing.T) {
	var result evaluation.Result
	builder := func() *ldbuilders.FlagBuilder {
		return ldbuilders.NewFlagBuilder("k").Variations(ldvalue.Bool(false), ldvalue.Bool(true)).OffVariation(0).FallthroughVariation(1)
	}
	require.True(t, evaluateConstant(flagFrom(builder().On(true)), &result))
	require.True(t, result.Detail.Value.BoolValue())
	require.True(t, evaluateConstant(flagFrom(builder().AddTarget(1, "a").AddPrerequisite("other", 0)), &result), "off, with targets")
	require.False(t, result.Detail.Value.BoolValue())
	require.False(t, evaluateConstant(flagFrom(builder().On(true).AddTarget(1, "a")), &result))
	require.False(t, evaluateConstant(flagFrom(builder().On(true).AddContextTarget("company", 1, "a")), &result))
	require.False(t, evaluateConstant(flagFrom(builder().On(true).AddPrerequisite("other", 0)), &result))
	require.False(t, evaluateConstant(flagFrom(builder().On(true).AddRule(ldbuilders.NewRuleBuilder().Variation(0))), &result))
}

func flagFrom(builder *ldbuilders.FlagBuilder) *ldmodel.FeatureFlag {
	flag := builder.Build()
	return &flag
}

// drawFlag makes a flag that has much that does not matter, and some of what does.
func drawFlag(t *rapid.T) *ldmodel.FeatureFlag {
	some := func(what string) bool { return rapid.IntRange(0, 4).Draw(t, what) == 0 }
	builder := ldbuilders.NewFlagBuilder("k").Version(1).On(rapid.Bool().Draw(t, "on")).Salt("salt").
		Variations([]ldvalue.Value{ldvalue.Bool(false), ldvalue.Null(), ldvalue.String("a")}[:rapid.IntRange(0, 3).Draw(t, "variations")]...).
		TrackEvents(some("track")).TrackEventsFallthrough(some("trackFallthrough")).DebugEventsUntilDate(1).ExcludeFromSummaries(true)
	index := rapid.IntRange(-1, 4)
	if !some("no off variation") {
		builder.OffVariation(index.Draw(t, "off"))
	}
	rollout := some("rollout")
	if rollout {
		builder.Fallthrough(ldbuilders.Rollout(ldbuilders.Bucket(index.Draw(t, "bucket"), 100_000)))
	}
	if some("rule") {
		builder.AddRule(ldbuilders.NewRuleBuilder().Variation(0))
	}
	if some("target") {
		builder.AddTarget(0, "someone")
	}
	if some("contextTarget") {
		builder.AddContextTarget("company", 0, "acme")
	}
	if some("prerequisite") {
		builder.AddPrerequisite("other", 0)
	}
	flag := flagFrom(builder)
	if !rollout || some("both") {
		flag.Fallthrough.Variation = ldvalue.NewOptionalInt(index.Draw(t, "fallthrough"))
	}
	return flag
}

// distantStore takes its time for each read of an item.
type distantStore struct {
	core.FeatureStoreCore
	latency time.Duration
}

func (s distantStore) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	select {
	case <-time.After(s.latency):
		return s.FeatureStoreCore.Get(ctx, kind, key)
	case <-ctx.Done():
		return core.SerializedItem{}, false, ctx.Err()
	}
}

// One evaluation has one deadline, however many prerequisites it has to read.
func TestClient_Variation_SlowStore_HasOneDeadline(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second)} {
		for latency, value := range map[time.Duration]bool{300 * time.Millisecond: true, 900 * time.Millisecond: false} {
			t.Run(fmt.Sprint(mode, " ", latency), func(t *testing.T) {
				data := flagtest.Items(t,
					"a", flagtest.OnFlag("a", 1, "true"), "b", flagtest.OnFlag("b", 1, "true"), "c", flagtest.OnFlag("c", 1, "true"),
					"dependent", `{"key":"dependent","version":1,"on":true,"prerequisites":[{"key":"a","variation":0},
						{"key":"b","variation":0},{"key":"c","variation":0}],"offVariation":0,
						"fallthrough":{"variation":0},"variations":[true]}`)
				synctest.Test(t, func(t *testing.T) {
					client, err := New(t.Context(), Config{
						Daemon: true, Store: distantStore{filledStore(t, data), latency}, Logger: slog.New(slog.DiscardHandler),
						Cache: caching.Options{Mode: mode, DisableWatch: true},
					})
					require.NoError(t, err)
					defer func() { require.NoError(t, client.Close()) }()
					began := time.Now()
					require.Equal(t, value, client.BoolVariation(t.Context(), "dependent", user, false))
					if value {
						require.Equal(t, 4*latency, time.Since(began))
					} else {
						require.Equal(t, caching.DefaultReadTimeout, time.Since(began))
					}
				})
			})
		}
	}
}

// An application that asks for a flag that there is not, or for another type, finds that in the log if it looks for it.
func TestClient_Variation_FlagIsMissingOrOfAnotherType_IsLoggedAtDebug(t *testing.T) {
	var log strings.Builder
	client, _ := newTestClientWith(t, flagtest.Items(t, "text", `{"key":"text","version":1,"on":false,"offVariation":0,"variations":["a"]}`), Config{
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	log.Reset()
	require.Equal(t, "a", client.StringVariation(t.Context(), "text", user, "x"))
	require.Empty(t, log.String())
	require.True(t, client.BoolVariation(t.Context(), "missing", user, true))
	require.Contains(t, log.String(), `flag=missing reason=FLAG_NOT_FOUND`)
	require.True(t, client.BoolVariation(t.Context(), "text", user, true))
	require.Contains(t, log.String(), `flag=text reason=WRONG_TYPE`)
	require.Equal(t, 2, strings.Count(log.String(), "level=DEBUG"))
}

// An evaluation, and one of all flags, sees the data of one moment: a flag and its prerequisite that only fit each other within one
// delivery always fit.
func TestClient_Evaluation_SeesOneDelivery(t *testing.T) {
	delivery := func(n int) []core.Collection {
		base := fmt.Sprintf(`{"key":"base","version":%d,"on":true,"variations":[0,1],"fallthrough":{"variation":%d}}`, n, n%2)
		top := fmt.Sprintf(`{"key":"top","version":%d,"on":true,"variations":["mixed","whole"],"offVariation":0,"fallthrough":{"variation":1},`+
			`"prerequisites":[{"key":"base","variation":%d}]}`, n, n%2)
		return flagtest.Items(t, "base", base, "top", top)
	}
	client, source := newTestClient(t, delivery(0))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				value := client.StringVariation(context.Background(), "top", user, "none")
				all := client.AllFlagsState(context.Background(), user).Value("top").StringValue()
				if value != "whole" || all != "whole" {
					t.Errorf("top is %q, and %q among all flags", value, all)
					return
				}
			}
		})
	}
	for n := 1; n < 2000; n++ {
		require.NoError(t, source.sink.Init(context.Background(), delivery(n)))
	}
	close(done)
	readers.Wait()
}
