package caching

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// Two loads of one key overlap, and the first to begin ends last: it found an item, the other one none. It is not known which
// of them is old, so that the item is the answer and the next reader asks again.
func TestKind_Load_OverlapsOneThatFoundNothing_IsAskedAgain(t *testing.T) {
	item, err := core.ParseItem([]byte(`{"key":"a","version":1}`))
	require.NoError(t, err)
	hour := time.Now().Add(time.Hour).UnixNano()
	room := func() bool { return true }
	k := newKind(core.Flags, 0)
	first, second := k.begin(), k.begin()
	require.True(t, k.load("a", (&value{}).lasting(hour, hour), second, false, room).isUnknown())
	require.Same(t, item, k.load("a", (&value{item: item}).lasting(hour, hour), first, false, room).item)
	require.Zero(t, k.lookup("a").expires.Load())
}

// A caller was answered with an item by a load during which an unrelated key was dropped. A load of everything that began before, and
// ends later, must not say that the item is gone.
func TestKind_LoadAll_BeganBeforeAnAnswer_DoesNotTakeItBack(t *testing.T) {
	item, err := core.ParseItem([]byte(`{"key":"a","version":1}`))
	require.NoError(t, err)
	hour := time.Now().Add(time.Hour).UnixNano()
	room := func() bool { return true }
	k := newKind(core.Flags, 0)
	k.load("made up", (&value{}).lasting(hour, hour), k.begin(), false, room)
	all, one := k.begin(), k.begin()
	k.drop("made up")
	require.Same(t, item, k.load("a", (&value{item: item}).lasting(hour, hour), one, false, room).item)
	life := newLifetimes(TTL(time.Minute), func() float64 { return 0 })
	require.Contains(t, k.loadAll(map[string]*value{}, all, false, true, life, time.Now().UnixNano()).items, "a")
	require.Zero(t, k.lookup("a").expires.Load(), "the next reader asks again")
}

// Keys that a caller makes up leave nothing behind when they have expired.
func TestKindCache_UnknownKeys_LeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := NewCachingStoreWrapper(memorystore.New(nil, nil), &Options{
			Mode: TTL(time.Second), DisableWatch: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Close()) }()
		require.NoError(t, w.Init(t.Context(), nil))
		for i := range 1000 {
			_, found, err := w.Get(t.Context(), core.Flags, fmt.Sprint("made up ", i))
			require.NoError(t, err)
			require.False(t, found)
		}
		c := w.gen.Load().flags
		require.Equal(t, 1000, c.unknownKeys())
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Zero(t, c.slots.Size())
		require.Zero(t, c.unknownKeys())
	})
}
