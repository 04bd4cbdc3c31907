package consulstore

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// What is remembered of an item may be outdated at any time, and is found out by the server.
func TestStore_Upsert_AfterAnotherWriter_ComparesAgain(t *testing.T) {
	ctx, prefix := t.Context(), storetest.Prefix()
	store, requests := recordedStore(t, &Options{Prefix: prefix})
	other := openStore(t, Options{Prefix: prefix})
	upsert := func(s *Store, version int) core.UpsertResult {
		result, err := s.Upsert(ctx, core.Flags, "k", storetest.Item("k", version))
		require.NoError(t, err)
		return result
	}
	require.True(t, upsert(store, 1).Written)
	require.True(t, upsert(other, 5).Written)
	requests.take()
	result := upsert(store, 3)
	require.False(t, result.Written)
	require.Equal(t, storetest.Item("k", 5).Data, result.Item.Data)
	require.Len(t, requests.take(), 2)

	require.True(t, upsert(store, 6).Written)
	require.True(t, upsert(other, 7).Written)
	requests.take()
	require.True(t, upsert(store, 8).Written)
	require.Len(t, requests.take(), 3)

	require.NoError(t, other.Init(ctx, nil)) // The item is gone, for which there is an index too.
	require.True(t, upsert(store, 9).Written)
	require.NoError(t, other.Init(ctx, []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
		{Key: "k", Item: storetest.Item("k", 2)},
	}}}))
	require.True(t, upsert(store, 3).Written, "an Init by another process may take versions back")
}

// Many goroutines that upsert different items lose none.
func TestStore_Upsert_FiftyGoroutines_LoseNothing(t *testing.T) {
	store := openStore(t, Options{Prefix: storetest.Prefix()})
	const goroutines, each = 50, 20
	var group errgroup.Group
	for g := range goroutines {
		group.Go(func() error {
			for i := range each {
				key := fmt.Sprintf("flag-%d-%d", g, i)
				result, err := store.Upsert(t.Context(), core.Flags, key, storetest.Item(key, 1))
				if err != nil || !result.Written {
					return fmt.Errorf("%s: written %t, error %w", key, result.Written, err)
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Len(t, items, goroutines*each)
}

// Many processes that upsert the same item end with the greatest version, and none is told that it failed or, wrongly, that
// it was not newer.
func TestStore_Upsert_SameItemFromManyStores_KeepsTheGreatest(t *testing.T) {
	const stores, each = 10, 20
	prefix := storetest.Prefix()
	var group errgroup.Group
	var next, highest atomic.Int64
	for range stores {
		store := openStore(t, Options{Prefix: prefix})
		group.Go(func() error {
			for range each {
				version := int(next.Add(1))
				result, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", version))
				if err != nil {
					return err
				}
				now, err := result.Item.Parse(core.Flags, "k")
				if err != nil || now.Version() < version || result.Written != (now.Version() == version) {
					return fmt.Errorf("upsert of %d: %s, written %t, error %w", version, result.Item.Data, result.Written, err)
				}
				if result.Written {
					highest.Store(max(highest.Load(), int64(version)))
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	got, _, err := openStore(t, Options{Prefix: prefix}).Get(t.Context(), core.Flags, "k")
	require.NoError(t, err)
	require.Equal(t, storetest.Item("k", stores*each).Data, got.Data)
}

// An update that always loses is a conflict, and never "not newer".
func TestStore_Upsert_AlwaysLosing_IsConflict(t *testing.T) {
	b, prefix := newBare(t, containers.Consul(t)), storetest.Prefix()
	store, requests := recordedStore(t, &Options{Prefix: prefix})
	var n atomic.Int64
	requests.answer = func(request *http.Request) *http.Response {
		if request.Method == http.MethodPut {
			b.write(t, prefix+"/features/k", fmt.Appendf(nil, `{"version":1,"n":%d}`, n.Add(1)))
		}
		return nil
	}
	_, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 2))
	require.ErrorIs(t, err, core.ErrConflict)
	require.EqualValues(t, maxAttempts, n.Load())
	requests.answer = nil
	result, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 2))
	require.NoError(t, err)
	require.True(t, result.Written)
}

// An item that comes and goes again between reading and writing, as when others initialise the store, looks as if nothing had
// changed. The upsert is not refused for that.
func TestStore_Upsert_ItemComesAndGoes_IsWritten(t *testing.T) {
	b, prefix := newBare(t, containers.Consul(t)), storetest.Prefix()
	store, requests := recordedStore(t, &Options{Prefix: prefix})
	key := prefix + "/features/k"
	attempts := 0
	requests.answer = func(request *http.Request) *http.Response {
		switch {
		case request.Method == http.MethodPut && attempts < maxBaseless:
			attempts++
			b.write(t, key, []byte(`{"version":1}`))
		case request.Method == http.MethodGet:
			_, err := b.KV().Delete(key, nil)
			require.NoError(t, err)
		}
		return nil
	}
	result, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 2))
	require.NoError(t, err)
	require.True(t, result.Written)
}

// A change set is one transaction, or refused.
func TestStore_ApplyChangeSet_TooManyForATransaction_IsRefused(t *testing.T) {
	store := openStore(t, Options{Prefix: storetest.Prefix()})
	changes := make([]core.KindAndKeyedItem, maxOperations+1)
	for i := range changes {
		key := fmt.Sprint("flag-", i)
		changes[i] = core.KindAndKeyedItem{Kind: core.Flags, Key: key, Item: storetest.Item(key, 1)}
	}
	_, err := store.ApplyChangeSet(t.Context(), changes)
	require.ErrorIs(t, err, core.ErrTooLarge)
	items, err := store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Empty(t, items)
	results, err := store.ApplyChangeSet(t.Context(), changes[1:])
	require.NoError(t, err)
	require.Len(t, results, maxOperations)
}

// Of several changes to one item the greatest version counts.
func TestStore_ApplyChangeSet_SameItemTwice(t *testing.T) {
	store := openStore(t, Options{Prefix: storetest.Prefix()})
	results, err := store.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{
		{Kind: core.Flags, Key: "k", Item: storetest.Item("k", 1)}, {Kind: core.Flags, Key: "k", Item: storetest.Item("k", 3)},
		{Kind: core.Flags, Key: "k", Item: storetest.Item("k", 2)},
	})
	require.NoError(t, err)
	for i, written := range []bool{false, true, false} {
		require.Equal(t, core.UpsertResult{Item: storetest.Item("k", 3), Written: written}, results[i])
	}
}

// The memory of indexes has a bound, and never goes back.
func TestIndexes_Put_IsBoundedAndMonotonic(t *testing.T) {
	var x indexes
	x.put("k", stamp{5, 1})
	x.put("k", stamp{4, 2})
	got, found := x.get("k")
	require.True(t, found)
	require.Equal(t, stamp{5, 1}, got)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range maxRemembered / 2 {
				x.put(fmt.Sprint(g, "-", i), stamp{1, 1})
			}
		})
	}
	wg.Wait()
	require.Len(t, x.known, maxRemembered)
}

