package dataorder_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
)

// flag makes a flag with prerequisites; a name that begins with "s" is a segment instead.
func flag(t testing.TB, key string, refs ...string) core.KeyedItem {
	t.Helper()
	var prerequisites, segments []string
	for _, ref := range refs {
		if strings.HasPrefix(ref, "s") {
			segments = append(segments, fmt.Sprintf("%q", ref))
		} else {
			prerequisites = append(prerequisites, fmt.Sprintf(`{"key":%q}`, ref))
		}
	}
	json := fmt.Sprintf(`{"key":%q,"version":1,"prerequisites":[%s],"rules":[{"clauses":[{"op":"segmentMatch","values":[%s]}]}]}`,
		key, strings.Join(prerequisites, ","), strings.Join(segments, ","))
	return core.KeyedItem{Key: key, Item: parse(t, json)}
}

func segment(t testing.TB, key string, refs ...string) core.KeyedItem {
	t.Helper()
	return flag(t, key, refs...) // both models have the same form of rules
}

// describe writes collections as "kind: key key; kind: key".
func describe(data []core.Collection) string {
	var parts []string
	for _, collection := range data {
		words := []string{string(collection.Kind) + ":"}
		for _, item := range collection.Items {
			words = append(words, item.Key)
		}
		parts = append(parts, strings.Join(words, " "))
	}
	return strings.Join(parts, "; ")
}

func flags(items ...core.KeyedItem) core.Collection {
	return core.Collection{Kind: core.Flags, Items: items}
}

func segments(items ...core.KeyedItem) core.Collection {
	return core.Collection{Kind: core.Segments, Items: items}
}

func TestSort(t *testing.T) {
	broken := core.KeyedItem{Key: "broken", Item: parse(t, `{"key":"broken","prerequisites":7}`)}
	tombstone := core.KeyedItem{Key: "gone", Item: core.NewTombstone(core.Flags, "gone", 3)}
	other := func(kind core.DataKind) core.Collection {
		return core.Collection{Kind: kind, Items: []core.KeyedItem{{Key: "m", Item: parse(t, `{}`)}}}
	}
	for _, tc := range []struct {
		name string
		data []core.Collection
		want string
	}{
		{"nothing", nil, ""},
		{"empty collections", []core.Collection{flags(), segments()}, ""},
		{
			"segments before flags",
			[]core.Collection{flags(flag(t, "a", "s1")), segments(segment(t, "s1"))},
			"segments: s1; features: a",
		},
		{
			"layers of flags",
			[]core.Collection{flags(flag(t, "a", "b", "c"), flag(t, "b", "d"), flag(t, "c"), flag(t, "d"), flag(t, "e", "c"))},
			"features: c d; features: b e; features: a",
		},
		{
			"layers of segments",
			[]core.Collection{segments(segment(t, "s1", "s2"), segment(t, "s2", "s3"), segment(t, "s3"))},
			"segments: s3; segments: s2; segments: s1",
		},
		{
			"references to nowhere and to itself",
			[]core.Collection{flags(flag(t, "a", "a", "missing", "smissing"), flag(t, "b", "a"))},
			"features: a; features: b",
		},
		{
			"one kind in several collections",
			[]core.Collection{flags(flag(t, "a", "b")), segments(segment(t, "s1")), flags(flag(t, "b"))},
			"segments: s1; features: b; features: a",
		},
		{
			"cycle, what leads to it and what it leads to",
			[]core.Collection{flags(
				flag(t, "a", "c2"), flag(t, "c1", "c2"), flag(t, "c2", "c3"), flag(t, "c3", "c1", "z"), flag(t, "z"),
			)},
			"features: z; features: c1; features: c3; features: c2; features: a",
		},
		{
			"two cycles",
			[]core.Collection{flags(flag(t, "a", "b"), flag(t, "b", "a"), flag(t, "c", "d"), flag(t, "d", "c"))},
			"features: a; features: b; features: c; features: d",
		},
		{
			"undecodable items and tombstones are kept and come first",
			[]core.Collection{flags(flag(t, "a", "broken", "gone"), broken, tombstone)},
			"features: broken gone; features: a",
		},
		{
			"other kinds keep their place",
			[]core.Collection{other("metrics"), flags(flag(t, "a")), other("goals"), segments(segment(t, "s1")), {Kind: "empty"}},
			"metrics: m; segments: s1; features: a; goals: m; empty:",
		},
		{
			"a key that occurs twice is never twice in one collection",
			[]core.Collection{flags(flag(t, "a"), flag(t, "a")), flags(flag(t, "b", "a"))},
			"features: a; features: a; features: b",
		},
		{
			"nil item",
			[]core.Collection{flags(core.KeyedItem{Key: "a"})},
			"features: a",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, describe(dataorder.Sort(tc.data)))
		})
	}
}

func TestSort_DoesNotChangeItsInput(t *testing.T) {
	data := []core.Collection{flags(flag(t, "b", "c"), flag(t, "a"), flag(t, "c")), segments(segment(t, "s1"))}
	before := describe(data)
	dataorder.Sort(data)
	require.Equal(t, before, describe(data))
}

// Whatever the references are: nothing is lost, no layer refers to itself, and without cycles nothing comes before what
// it refers to. The order of the input plays no role.
func TestSort_AnyGraph(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, 12).Draw(rt, "size")
		acyclic := rapid.Bool().Draw(rt, "acyclic")
		var items []core.KeyedItem
		for i := range size {
			limit := size
			if acyclic {
				limit = i
			}
			var refs []string
			for _, ref := range rapid.SliceOfN(rapid.IntRange(0, size), 0, 4).Draw(rt, "refs") {
				if ref < limit {
					refs = append(refs, fmt.Sprintf("f%02d", ref))
				}
			}
			items = append(items, flag(t, fmt.Sprintf("f%02d", i), refs...))
		}
		sorted := dataorder.Sort([]core.Collection{flags(items...)})

		layerOf := map[string]int{}
		for layer, collection := range sorted {
			for _, item := range collection.Items {
				_, twice := layerOf[item.Key]
				require.False(rt, twice)
				layerOf[item.Key] = layer
			}
		}
		require.Len(rt, layerOf, size)
		for _, item := range items {
			for _, ref := range dataorder.Dependencies(core.Flags, item.Item) {
				if ref.Key == item.Key {
					continue
				}
				require.NotEqual(rt, layerOf[ref.Key], layerOf[item.Key])
				if acyclic {
					require.Less(rt, layerOf[ref.Key], layerOf[item.Key])
				}
			}
		}
		shuffled := slices.Clone(items)
		seed := rapid.Uint64().Draw(rt, "seed")
		rand.New(rand.NewPCG(seed, seed)).Shuffle(size, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		require.Equal(rt, describe(sorted), describe(dataorder.Sort([]core.Collection{flags(shuffled...)})))
	})
}

func TestSort_LongChainAndLongCycle(t *testing.T) {
	const size = 20_000
	for _, cyclic := range []bool{false, true} {
		items := make([]core.KeyedItem, size)
		for i := range items {
			next := i + 1
			if next == size {
				next = 0
				if !cyclic {
					items[i] = flag(t, "f99999")
					continue
				}
			}
			items[i] = flag(t, fmt.Sprintf("f%05d", i), fmt.Sprintf("f%05d", next))
		}
		require.NotEmpty(t, dataorder.Sort([]core.Collection{flags(items...)}))
		total := 0
		for _, collection := range dataorder.Sort([]core.Collection{flags(items...)}) {
			total += len(collection.Items)
		}
		require.Equal(t, size, total)
	}
}
