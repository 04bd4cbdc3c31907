package caching_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func allModes() []caching.Mode {
	return []caching.Mode{caching.Off(), caching.TTL(time.Minute), caching.Forever()}
}

// inAllModes runs a test of a rig that has flags a and b in version 1.
func inAllModes(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	for _, mode := range allModes() {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(1, "a", "b")
				test(t, r)
			})
		})
	}
}

func TestCachingStoreWrapper_UpsertAll_IsOneStep(t *testing.T) {
	inAllModes(t, func(t *testing.T, r *rig) {
		segment := core.Collection{Kind: core.Segments, Items: []core.KeyedItem{{Key: "s", Item: flag("s", 2)}}}
		require.NoError(t, r.wrapper.UpsertAll(t.Context(), append(flags(2, "a", "b", "c"), segment)))
		require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 2}, r.all())
		require.Equal(t, 2, r.inDatabase("c"))
		_, found, err := r.other.Get(t.Context(), core.Segments, "s")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, int64(1), r.store.changeSets.Load())
		require.Zero(t, r.store.upserts.Load())
	})
}

func TestCachingStoreWrapper_UpsertAll_OfOneItem_IsAnUpsert(t *testing.T) {
	inAllModes(t, func(t *testing.T, r *rig) {
		require.NoError(t, r.wrapper.UpsertAll(t.Context(), flags(2, "a")))
		require.Equal(t, 2, r.inDatabase("a"))
		require.Zero(t, r.store.changeSets.Load())
		require.Equal(t, int64(1), r.store.upserts.Load())
		require.NoError(t, r.wrapper.UpsertAll(t.Context(), nil))
	})
}

func TestCachingStoreWrapper_UpsertAll_NewerInDatabase_Wins(t *testing.T) {
	inAllModes(t, func(t *testing.T, r *rig) {
		r.write("a", 9)
		require.NoError(t, r.wrapper.UpsertAll(t.Context(), flags(2, "a", "b")))
		require.Equal(t, map[string]int{"a": 9, "b": 2}, r.all())
		require.Equal(t, 9, r.inDatabase("a"))
		require.Equal(t, 2, r.inDatabase("b"))
	})
}

func TestCachingStoreWrapper_UpsertAll_Invalid_ChangesNothing(t *testing.T) {
	inAllModes(t, func(t *testing.T, r *rig) {
		for name, bad := range map[string]core.KeyedItem{"nil": {Key: "b"}, "no key": {Item: flag("b", 2)}} {
			data := flags(2, "a")
			data[0].Items = append(data[0].Items, bad)
			require.ErrorIs(t, r.wrapper.UpsertAll(t.Context(), data), core.ErrInvalid, name)
		}
		require.Equal(t, map[string]int{"a": 1, "b": 1}, r.all())
		require.Equal(t, 1, r.inDatabase("a"))
	})
}

// Change sets that wait for the database, and share an item, reach it as one.
func TestCachingStoreWrapper_UpsertAll_Waiting_AreOneStep(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(1, "a", "b", "c", "d")
				goOn := make(chan struct{})
				r.store.set(func(context.Context, string) error {
					<-goOn
					return nil
				})
				for _, update := range []struct {
					version int
					keys    []string
				}{{2, []string{"d"}}, {2, []string{"a", "b"}}, {3, []string{"c", "a"}}} {
					go func() {
						if err := r.wrapper.UpsertAll(t.Context(), flags(update.version, update.keys...)); err != nil {
							t.Error(err)
						}
					}()
					synctest.Wait()
				}
				require.Equal(t, map[string]int{"a": 3, "b": 2, "c": 3, "d": 2}, r.all())
				r.store.set(nil)
				close(goOn)
				synctest.Wait()
				require.Equal(t, int64(1), r.store.upserts.Load(), "of d, which came first")
				require.Equal(t, int64(1), r.store.changeSets.Load())
				require.Equal(t, 3, r.inDatabase("a"))
				require.Equal(t, 2, r.inDatabase("b"))
				require.Equal(t, 3, r.inDatabase("c"))
			})
		})
	}
}

