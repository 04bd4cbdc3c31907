package cleat

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// lateGetAll is a store whose GetAll waits until it is let go.
type lateGetAll struct {
	*memorystore.Store
	begun sync.Once
	asked chan struct{}
	gate  chan struct{}
}

func (s *lateGetAll) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	s.begun.Do(func() { close(s.asked) })
	<-s.gate
	return s.Store.GetAll(ctx, kind)
}

// A change between the first evaluation of a value listener and the client's first look at the whole store is told.
func TestFlagTracker_DaemonMode_ChangeWhileTheStoreIsLearned_IsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &memorystore.Database{}
		other := memorystore.New(db, nil)
		first := keyed(t, "a", onFlag("a", 1, "true")).Item.Serialized(core.Flags, "a")
		require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{{
			Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "a", Item: first}},
		}}))
		store := &lateGetAll{Store: memorystore.New(db, nil), asked: make(chan struct{}), gate: make(chan struct{})}
		client, err := New(t.Context(), Config{Daemon: true, Store: store})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		changes := make(chan core.FlagValueChange, 10)
		client.FlagTracker().AddFlagValueChangeListener("a", user, ldvalue.Null(), func(c core.FlagValueChange) { changes <- c })
		<-store.asked
		second := keyed(t, "a", onFlag("a", 2, "false")).Item.Serialized(core.Flags, "a")
		_, err = other.Upsert(t.Context(), core.Flags, "a", second)
		require.NoError(t, err)
		close(store.gate)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.False(t, client.BoolVariation(t.Context(), "a", user, true))
		require.Len(t, changes, 1, "nobody was told that the flag is another")
	})
}
