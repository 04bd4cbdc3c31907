package caching_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

var errReplica = fmt.Errorf("replica: %w", core.ErrReadOnly)

func inTTLAndForever(t *testing.T, test func(t *testing.T, mode caching.Mode)) {
	t.Helper()
	for _, mode := range []caching.Mode{caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, mode) })
		})
	}
}

// A database that can be read and never be written costs an Init each time that writing is tried again, so that is tried
// only once a minute in the end, which is also how late it may be noticed that the database can be written.
func TestCachingStoreWrapper_ReadOnlyForGood_WritingIsTriedOnceAMinute(t *testing.T) {
	inTTLAndForever(t, func(t *testing.T, mode caching.Mode) {
		r := newRig(t, caching.Options{Mode: mode})
		r.init(1, "a")
		defer r.resendWhenStale(flags(2, "a"))()
		r.store.failWrites(errReplica)
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrReadOnly)
		r.requireOneInitAMinute()
		r.store.fail(nil)
		r.requireRestored("a", 2, 75*time.Second)
	})
}

// The same holds if the database is read-only when it comes back from an outage, after which it is read again.
func TestCachingStoreWrapper_ReadOnlyAfterAnOutage_IsReadAndWritingIsTriedOnceAMinute(t *testing.T) {
	inTTLAndForever(t, func(t *testing.T, mode caching.Mode) {
		r := newRig(t, caching.Options{Mode: mode})
		r.init(1, "a")
		defer r.resendWhenStale(flags(2, "a"))()
		r.store.fail(errors.New("cable cut"))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.Error(t, err)
		time.Sleep(20 * time.Second)
		r.store.failWrites(errReplica)
		r.requireOneInitAMinute()
		_, found, err := r.wrapper.Get(t.Context(), core.DataKind("other"), "never read")
		require.NoError(t, err)
		require.False(t, found)
		r.store.fail(nil)
		r.requireRestored("a", 2, 75*time.Second)
	})
}

// A database that has been written in between is looked after as soon as ever when it is read-only again.
func TestCachingStoreWrapper_ReadOnlyAgain_IsSoonOver(t *testing.T) {
	inTTLAndForever(t, func(t *testing.T, mode caching.Mode) {
		r := newRig(t, caching.Options{Mode: mode})
		r.init(1, "a")
		defer r.resendWhenStale(flags(2, "a"))()
		for i, lasts := range []time.Duration{30 * time.Minute, 2 * time.Second} {
			r.store.failWrites(errReplica)
			_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2+i))
			require.ErrorIs(t, err, core.ErrReadOnly)
			time.Sleep(lasts)
			r.store.fail(nil)
			if lasts > time.Minute {
				r.requireRestored("a", 2, 75*time.Second)
				time.Sleep(5 * time.Second)
			}
		}
		r.requireRestored("a", 2, 20*time.Second)
	})
}

// A primary that becomes a replica for a moment is written again within seconds.
func TestCachingStoreWrapper_ReadOnlyForAMoment_IsSoonOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		r.init(1, "a")
		r.store.failWrites(errReplica)
		defer r.resendWhenStale(flags(2, "a"))()
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrReadOnly)
		time.Sleep(5 * time.Second)
		r.store.fail(nil)
		time.Sleep(10 * time.Second)
		r.requireStatus(true, false)
	})
}

// The long pauses are for writing. A failure of reads is looked after as soon as ever.
func TestCachingStoreWrapper_ReadOnlyForGood_OutageOfReadsIsSoonOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.Forever()})
		r.init(1, "a")
		r.store.failWrites(errReplica)
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrReadOnly)
		time.Sleep(30 * time.Minute)
		var checks atomic.Int64
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "CheckAvailability" {
				checks.Add(1)
			}
			return errors.New("cable cut")
		})
		_, _, err = r.wrapper.Get(t.Context(), core.DataKind("other"), "never read")
		require.ErrorContains(t, err, "cable cut")
		time.Sleep(time.Minute)
		before := checks.Load()
		require.Greater(t, before, int64(8), "often at first")
		time.Sleep(time.Minute)
		require.Greater(t, checks.Load(), before+2, "every 15 s")
	})
}