// One failed write is one failed write.
func TestCachingStoreWrapper_UpsertAll_FailsOnce_IsTriedTogether(t *testing.T) {
	inAllModes(t, func(t *testing.T, r *rig) {
		failed := false
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "ApplyChangeSet" && !failed {
				failed = true
				return core.ErrUnavailable
			}
			return nil
		})
		_ = r.wrapper.UpsertAll(t.Context(), flags(2, "a", "b")) // in mode Off, its caller is told
		time.Sleep(10 * time.Second)
		require.Equal(t, 2, r.inDatabase("a"))
		require.Equal(t, 2, r.inDatabase("b"))
		require.Equal(t, int64(2), r.store.changeSets.Load())
		require.Zero(t, r.store.upserts.Load())
		require.True(t, r.status().Available)
	})
}

// What the database does not take in one step, it gets item by item.
func TestCachingStoreWrapper_UpsertAll_OneStepRefused_GoesItemByItem(t *testing.T) {
	item := &core.ItemError{Kind: core.Flags, Key: "b", Err: core.ErrTooLarge}
	for name, refusal := range map[string]error{
		"too many at once": fmt.Errorf("%w: 3 items", core.ErrTooLarge),
		"an item":          item,
	} {
		t.Run(name, func(t *testing.T) {
			inAllModes(t, func(t *testing.T, r *rig) {
				r.store.set(func(_ context.Context, operation string) error {
					switch operation {
					case "ApplyChangeSet":
						return refusal
					case "Upsert":
						if r.store.upserts.Load() == 2 && errors.Is(refusal, item) { // the second of them
							return item
						}
					}
					return nil
				})
				err := r.wrapper.UpsertAll(t.Context(), flags(2, "a", "b", "c"))
				require.Equal(t, 2, r.inDatabase("a"))
				require.Equal(t, 2, r.inDatabase("c"))
				if errors.Is(refusal, item) {
					items, only := core.ItemErrors(err)
					require.True(t, only)
					require.Len(t, items, 1)
				} else {
					require.NoError(t, err)
					require.Equal(t, 2, r.inDatabase("b"))
				}
				require.Equal(t, int64(1), r.store.changeSets.Load())
				require.Equal(t, int64(3), r.store.upserts.Load())
				r.requireStatus(true, false)
			})
		})
	}
}

// An item that makes each change set fail, and does not say so, keeps none of the others out.
func TestCachingStoreWrapper_UpsertAll_OneItemFails_OthersAreWritten(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := &memorystore.Database{}
				store := &poisoned{Store: memorystore.New(db, nil), key: "b"}
				wrapper, err := caching.NewCachingStoreWrapper(store, &caching.Options{Mode: mode, Logger: quiet})
				require.NoError(t, err)
				defer func() { require.NoError(t, wrapper.Close()) }()
				other := memorystore.New(db, nil)
				require.NoError(t, wrapper.Init(t.Context(), flags(1, "a", "b", "c")))
				_ = wrapper.UpsertAll(t.Context(), flags(2, "a", "b", "c"))
				time.Sleep(10 * time.Second)
				for key, want := range map[string]int{"a": 2, "b": 1, "c": 2} {
					stored, found, err := other.Get(t.Context(), core.Flags, key)
					require.NoError(t, err)
					require.True(t, found)
					require.Equal(t, want, stored.Version, key)
				}
			})
		})
	}
}

// poisoned is a store that fails whenever a key is written.
type poisoned struct {
	*memorystore.Store
	key string
}

func (p *poisoned) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	if key == p.key {
		return core.UpsertResult{}, errors.New("poisoned")
	}
	return p.Store.Upsert(ctx, kind, key, item)
}

func (p *poisoned) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	for _, change := range changes {
		if change.Key == p.key {
			return nil, errors.New("poisoned")
		}
	}
	return p.Store.ApplyChangeSet(ctx, changes)
}

func TestCachingStoreWrapper_UpsertAll_StoreWithoutTheAbility_GoesItemByItem(t *testing.T) {
	for _, mode := range allModes() {
		t.Run(mode.String(), func(t *testing.T) {
			db := &memorystore.Database{}
			wrapper, err := caching.NewCachingStoreWrapper(bare{memorystore.New(db, nil)},
				&caching.Options{Mode: mode, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			defer func() { require.NoError(t, wrapper.Close()) }()
			require.NoError(t, wrapper.Init(t.Context(), flags(1, "a")))
			require.NoError(t, wrapper.UpsertAll(t.Context(), flags(2, "a", "b")))
			all, err := memorystore.New(db, nil).GetAll(t.Context(), core.Flags)
			require.NoError(t, err)
			require.Len(t, all, 2)
		})
	}
}
