package bigsegments_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

const (
	// closeLimit is how long Close may take, by its documentation.
	closeLimit = 10 * time.Second
	// storeClosedWithin is when the store is closed at the latest although queries have not ended.
	storeClosedWithin = time.Second
)

// stuck is a store of which methods do not end before they are released, whatever happens to their context.
type stuck struct {
	*memorystore.BigSegments
	membership, metadata, end chan struct{} // closed to release the method; nil if it is not stuck
	onClose                   func() error
}

func (s *stuck) Membership(context.Context, string) (core.BigSegmentMembership, error) {
	await(s.membership)
	return core.BigSegmentMembership{}, nil
}

func (s *stuck) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	await(s.metadata)
	return s.BigSegments.Metadata(ctx)
}

func (s *stuck) Close() error {
	await(s.end)
	err := s.BigSegments.Close()
	if s.onClose != nil {
		err = errors.Join(err, s.onClose())
	}
	return err
}

func await(released <-chan struct{}) {
	if released != nil {
		<-released
	}
}

func openStuck(t *testing.T, store *stuck, opts bigsegments.Options) (*bigsegments.Manager, *logBook) {
	t.Helper()
	store.BigSegments = memorystore.NewBigSegments(nil, nil)
	log := &logBook{}
	opts.Logger = log.logger()
	m, err := bigsegments.NewManager(store, &opts)
	require.NoError(t, err)
	synctest.Wait()
	return m, log
}

func (l *logBook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// A query that does not end is left behind, and the store is closed all the same.
func TestManager_Close_StuckPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, storeClosed := time.Now(), time.Time{}
		s := &stuck{metadata: make(chan struct{})}
		s.onClose = func() error {
			storeClosed = time.Now()
			return errCable
		}
		m, log := openStuck(t, s, bigsegments.Options{})
		require.Equal(t, closeLimit, elapsed(func() { require.ErrorIs(t, m.Close(), errCable) }))
		require.Less(t, storeClosed.Sub(begun), storeClosedWithin)
		require.Contains(t, log.text(), `store=*bigsegments_test.stuck calls=[Metadata]`)
		close(s.metadata)
		synctest.Wait()
		require.Equal(t, isUnavailable, m.Status())
	})
}

// Callers do not wait for what is left behind, and what ends late is of no effect.
func TestManager_Close_StuckLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{membership: make(chan struct{})}
		m, log := openStuck(t, s, bigsegments.Options{QueryTimeout: time.Hour, ServeStaleFor: time.Hour})
		requireUnknown := func() {
			if _, status := m.Membership(context.Background(), "a"); status != storeError {
				t.Error(status)
			}
		}
		var callers sync.WaitGroup
		callers.Go(requireUnknown)
		callers.Go(func() {
			synctest.Wait()
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		require.Equal(t, closeLimit, elapsed(callers.Wait))
		require.Contains(t, log.text(), `calls=[Membership]`)
		close(s.membership)
		synctest.Wait()
		time.Sleep(2 * bigsegments.DefaultCacheTime)
		requireUnknown()
	})
}

// Closing the store may be what ends a query; then nothing is left behind.
func TestManager_Close_EndsStuckQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{metadata: make(chan struct{})}
		s.onClose = func() error {
			close(s.metadata)
			return nil
		}
		m, log := openStuck(t, s, bigsegments.Options{})
		require.Less(t, elapsed(func() { require.NoError(t, m.Close()) }), 10*storeClosedWithin)
		require.Empty(t, log.text())
	})
}

func TestManager_Close_StuckClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{end: make(chan struct{})}
		m, log := openStuck(t, s, bigsegments.Options{})
		require.Equal(t, closeLimit, elapsed(func() { require.ErrorIs(t, m.Close(), core.ErrUnavailable) }))
		require.Contains(t, log.text(), `calls=[Close]`)
		require.Zero(t, elapsed(func() { require.NoError(t, m.Close()) }))
		close(s.end)
	})
}

func TestManager_Close_StorePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{onClose: func() error { panic("a bug of the adapter") }}
		m, _ := openStuck(t, s, bigsegments.Options{})
		err := m.Close()
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.ErrorContains(t, err, "a bug of the adapter")
	})
}

// A probe that does not end is awaited and named like any other query, also after another one has answered.
func TestManager_Close_StuckProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBook
		r := newStoreRig(t)
		manager, err := bigsegments.NewManager(r.store, &bigsegments.Options{Logger: log.logger()})
		require.NoError(t, err)
		for _, key := range []string{"a", "b", "c"} {
			r.store.trouble(fails(errCable), nil)
			_, status := manager.Membership(t.Context(), key)
			require.Equal(t, storeError, status)
		}
		goOn := make(chan struct{})
		var probed atomic.Bool
		r.store.trouble(func(context.Context) error {
			if probed.CompareAndSwap(false, true) {
				<-goOn
			}
			return nil
		}, nil)
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		require.True(t, probed.Load())
		require.Equal(t, isHealthy, manager.Status())
		require.Equal(t, closeLimit, elapsed(func() { require.NoError(t, manager.Close()) }))
		require.Contains(t, log.text(), "calls=[Membership]")
		close(goOn)
	})
}
