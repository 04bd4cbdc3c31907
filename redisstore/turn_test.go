package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// beforeScript is a hook that calls a function once before the nth script is sent.
type beforeScript struct {
	countingHook
	nth, seen int
	call      func()
}

func (h *beforeScript) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" || cmd.Name() == "set" {
			if h.seen++; h.seen == h.nth {
				h.call()
			}
		}
		return next(ctx, cmd)
	}
}

// dataOf makes a data set in which each flag refers to a segment, with items that every data set has and items that only
// this one has. Sets of the same version have the same bytes for the same keys.
func dataOf(name string, version int) []core.SerializedCollection {
	return []core.SerializedCollection{
		collectionOf(core.Segments, version, "common", "segment of "+name),
		collectionOf("custom", version, "common", name),
		collectionOf(core.Flags, version, "common", "flag of "+name),
	}
}

// requireStored requires that a data set is stored, and nothing but that.
func requireStored(t *testing.T, store core.FeatureStoreCore, data []core.SerializedCollection, when ...any) {
	t.Helper()
	for _, collection := range data {
		want := map[string]int{}
		for _, keyed := range collection.Items {
			want[keyed.Key] = keyed.Item.Version
		}
		require.Equal(t, want, versionsOf(t, store, collection.Kind), append([]any{collection.Kind}, when...)...)
	}
}

func requireSuperseded(t *testing.T, err error, total int) {
	t.Helper()
	var partial *core.PartialInitError
	require.ErrorAs(t, err, &partial)
	require.Equal(t, total, partial.Total)
	require.Less(t, partial.Written, total)
	require.ErrorIs(t, err, core.ErrConflict)
	_, onlyItems := core.ItemErrors(err)
	require.False(t, onlyItems)
}

