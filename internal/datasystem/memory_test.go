package datasystem

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
)

func TestMemoryStore_Init_ReplacesEverything(t *testing.T) {
	s, ctx := NewMemoryStore(), t.Context()
	initialized, err := s.Initialized(ctx)
	require.NoError(t, err)
	require.False(t, initialized)
	require.NoError(t, s.Init(ctx, flagtest.Items(t, "a", flagtest.OnFlag("a", 5, "1"), "segment", `{"key":"segment"}`)))
	require.NoError(t, s.Init(ctx, flagtest.Items(t, "a", flagtest.OnFlag("a", 2, "1"), "b", flagtest.OnFlag("b", 1, "1"))))
	initialized, err = s.Initialized(ctx)
	require.NoError(t, err)
	require.True(t, initialized)
	flags, err := s.All(ctx, core.Flags)
	require.NoError(t, err)
	require.Len(t, flags, 2)
	require.Equal(t, 2, flags["a"].Version())
	segments, err := s.All(ctx, core.Segments)
	require.NoError(t, err)
	require.Empty(t, segments)
}

func TestMemoryStore_Upsert_OnlyNewerVersions(t *testing.T) {
	s, ctx := NewMemoryStore(), t.Context()
	upsert := func(version int, deleted bool) bool {
		item := core.NewTombstone(core.Flags, "a", version)
		if !deleted {
			item = flagtest.Keyed(t, "a", flagtest.OnFlag("a", version, "1")).Item
		}
		updated, err := s.Upsert(ctx, core.Flags, "a", item)
		require.NoError(t, err)
		return updated
	}
	require.True(t, upsert(2, false), "before Init")
	require.False(t, upsert(1, false))
	require.False(t, upsert(2, true))
	require.True(t, upsert(3, true))
	_, found, err := s.Get(ctx, core.Flags, "a")
	require.NoError(t, err)
	require.False(t, found)
	flags, err := s.All(ctx, core.Flags)
	require.NoError(t, err)
	require.Empty(t, flags)
	require.False(t, upsert(3, false))
	require.True(t, upsert(4, false))
	initialized, err := s.Initialized(ctx)
	require.NoError(t, err)
	require.False(t, initialized)
	_, err = s.Upsert(ctx, "other", "x", core.NewTombstone(core.Flags, "x", 1))
	require.NoError(t, err)
	_, found, err = s.Get(ctx, core.Flags, "a")
	require.NoError(t, err)
	require.True(t, found, "another kind takes nothing away")
}

func TestMemoryStore_Close_RefusesEverything(t *testing.T) {
	s, ctx := NewMemoryStore(), t.Context()
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, _, err := s.Get(ctx, core.Flags, "a")
	require.ErrorIs(t, err, core.ErrClosed)
	_, err = s.All(ctx, core.Flags)
	require.ErrorIs(t, err, core.ErrClosed)
	_, err = s.Initialized(ctx)
	require.ErrorIs(t, err, core.ErrClosed)
	require.ErrorIs(t, s.Init(ctx, nil), core.ErrClosed)
	_, err = s.Upsert(ctx, core.Flags, "a", core.NewTombstone(core.Flags, "a", 1))
	require.ErrorIs(t, err, core.ErrClosed)
}

func TestMemoryStore_NilContext_IsInvalid(t *testing.T) {
	_, _, err := NewMemoryStore().Get(nil, core.Flags, "a")
	require.ErrorIs(t, err, core.ErrInvalid)
}

// Readers never see a set that is part old and part new, nor an older version after a newer one.
func TestMemoryStore_ConcurrentUse(t *testing.T) {
	s := NewMemoryStore()
	set := func(version int) []core.Collection {
		return flagtest.Items(t, "a", flagtest.OnFlag("a", version, "1"), "b", flagtest.OnFlag("b", version, "1"))
	}
	require.NoError(t, s.Init(context.Background(), set(1)))
	done := make(chan struct{})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			last := 0
			for {
				select {
				case <-done:
					return
				default:
				}
				flags, err := s.All(context.Background(), core.Flags)
				if err != nil || len(flags) != 2 || flags["a"].Version() != flags["b"].Version() {
					t.Errorf("a mixture: %v %v", flags, err)
					return
				}
				item, _, _ := s.Get(context.Background(), core.Flags, "a")
				if item.Version() < last {
					t.Errorf("version %d after %d", item.Version(), last)
					return
				}
				last = item.Version()
			}
		})
	}
	for version := 2; version < 300; version++ {
		require.NoError(t, s.Init(context.Background(), set(version)))
		_, err := s.Upsert(context.Background(), core.Segments, strconv.Itoa(version), core.NewTombstone(core.Flags, "x", 1))
		require.NoError(t, err)
	}
	close(done)
	group.Wait()
}
