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
