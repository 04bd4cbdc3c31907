package caching_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// takes makes GetAll take the second time, and every other operation the first one.
func (t *troubled) takes(others, getAll time.Duration) {
	t.set(func(ctx context.Context, operation string) error {
		latency := others
		if operation == "GetAll" {
			latency = getAll
		}
		select {
		case <-time.After(latency):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// filledByAnother makes n keys known that another process wrote.
func (r *rig) filledByAnother(n int) (keys []string) {
	r.t.Helper()
	items := make([]core.KeyedSerializedItem, n)
	for i := range items {
		key := fmt.Sprint("flag-", i)
		keys = append(keys, key)
		items[i] = core.KeyedSerializedItem{Key: key, Item: flag(key, 1).Serialized(core.Flags, key)}
	}
	require.NoError(r.t, r.other.Init(r.t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: items}}))
	for _, key := range keys {
		require.Equal(r.t, 1, r.version(key))
	}
	return keys
}

// use reads the keys again and again for the given time, and returns how many reads waited.
func (r *rig) use(keys []string, period time.Duration) (waits int) {
	r.t.Helper()
	for start := time.Now(); time.Since(start) < period; time.Sleep(100 * time.Millisecond) {
		for _, key := range keys {
			asked := time.Now()
			if item, _, err := r.wrapper.Get(r.t.Context(), core.Flags, key); err != nil || item.Version() != 1 {
				require.Fail(r.t, "wrong answer", "%v %v", item, err)
			}
			if time.Since(asked) > 0 {
				waits++
			}
		}
	}
	return waits
}

// Promise 4, with a database that takes long but no longer than it may. How slow it is has to be found out first.
func TestPromise4_HotKeysDontWait_SlowDatabase(t *testing.T) {
	for _, n := range []int{1, 8, 20, 63, 100} {
		for _, latency := range []time.Duration{500 * time.Millisecond, 1400 * time.Millisecond, 1900 * time.Millisecond} {
			t.Run(fmt.Sprint(n, " keys, ", latency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{})
					keys := r.filledByAnother(n)
					r.store.takes(latency, latency)
					r.use(keys, 2*caching.DefaultTTL)
					require.Zero(t, r.use(keys, 10*caching.DefaultTTL), "reads of keys in use waited")
					r.requireStatus(true, false)

					r.store.takes(time.Millisecond, time.Millisecond)
					r.use(keys, 3*caching.DefaultTTL)
					gets, getAlls := r.store.gets.Load(), r.store.getAlls.Load()
					r.use(keys, 5*caching.DefaultTTL)
					if n < 64 {
						require.Equal(t, getAlls, r.store.getAlls.Load(), "a database that is fast again is read one by one")
						require.GreaterOrEqual(t, r.store.gets.Load()-gets, int64(5*n))
					}
				})
			})
		}
	}
}

// A kind is not read as a whole if that takes longer than what is due does one by one, or does not work at all.
func TestPromise4_HotKeysDontWait_WholeKindIsSlowerStill(t *testing.T) {
	for name, tc := range map[string]struct {
		getAll time.Duration
		most   int64
	}{
		"slower":         {getAll: 7 * time.Second, most: 1},
		"takes too long": {getAll: time.Hour, most: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{})
				keys := r.filledByAnother(40)
				r.store.takes(time.Second, tc.getAll)
				r.use(keys, 5*time.Minute)
				require.LessOrEqual(t, r.store.getAlls.Load(), tc.most)
				require.Positive(t, r.store.getAlls.Load(), "how long it takes is not known before")
				r.requireStatus(true, false)
			})
		})
	}
}

// Promise 5: a refresh during which the database fails asks it no more.
func TestPromise5_OutageEndsRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{CheckInterval: time.Hour, Random: func() float64 { return 0 }})
		keys := r.filledByAnother(60)
		r.use(keys, time.Second)
		gets := r.store.gets.Load()
		r.store.fail(errors.New("cable cut"))
		time.Sleep(caching.DefaultTTL)
		r.requireStatus(false, false)
		asked := r.store.gets.Load() - gets
		require.Positive(t, asked)
		require.LessOrEqual(t, asked, int64(20))
	})
}
