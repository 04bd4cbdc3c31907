package cleat

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// A store that is emptied soon after the start takes no flag from a client that has used it.
func TestClient_DaemonMode_StoreIsWipedSoonAfterTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &memorystore.Database{}
		other := memorystore.New(db, nil)
		item := keyed(t, "a", onFlag("a", 1, "true")).Item.Serialized(core.Flags, "a")
		require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{{
			Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "a", Item: item}},
		}}))
		client, err := New(t.Context(), Config{Daemon: true, Store: memorystore.New(db, nil)})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		synctest.Wait() // the watch has begun; what was read before that would not be kept
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		synctest.Wait()
		db.Wipe()
		time.Sleep(time.Minute)
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		require.True(t, client.DataStoreStatus().Status().Stale)
	})
}
