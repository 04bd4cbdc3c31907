package cleat

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

var anyDefault = ldvalue.String("default")

// collector is a listener that keeps what it was called with.
type collector[T any] struct {
	mu  sync.Mutex
	got []T
}

func (c *collector[T]) listen(value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, value)
}

// take returns what has come since the last call, after everything has been delivered.
func (c *collector[T]) take() []T {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.got
	c.got = nil
	return got
}

func takeKeys(c *collector[core.FlagChange]) []string {
	var keys []string
	for _, change := range c.take() {
		keys = append(keys, change.Key)
	}
	return keys
}

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
	return items(t,
		"base", onFlag("base", 1, "1"), "dependent", dependentFlag, "alone", onFlag("alone", 1, "1"),
		"segment-outer", `{"key":"segment-outer","version":1,"rules":[{"clauses":[{"op":"segmentMatch","values":["segment-inner"]}]}]}`,
		"segment-inner", `{"key":"segment-inner","version":1}`,
	)
}

func TestFlagTracker_FlagChange_FollowsPrerequisitesAndSegments(t *testing.T) {
	withClient(t, dependentData(t), func(t *testing.T, client *Client, source *manualSource) {
		var changes collector[core.FlagChange]
		remove := client.FlagTracker().AddFlagChangeListener(changes.listen)
		upsert := func(kind core.DataKind, key, json string) {
			require.NoError(t, source.sink.Upsert(t.Context(), kind, key, keyed(t, key, json).Item))
		}
		require.Empty(t, takeKeys(&changes), "nothing from before")

		upsert(core.Flags, "alone", onFlag("alone", 2, "1"))
		require.Equal(t, []string{"alone"}, takeKeys(&changes))
		upsert(core.Flags, "alone", onFlag("alone", 2, "3"))
		require.Empty(t, takeKeys(&changes), "not newer")
		upsert(core.Flags, "base", onFlag("base", 2, "1"))
		require.Equal(t, []string{"base", "dependent"}, takeKeys(&changes))
		upsert(core.Segments, "segment-inner", `{"key":"segment-inner","version":2}`)
		require.Equal(t, []string{"dependent"}, takeKeys(&changes))

		upsert(core.Flags, "late", `{"key":"late","version":1,"prerequisites":[{"key":"base","variation":0}]}`)
		require.Equal(t, []string{"late"}, takeKeys(&changes))
		require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "base", 3))
		require.Equal(t, []string{"base", "dependent", "late"}, takeKeys(&changes))
		upsert(core.Flags, "late", `{"key":"late","version":2}`)
		require.Equal(t, []string{"late"}, takeKeys(&changes))
		upsert(core.Flags, "base", onFlag("base", 4, "1"))
		require.Equal(t, []string{"base", "dependent"}, takeKeys(&changes))

		remove()
		upsert(core.Flags, "base", onFlag("base", 5, "1"))
		require.Empty(t, takeKeys(&changes))
	})
}

func TestFlagTracker_FlagChange_InitTellsOnlyWhatDiffers(t *testing.T) {
	withClient(t, dependentData(t), func(t *testing.T, client *Client, source *manualSource) {
		var changes collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(changes.listen)
		source.deliver(t.Context(), dependentData(t))
		require.Empty(t, takeKeys(&changes))

		next := dependentData(t)
		next[0].Items = slices.DeleteFunc(next[0].Items, func(item core.KeyedItem) bool { return item.Key == "alone" })
		next[0].Items = append(next[0].Items, keyed(t, "new", onFlag("new", 1, "1")),
			core.KeyedItem{Key: "gone", Item: core.NewTombstone(core.Flags, "gone", 1)})
		next[1].Items[1] = keyed(t, "segment-inner", `{"key":"segment-inner","version":1,"included":["x"]}`) // same version
		source.deliver(t.Context(), next)
		require.Equal(t, []string{"alone", "dependent", "new"}, takeKeys(&changes))
	})
}

func TestFlagTracker_FlagChange_CyclesEnd(t *testing.T) {
	cyclic := func(key, other string, version string) core.KeyedItem {
		return keyed(t, key, `{"key":"`+key+`","version":`+version+`,"prerequisites":[{"key":"`+other+`"}]}`)
	}
	data := []core.Collection{{Kind: core.Flags, Items: []core.KeyedItem{cyclic("a", "b", "1"), cyclic("b", "a", "1")}}}
	withClient(t, data, func(t *testing.T, client *Client, source *manualSource) {
		var changes collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(changes.listen)
		require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "a", cyclic("a", "b", "2").Item))
		require.Equal(t, []string{"a", "b"}, takeKeys(&changes))
	})
}

func TestFlagTracker_FlagValueChange_OnlyIfTheValueDiffers(t *testing.T) {
	targeted := func(version int, value string) string {
		return `{"key":"a","version":` + ldvalue.Int(version).JSONString() + `,"on":true,"targets":[{"variation":1,"values":["someone"]}],` +
			`"fallthrough":{"variation":0},"variations":["others",` + value + `]}`
	}
	withClient(t, items(t, "a", targeted(1, `"x"`), "b", onFlag("b", 1, "1")), func(t *testing.T, client *Client, source *manualSource) {
		var mine, others collector[core.FlagValueChange]
		tracker := client.FlagTracker()
		remove := tracker.AddFlagValueChangeListener("a", user, anyDefault, mine.listen)
		tracker.AddFlagValueChangeListener("a", ldcontext.New("else"), anyDefault, others.listen)
		upsert := func(key, json string) {
			require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, key, keyed(t, key, json).Item))
		}
		upsert("a", targeted(2, `"x"`))
		upsert("b", onFlag("b", 2, "2"))
		require.Empty(t, mine.take())

		upsert("a", targeted(3, `"y"`))
		require.Equal(t, []core.FlagValueChange{{Key: "a", OldValue: ldvalue.String("x"), NewValue: ldvalue.String("y")}}, mine.take())
		require.Empty(t, others.take())

		require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "a", 4))
		require.Equal(t, []core.FlagValueChange{{Key: "a", OldValue: ldvalue.String("y"), NewValue: anyDefault}}, mine.take())
		require.Equal(t, []core.FlagValueChange{{Key: "a", OldValue: ldvalue.String("others"), NewValue: anyDefault}}, others.take())

		remove()
		upsert("a", targeted(5, `"z"`))
		require.Empty(t, mine.take())
		require.Len(t, others.take(), 1)
	})
}

func TestFlagTracker_FlagValueChange_NilListener(t *testing.T) {
	withClient(t, items(t), func(t *testing.T, client *Client, _ *manualSource) {
		client.FlagTracker().AddFlagValueChangeListener("a", user, anyDefault, nil)()
		require.False(t, client.sink.changes.HasListeners())
	})
}

func TestFlagTracker_ListenersOfAllKinds_DoNotBlockTheClient(t *testing.T) {
	withClient(t, items(t, "a", onFlag("a", 1, "1")), func(t *testing.T, client *Client, source *manualSource) {
		release := make(chan struct{})
		client.FlagTracker().AddFlagChangeListener(func(core.FlagChange) { <-release })
		client.DataSourceStatus().AddListener(func(core.DataSourceStatus) { <-release })
		var changes collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(changes.listen)
		for version := 2; version < 10; version++ {
			item := keyed(t, "a", onFlag("a", version, "1")).Item
			require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "a", item))
			source.sink.UpdateStatus(core.DataSourceInterrupted, core.DataSourceErrorInfo{Kind: core.DataSourceErrorUnknown})
		}
		require.Len(t, takeKeys(&changes), 8)
		close(release)
	})
}
