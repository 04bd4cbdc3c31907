package sqlitestore_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func TestStore_Get_OfANewStore_FindsNothing(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	_, found, err := s.Get(t.Context(), core.Flags, "f")
	require.NoError(t, err)
	require.False(t, found)
	items, err := s.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Empty(t, items)
	initialized, err := s.Initialized(t.Context())
	require.NoError(t, err)
	require.False(t, initialized)
	require.NoError(t, s.CheckAvailability(t.Context()))
}

func TestStore_Upsert_ComparesVersionsAndReturnsTheWinner(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	tombstone := core.NewTombstone(core.Flags, "f", 5).Serialized(core.Flags, "f")
	for _, step := range []struct {
		item    core.SerializedItem
		written bool
		winner  int
	}{
		{live("f", -3, 1).Item, true, -3},
		{live("f", -4, 1).Item, false, -3},
		{live("f", 0, 1).Item, true, 0},
		{live("f", 0, 9).Item, false, 0},
		{tombstone, true, 5},
		{live("f", 4, 1).Item, false, 5},
		{live("f", math.MaxInt32, 1).Item, true, math.MaxInt32},
	} {
		result, err := s.Upsert(t.Context(), core.Flags, "f", step.item)
		require.NoError(t, err)
		require.Equal(t, step.written, result.Written, step)
		require.Equal(t, step.winner, result.Item.Version)
		stored, found, err := s.Get(t.Context(), core.Flags, "f")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, stored, result.Item)
	}
	initialized, err := s.Initialized(t.Context())
	require.NoError(t, err)
	require.False(t, initialized, "an upsert is not an Init")
}

func TestStore_Upsert_OverADamagedItem_HealsItWhateverTheVersion(t *testing.T) {
	path := tempPath(t)
	s := openStore(t, path, nil)
	upsert(t, s, "f", 5)
	bare(t, path, `UPDATE items SET item = '{"key'`)
	item, found, err := s.Get(t.Context(), core.Flags, "f")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, core.SerializedItem{Version: 5, Data: []byte(`{"key`)}, item)
	require.Equal(t, core.UpsertResult{Item: live("f", 4, 1).Item, Written: true}, upsert(t, s, "f", 4))
	require.Equal(t, 4, versionOf(t.Context(), t, s, "f"))
	require.False(t, upsert(t, s, "f", 4).Written)
}

func TestStore_KeysAndData_AreKeptByteForByte(t *testing.T) {
	s := openStore(t, tempPath(t), &sqlitestore.Options{Prefix: "p:'\x00?"})
	keys := []string{
		"a:b", "a/b", "*", " ", "line\nbreak", "zero\x00byte", "zero", "ключ-鍵-🔑", "'; DROP TABLE items; --", "%", "\xff\xfe",
		strings.Repeat("k", 10_000), strings.Repeat("k", 10_001), "A", "a",
	}
	for i, key := range keys {
		data := fmt.Appendf(nil, "not JSON \x00\xff %d", i)
		_, err := s.Upsert(t.Context(), core.Segments, key, core.SerializedItem{Version: i, Data: data})
		require.NoError(t, err)
	}
	for i, key := range keys {
		item, found, err := s.Get(t.Context(), core.Segments, key)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, core.SerializedItem{Version: i, Data: fmt.Appendf(nil, "not JSON \x00\xff %d", i)}, item)
	}
	items, err := s.GetAll(t.Context(), core.Segments)
	require.NoError(t, err)
	require.Len(t, items, len(keys))
}

func TestStore_Upsert_OfAnyBytes_ReturnsThemAsTheyWere(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	version := 0
	rapid.Check(t, func(rt *rapid.T) {
		key := string(rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(rt, "key"))
		data := rapid.SliceOf(rapid.Byte()).Draw(rt, "data")
		version++
		result, err := s.Upsert(t.Context(), core.Flags, key, core.SerializedItem{Version: version, Data: data})
		require.NoError(rt, err)
		require.True(rt, result.Written)
		item, _, err := s.Get(t.Context(), core.Flags, key)
		require.NoError(rt, err)
		require.Equal(rt, string(data), string(item.Data))
	})
}

func TestStore_Upsert_OfA5MBFlag_ReturnsItWhole(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	big := live("big", 1, 5<<20)
	result, err := s.Upsert(t.Context(), core.Flags, "big", big.Item)
	require.NoError(t, err)
	require.True(t, result.Written)
	item, _, err := s.Get(t.Context(), core.Flags, "big")
	require.NoError(t, err)
	require.Equal(t, big.Item, item)
}

func TestStore_UpdatedAt_IsTheTimeOfTheLastChange(t *testing.T) {
	path := tempPath(t)
	now := time.UnixMilli(1000)
	s := openStore(t, path, sqlitestore.Options{}.WithNow(func() time.Time { return now }))
	const query = "SELECT updated_at FROM items"
	upsert(t, s, "f", 1)
	require.Equal(t, "1000", bareValue(t, path, query))
	now = time.UnixMilli(2000)
	upsert(t, s, "f", 1)
	require.Equal(t, "1000", bareValue(t, path, query))
	upsert(t, s, "f", 2)
	require.Equal(t, "2000", bareValue(t, path, query))
}

