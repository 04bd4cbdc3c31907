package cleat

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
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

// cutStore is a store whose database cannot be reached while it is cut.
type cutStore struct {
	*memorystore.Store
	cut atomic.Bool
}

var errCut = errors.New("cable cut")

func (s *cutStore) err() error {
	if s.cut.Load() {
		return errCut
	}
	return nil
}

func (s *cutStore) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Store.Init(ctx, data)
}

func (s *cutStore) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	if err := s.err(); err != nil {
		return core.UpsertResult{}, err
	}
	return s.Store.Upsert(ctx, kind, key, item)
}

func (s *cutStore) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if err := s.err(); err != nil {
		return core.SerializedItem{}, false, err
	}
	return s.Store.Get(ctx, kind, key)
}

func (s *cutStore) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Store.GetAll(ctx, kind)
}

func (s *cutStore) Initialized(ctx context.Context) (bool, error) {
	if err := s.err(); err != nil {
		return false, err
	}
	return s.Store.Initialized(ctx)
}

func (s *cutStore) CheckAvailability(context.Context) error { return s.err() }

// A store that is down at the start leaves the data source valid where memory has what it delivered.
func TestClient_StoreDownAtStart_SourceIsValid(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &cutStore{Store: memorystore.New(nil, nil)}
				store.cut.Store(true)
				source := &manualSource{first: flagtest.Items(t, "a", flagtest.OnFlag("a", 1, `"x"`))}
				client, err := New(t.Context(), Config{Store: store, Cache: caching.Options{Mode: mode}, DataSource: source.factory})
				require.NoError(t, err)
				defer func() { require.NoError(t, client.Close()) }()
				require.Equal(t, core.DataSourceValid, client.DataSourceStatus().Status().State)
				require.Equal(t, "x", client.StringVariation(t.Context(), "a", user, "default"))
				time.Sleep(time.Minute)
				require.False(t, client.DataStoreStatus().Status().Available)
				require.Equal(t, "x", client.StringVariation(t.Context(), "a", user, "default"))
				require.Equal(t, core.DataSourceValid, client.DataSourceStatus().Status().State)
			})
		})
	}
}

// What was announced in an outage of the store is not announced again when the store has it.
func TestClient_ChangesInAnOutage_AnnouncedOnce(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.Forever()} {
		for _, watched := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, watched %t", mode, watched), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := &cutStore{Store: memorystore.New(nil, nil)}
					source := &manualSource{first: flagtest.Items(t,
						"a", flagtest.OnFlag("a", 1, `"x"`), "b", flagtest.OnFlag("b", 1, `"x"`), "gone", flagtest.OnFlag("gone", 1, `"x"`))}
					client, err := New(t.Context(), Config{
						Store: store, Cache: caching.Options{Mode: mode, DisableWatch: !watched}, DataSource: source.factory,
					})
					require.NoError(t, err)
					defer func() { require.NoError(t, client.Close()) }()
					var flags flagtest.Collector[core.FlagChange]
					client.FlagTracker().AddFlagChangeListener(flags.Listen)
					time.Sleep(time.Minute)
					require.Empty(t, flagtest.TakeKeys(&flags))
					store.cut.Store(true)
					client.StringVariation(t.Context(), "a", user, "default")
					time.Sleep(5 * time.Second)
					require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "a", flagtest.Keyed(t, "a", flagtest.OnFlag("a", 2, `"y"`)).Item))
					require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "gone", 2))
					require.ElementsMatch(t, []string{"a", "gone"}, flagtest.TakeKeys(&flags))
					time.Sleep(5 * time.Second)
					store.cut.Store(false)
					time.Sleep(time.Minute)
					require.Empty(t, flagtest.TakeKeys(&flags))
				})
			})
		}
	}
}