// What JSON makes of a text is never longer than what is counted for it.
func TestTxnOp_Size_IsNeverTooSmall(t *testing.T) {
	for _, text := range []string{"", "plain", `"quoted"\`, "<&>", "new\nline\x01", "日本語\u2028", strings.Repeat("é", 1000)} {
		ops := []txnOp{{kvOp{Verb: "check-not-exists", Key: text, Value: []byte(text), Index: 1 << 63, Namespace: text, Partition: text}}}
		size := encodedSize(t, ops)
		require.LessOrEqual(t, size, frameSize+ops[0].size())
		require.Less(t, ops[0].size()-size, 128, "nor much too large")
	}
}

func TestFitsPath(t *testing.T) {
	for key, want := range map[string]bool{
		"a": true, "a/b": true, "a/": true, "a b": true, "é/日本": true, "a%2F": true, "a?b#c": true, "$inited": true,
		"": false, "/": false, "/a": false, "a//b": false, "a//": false, "a/./b": false, "a/..": false, ".": false, "a/../": false,
		"a\n": false, "a\u200b": false, "a\u2028": false, strings.Repeat("k", 5000): false,
	} {
		require.Equal(t, want, fitsPath(key), "%q", key)
	}
}

// One whose context ends before it has won or lost for good ends with the context's error, by whatever it was at the moment.
func TestStore_Upsert_ContextEndsWhileLosing_IsItsError(t *testing.T) {
	for name, size := range map[string]int{"in a transaction": 10, "too large for one": 450_000} {
		b, prefix := newBare(t, containers.Consul(t)), storetest.Prefix()
		store, requests := recordedStore(t, &Options{Prefix: prefix})
		var n atomic.Int64
		for attempt := range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			until := n.Load() + int64(attempt)
			requests.answer = func(request *http.Request) *http.Response {
				if request.Method == http.MethodPut {
					b.write(t, prefix+"/features/k", fmt.Appendf(nil, `{"version":1,"n":%d}`, n.Add(1)))
					if n.Load() > until {
						cancel()
					}
				}
				return nil
			}
			_, err := store.Upsert(ctx, core.Flags, "k", core.SerializedItem{
				Version: 2, Data: fmt.Appendf(nil, `{"version":2,"text":"%*s"}`, size, ""),
			})
			require.Equal(t, context.Canceled, err, "%s, attempt %d", name, attempt)
		}
	}
}
