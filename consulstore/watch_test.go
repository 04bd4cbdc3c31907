package consulstore

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// startWatch watches until the test ends, and waits until the watch has begun.
func startWatch(t *testing.T, store *Store, touch func(n int)) chan core.Change {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan core.Change, 1000), make(chan error, 1)
	go func() { ended <- store.Watch(ctx, func(c core.Change) { changes <- c }) }()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
	n := 0
	require.Eventually(t, func() bool {
		n++
		touch(n)
		return awaitChange(changes, 50*time.Millisecond)
	}, soon*5, time.Millisecond)
	for awaitChange(changes, 100*time.Millisecond) {
	}
	return changes
}

func awaitChange(changes chan core.Change, patience time.Duration) bool {
	select {
	case <-changes:
		return true
	case <-time.After(patience):
		return false
	}
}

// A change by another process is told within 100 ms at the median; without one, nothing is, and the server is not asked again
// and again.
func TestStore_Watch_IsPromptAndQuiet(t *testing.T) {
	prefix, version := storetest.Prefix(), 0
	store, requests := recordedStore(t, &Options{Prefix: prefix})
	other := openStore(t, Options{Prefix: prefix})
	touch := func(int) {
		version++
		_, err := other.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", version))
		require.NoError(t, err)
	}
	changes := startWatch(t, store, touch)
	var delays []time.Duration
	for range 21 {
		begin := time.Now()
		touch(0)
		require.True(t, awaitChange(changes, soon))
		delays = append(delays, time.Since(begin))
	}
	slices.Sort(delays)
	t.Logf("median %v, longest %v", delays[10], delays[20])
	require.Less(t, delays[10], 100*time.Millisecond)

	for awaitChange(changes, 100*time.Millisecond) {
	}
	requests.take()
	neighbour := openStore(t, Options{Prefix: prefix + "2"})
	require.NoError(t, neighbour.Init(t.Context(), []core.SerializedCollection{storetest.Flags(3, 1, 100)}))
	require.False(t, awaitChange(changes, 300*time.Millisecond), "a neighbour's change is not one")
	require.LessOrEqual(t, len(requests.take()), 1)
}

// A change below a kind's directory concerns that kind, a change of the mark everything, and all else nothing. Each costs one
// request for the hint and one for each kind, none of which carries values.
func TestStore_Watch_NamesTheKind(t *testing.T) {
	ctx, prefix, b := t.Context(), storetest.Prefix(), newBare(t, containers.Consul(t))
	store, requests := recordedStore(t, &Options{Prefix: prefix})
	other := openStore(t, Options{Prefix: prefix})
	changes := startWatch(t, store, func(n int) {
		_, err := other.Upsert(ctx, core.Flags, "k", storetest.Item("k", n))
		require.NoError(t, err)
	})
	upsert := func(kind core.DataKind, version int) {
		_, err := other.Upsert(ctx, kind, "key", storetest.Item("key", version))
		require.NoError(t, err)
	}
	deleteTree := func(key string) {
		_, err := b.KV().DeleteTree(prefix+key, nil)
		require.NoError(t, err)
	}
	quick := append([]string{"GET /v1/kv/" + prefix + "/"}, "GET /v1/kv/"+prefix+"/features", "GET /v1/kv/"+prefix+"/segments")
	for _, test := range []struct {
		name     string
		act      func()
		want     []core.Change
		requests []string
	}{
		{"a flag", func() { upsert(core.Flags, 1) }, []core.Change{{Kind: core.Flags}}, quick[:2]},
		{"the first segment", func() { upsert(core.Segments, 1) }, []core.Change{{Kind: core.Segments}}, quick},
		{"a flag beside it", func() { upsert(core.Flags, 2) }, []core.Change{{Kind: core.Flags}}, quick},
		{"a kind of another's", func() { upsert("configs", 1) }, []core.Change{{Kind: "configs"}},
			append(quick[:3:3], "GET /v1/kv/"+prefix+"/configs")},
		{"its end", func() { deleteTree("/configs/") }, []core.Change{{Kind: "configs"}}, quick},
		{"the last segment", func() { deleteTree("/segments/") }, []core.Change{{Kind: core.Segments}}, quick[:2]},
		{"big segments", func() {
			b.write(t, prefix+"/big_segments_user/h", []byte("1"))
			b.write(t, prefix+"/big_segments_cursor", []byte("1"))
			b.write(t, prefix+"/big_segments_synchronized_on", []byte("1"))
		}, nil, nil},
		{"a neighbour", func() { b.write(t, prefix+"2/features/k", []byte("1")) }, nil, nil},
		{"the mark", func() { b.write(t, prefix+"/$inited", nil) }, []core.Change{{}}, quick[:2]},
		{"an Init", func() { require.NoError(t, other.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 9, 100)})) },
			[]core.Change{{Kind: core.Flags}}, quick[:2]},
		{"the end of everything", func() { deleteTree("/") }, []core.Change{{}}, quick[:1]},
	} {
		settle(changes)
		requests.take()
		test.act()
		require.Equal(t, test.want, settle(changes), test.name)
		if taken := requests.take(); test.requests != nil {
			require.Equal(t, test.requests, rotate(taken, test.requests[0]), test.name)
		}
	}
}