// newHookedCluster makes a store on a client of its own with a hook.
func newHookedCluster(t *testing.T, opts Options, hook redis.Hook) *ClusterStore {
	t.Helper()
	client := clusterClient(t)
	client.AddHook(hook)
	store, err := NewCluster(t.Context(), client, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// Wherever another Init comes in between, the one that began later is what is stored, whole. The one that began earlier
// fails, unless it had written everything by then.
func TestClusterStore_Init_LaterOneMeanwhile_Wins(t *testing.T) {
	ctx := t.Context()
	for _, versions := range [][2]int{{1, 1}, {2, 1}, {1, 2}} {
		// The scripts of the earlier Init are: begin, three to put kinds into place, two to remove leftovers; then the mark.
		for nth := 2; nth <= 7; nth++ {
			prefix := freshPrefix()
			reader := openCluster(t, Options{Prefix: prefix})
			later := dataOf("later", versions[1])
			require.NoError(t, reader.Init(ctx, later)) // so that the earlier one takes its items for leftovers
			interrupting := &beforeScript{nth: nth}
			interrupting.call = func() { require.NoError(t, reader.Init(ctx, later)) }
			err := newHookedCluster(t, Options{Prefix: prefix}, interrupting).Init(ctx, dataOf("earlier", versions[0]))
			requireStored(t, reader, later, "before script", nth)
			require.GreaterOrEqual(t, interrupting.seen, nth)
			switch {
			case nth <= 4:
				requireSuperseded(t, err, 6)
			case nth <= 6:
				require.ErrorIs(t, err, core.ErrConflict)
			default:
				require.NoError(t, err)
			}
			require.Len(t, clusterKeys(t, clusterClient(t), prefix), 4)
		}
	}
}

// Of many that run at once, too, what is stored at the end is one's and whole.
func TestClusterStore_Init_ManyAtOnce_OneIsStoredWhole(t *testing.T) {
	ctx, prefix := t.Context(), freshPrefix()
	const writers, rounds = 4, 8
	stores := make([]*ClusterStore, writers)
	for i := range stores {
		stores[i] = openCluster(t, Options{Prefix: prefix})
	}
	superseded := 0
	for round := range rounds {
		errs := make([]error, writers)
		var running sync.WaitGroup
		for i, store := range stores {
			running.Go(func() { errs[i] = store.Init(ctx, dataOf(strconv.Itoa(i), 1)) })
		}
		running.Wait()
		for _, err := range errs {
			if err != nil {
				require.ErrorIs(t, err, core.ErrConflict)
				superseded++
			}
		}
		flags := versionsOf(t, stores[0], core.Flags)
		winner := -1
		for i := range stores {
			if _, found := flags[fmt.Sprintf("flag of %d", i)]; found {
				winner = i
			}
		}
		require.GreaterOrEqual(t, winner, 0)
		require.NoError(t, errs[winner], "round %d", round)
		requireStored(t, stores[0], dataOf(strconv.Itoa(winner), 1), "round", round)
	}
	require.Positive(t, superseded, "they did not meet")
}

// What a superseded Init left unfinished does not hinder the next one, and neither does one that died, nor the loss of the
// number of the last one.
func TestClusterStore_Init_AfterOneThatStopped_Succeeds(t *testing.T) {
	ctx, prefix, client := t.Context(), freshPrefix(), clusterClient(t)
	stopping, stop := context.WithCancel(ctx)
	interrupting := &beforeScript{nth: 3, call: stop}
	err := newHookedCluster(t, Options{Prefix: prefix}, interrupting).Init(stopping, dataOf("stopped", 3))
	require.Equal(t, context.Canceled, err)
	store := openCluster(t, Options{Prefix: prefix})
	require.NoError(t, store.Init(ctx, dataOf("next", 2)))
	requireStored(t, store, dataOf("next", 2))
	require.EqualValues(t, 1, client.Del(ctx, keys{prefix}.latest()).Val())
	require.NoError(t, store.Init(ctx, dataOf("one after it", 1)))
	requireStored(t, store, dataOf("one after it", 1))
}

// Numbers stay for as long as any Init that began before may still run, whichever has the longer time-out, and expire.
func TestClusterStore_Init_NumbersOutliveEveryEarlierInit(t *testing.T) {
	ctx, prefix, client := t.Context(), freshPrefix(), clusterClient(t)
	brief := openCluster(t, Options{Prefix: prefix, InitTimeout: 10 * time.Second})
	interrupting := &beforeScript{nth: 3, call: func() { require.NoError(t, brief.Init(ctx, dataOf("later", 1))) }}
	err := newHookedCluster(t, Options{Prefix: prefix, InitTimeout: time.Hour}, interrupting).Init(ctx, dataOf("earlier", 1))
	requireSuperseded(t, err, 6)
	for _, key := range []string{keys{prefix}.latest(), keys{prefix}.latestOf(core.Flags), keys{prefix}.latestOf("custom")} {
		require.Greater(t, client.TTL(ctx, key).Val(), time.Hour, key)
		require.Less(t, client.TTL(ctx, key).Val(), 2*time.Hour, key)
	}
}

// Where the number of an Init was lost, as by eviction, a later one's may have been: nothing is written any more.
func TestClusterStore_Init_NumberIsLost_ChangesNothing(t *testing.T) {
	ctx, prefix, client := t.Context(), freshPrefix(), clusterClient(t)
	store := openCluster(t, Options{Prefix: prefix})
	for _, data := range [][]core.SerializedCollection{
		dataOf("new", 2), // to remove leftovers
		append(dataOf("new", 2), collectionOf("custom", 3, "more")), // to put more of the kind into place
	} {
		require.NoError(t, store.Init(ctx, dataOf("old", 1)))
		interrupting := &beforeScript{nth: 5, call: func() {
			require.EqualValues(t, 1, client.Del(ctx, keys{prefix}.latestOf("custom")).Val())
		}}
		err := newHookedCluster(t, Options{Prefix: prefix}, interrupting).Init(ctx, data)
		var partial *core.PartialInitError
		require.ErrorAs(t, err, &partial)
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.Equal(t, map[string]int{"common": 2, "new": 2, "old": 1}, versionsOf(t, store, "custom"))
	}
}

// What is no number is reported and left alone.
func TestClusterStore_Init_NumberOfAnotherType_IsCorrupt(t *testing.T) {
	ctx, client := t.Context(), clusterClient(t)
	for _, key := range []func(keys) string{keys.latest, func(k keys) string { return k.latestOf(core.Flags) }} {
		prefix := freshPrefix()
		name := key(keys{prefix})
		require.NoError(t, client.RPush(ctx, name, "not ours").Err())
		err := openCluster(t, Options{Prefix: prefix}).Init(ctx, dataOf("new", 1))
		require.ErrorIs(t, err, core.ErrCorrupt)
		require.ErrorContains(t, err, name)
		require.EqualValues(t, 1, client.LLen(ctx, name).Val())
	}
}

// Numbers ascend, are no less than the time, and are exact to the last digit.
func TestTurn_Begin_Ascends(t *testing.T) {
	ctx, client := t.Context(), clusterClient(t)
	first := &turn{key: freshPrefix(), lifetime: 90 * time.Second}
	begin := time.Now().UnixMicro()
	require.NoError(t, first.begin(ctx, client))
	number, err := strconv.ParseInt(first.number, 10, 64)
	require.NoError(t, err)
	require.GreaterOrEqual(t, number, begin)
	require.Equal(t, 90*time.Second, first.lifetime)
	const future = 4_102_444_800_000_001 // a clock that is decades ahead
	require.NoError(t, client.Set(ctx, first.key, strconv.Itoa(future)+" 120000", 0).Err())
	for n := range 3 {
		next := &turn{key: first.key, lifetime: time.Second}
		require.NoError(t, next.begin(ctx, client))
		require.Equal(t, strconv.Itoa(future+1+n), next.number)
		require.Equal(t, 2*time.Minute, next.lifetime)
	}
	ended, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("over"))
	require.Equal(t, context.Canceled, first.begin(ended, client))
}

// The numbers are where the doc comment of the package says, each in the slot of what it belongs to.
func TestKeys_Latest_AreInTheSlotsOfWhatTheyBelongTo(t *testing.T) {
	for _, prefix := range []string{"launchdarkly", "", "a{b", "a}b"} {
		k := keys{prefix}
		require.Equal(t, slotOf(k.inited()), slotOf(k.latest()))
		require.Regexp(t, `(^|:)\$init:latest:\d+$`, k.latest())
		for _, kind := range []core.DataKind{core.Flags, core.Segments, "custom"} {
			require.Equal(t, slotOf(k.items(kind)), slotOf(k.latestOf(kind)))
			require.Regexp(t, `(^|:)\$init:latest:`+string(kind)+`:\d+$`, k.latestOf(kind))
		}
	}
}
