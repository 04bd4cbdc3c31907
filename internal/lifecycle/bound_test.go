package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = time.Second

// plain is a store without optional abilities, all of whose methods do the same.
type plain struct {
	do     func(context.Context) error
	ended  func() error
	begun  atomic.Int64
	closed atomic.Int64
}

func (p *plain) call(ctx context.Context) error {
	p.begun.Add(1)
	return p.do(ctx)
}

func (p *plain) Init(ctx context.Context, _ []core.SerializedCollection) error { return p.call(ctx) }

func (p *plain) Get(ctx context.Context, _ core.DataKind, _ string) (core.SerializedItem, bool, error) {
	return core.SerializedItem{}, true, p.call(ctx)
}

func (p *plain) GetAll(ctx context.Context, _ core.DataKind) ([]core.KeyedSerializedItem, error) {
	return make([]core.KeyedSerializedItem, 1), p.call(ctx)
}

func (p *plain) Upsert(ctx context.Context, _ core.DataKind, _ string, _ core.SerializedItem) (core.UpsertResult, error) {
	return core.UpsertResult{Written: true}, p.call(ctx)
}

func (p *plain) Initialized(ctx context.Context) (bool, error) { return true, p.call(ctx) }

func (p *plain) Close() error {
	p.closed.Add(1)
	if p.ended != nil {
		return p.ended()
	}
	return nil
}

// able is a store with all optional abilities.
type able struct{ *plain }

func (a able) CheckAvailability(ctx context.Context) error { return a.call(ctx) }

func (a able) ApplyChangeSet(ctx context.Context, c []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	return make([]core.UpsertResult, len(c)), a.call(ctx)
}

func (a able) GetItems(ctx context.Context, _ core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	return make([]core.KeyedSerializedItem, len(keys)), a.call(ctx)
}

func (a able) Watch(ctx context.Context, _ func(core.Change)) error { return a.call(ctx) }

func (able) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.String("able")
}

// segments is a big segment store that can be written.
type segments struct{ *plain }

func (s segments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	return core.BigSegmentMetadata{LastUpToDate: 1}, s.call(ctx)
}

func (s segments) Membership(ctx context.Context, _ string) (core.BigSegmentMembership, error) {
	return core.NewBigSegmentMembership([]string{"a"}, nil), s.call(ctx)
}

func (s segments) Cursor(ctx context.Context) (string, error) { return "v1", s.call(ctx) }

func (s segments) ApplyPatch(ctx context.Context, _ core.BigSegmentPatch) (bool, error) {
	return true, s.call(ctx)
}

func (s segments) SetLastUpToDate(ctx context.Context, _ ldtime.UnixMillisecondTime) error {
	return s.call(ctx)
}

func limits() lifecycle.Limits {
	return lifecycle.Limits{Read: limit, ReadAll: 2 * limit, Write: 3 * limit, Init: 4 * limit}
}

func bound(t *testing.T, store core.FeatureStoreCore) (*lifecycle.Store, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	s := lifecycle.Bound(lifecycle.New("test", slog.New(slog.NewTextHandler(log, nil))), store, limits())
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, log
}

func boundSegments(t *testing.T, store segments) (*lifecycle.BigSegments, *lifecycle.BigSegmentWriter) {
	t.Helper()
	g := lifecycle.New("test", slog.New(slog.DiscardHandler))
	s := lifecycle.BoundBigSegments(g, store, limits())
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, lifecycle.BoundWriter(g, store, limits())
}

// method is one that a store has, and how long it may take.
type method struct {
	name  string
	limit time.Duration
	call  func(context.Context) error
}