// A database in which other writers come first is not read-only.
func TestCachingStoreWrapper_Conflicts_AreSoonOver(t *testing.T) {
	inTTLAndForever(t, func(t *testing.T, mode caching.Mode) {
		r := newRig(t, caching.Options{Mode: mode})
		r.init(1, "a")
		defer r.resendWhenStale(flags(2, "a"))()
		r.store.failWrites(fmt.Errorf("busy: %w", core.ErrConflict))
		_, err := r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", 2))
		require.ErrorIs(t, err, core.ErrConflict)
		time.Sleep(10 * time.Minute)
		r.store.fail(nil)
		r.requireRestored("a", 2, 75*time.Second)
	})
}

// requireOneInitAMinute waits until the pauses are as long as they get, and counts.
func (r *rig) requireOneInitAMinute() {
	r.t.Helper()
	time.Sleep(30 * time.Minute)
	before := r.store.inits.Load() + r.store.upserts.Load()
	time.Sleep(time.Hour)
	require.InDelta(r.t, 60, r.store.inits.Load()+r.store.upserts.Load()-before, 20)
}

// requireRestored waits until the database is well and has the version, or a newer one.
func (r *rig) requireRestored(key string, version int, within time.Duration) {
	r.t.Helper()
	begin := time.Now()
	for r.inDatabase(key) < version || r.status() != available {
		require.Less(r.t, time.Since(begin), within)
		time.Sleep(100 * time.Millisecond)
	}
}

// An item that cannot be written keeps nothing else from the database.
func TestCachingStoreWrapper_BadAdapter_CannotWriteOneItem(t *testing.T) {
	for name, bug := range map[string]func(context.Context) error{
		"panics": func(context.Context) error { panic("a bug of the adapter") },
		"hangs":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.Forever()} {
			t.Run(name+" "+mode.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var mended atomic.Bool
					r := newBadRig(t, mode, &badAdapter{bug: func(ctx context.Context) error {
						if mended.Load() {
							return nil
						}
						return bug(ctx)
					}})
					_, _ = r.wrapper.Upsert(t.Context(), core.Flags, "bad", flag("bad", 1)) // an error only if it has failed by then
					for version := 2; version < 20; version++ {
						_, _ = r.wrapper.Upsert(t.Context(), core.Flags, "good", flag("good", version)) // may say that it is not tried yet
						require.Equal(t, version, r.version("good"))
						time.Sleep(time.Minute + caching.DefaultWriteTimeout)
						require.Equal(t, version, r.inDatabase("good"))
					}
					require.Equal(t, 1, r.version("bad"))
					mended.Store(true)
					time.Sleep(2 * time.Minute)
					require.Equal(t, 1, r.inDatabase("bad"))
					r.requireStatus(true, false)
				})
			})
		}
	}
}

// mixedUp is a memorystore that answers each Upsert with the item of another key, which it claims is newer.
type mixedUp struct{ *memorystore.Store }

func (m mixedUp) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	_, err := m.Store.Upsert(ctx, kind, key, item)
	return core.UpsertResult{Item: flag("another", 99).Serialized(kind, "another")}, err
}

func TestCachingStoreWrapper_BadAdapter_AnswersAnUpsertWithAnothersItem(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		log := &countingHandler{}
		w, err := caching.NewCachingStoreWrapper(mixedUp{memorystore.New(nil, nil)}, &caching.Options{Mode: mode, Logger: slog.New(log)})
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Close()) }()
		for version := 1; version < 600; version++ {
			for _, key := range []string{"a", "b"} {
				_, err := w.Upsert(t.Context(), core.Flags, key, flag(key, version))
				require.NoError(t, err)
				item, found, err := w.Get(t.Context(), core.Flags, key)
				require.NoError(t, err)
				require.True(t, found)
				require.Equal(t, version, item.Version())
			}
			time.Sleep(100 * time.Millisecond)
		}
		require.Zero(t, log.lines.Load())
	})
}