func TestStore_ApplyChangeSet_UpsertsEachInOrder(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	upsert(t, s, "old", 5)
	results, err := s.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{
		{Kind: core.Segments, Key: "s", Item: live("s", 1, 1).Item},
		{Kind: core.Flags, Key: "old", Item: live("old", 4, 1).Item},
		{Kind: core.Flags, Key: "f", Item: live("f", 1, 1).Item},
		{Kind: core.Flags, Key: "f", Item: live("f", 2, 1).Item},
	})
	require.NoError(t, err)
	require.Equal(t, []core.UpsertResult{
		{Item: live("s", 1, 1).Item, Written: true},
		{Item: live("old", 5, 1).Item},
		{Item: live("f", 1, 1).Item, Written: true},
		{Item: live("f", 2, 1).Item, Written: true},
	}, results)
	require.Equal(t, 2, versionOf(t.Context(), t, s, "f"))
}

func TestStore_ApplyChangeSet_WithABadItem_ChangesNothing(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	_, err := s.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{
		{Kind: core.Flags, Key: "f", Item: live("f", 1, 1).Item},
		{Kind: core.Flags, Key: "", Item: live("", 1, 1).Item},
	})
	require.ErrorIs(t, err, core.ErrInvalid)
	_, found, err := s.Get(t.Context(), core.Flags, "f")
	require.NoError(t, err)
	require.False(t, found)
}

func TestStore_Methods_RefuseBadArguments(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	methods := storeMethods(s)
	var none context.Context
	for name, method := range methods {
		require.ErrorIs(t, method(none), core.ErrInvalid, name)
	}
	_, _, err := s.Get(t.Context(), core.Flags, "")
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = s.GetAll(t.Context(), "a b")
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = s.Upsert(t.Context(), "", "f", core.SerializedItem{})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorIs(t, s.Init(t.Context(), []core.SerializedCollection{{Kind: "big_segments"}}), core.ErrInvalid)
	_, err = sqlitestore.New(none, tempPath(t), nil)
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestStore_Methods_WithACancelledContext_ReturnItsErrorAndStayUsable(t *testing.T) {
	path := tempPath(t)
	s := openStore(t, path, nil)
	upsert(t, s, "f", 1)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, method := range storeMethods(s) {
		err := method(cancelled)
		require.Equal(t, context.Canceled, err, name)
	}
	for name, method := range storeMethods(s) {
		require.NoError(t, method(t.Context()), name)
	}
	_, err := sqlitestore.New(cancelled, path, nil)
	require.Equal(t, context.Canceled, err)
}

// storeMethods has a call of every method that takes a context.
func storeMethods(s *sqlitestore.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Get":    func(ctx context.Context) error { _, _, err := s.Get(ctx, core.Flags, "f"); return err },
		"GetAll": func(ctx context.Context) error { _, err := s.GetAll(ctx, core.Flags); return err },
		"Init":   func(ctx context.Context) error { return s.Init(ctx, flags(3, 1, 1)) },
		"Upsert": func(ctx context.Context) error {
			_, err := s.Upsert(ctx, core.Flags, "f", live("f", 1, 1).Item)
			return err
		},
		"ApplyChangeSet": func(ctx context.Context) error {
			_, err := s.ApplyChangeSet(ctx, []core.KindAndKeyedItem{{Kind: core.Flags, Key: "f", Item: live("f", 1, 1).Item}})
			return err
		},
		"GetItems":          func(ctx context.Context) error { _, err := s.GetItems(ctx, core.Flags, []string{"f"}); return err },
		"Initialized":       func(ctx context.Context) error { _, err := s.Initialized(ctx); return err },
		"CheckAvailability": s.CheckAvailability,
	}
}

func TestStore_GetItems_ReturnsWhatIsThereOfAnyNumberOfKeys(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	data := flags(1200, 1, 1)
	tombstone := core.KeyedSerializedItem{Key: "gone", Item: core.NewTombstone(core.Flags, "gone", 7).Serialized(core.Flags, "gone")}
	odd := core.KeyedSerializedItem{Key: "'\x00\xff%", Item: core.SerializedItem{Version: 2, Data: []byte(`{"damaged`)}}
	data[0].Items = append(data[0].Items, tombstone, odd)
	require.NoError(t, s.Init(t.Context(), append(data, core.SerializedCollection{
		Kind: core.Segments, Items: []core.KeyedSerializedItem{live("only a segment", 1, 1)},
	})))
	keys := []string{"missing", "only a segment"}
	for _, item := range data[0].Items {
		keys = append(keys, item.Key)
	}
	items, err := s.GetItems(t.Context(), core.Flags, keys)
	require.NoError(t, err)
	require.ElementsMatch(t, data[0].Items, items)
	items, err = s.GetItems(t.Context(), core.Flags, []string{"gone", "missing", odd.Key})
	require.NoError(t, err)
	require.ElementsMatch(t, []core.KeyedSerializedItem{tombstone, odd}, items)
	for _, keys := range [][]string{nil, {"missing"}} {
		items, err = s.GetItems(t.Context(), core.Flags, keys)
		require.NoError(t, err)
		require.Empty(t, items)
	}
	_, err = s.GetItems(t.Context(), core.Flags, []string{"gone", ""})
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestStore_DescribeConfiguration_NamesTheType(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	require.Equal(t, ldvalue.String("SQLite"), s.DescribeConfiguration(core.ClientConfiguration{}))
}