// methods calls every method of a store, and of a big segment store.
func methods(s *lifecycle.Store, b *lifecycle.BigSegments, w *lifecycle.BigSegmentWriter) []method {
	return []method{
		{"Get", limit, func(ctx context.Context) error { _, _, err := s.Get(ctx, core.Flags, "a"); return err }},
		{"GetAll", 2 * limit, func(ctx context.Context) error { _, err := s.GetAll(ctx, core.Flags); return err }},
		{"Upsert", 3 * limit, func(ctx context.Context) error {
			_, err := s.Upsert(ctx, core.Flags, "a", core.SerializedItem{})
			return err
		}},
		{"Init", 4 * limit, func(ctx context.Context) error { return s.Init(ctx, nil) }},
		{"Initialized", limit, func(ctx context.Context) error { _, err := s.Initialized(ctx); return err }},
		{"CheckAvailability", limit, s.CheckAvailability},
		{"ApplyChangeSet", 3 * limit, func(ctx context.Context) error {
			_, err := s.ApplyChangeSet(ctx, make([]core.KindAndKeyedItem, 1))
			return err
		}},
		{"GetItems of one", limit, func(ctx context.Context) error {
			_, err := s.GetItems(ctx, core.Flags, []string{"a"})
			return err
		}},
		{"Metadata", limit, func(ctx context.Context) error { _, err := b.Metadata(ctx); return err }},
		{"Membership", limit, func(ctx context.Context) error { _, err := b.Membership(ctx, "a"); return err }},
		{"Cursor", limit, func(ctx context.Context) error { _, err := w.Cursor(ctx); return err }},
		{"ApplyPatch", 3 * limit, func(ctx context.Context) error {
			_, err := w.ApplyPatch(ctx, core.BigSegmentPatch{})
			return err
		}},
		{"SetLastUpToDate", 3 * limit, func(ctx context.Context) error { return w.SetLastUpToDate(ctx, 1) }},
	}
}

// forEach runs a test for each method, with and without optional abilities of the store.
func forEach(t *testing.T, do func(context.Context) error, test func(*testing.T, method)) {
	for _, abilities := range []bool{false, true} {
		for i, m := range methods(nil, nil, nil) {
			p := &plain{do: do}
			var store core.FeatureStoreCore = p
			if abilities {
				store = able{p}
			}
			t.Run(m.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, _ := bound(t, store)
					b, w := boundSegments(t, segments{p})
					test(t, methods(s, b, w)[i])
				})
			})
		}
	}
}

func TestBound_Answers(t *testing.T) {
	broken := errors.New("broken")
	forEach(t, func(context.Context) error { return broken }, func(t *testing.T, m method) {
		require.Equal(t, broken, m.call(t.Context()))
	})
	forEach(t, func(context.Context) error { return nil }, func(t *testing.T, m method) {
		require.NoError(t, m.call(t.Context()))
	})
}

// A call whose store ignores its context is left behind.
func TestBound_ContextIgnored_EndsAtTheLimit(t *testing.T) {
	release := func(context.Context) error { time.Sleep(time.Minute); return nil }
	forEach(t, release, func(t *testing.T, m method) {
		began := time.Now()
		err := m.call(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.ErrorContains(t, err, "test: no answer from the database within "+m.limit.String())
		require.InDelta(t, m.limit, time.Since(began), float64(20*time.Millisecond))
		time.Sleep(time.Minute)
	})
}

func TestBound_CallerLeaves_GetsItsError(t *testing.T) {
	forEach(t, func(ctx context.Context) error { <-ctx.Done(); return errors.New("cut") }, func(t *testing.T, m method) {
		ctx, cancel := context.WithTimeout(t.Context(), limit/2)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, m.call(ctx))
		require.Equal(t, context.DeadlineExceeded, m.call(ctx))
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(limit/2, cancel)
		require.Equal(t, context.Canceled, m.call(ctx))
	})
}

func TestBound_NilContext_IsRefused(t *testing.T) {
	forEach(t, func(context.Context) error { return nil }, func(t *testing.T, m method) {
		require.ErrorIs(t, m.call(nil), core.ErrInvalid)
	})
}

