package synchronizer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
)

// picky is a store that sees each patch before it is applied, and may refuse it.
type picky struct {
	*observed

	mu    sync.Mutex
	check func(ctx context.Context, patch core.BigSegmentPatch) error
}

func (p *picky) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	p.mu.Lock()
	check := p.check
	p.mu.Unlock()
	if check != nil {
		if err := check(ctx, patch); err != nil {
			return false, err
		}
	}
	return p.observed.ApplyPatch(ctx, patch)
}

func (p *picky) set(check func(ctx context.Context, patch core.BigSegmentPatch) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.check = check
}

func numbered(n int) []string {
	hashes := make([]string, n)
	for i := range hashes {
		hashes[i] = "h" + strconv.Itoa(i)
	}
	return hashes
}

func (r *rig) startPicky(opts synchronizer.Options) *picky {
	r.t.Helper()
	store := &picky{observed: r.store}
	r.Synchronizer = r.make(store, opts)
	return store
}

func (r *rig) run() {
	r.Start(context.Background())
	r.t.Cleanup(func() { stop(r.Synchronizer) })
}

// changesIn returns how many changes patches have.
func changesIn(patches []core.BigSegmentPatch) (changes int) {
	for _, patch := range patches {
		changes += patch.Changes()
	}
	return changes
}

// A patch that takes many times the store's time-out is completed, although errors interrupt it again and again, and no change
// is written twice.
func TestSynchronizer_Pieces_LongPatchFinishes(t *testing.T) {
	const members = 60_000
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.Publish(includes("a.g1", numbered(members)...))
		store := r.startPicky(synchronizer.Options{})
		calls := 0
		store.set(func(context.Context, core.BigSegmentPatch) error {
			time.Sleep(10 * time.Second)
			if calls++; calls%4 == 0 {
				return errors.New("cable cut")
			}
			return nil
		})
		r.run()
		time.Sleep(time.Hour)
		r.requireState(core.DataSourceValid)
		r.requireCursor("rev-1")
		require.Equal(t, members, changesIn(r.store.patches))
		for _, patch := range r.store.patches {
			require.LessOrEqual(t, patch.Changes(), 50_000)
		}
	})
}

// Pieces shrink until the store can write one within the time-out, grow again afterwards, and the message says which
// option it is.
func TestSynchronizer_Pieces_AdaptToASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.Publish(includes("a.g1", numbered(10_000)...))
		store := r.startPicky(synchronizer.Options{})
		perChange := 100 * time.Millisecond
		store.set(func(ctx context.Context, patch core.BigSegmentPatch) error {
			select {
			case <-time.After(perChange * time.Duration(patch.Changes())):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		r.run()
		time.Sleep(time.Minute)
		require.Equal(t, core.DataSourceErrorStore, r.Status().LastError.Kind)
		require.Contains(t, r.Status().LastError.Message, "longer than Options.StoreTimeout: synchronizer: no answer from the database within 30s")
		time.Sleep(2 * time.Hour)
		r.requireState(core.DataSourceValid)
		r.requireCursor("rev-1")
		require.Equal(t, 10_000, changesIn(r.store.patches))
		for _, patch := range r.store.patches {
			require.LessOrEqual(t, patch.Changes(), 300)
		}

		store.set(nil)
		r.requireMoves(movesOf(r.store.patches))
		r.service.Publish(mockbigsegments.Change{Segment: "a.g1", Uninclude: numbered(10_000)})
		synctest.Wait()
		require.Less(t, len(r.store.patches), 20)
	})
}

