package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// What counts is the version of the item itself, wherever it stands and whatever else looks like one.
func TestStore_Upsert_FindsTheStoredVersion(t *testing.T) {
	const limit = 1 << 53
	for _, test := range []struct {
		stored  string
		version int
		want    bool
	}{
		{`{"version":5}`, 6, true},
		{`{"version":5}`, 5, false},
		{`{"version":5}`, 4, false},
		{`{ "version" : 5 , "x":1}`, 6, true},
		{`{ "version" : 5 , "x":1}`, 5, false},
		{`{"x":{"version":9},"version":5}`, 6, true},
		{`{"x":{"version":9},"version":5}`, 5, false},
		{`{"x":{"version":9}}`, 1, true},
		{`{"x":{"version":9}}`, 0, false},
		{`{"x":{"version":1},"version":5}`, 5, false},
		{`{"x":"\"version\":9","version":5}`, 6, true},
		{`{"x":"\"version\":1","version":5}`, 5, false},
		{`{"version":5,"y":"\\\"version\":77,"}`, 6, true},
		{`{"\u0076ersion":5,"x":{"version":1}}`, 5, false},
		{`{"\u0076ersion":5,"x":{"version":1}}`, 6, true},
		{`{"html":"\u003cb\u003e","version":5}`, 6, true},
		{`{"key":"k"}`, 1, true},
		{`{"key":"k"}`, 0, false},
		{`{"key":"k"}`, -1, false},
		{`{"version":-5}`, -4, true},
		{`{"version":-5}`, -5, false},
		{`{"version":-5}`, -6, false},
		{`{"version":5e0}`, 6, true},
		{`{"version":5e0}`, 5, false},
		{`{"deleted":true,"version":5}`, 5, false},
		{fmt.Sprintf(`{"version":%d}`, limit-1), limit, true},
		{fmt.Sprintf(`{"version":%d}`, limit), limit, false},
		{fmt.Sprintf(`{"version":%d}`, limit), limit - 1, false},
		{fmt.Sprintf(`{"version":%d}`, -limit), -limit + 1, true},
		{fmt.Sprintf(`{"version":%d}`, -limit), -limit, false},
		// Damaged items have no version.
		{``, 1, true},
		{`garbage`, math.MinInt32, true},
		{`{"version":5`, 4, true},
		{`{"version":5,}`, 4, true},
		{`{"version":5} x`, 4, true},
		{`{"version":5,"x":NaN}`, 4, true},
		{`{"version":"5"}`, 4, true},
		{`{"version":5.5}`, 4, true},
		{`[{"version":5}]`, 4, true},
		{`null`, 0, true},
		{`{"version":99999999999999999999}`, 4, true},
		// Valid, although the server's own decoder refuses it.
		{`{"x":"\ud800","y":{"version":1},"version":5}`, 5, false},
		{`{"x":"\ud800","y":{"version":9},"version":5}`, 6, true},
	} {
		t.Run(fmt.Sprintf("%.60s<%d", test.stored, test.version), func(t *testing.T) {
			ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
			require.NoError(t, client.HSet(ctx, prefix+":features", "k", test.stored).Err())
			store := openStore(t, Options{Prefix: prefix})
			given := storetest.Item("k", test.version)
			result, err := store.Upsert(ctx, core.Flags, "k", given)
			require.NoError(t, err)
			require.Equal(t, test.want, result.Written)
			want := test.stored
			if test.want {
				want = string(given.Data)
			}
			require.Equal(t, want, string(result.Item.Data))
			require.Equal(t, want, client.HGet(ctx, prefix+":features", "k").Val())
		})
	}
}

// drawObject makes a JSON object, in the order and the spelling in which it is to be stored.
func drawObject(t *rapid.T, depth int) string {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		`"version"`, `"\u0076ersion"`, `"Version"`, `"key"`, `"a\"version"`, `"versions"`,
	}), 0, 4, func(name string) string { return strings.ReplaceAll(name, `\u0076`, "v") }).Draw(t, "names")
	properties := make([]string, len(names))
	for i, name := range names {
		space := rapid.SampledFrom([]string{"", " ", "\n\t"}).Draw(t, "space")
		properties[i] = space + name + space + ":" + space + drawValue(t, depth)
	}
	return "{" + strings.Join(properties, ",") + "}"
}

