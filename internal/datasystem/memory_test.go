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

// A reader sees all of a change set or none of it, however many changes it has.
func TestMemoryStore_ApplyPartial_IsSeenAsAWhole(t *testing.T) {
	for _, size := range []int{1, 50, 1000} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			s := NewMemoryStore()
			set := func(version int) []core.Collection {
				var keysAndFlags []string
				for i := range size {
					key := strconv.Itoa(i)
					keysAndFlags = append(keysAndFlags, key, flagtest.OnFlag(key, version, "1"))
				}
				return flagtest.Items(t, keysAndFlags...)
			}
			sets := [][]core.Collection{set(1), set(2), set(3)}
			require.NoError(t, s.Init(context.Background(), sets[0]))
			done := make(chan struct{})
			var readers sync.WaitGroup
			for range 2 {
				readers.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						view := s.View()
						all, _ := view.All(context.Background(), core.Flags)
						first, _, _ := view.Get(context.Background(), core.Flags, "0")
						for key, item := range all {
							if len(all) != size || item.Version() != first.Version() {
								t.Errorf("%s has version %d, and 0 has %d", key, item.Version(), first.Version())
								return
							}
						}
					}
				})
			}
			for n := range 300 {
				require.NoError(t, s.ApplyPartial(context.Background(), sets[n%len(sets)]))
			}
			close(done)
			readers.Wait()
		})
	}
}

func TestMemoryStore_ApplyPartial_BrokenItem_ChangesNothing(t *testing.T) {
	s := NewMemoryStore()
	data := flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "1"))
	data[0].Items = append(data[0].Items, core.KeyedItem{Key: "b"})
	require.ErrorIs(t, s.ApplyPartial(t.Context(), data), core.ErrInvalid)
	_, found, err := s.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.False(t, found)
}
