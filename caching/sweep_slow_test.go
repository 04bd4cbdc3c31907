package caching_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
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
	for i := range n {
		keys = append(keys, fmt.Sprint("flag-", i))
	}
	r.otherInit(1, keys...)
	for _, key := range keys {
		require.Equal(r.t, 1, r.version(key))
	}
	return keys
}

// use reads the keys again and again for the given time, and returns how long a read took at most.
func (r *rig) use(keys []string, period time.Duration) (longest time.Duration) {
	r.t.Helper()
	for start := time.Now(); time.Since(start) < period; time.Sleep(100 * time.Millisecond) {
		for _, key := range keys {
			asked := time.Now()
			if item, _, err := r.wrapper.Get(r.t.Context(), core.Flags, key); err != nil || item.Version() != 1 {
				require.Fail(r.t, "wrong answer", "%v %v", item, err)
			}
			longest = max(longest, time.Since(asked))
		}
	}
	return longest
}

// Promise 4, with a database that takes long but no longer than it may.
func TestPromise4_KnownBeatsWaiting_SlowDatabase(t *testing.T) {
	for _, n := range []int{1, 8, 20, 63, 100} {
		for _, latency := range []time.Duration{400 * time.Millisecond, 1400 * time.Millisecond, 1900 * time.Millisecond} {
			t.Run(fmt.Sprint(n, " keys, ", latency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{})
					keys := r.filledByAnother(n)
					r.store.takes(latency, latency)
					r.use(keys, caching.DefaultTTL)
					require.LessOrEqual(t, r.use(keys, 10*caching.DefaultTTL), 50*time.Millisecond, "a read of a known key waited longer")
					r.requireStatus(true, false)
				})
			})
		}
	}
}

// Promise 5: a refresh during which the database fails asks it no more.
func TestPromise5_OutageEndsRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.WithRandom(caching.Options{CheckInterval: time.Hour}, func() float64 { return 0 }))
		keys := r.filledByAnother(2000)
		r.use(keys, time.Second)
		var asked atomic.Int64 // how often the database was asked for items
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "Get" || operation == "GetItems" {
				asked.Add(1)
			}
			return errors.New("cable cut")
		})
		time.Sleep(caching.DefaultTTL)
		r.requireStatus(false, false)
		require.Positive(t, asked.Load())
		require.LessOrEqual(t, asked.Load(), int64(20))
	})
}
