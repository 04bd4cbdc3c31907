package memorystore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

const otherKind core.DataKind = "experiments"

func item(key string, version int) core.SerializedItem {
	return core.NewTombstone(core.Flags, key, version).Serialized(core.Flags, key)
}

func collection(kind core.DataKind, items ...core.KeyedSerializedItem) core.SerializedCollection {
	return core.SerializedCollection{Kind: kind, Items: items}
}

func keyed(key string, version int) core.KeyedSerializedItem {
	return core.KeyedSerializedItem{Key: key, Item: item(key, version)}
}

func versions(t *testing.T, s *memorystore.Store, kind core.DataKind) map[string]int {
	t.Helper()
	all, err := s.GetAll(t.Context(), kind)
	require.NoError(t, err)
	m := make(map[string]int)
	for _, i := range all {
		m[i.Key] = i.Item.Version
	}
	return m
}

func TestStore_Init_ReplacesBuiltInAndGivenKindsOnly(t *testing.T) {
	s := memorystore.New(nil, nil)
	kept := core.DataKind("kept")
	require.NoError(t, s.Init(t.Context(), []core.SerializedCollection{
		collection(core.Flags, keyed("a", 5)), collection(core.Segments, keyed("s", 1)),
		collection(otherKind, keyed("x", 1)), collection(kept, keyed("k", 1)),
	}))
	require.NoError(t, s.Init(t.Context(), []core.SerializedCollection{
		collection(core.Flags, keyed("a", 2)), collection(otherKind, keyed("y", 1)), collection(core.Flags, keyed("b", 1)),
	}))
	require.Equal(t, map[string]int{"a": 2, "b": 1}, versions(t, s, core.Flags))
	require.Empty(t, versions(t, s, core.Segments))
	require.Equal(t, map[string]int{"y": 1}, versions(t, s, otherKind))
	require.Equal(t, map[string]int{"k": 1}, versions(t, s, kept))
}

func TestStore_Init_InvalidDataChangesNothing(t *testing.T) {
	s := memorystore.New(nil, nil)
	err := s.Init(t.Context(), []core.SerializedCollection{collection(core.Flags, keyed("a", 1), keyed("a", 2))})
	require.ErrorIs(t, err, core.ErrInvalid)
	initialized, err := s.Initialized(t.Context())
	require.NoError(t, err)
	require.False(t, initialized)
	require.Empty(t, versions(t, s, core.Flags))
}

func TestStore_Init_OversizedItemKeepsItsOldVersionAndStopsNothing(t *testing.T) {
	s := memorystore.New(nil, &memorystore.Options{MaxItemSize: 400})
	require.NoError(t, s.Init(t.Context(), []core.SerializedCollection{collection(core.Flags, keyed("a", 1), keyed("b", 1))}))
	large := core.SerializedItem{Version: 2, Data: []byte(`{"version":2,"x":"` + strings.Repeat("x", 400) + `"}`)}
	err := s.Init(t.Context(), []core.SerializedCollection{collection(core.Flags,
		core.KeyedSerializedItem{Key: "a", Item: large}, core.KeyedSerializedItem{Key: "new", Item: large}, keyed("b", 2))})
	var itemErr *core.ItemError
	require.ErrorAs(t, err, &itemErr)
	require.ErrorIs(t, err, core.ErrTooLarge)
	require.Equal(t, core.Flags, itemErr.Kind)
	require.Equal(t, "a", itemErr.Key)
	require.Equal(t, len(large.Data), itemErr.Size)
	require.Equal(t, map[string]int{"a": 1, "b": 2}, versions(t, s, core.Flags))

	_, err = s.Upsert(t.Context(), core.Flags, "a", large)
	require.ErrorIs(t, err, core.ErrTooLarge)
}

func TestStore_Upsert_GreatestVersionWins(t *testing.T) {
	for name, c := range map[string]struct {
		before, given int
		written       bool
	}{
		"newer": {1, 2, true}, "equal": {2, 2, false}, "older": {2, 1, false},
		"negative newer": {-2, -1, true}, "negative older": {-1, -2, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := memorystore.New(nil, nil)
			first, err := s.Upsert(t.Context(), core.Flags, "a", item("a", c.before))
			require.NoError(t, err)
			require.Equal(t, core.UpsertResult{Item: item("a", c.before), Written: true}, first)
			second, err := s.Upsert(t.Context(), core.Flags, "a", item("a", c.given))
			require.NoError(t, err)
			want := core.UpsertResult{Item: item("a", max(c.before, c.given)), Written: c.written}
			require.Equal(t, want, second)
			got, found, err := s.Get(t.Context(), core.Flags, "a")
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, want.Item, got)
		})
	}
}