func TestBound_Panic_IsAnError(t *testing.T) {
	forEach(t, func(context.Context) error { panic("a bug") }, func(t *testing.T, m method) {
		err := m.call(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.ErrorContains(t, err, "test: the store panicked")
		require.ErrorContains(t, err, "bound_test.go")
	})
}

func TestBound_ClosedByAnother(t *testing.T) {
	forEach(t, func(context.Context) error { return core.ErrClosed }, func(t *testing.T, m method) {
		err := m.call(t.Context())
		require.ErrorIs(t, err, lifecycle.ErrClosedElsewhere)
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.NotErrorIs(t, err, core.ErrClosed)
	})
}

// However often it is called, a store that gives nothing back costs a bounded number of goroutines, and can be asked how it is.
func TestBound_ManyLeftBehind_IsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := &plain{do: func(context.Context) error { <-release; return nil }}
		s, _ := bound(t, able{p})
		for range 100 {
			_, _, err := s.Get(t.Context(), core.Flags, "a")
			require.ErrorIs(t, err, core.ErrUnavailable)
		}
		require.EqualValues(t, 64, p.begun.Load())
		for range 3 {
			require.ErrorIs(t, s.CheckAvailability(t.Context()), core.ErrUnavailable)
		}
		require.EqualValues(t, 65, p.begun.Load(), "and one of the monitor")
		close(release)
		synctest.Wait()
		require.NoError(t, s.CheckAvailability(t.Context()))
		_, _, err := s.Get(t.Context(), core.Flags, "a")
		require.NoError(t, err, "once they have returned")
	})
}

func TestBound_AbsentAbilities(t *testing.T) {
	p := &plain{do: func(context.Context) error { return nil }}
	s, _ := bound(t, p)
	require.False(t, s.Watches())
	items, err := s.GetItems(t.Context(), core.Flags, []string{"a", "b"})
	require.NoError(t, err)
	require.Equal(t, []core.KeyedSerializedItem{{Key: "a"}, {Key: "b"}}, items, "one by one")
	require.ErrorIs(t, s.Watch(t.Context(), nil), core.ErrInvalid)
	require.Equal(t, ldvalue.String("custom"), s.DescribeConfiguration(core.ClientConfiguration{}))
	results, err := s.ApplyChangeSet(t.Context(), make([]core.KindAndKeyedItem, 3))
	require.NoError(t, err)
	require.Equal(t, []core.UpsertResult{{Written: true}, {Written: true}, {Written: true}}, results, "one after the other")
	s, _ = bound(t, able{p})
	require.True(t, s.Watches())
	require.Equal(t, ldvalue.String("able"), s.DescribeConfiguration(core.ClientConfiguration{}))
}

func TestBound_Close_EndsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &plain{do: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		s, log := bound(t, able{p})
		s.Go(func() { <-s.Context().Done() })
		ended := make(chan error, 2)
		go func() { _, _, err := s.Get(context.Background(), core.Flags, "a"); ended <- err }()
		go func() { ended <- s.Watch(context.Background(), nil) }()
		synctest.Wait()
		require.NoError(t, s.Close())
		require.ErrorIs(t, errors.Join(<-ended, <-ended), core.ErrClosed)
		require.NoError(t, s.Close())
		require.EqualValues(t, 1, p.closed.Load())
		require.Equal(t, core.ErrClosed, s.Init(t.Context(), nil))
		require.Equal(t, core.ErrClosed, s.Watch(t.Context(), nil))
		s.Go(func() { t.Error("begun after the end") })
		require.Empty(t, log)
	})
}

// A store is closed although its calls do not return, and what has not ended after a while is left behind.
func TestBound_Close_LeavesBehindAndLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		closedAt := make(chan time.Time, 1)
		p := &plain{do: func(context.Context) error { <-release; return nil }}
		p.ended = func() error { closedAt <- time.Now(); <-release; return nil }
		s, log := bound(t, able{p})
		go func() { _ = s.Watch(context.Background(), nil) }()
		synctest.Wait()
		began := time.Now()
		require.ErrorIs(t, s.Close(), core.ErrUnavailable)
		require.Equal(t, 10*time.Second, time.Since(began))
		require.Less(t, (<-closedAt).Sub(began), time.Second)
		require.Contains(t, log.String(), `store=lifecycle_test.able calls="[Watch Close]"`)
		close(release)
	})
}

func TestBound_Close_StorePanics(t *testing.T) {
	p := &plain{ended: func() error { panic("a bug") }}
	s, _ := bound(t, p)
	require.ErrorContains(t, s.Close(), "a bug")
}