func drawValue(t *rapid.T, depth int) string {
	switch choice := rapid.IntRange(0, 5).Draw(t, "choice"); {
	case choice == 0 && depth > 0:
		return drawObject(t, depth-1)
	case choice == 1 && depth > 0:
		return "[" + drawObject(t, depth-1) + `,"version",` + drawObject(t, depth-1) + "]"
	case choice == 2:
		text, err := json.Marshal(rapid.SampledFrom([]string{
			`"version":99`, `"version" : 1,`, `{"version":3}`, `\"version\":99,`, `<b>&`, "\n\x01", `\`, `"version"`,
		}).Draw(t, "string"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	default:
		return strconv.Itoa(rapid.IntRange(-3, 12).Draw(t, "number"))
	}
}

// storedVersion is what encoding/json finds.
func storedVersion(text string) (version int, valid bool) {
	var properties map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &properties) != nil || properties == nil {
		return 0, false
	}
	raw, found := properties["version"]
	if !found {
		return 0, true
	}
	return version, json.Unmarshal(raw, &version) == nil
}

// The script agrees with encoding/json about random objects, whole and cut.
func TestStore_Upsert_AgreesWithEncodingJSON(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := openStore(t, Options{Prefix: prefix})
	rapid.Check(t, func(t *rapid.T) {
		stored := drawObject(t, 3)
		if rapid.IntRange(0, 3).Draw(t, "cut?") == 0 {
			stored = stored[:rapid.IntRange(0, len(stored)).Draw(t, "cut")]
		}
		given := storetest.Item("k", rapid.IntRange(-3, 12).Draw(t, "version"))
		require.NoError(t, client.HSet(ctx, prefix+":features", "k", stored).Err())
		version, valid := storedVersion(stored)
		want := !valid || version < given.Version

		result, err := store.Upsert(ctx, core.Flags, "k", given)
		require.NoError(t, err)
		require.Equal(t, want, result.Written, "%s against %d", stored, given.Version)
		if want {
			stored = string(given.Data)
		}
		require.Equal(t, stored, string(result.Item.Data))
		require.Equal(t, stored, client.HGet(ctx, prefix+":features", "k").Val())
	})
}

// Of many writers of one key, each version wins at most once and the greatest stays.
func TestStore_Upsert_ConcurrentWriters_GreatestVersionStays(t *testing.T) {
	ctx, prefix := t.Context(), storetest.Prefix()
	var writers sync.WaitGroup
	var mu sync.Mutex
	won := map[int]int{}
	for range 8 {
		store := openStore(t, Options{Prefix: prefix})
		writers.Go(func() {
			for version := 1; version <= 100; version++ {
				result, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", version))
				if err != nil {
					t.Error(err)
					return
				}
				if result.Written {
					mu.Lock()
					won[version]++
					mu.Unlock()
				}
			}
		})
	}
	writers.Wait()
	require.Equal(t, 1, won[100])
	for version, times := range won {
		require.Equal(t, 1, times, "version %d", version)
	}
}

// Fifty writers on ten connections lose nothing.
func TestStore_Upsert_ManyKeysFewConnections_NoneIsDropped(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store, err := Open(ctx, containers.Redis(t)+"?pool_size=10&max_active_conns=10", &Options{Prefix: prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	begin := time.Now()
	var writers sync.WaitGroup
	for writer := range 50 {
		writers.Go(func() {
			for i := range 20 {
				key := fmt.Sprintf("key-%d-%d", writer, i)
				if result, err := store.Upsert(ctx, core.Flags, key, storetest.Item(key, 1)); err != nil || !result.Written {
					t.Errorf("%s: %v, %v", key, result.Written, err)
				}
			}
		})
	}
	writers.Wait()
	require.Less(t, time.Since(begin), 5*time.Second)
	require.EqualValues(t, 1000, client.HLen(ctx, prefix+":features").Val())
}

// A server that forgot the scripts gets them again.
func TestStore_Upsert_ScriptCacheEmpty_FallsBack(t *testing.T) {
	ctx, client := t.Context(), clientFor(t, containers.StartRedis(t).URL)
	store, err := New(ctx, client, nil)
	require.NoError(t, err)
	for version := 1; version <= 3; version++ {
		require.NoError(t, client.ScriptFlush(ctx).Err())
		result, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", version))
		require.NoError(t, err)
		require.True(t, result.Written)
		require.NoError(t, client.ScriptFlush(ctx).Err())
		require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(1, version, 50)}))
	}
	require.NoError(t, store.Close())
}

// meddler is a hook that changes an item whenever the store's script has been run.
type meddler struct {
	countingHook
	change func()
}

func (h *meddler) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.change()
		return err
	}
}

// An item that changes whenever it has been judged is given up with ErrConflict, not reported as "not newer".
func TestStore_Upsert_ItemKeepsChanging_IsConflict(t *testing.T) {
	ctx, bare, client, prefix := t.Context(), bareClient(t), bareClient(t), storetest.Prefix()
	damaged := 0
	damage := func() {
		damaged++
		require.NoError(t, bare.HSet(ctx, prefix+":features", "k", fmt.Sprintf(`{"version":99,%d`, damaged)).Err())
	}
	damage()
	client.AddHook(&meddler{change: damage})
	store, err := New(ctx, client, &Options{Prefix: prefix})
	require.NoError(t, err)
	_, err = store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
	require.ErrorIs(t, err, core.ErrConflict)
	require.NoError(t, store.Close())
}

// A change set is applied as a whole; of several changes to one item the newest counts.
func TestStore_ApplyChangeSet_ReportsEachChange(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := openStore(t, Options{Prefix: prefix})
	require.NoError(t, client.HSet(ctx, prefix+":features", "kept", `{"version":7}`, "damaged", `{"version":7`).Err())
	results, err := store.ApplyChangeSet(ctx, []core.KindAndKeyedItem{
		{Kind: core.Flags, Key: "twice", Item: storetest.Item("twice", 3)},
		{Kind: core.Segments, Key: "s", Item: storetest.Item("s", 1)},
		{Kind: core.Flags, Key: "kept", Item: storetest.Item("kept", 7)},
		{Kind: core.Flags, Key: "damaged", Item: storetest.Item("damaged", 1)},
		{Kind: core.Flags, Key: "twice", Item: storetest.Item("twice", 5)},
		{Kind: core.Flags, Key: "twice", Item: storetest.Item("twice", 5)},
	})
	require.NoError(t, err)
	written := make([]bool, len(results))
	stored := make([]string, len(results))
	for i, result := range results {
		written[i], stored[i] = result.Written, string(result.Item.Data)
	}
	require.Equal(t, []bool{false, true, false, true, true, false}, written)
	require.Equal(t, []string{
		`{"key":"twice","version":5}`, `{"key":"s","version":1}`, `{"version":7}`, `{"key":"damaged","version":1}`,
		`{"key":"twice","version":5}`, `{"key":"twice","version":5}`,
	}, stored)
	results, err = store.ApplyChangeSet(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, results)
}

// A change set that cannot be applied whole changes nothing.
func TestStore_ApplyChangeSet_OneKindOfWrongType_ChangesNothing(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := openStore(t, Options{Prefix: prefix})
	require.NoError(t, client.Set(ctx, prefix+":segments", "x", 0).Err())
	_, err := store.ApplyChangeSet(ctx, []core.KindAndKeyedItem{
		{Kind: core.Flags, Key: "f", Item: storetest.Item("f", 1)},
		{Kind: core.Segments, Key: "s", Item: storetest.Item("s", 1)},
	})
	require.ErrorIs(t, err, core.ErrCorrupt)
	require.ErrorContains(t, err, prefix+":segments")
	require.Zero(t, client.Exists(ctx, prefix+":features").Val())
}