func TestStore_Upsert_HealsCorruptItem(t *testing.T) {
	db := new(memorystore.Database)
	s := memorystore.New(db, &memorystore.Options{Prefix: "p"})
	db.WriteRaw("p", core.Flags, "a", []byte(`{"version":`))
	got, found, err := s.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, `{"version":`, string(got.Data))
	result, err := s.Upsert(t.Context(), core.Flags, "a", item("a", -3))
	require.NoError(t, err)
	require.True(t, result.Written)
}

func TestStore_Upsert_VersionInsideTheJSONCounts(t *testing.T) {
	db := new(memorystore.Database)
	db.WriteRaw("", core.Flags, "a", []byte(`{"version":7}`))
	result, err := memorystore.New(db, nil).Upsert(t.Context(), core.Flags, "a", item("a", 7))
	require.NoError(t, err)
	require.False(t, result.Written)
	require.Equal(t, `{"version":7}`, string(result.Item.Data))
}

func TestStore_ApplyChangeSet_IsAllOrNothing(t *testing.T) {
	s := memorystore.New(nil, nil)
	change := func(key string, version int) core.KindAndKeyedItem {
		return core.KindAndKeyedItem{Kind: core.Flags, Key: key, Item: item(key, version)}
	}
	_, err := s.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{change("a", 1), change("", 1)})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.Empty(t, versions(t, s, core.Flags))

	results, err := s.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{change("a", 1), change("b", 1), change("a", 1)})
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, false}, []bool{results[0].Written, results[1].Written, results[2].Written})
}

func TestStore_Prefix_SeparatesStoresAndWipeEmptiesAll(t *testing.T) {
	db := new(memorystore.Database)
	a := memorystore.New(db, &memorystore.Options{Prefix: "app"})
	b := memorystore.New(db, &memorystore.Options{Prefix: "app2"})
	require.NoError(t, b.Init(t.Context(), []core.SerializedCollection{collection(core.Flags, keyed("a", 1))}))
	require.NoError(t, a.Init(t.Context(), nil))
	require.Equal(t, map[string]int{"a": 1}, versions(t, b, core.Flags))
	_, found := db.ReadRaw("app", core.Flags, "a")
	require.False(t, found)
	db.DeleteRaw("app2", core.Flags, "a")
	require.Empty(t, versions(t, b, core.Flags))
	require.NoError(t, b.Init(t.Context(), []core.SerializedCollection{collection(core.Flags, keyed("a", 1))}))

	db.Wipe()
	for _, s := range []*memorystore.Store{a, b} {
		initialized, err := s.Initialized(t.Context())
		require.NoError(t, err)
		require.False(t, initialized)
		require.Empty(t, versions(t, s, core.Flags))
	}
}

func TestStore_DescribeConfiguration_NamesTheType(t *testing.T) {
	description := memorystore.New(nil, nil).DescribeConfiguration(core.ClientConfiguration{})
	require.Equal(t, ldvalue.String("memory"), description)
}

// TestStore_AnyMethod_RefusesCalls holds every method to the rules on nil and ended contexts, empty keys and Close.
func TestStore_AnyMethod_RefusesCalls(t *testing.T) {
	s := memorystore.New(nil, nil)
	methods := map[string]func(context.Context) error{
		"Init":              func(ctx context.Context) error { return s.Init(ctx, nil) },
		"Get":               func(ctx context.Context) error { _, _, err := s.Get(ctx, core.Flags, "a"); return err },
		"GetAll":            func(ctx context.Context) error { _, err := s.GetAll(ctx, core.Flags); return err },
		"Upsert":            func(ctx context.Context) error { _, err := s.Upsert(ctx, core.Flags, "a", item("a", 1)); return err },
		"ApplyChangeSet":    func(ctx context.Context) error { _, err := s.ApplyChangeSet(ctx, nil); return err },
		"Initialized":       func(ctx context.Context) error { _, err := s.Initialized(ctx); return err },
		"CheckAvailability": s.CheckAvailability,
	}
	requireRefusals(t, methods, s.Close)

	s = memorystore.New(nil, nil)
	_, _, err := s.Get(t.Context(), core.Flags, "")
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = s.GetAll(t.Context(), "a:b")
	require.ErrorIs(t, err, core.ErrInvalid)
}

func requireRefusals(t *testing.T, methods map[string]func(context.Context) error, closeStore func() error) {
	t.Helper()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range methods {
		require.ErrorIs(t, call(nil), core.ErrInvalid, name)
		require.Equal(t, cancelled.Err(), call(cancelled), name)
		require.NoError(t, call(t.Context()), name)
	}
	require.NoError(t, closeStore())
	require.NoError(t, closeStore())
	for name, call := range methods {
		require.ErrorIs(t, call(t.Context()), core.ErrClosed, name)
	}
}
