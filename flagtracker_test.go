package cleat

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

var anyDefault = ldvalue.String("default")

// withClient runs a test in a bubble, with a client that is closed in it.
func withClient(t *testing.T, data []core.Collection, test func(t *testing.T, client *Client, source *manualSource)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		source := &manualSource{first: data}
		client, err := New(t.Context(), Config{DataSource: source.factory})
		require.NoError(t, err)
		test(t, client, source)
		require.NoError(t, client.Close())
	})
}

const dependentFlag = `{"key":"dependent","version":1,"on":true,"prerequisites":[{"key":"base","variation":0}],` +
	`"rules":[{"clauses":[{"op":"segmentMatch","values":["segment-outer"]}]}],"fallthrough":{"variation":0},"variations":[1]}`

func dependentData(t *testing.T) []core.Collection {
	t.Helper()
	return flagtest.Items(t,
		"base", flagtest.OnFlag("base", 1, "1"), "dependent", dependentFlag, "alone", flagtest.OnFlag("alone", 1, "1"),
		"segment-outer", `{"key":"segment-outer","version":1,"rules":[{"clauses":[{"op":"segmentMatch","values":["segment-inner"]}]}]}`,
		"segment-inner", `{"key":"segment-inner","version":1}`,
	)
}

func TestFlagTracker_FlagChange_FollowsPrerequisitesAndSegments(t *testing.T) {
	withClient(t, dependentData(t), func(t *testing.T, client *Client, source *manualSource) {
		var changes flagtest.Collector[core.FlagChange]
		remove := client.FlagTracker().AddFlagChangeListener(changes.Listen)
		upsert := func(kind core.DataKind, key, json string) {
			require.NoError(t, source.sink.Upsert(t.Context(), kind, key, flagtest.Keyed(t, key, json).Item))
		}
		require.Empty(t, flagtest.TakeKeys(&changes), "nothing from before")

		upsert(core.Flags, "alone", flagtest.OnFlag("alone", 2, "1"))
		require.Equal(t, []string{"alone"}, flagtest.TakeKeys(&changes))
		upsert(core.Flags, "alone", flagtest.OnFlag("alone", 2, "3"))
		require.Empty(t, flagtest.TakeKeys(&changes), "not newer")
		upsert(core.Flags, "base", flagtest.OnFlag("base", 2, "1"))
		require.Equal(t, []string{"base", "dependent"}, flagtest.TakeKeys(&changes))
		upsert(core.Segments, "segment-inner", `{"key":"segment-inner","version":2}`)
		require.Equal(t, []string{"dependent"}, flagtest.TakeKeys(&changes))

		upsert(core.Flags, "late", `{"key":"late","version":1,"prerequisites":[{"key":"base","variation":0}]}`)
		require.Equal(t, []string{"late"}, flagtest.TakeKeys(&changes))
		require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "base", 3))
		require.Equal(t, []string{"base", "dependent", "late"}, flagtest.TakeKeys(&changes))
		upsert(core.Flags, "late", `{"key":"late","version":2}`)
		require.Equal(t, []string{"late"}, flagtest.TakeKeys(&changes))
		upsert(core.Flags, "base", flagtest.OnFlag("base", 4, "1"))
		require.Equal(t, []string{"base", "dependent"}, flagtest.TakeKeys(&changes))

		remove()
		upsert(core.Flags, "base", flagtest.OnFlag("base", 5, "1"))
		require.Empty(t, flagtest.TakeKeys(&changes))
	})
}

func TestFlagTracker_FlagChange_InitTellsOnlyWhatDiffers(t *testing.T) {
	withClient(t, dependentData(t), func(t *testing.T, client *Client, source *manualSource) {
		var changes flagtest.Collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(changes.Listen)
		source.deliver(t.Context(), dependentData(t))
		require.Empty(t, flagtest.TakeKeys(&changes))

		next := dependentData(t)
		next[0].Items = slices.DeleteFunc(next[0].Items, func(item core.KeyedItem) bool { return item.Key == "alone" })
		next[0].Items = append(next[0].Items, flagtest.Keyed(t, "new", flagtest.OnFlag("new", 1, "1")),
			core.KeyedItem{Key: "gone", Item: core.NewTombstone(core.Flags, "gone", 1)})
		next[1].Items[1] = flagtest.Keyed(t, "segment-inner", `{"key":"segment-inner","version":1,"included":["x"]}`) // same version
		source.deliver(t.Context(), next)
		require.Equal(t, []string{"alone", "dependent", "new"}, flagtest.TakeKeys(&changes))
	})
}

func TestFlagTracker_FlagChange_CyclesEnd(t *testing.T) {
	cyclic := func(key, other string, version string) core.KeyedItem {
		return flagtest.Keyed(t, key, `{"key":"`+key+`","version":`+version+`,"prerequisites":[{"key":"`+other+`"}]}`)
	}
	data := []core.Collection{{Kind: core.Flags, Items: []core.KeyedItem{cyclic("a", "b", "1"), cyclic("b", "a", "1")}}}
	withClient(t, data, func(t *testing.T, client *Client, source *manualSource) {
		var changes flagtest.Collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(changes.Listen)
		require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "a", cyclic("a", "b", "2").Item))
		require.Equal(t, []string{"a", "b"}, flagtest.TakeKeys(&changes))
	})
}

