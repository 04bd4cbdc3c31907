package cleat

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// askedStore counts everything it is asked but Close.
type askedStore struct {
	*memorystore.Store
	asked, closed atomic.Int64
}

func (s *askedStore) Initialized(ctx context.Context) (bool, error) {
	s.asked.Add(1)
	return s.Store.Initialized(ctx)
}

func (s *askedStore) CheckAvailability(ctx context.Context) error {
	s.asked.Add(1)
	return s.Store.CheckAvailability(ctx)
}

func (s *askedStore) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	s.asked.Add(1)
	return s.Store.Get(ctx, kind, key)
}

func (s *askedStore) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	s.asked.Add(1)
	return s.Store.GetAll(ctx, kind)
}

func (s *askedStore) Watch(ctx context.Context, changed func(core.Change)) error {
	s.asked.Add(1)
	return s.Store.Watch(ctx, changed)
}

func (s *askedStore) Close() error {
	s.closed.Add(1)
	return s.Store.Close()
}

func TestClient_Offline_LeavesItsStoreAloneAndClosesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &askedStore{Store: memorystore.New(nil, nil)}
		client, err := New(t.Context(), Config{Offline: true, Store: store})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		client.FlagTracker().AddFlagChangeListener(func(core.FlagChange) {})
		require.True(t, client.BoolVariation(t.Context(), "a", user, true))
		require.False(t, client.AllFlagsState(t.Context(), user).Valid())
		require.False(t, client.Initialized(t.Context()))
		time.Sleep(time.Hour)
		require.Zero(t, store.asked.Load())
		require.NoError(t, client.Close())
		require.Zero(t, store.asked.Load())
		require.EqualValues(t, 1, store.closed.Load())
	})
}
