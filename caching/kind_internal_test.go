package caching

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
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
