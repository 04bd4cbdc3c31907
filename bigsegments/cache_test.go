package bigsegments_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
)

func TestManager_Membership_CachedUntilItsTimeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{CacheTime: time.Second})
		r.include("a", true)
		r.requireMember("a", true, healthy)
		r.include("a", false)
		time.Sleep(time.Second - 1)
		r.requireMember("a", true, healthy)
		r.requireQueries(1)
		time.Sleep(time.Nanosecond)
		r.requireMember("a", false, healthy)
		r.requireQueries(2)
	})
}

func TestManager_Membership_UnknownContextIsCachedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		for range 3 {
			membership, status := r.Membership(t.Context(), "nobody")
			require.Zero(t, membership.Len())
			require.Equal(t, healthy, status)
		}
		r.requireQueries(1)
	})
}

// The contract tests ask for this: with room for two, the third context displaces the one that was used least. How often
// something was used is an estimate, which by bad luck may be too high; one round in 10,000 is nothing to worry about.
func TestManager_Membership_Eviction(t *testing.T) {
	const rounds = 100
	displaced := 0
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, bigsegments.Options{CacheSize: 2})
			r.requireMember("1", false, healthy)
			r.requireMember("2", false, healthy)
			r.requireMember("2", false, healthy)
			r.requireQueries(2)
			r.requireMember("3", false, healthy)
			r.requireQueries(3)
			r.requireMember("1", false, healthy)
			if r.store.memberships.Load() == 4 {
				displaced++
			}
		})
	}
	require.GreaterOrEqual(t, displaced, rounds*95/100)
}

func TestManager_Membership_SizeIsLimited(t *testing.T) {
	for _, size := range []int{1, 2, 3, 10, 100} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, bigsegments.Options{CacheSize: size, CacheTime: time.Hour})
				for i := range 10 * size {
					r.requireMember(strconv.Itoa(i), false, healthy)
				}
				r.requireQueries(int64(10 * size))
				kept := r.kept(10 * size)
				require.LessOrEqual(t, kept, size)
				require.Positive(t, kept)
			})
		})
	}
}

// kept cuts the connection and returns of how many contexts "0", "1" and so on the membership is known.
func (r *rig) kept(contexts int) (kept int) {
	r.t.Helper()
	r.store.trouble(fails(errCable), fails(errCable))
	r.awaitPoll()
	for i := range contexts {
		if _, status := r.Membership(r.t.Context(), strconv.Itoa(i)); status == stale {
			kept++
		}
	}
	return kept
}

func TestManager_Membership_CacheIsBoundedByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{CacheBytes: 2_000_000, CacheTime: time.Hour})
		const contexts, segments, bytes = 100, 1000, 100_000 // 10 MB, in fewer contexts than CacheSize
		for i := range contexts {
			hash := core.BigSegmentContextHash(strconv.Itoa(i))
			for n := range segments {
				_, err := r.store.ApplyPatch(t.Context(), core.BigSegmentPatch{
					SegmentRef: strings.Repeat("s", 30) + strconv.Itoa(n) + ".g1",
					Included:   core.BigSegmentChanges{Add: []string{hash}},
				})
				require.NoError(t, err)
			}
			membership, _ := r.Membership(t.Context(), strconv.Itoa(i))
			require.InDelta(t, bytes, membership.Bytes(), bytes/10)
		}
		kept := r.kept(contexts)
		require.LessOrEqual(t, kept, 22)
		require.GreaterOrEqual(t, kept, 10)
	})
}

func TestManager_Membership_OneQueryAtATimePerContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		r.include("a", true)
		goOn := make(chan struct{})
		r.store.trouble(func(context.Context) error { <-goOn; return nil }, nil)
		var readers sync.WaitGroup
		for i := range 100 {
			readers.Go(func() {
				membership, status := r.Membership(t.Context(), []string{"a", "b"}[i%2])
				if status != healthy || membership.CheckMembership("s.g1").BoolValue() != (i%2 == 0) {
					t.Error(membership, status)
				}
			})
		}
		synctest.Wait()
		r.requireQueries(2)
		close(goOn)
		readers.Wait()
		r.requireQueries(2)
	})
}

func TestManager_Membership_CallerWhoLeavesDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		r.include("a", true)
		r.store.trouble(func(context.Context) error { time.Sleep(time.Second); return nil }, nil)
		var readers sync.WaitGroup
		readers.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			took := elapsed(func() {
				membership, status := r.Membership(ctx, "a")
				if status != storeError || membership.Len() != 0 {
					t.Error(membership, status)
				}
			})
			if took != time.Millisecond {
				t.Error(took)
			}
		})
		time.Sleep(time.Microsecond)
		readers.Go(func() {
			if _, status := r.Membership(t.Context(), "a"); status != healthy {
				t.Error(status)
			}
		})
		readers.Wait()
		r.requireQueries(1)
		require.Equal(t, isHealthy, r.Status())
	})
}

func TestManager_Membership_ContextHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bigsegments.Options{})
		r.include("a", true)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, status := r.Membership(ended, "a")
		require.Equal(t, storeError, status)
		r.requireQueries(0)
		r.requireMember("a", true, healthy)
		_, status = r.Membership(ended, "a")
		require.Equal(t, healthy, status, "what is fresh needs no query")
		_, status = r.Membership(nil, "b")
		require.Equal(t, storeError, status)
	})
}

// The monotonic clock stands still while a machine sleeps; the wall clock knows better.
func TestManager_Membership_MachineThatSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slept atomic.Int64
		now := func() time.Time { return time.Now().Round(0).Add(time.Duration(slept.Load())) }
		r := newRig(t, bigsegments.WithNow(bigsegments.Options{StaleAfter: 24 * time.Hour}, now))
		r.requireMember("a", false, healthy)
		slept.Store(int64(time.Hour))
		r.requireMember("a", false, healthy)
		r.requireQueries(2)
	})
}

func TestManager_Membership_NoAllocationIfCached(t *testing.T) {
	r := newRig(t, bigsegments.Options{CacheTime: time.Hour})
	r.include("a", true)
	r.requireMember("a", true, healthy)
	require.Zero(t, testing.AllocsPerRun(10_000, func() { r.Membership(t.Context(), "a") }))
}

func BenchmarkManager_Membership(b *testing.B) {
	r := newRig(b, bigsegments.Options{CacheTime: time.Hour})
	for i := range 500 {
		r.requireMember(fmt.Sprint("context-", i), false, healthy)
	}
	ctx := b.Context()
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Membership(ctx, "context-7")
		}
	})
	b.Run("cached, parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r.Membership(ctx, "context-7")
			}
		})
	})
}