// settle returns the changes that are told until there are no more.
func settle(changes chan core.Change) (told []core.Change) {
	for {
		select {
		case change := <-changes:
			told = append(told, change)
		case <-time.After(300 * time.Millisecond):
			return told
		}
	}
}

// rotate moves the request that waits for the next change to the place of the one that told of this change, which was under way.
func rotate(taken []string, waits string) []string {
	last := len(taken) - 1
	if last < 0 || taken[last] != waits {
		return taken
	}
	return append([]string{waits}, taken[:last]...)
}

// A store with many directories beside those of the built-in kinds is watched for these only.
func TestKV_KindsIn_IsBounded(t *testing.T) {
	k := kv{keys: keys{"p"}}
	names := []string{"p/$inited", "p/big_segments_user/", "p/features/", "p/not a kind/", "p/segments/"}
	for i := range maxOtherKinds {
		names = append(names, fmt.Sprintf("p/kind-%d/", i))
	}
	require.Len(t, k.kindsIn(names), 2+maxOtherKinds)
	require.ElementsMatch(t, core.BuiltInKinds(), k.kindsIn(append(names, "p/one-more/")))
}

// Close ends a watch.
func TestStore_Watch_Close_EndsIt(t *testing.T) {
	store, ended, begun := openStore(t, Options{Prefix: storetest.Prefix()}), make(chan error, 1), make(chan core.Change, 1)
	go func() { ended <- store.Watch(t.Context(), func(c core.Change) { begun <- c }) }()
	require.Equal(t, core.Change{}, <-begun)
	require.NoError(t, store.Close())
	require.ErrorIs(t, <-ended, core.ErrClosed)
}

// A connection that is lost is restored, and followed by a change.
func TestStore_Watch_ConnectionLost_IsRestored(t *testing.T) {
	p, prefix, version := storetest.StartProxy(t, containers.Consul(t)), storetest.Prefix(), 0
	other := openStore(t, Options{Prefix: prefix})
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	store := openStore(t, Options{Address: p.Address(), Prefix: prefix, Logger: quiet})
	changes := startWatch(t, store, func(int) {
		version++
		_, err := other.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", version))
		require.NoError(t, err)
	})
	p.Stop()
	_, err := other.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1000))
	require.NoError(t, err)
	require.False(t, awaitChange(changes, 200*time.Millisecond))
	p.Start()
	require.True(t, awaitChange(changes, soon*5))
}

// What cannot be watched is said at once.
func TestStore_Watch_Unusable_IsRefused(t *testing.T) {
	store := openStore(t, Options{Prefix: "new\nline"})
	require.ErrorIs(t, store.Watch(t.Context(), func(core.Change) {}), core.ErrInvalid)
	require.ErrorIs(t, openStore(t, Options{}).Watch(t.Context(), nil), core.ErrInvalid)
	without, err := Open(t.Context(), &Options{Address: containers.Consul(t), NoPrefix: true})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.Equal(t, context.DeadlineExceeded, without.Watch(ctx, func(core.Change) {}))
	require.NoError(t, without.Close())
}