func TestFlagTracker_FlagValueChange_OnlyIfTheValueDiffers(t *testing.T) {
	targeted := func(version int, value string) string {
		return `{"key":"a","version":` + ldvalue.Int(version).JSONString() + `,"on":true,"targets":[{"variation":1,"values":["someone"]}],` +
			`"fallthrough":{"variation":0},"variations":["others",` + value + `]}`
	}
	withClient(t, flagtest.Items(t, "a", targeted(1, `"x"`), "b", flagtest.OnFlag("b", 1, "1")), func(t *testing.T, client *Client, source *manualSource) {
		var mine, others flagtest.Collector[core.FlagValueChange]
		tracker := client.FlagTracker()
		remove := tracker.AddFlagValueChangeListener("a", user, anyDefault, mine.Listen)
		tracker.AddFlagValueChangeListener("a", ldcontext.New("else"), anyDefault, others.Listen)
		upsert := func(key, json string) {
			require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, key, flagtest.Keyed(t, key, json).Item))
		}
		upsert("a", targeted(2, `"x"`))
		upsert("b", flagtest.OnFlag("b", 2, "2"))
		require.Empty(t, mine.Take())

		upsert("a", targeted(3, `"y"`))
		require.Equal(t, []core.FlagValueChange{{Key: "a", OldValue: ldvalue.String("x"), NewValue: ldvalue.String("y")}}, mine.Take())
		require.Empty(t, others.Take())

		require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "a", 4))
		require.Equal(t, []core.FlagValueChange{{Key: "a", OldValue: ldvalue.String("y"), NewValue: anyDefault}}, mine.Take())
		require.Equal(t, []core.FlagValueChange{{Key: "a", OldValue: ldvalue.String("others"), NewValue: anyDefault}}, others.Take())

		remove()
		upsert("a", targeted(5, `"z"`))
		require.Empty(t, mine.Take())
		require.Len(t, others.Take(), 1)
	})
}

func TestFlagTracker_NilListener_IsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		client, source := newTestClientWith(t, flagtest.Items(t), Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		defer client.FlagTracker().AddFlagValueChangeListener("a", user, anyDefault, nil)()
		defer client.FlagTracker().AddFlagChangeListener(nil)()
		require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "a", flagtest.Keyed(t, "a", flagtest.OnFlag("a", 1, "1")).Item))
		synctest.Wait()
		require.Empty(t, log.String(), "a nil function was called")
		require.NoError(t, client.Close())
	})
}

func TestFlagTracker_ListenersOfAllKinds_DoNotBlockTheClient(t *testing.T) {
	withClient(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "1")), func(t *testing.T, client *Client, source *manualSource) {
		release := make(chan struct{})
		client.FlagTracker().AddFlagChangeListener(func(core.FlagChange) { <-release })
		client.DataSourceStatus().AddListener(func(core.DataSourceStatus) { <-release })
		var changes flagtest.Collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(changes.Listen)
		for version := 2; version < 10; version++ {
			item := flagtest.Keyed(t, "a", flagtest.OnFlag("a", version, "1")).Item
			require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "a", item))
			source.sink.UpdateStatus(core.DataSourceInterrupted, core.DataSourceErrorInfo{Kind: core.DataSourceErrorUnknown})
		}
		require.Len(t, flagtest.TakeKeys(&changes), 8)
		close(release)
	})
}

func TestClient_Close_WhileListenersAreAdded(t *testing.T) {
	for range 200 {
		client, err := New(t.Context(), Config{Daemon: true, Store: memorystore.New(nil, nil)})
		require.NoError(t, err)
		var adding sync.WaitGroup
		for range 4 {
			adding.Go(func() {
				for range 20 {
					client.FlagTracker().AddFlagChangeListener(func(core.FlagChange) {})()
				}
			})
		}
		require.NoError(t, client.Close())
		adding.Wait()
	}
}

// lateSource delivers once more while it is being stopped.
type lateSource struct {
	manualSource
	last []core.Collection
	err  error
}

func (s *lateSource) Stop() {
	s.err = s.sink.Init(context.Background(), s.last)
	synctest.Wait() // until listeners have been told of it
	s.manualSource.Stop()
}

// What a closed client answers is no change of the flag.
func TestClient_Close_AnnouncesNoValueChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &lateSource{
			manualSource: manualSource{first: flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true"))},
			last:         flagtest.Items(t, "a", flagtest.OnFlag("a", 2, "true")),
		}
		client, err := New(t.Context(), Config{DataSource: func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
			_, err := source.factory(settings, sink)
			return source, err
		}})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		var flags flagtest.Collector[core.FlagChange]
		var values flagtest.Collector[core.FlagValueChange]
		client.FlagTracker().AddFlagChangeListener(flags.Listen)
		client.FlagTracker().AddFlagValueChangeListener("a", user, anyDefault, values.Listen)
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		require.NoError(t, client.Close())
		require.NoError(t, source.err)
		require.Equal(t, []string{"a"}, flagtest.TakeKeys(&flags), "the update itself was announced")
		require.Empty(t, values.Take())
	})
}
