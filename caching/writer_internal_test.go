package caching

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// unavailable is a store that answers nothing for a while.
type unavailable struct {
	*memorystore.Store
	now atomic.Bool
}

func (u *unavailable) err() error {
	if u.now.Load() {
		return core.ErrUnavailable
	}
	return nil
}

func (u *unavailable) Initialized(ctx context.Context) (bool, error) {
	if err := u.err(); err != nil {
		return false, err
	}
	return u.Store.Initialized(ctx)
}

func (u *unavailable) CheckAvailability(context.Context) error { return u.err() }

func (u *unavailable) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	if err := u.err(); err != nil {
		return core.UpsertResult{}, err
	}
	return u.Store.Upsert(ctx, kind, key, item)
}

// However long an outage is, what waits for its end are keys, and of each the last version.
func TestWriter_Upsert_LongOutage_EachKeyWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &unavailable{Store: memorystore.New(nil, nil)}
		w, err := NewCachingStoreWrapper(store, &Options{
			Mode: Forever(), DisableWatch: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Close()) }()
		require.NoError(t, w.Init(t.Context(), nil))
		store.now.Store(true)
		upsert := func(version int) {
			for _, key := range []string{"a", "b"} {
				item, err := core.ParseItem([]byte(`{"key":"` + key + `","version":` + strconv.Itoa(version) + `}`))
				require.NoError(t, err)
				_, _ = w.Upsert(t.Context(), core.Flags, key, item) // refused, and written in the end
			}
		}
		for version := range 1000 {
			upsert(version + 1)
		}
		w.writer.mu.Lock()
		waiting := len(w.writer.queue) - w.writer.taken
		w.writer.mu.Unlock()
		require.LessOrEqual(t, waiting, 2)
		store.now.Store(false)
		time.Sleep(time.Minute)
		for _, key := range []string{"a", "b"} {
			item, found, err := store.Get(t.Context(), core.Flags, key)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, 1000, item.Version)
		}
		require.False(t, w.writer.behind())
	})
}
