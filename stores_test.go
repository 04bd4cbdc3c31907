package cleat

import (
	"encoding/json"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/datasystem"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
	"github.com/cleatdev/cleat/sqlitestore"
)

// A client with nothing but the store answers as the one that filled it did, in every mode of the cache.
func TestClient_OverStores_SecondClientAnswersTheSame(t *testing.T) {
	db := new(memorystore.Database)
	path := filepath.Join(t.TempDir(), "flags.db")
	for name, open := range map[string]func(t *testing.T) core.FeatureStoreCore{
		"memory": func(*testing.T) core.FeatureStoreCore { return memorystore.New(db, nil) },
		"sqlite": func(t *testing.T) core.FeatureStoreCore {
			t.Helper()
			store, err := sqlitestore.New(t.Context(), path, nil)
			require.NoError(t, err)
			return store
		},
	} {
		for _, mode := range []caching.Mode{caching.Off(), caching.TTL(0), caching.Forever()} {
			t.Run(name+", "+mode.String(), func(t *testing.T) {
				config := Config{Store: open(t), Cache: caching.Options{Mode: mode}}
				source := &manualSource{first: dependentData(t)}
				config.DataSource = source.factory
				first, err := New(t.Context(), config)
				require.NoError(t, err)
				require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "late", flagtest.Keyed(t, "late", flagtest.OnFlag("late", 3, `"x"`)).Item))
				require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "alone", 2))
				want := allFlagsJSON(t, first)
				require.Contains(t, want, `"late":"x"`)
				require.NotContains(t, want, "alone")
				require.NoError(t, first.Close())

				second, err := New(t.Context(), Config{Daemon: true, Store: open(t), Cache: caching.Options{Mode: mode}})
				require.NoError(t, err)
				require.True(t, second.Initialized(t.Context()))
				require.Equal(t, want, allFlagsJSON(t, second))
				require.Equal(t, "x", second.StringVariation(t.Context(), "late", user, "default"))
				require.NoError(t, second.Close())
			})
		}
	}
}

// ownStore is a store of the application's.
type ownStore struct {
	*datasystem.MemoryStore
	closed atomic.Int32
}

func (s *ownStore) Close() error {
	s.closed.Add(1)
	return nil
}

// An application's own store is read, written and closed like one of ours, and counts as available.
func TestClient_FeatureStore_OfTheApplication(t *testing.T) {
	for name, mode := range map[string]core.DataStoreMode{"read-write": core.DataStoreModeReadWrite, "read-only": core.DataStoreModeReadOnly} {
		t.Run(name, func(t *testing.T) {
			store := &ownStore{MemoryStore: datasystem.NewMemoryStore()}
			require.NoError(t, store.Init(t.Context(), flagtest.Items(t, "earlier", flagtest.OnFlag("earlier", 1, `"x"`))))
			source := &manualSource{}
			client, err := New(t.Context(), Config{FeatureStore: store, StoreMode: mode, DataSource: source.factory, StartWait: -1})
			require.NoError(t, err)
			require.True(t, client.DataStoreStatus().Status().Available)
			require.True(t, client.Initialized(t.Context()))
			require.Equal(t, "x", client.StringVariation(t.Context(), "earlier", user, "default"))

			source.deliver(t.Context(), flagtest.Items(t, "now", flagtest.OnFlag("now", 1, `"y"`)))
			require.Equal(t, "y", client.StringVariation(t.Context(), "now", user, "default"))
			_, written, err := store.Get(t.Context(), core.Flags, "now")
			require.NoError(t, err)
			require.Equal(t, mode == core.DataStoreModeReadWrite, written)

			require.NoError(t, client.Close())
			require.EqualValues(t, 1, store.closed.Load())
		})
	}
}

func TestClient_FeatureStore_OfflineLeavesItAlone(t *testing.T) {
	store := &ownStore{MemoryStore: datasystem.NewMemoryStore()}
	require.NoError(t, store.Init(t.Context(), flagtest.Items(t, "a", flagtest.OnFlag("a", 1, `"x"`))))
	client, err := New(t.Context(), Config{FeatureStore: store, Offline: true})
	require.NoError(t, err)
	require.Equal(t, "default", client.StringVariation(t.Context(), "a", user, "default"))
	require.NoError(t, client.Close())
	require.EqualValues(t, 1, store.closed.Load())
}

func TestNew_ConfigWithAFeatureStore_CannotBeUsed_ClosesIt(t *testing.T) {
	store := &ownStore{MemoryStore: datasystem.NewMemoryStore()}
	_, err := New(t.Context(), Config{FeatureStore: store})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.EqualValues(t, 1, store.closed.Load())
}

func allFlagsJSON(t *testing.T, client *Client) string {
	t.Helper()
	text, err := json.Marshal(client.AllFlagsState(t.Context(), user, WithReasons()))
	require.NoError(t, err)
	return string(text)
}
