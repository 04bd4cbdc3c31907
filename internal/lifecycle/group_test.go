package lifecycle_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = time.Second

func call(ctx context.Context, g *lifecycle.Group, op func(context.Context) (int, error)) (int, error) {
	return lifecycle.Call(ctx, g, "Get", limit, op)
}

func closeEmpty(t *testing.T, g *lifecycle.Group) {
	t.Helper()
	require.True(t, g.BeginClose())
	left, err := g.Close(limit, func() error { return nil })
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestCall_Answers(t *testing.T) {
	g := lifecycle.New("test")
	defer closeEmpty(t, g)
	broken := errors.New("broken")
	n, err := call(t.Context(), g, func(context.Context) (int, error) { return 7, broken })
	require.Equal(t, 7, n)
	require.Equal(t, broken, err)
}

// An operation that ignores its context is left behind.
func TestCall_ContextIgnored_EndsAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New("test")
		release := make(chan struct{})
		began := time.Now()
		_, err := call(t.Context(), g, func(context.Context) (int, error) { <-release; return 1, nil })
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.ErrorContains(t, err, "test: no answer from the database within 1s")
		require.InDelta(t, limit, time.Since(began), float64(100*time.Millisecond))
		require.Equal(t, []string{"Get"}, g.Unfinished())
		close(release)
		closeEmpty(t, g)
	})
}

func TestCall_CallerLeaves_ReturnsItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New("test")
		ctx, cancel := context.WithTimeout(t.Context(), limit/2)
		defer cancel()
		_, err := call(ctx, g, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		require.Equal(t, context.DeadlineExceeded, err)
		closeEmpty(t, g)
	})
}

func TestCall_Panic_IsAnError(t *testing.T) {
	g := lifecycle.New("test")
	defer closeEmpty(t, g)
	_, err := call(t.Context(), g, func(context.Context) (int, error) { panic("a bug") })
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "a bug")
	require.ErrorContains(t, err, "group_test.go")
}

// However often it is called, a store that gives nothing back costs a bounded number of goroutines.
func TestCall_ManyLeftBehind_IsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New("test")
		release := make(chan struct{})
		var begun atomic.Int64
		stuck := func(context.Context) (int, error) { begun.Add(1); <-release; return 0, nil }
		for range 100 {
			_, err := call(t.Context(), g, stuck)
			require.ErrorIs(t, err, core.ErrUnavailable)
		}
		require.EqualValues(t, 64, begun.Load())
		close(release)
		synctest.Wait()
		_, err := call(t.Context(), g, func(context.Context) (int, error) { return 0, nil })
		require.NoError(t, err, "once they have returned")
		closeEmpty(t, g)
	})
}

// A caller who must not ask again before there is an answer waits for it, also if the operation ignores its context.
func TestRun_ContextIgnored_WaitsForTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New("test")
		defer closeEmpty(t, g)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		began := time.Now()
		n, err := lifecycle.Run(ctx, g, "Get", func(ctx context.Context) (int, error) {
			time.Sleep(time.Hour)
			require.Equal(t, []string{"Get"}, g.Unfinished())
			return 7, ctx.Err()
		})
		require.Equal(t, time.Hour, time.Since(began))
		require.Equal(t, 7, n)
		require.Equal(t, context.DeadlineExceeded, err)
		require.Empty(t, g.Unfinished())
	})
}

func TestRun_Panic_IsAnError(t *testing.T) {
	g := lifecycle.New("test")
	defer closeEmpty(t, g)
	_, err := lifecycle.Run(t.Context(), g, "Get", func(context.Context) (int, error) { panic("a bug") })
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.ErrorContains(t, err, "test: the store panicked")
	require.ErrorContains(t, err, "group_test.go")
}

func TestRun_GroupCloses_EndsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New("test")
		run := func() error {
			_, err := lifecycle.Run(context.Background(), g, "Get", func(ctx context.Context) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- run() }()
		synctest.Wait()
		closeEmpty(t, g)
		require.Equal(t, context.Canceled, <-ended)
		require.Equal(t, core.ErrClosed, run())
	})
}

func TestGroup_Close_EndsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New("test")
		g.Go(func() { <-g.Context().Done() })
		ended := make(chan error, 1)
		go func() {
			_, err := call(context.Background(), g, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			ended <- err
		}()
		synctest.Wait()
		closeEmpty(t, g)
		require.Equal(t, core.ErrClosed, <-ended)
		require.False(t, g.BeginClose())
		_, err := call(t.Context(), g, func(context.Context) (int, error) { return 0, nil })
		require.Equal(t, core.ErrClosed, err)
		g.Go(func() { t.Error("begun after the end") })
		require.Equal(t, core.ErrClosed, lifecycle.Watch(g, "Watch", func(context.Context) error { return nil }))
	})
}

func TestGroup_Close_NamesWhatHasNotEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New("test")
		release := make(chan struct{})
		go func() { _ = lifecycle.Watch(g, "Watch", func(context.Context) error { <-release; return nil }) }()
		synctest.Wait()
		require.True(t, g.BeginClose())
		left, err := g.Close(limit, func() error { <-release; return nil })
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.Equal(t, []string{"Watch", "Close"}, left)
		close(release)
	})
}