// Pieces shrink before they take as long as the time-out, so that a store that gets slower bit by bit costs no error.
func TestSynchronizer_Pieces_StoreGetsSlower_ShrinkInTime(t *testing.T) {
	const members = 400_000
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.Publish(includes("a.g1", numbered(members)...))
		store := r.startPicky(synchronizer.Options{ReadTimeout: time.Hour})
		perChange, written := 100*time.Microsecond, 0
		store.set(func(ctx context.Context, patch core.BigSegmentPatch) error {
			written += patch.Changes()
			select {
			case <-time.After(perChange << (written / 100_000) * time.Duration(patch.Changes())):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		r.run()
		time.Sleep(50 * time.Minute)
		r.requireCursor("rev-1")
		require.Zero(t, r.Status().LastError)
	})
}

func movesOf(patches []core.BigSegmentPatch) (moves [][2]string) {
	for _, patch := range patches {
		moves = append(moves, [2]string{patch.PreviousVersion, patch.Version})
	}
	return moves
}

// full refuses to add contexts to rows that are full, except that it takes what it is said to take.
func full(hashes map[string]bool) func(context.Context, core.BigSegmentPatch) error {
	return func(_ context.Context, patch core.BigSegmentPatch) error {
		refused := &core.BigSegmentTooLargeError{}
		for _, hash := range patch.Included.Add {
			if hashes[hash] {
				refused.ContextHashes = append(refused.ContextHashes, hash)
			}
		}
		if len(refused.ContextHashes) > 0 {
			return fmt.Errorf("mystore: %w", refused)
		}
		return nil
	}
}

// Contexts whose rows are full are left out, which the status and the log say, and the others are written.
func TestSynchronizer_LeftOut_OthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		store := r.startPicky(synchronizer.Options{})
		store.set(full(map[string]bool{"h1": true, "h2": true}))
		r.service.Publish(includes("a.g1", "h0", "h1", "h2", "h3"), includes("b.g1", "h1", "h4"))
		r.run()
		synctest.Wait()
		r.requireState(core.DataSourceValid)
		r.requireCursor("rev-1")
		for _, hash := range []string{"h0", "h3"} {
			r.requireMember(hash, []string{"a.g1"}, nil)
		}
		r.requireMember("h1", nil, nil)
		r.requireMember("h4", []string{"b.g1"}, nil)
		require.Equal(t, core.DataSourceErrorStore, r.Status().LastError.Kind)
		require.Contains(t, r.Status().LastError.Message, "big segments of 2 contexts are left out")
		require.Regexp(t, `hash "h[12]"`, r.Status().LastError.Message)
		require.Equal(t, 2, r.log.count(slog.LevelError))

		time.Sleep(time.Minute)
		r.service.Publish(includes("c.g1", "h1", "h5"))
		synctest.Wait()
		r.requireMember("h5", []string{"c.g1"}, nil)
		require.Equal(t, 2, r.log.count(slog.LevelError), "each context is logged once")
		require.Contains(t, r.Status().LastError.Message, "big segments of 2 contexts are left out")

		r.service.Disconnect() // another error comes and goes
		time.Sleep(time.Minute)
		r.requireState(core.DataSourceValid)
		require.Contains(t, r.Status().LastError.Message, "big segments of 2 contexts are left out")

		store.set(nil)
		r.service.Publish(includes("a.g1", "h1", "h2"))
		synctest.Wait()
		require.Contains(t, r.Status().LastError.Message, "big segments of 1 contexts are left out")
		r.service.Publish(mockbigsegments.Change{Segment: "b.g1", Uninclude: []string{"h1"}}, includes("c.g1", "h1"))
		synctest.Wait()
		require.Empty(t, r.Status().LastError)
	})
}

// A store that names no context of the patch is not asked again at once.
func TestSynchronizer_LeftOut_UnknownContextIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		store := r.startPicky(synchronizer.Options{})
		store.set(func(context.Context, core.BigSegmentPatch) error {
			return &core.BigSegmentTooLargeError{ContextHashes: []string{"another"}}
		})
		r.service.Publish(includes("a.g1", "h0"))
		r.run()
		time.Sleep(time.Minute)
		r.requireState(core.DataSourceInitializing)
		require.Equal(t, core.DataSourceErrorStore, r.Status().LastError.Kind)
		require.LessOrEqual(t, r.polls(), 20)
	})
}

// The status names a bounded number of contexts.
func TestSynchronizer_LeftOut_Many(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		store := r.startPicky(synchronizer.Options{})
		all := map[string]bool{}
		for _, hash := range numbered(3000) {
			all[hash] = true
		}
		store.set(full(all))
		r.service.Publish(includes("a.g1", append(numbered(3000), "fits")...))
		r.run()
		synctest.Wait()
		r.requireState(core.DataSourceValid)
		r.requireMember("fits", []string{"a.g1"}, nil)
		require.Contains(t, r.Status().LastError.Message, "big segments of 1000 or more contexts are left out")
		require.Equal(t, 1000, r.log.count(slog.LevelError))
	})
}
