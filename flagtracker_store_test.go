package cleat

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

const (
	parentFlag = `{"key":"parent","version":%d,"on":true,"variations":[false,true],"offVariation":0,"fallthrough":{"variation":1},` +
		`"prerequisites":[{"key":"child","variation":1}]}`
	childFlag = `{"key":"child","version":%d,"on":%t,"variations":[false,true],"offVariation":0,"fallthrough":{"variation":1}}`
)

func parsed(t *testing.T, format string, args ...any) *core.Item {
	t.Helper()
	item, err := core.ParseItem(fmt.Appendf(nil, format, args...))
	require.NoError(t, err)
	return item
}

func write(t *testing.T, store core.FeatureStoreCore, key, format string, args ...any) {
	t.Helper()
	item := parsed(t, format, args...)
	_, err := store.Upsert(t.Context(), core.Flags, key, item.Serialized(core.Flags, key))
	require.NoError(t, err)
}

// A client that only reads its store learns of what others write there.
func TestFlagTracker_DaemonMode_ChangesByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &memorystore.Database{}
		other := memorystore.New(db, nil)
		write(t, other, "parent", parentFlag, 1)
		write(t, other, "child", childFlag, 1, false)
		client, err := New(t.Context(), Config{Daemon: true, Store: memorystore.New(db, nil), Cache: caching.Options{Mode: caching.TTL(time.Hour)}})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		user := ldcontext.New("u")
		require.False(t, client.BoolVariation(t.Context(), "parent", user, false))

		var flags flagtest.Collector[core.FlagChange]
		remove := client.FlagTracker().AddFlagChangeListener(flags.Listen)
		values := make(chan core.FlagValueChange, 10) // later ones are not looked at: the parent may be seen without the child before it goes too
		client.FlagTracker().AddFlagValueChangeListener("parent", user, ldvalue.Null(), func(c core.FlagValueChange) { values <- c })
		require.Empty(t, flagtest.TakeKeys(&flags))

		write(t, other, "child", childFlag, 2, true)
		require.ElementsMatch(t, []string{"child", "parent"}, flagtest.TakeKeys(&flags))
		require.Equal(t, core.FlagValueChange{Key: "parent", OldValue: ldvalue.Bool(false), NewValue: ldvalue.Bool(true)}, <-values)
		require.True(t, client.BoolVariation(t.Context(), "parent", user, false))

		write(t, other, "child", childFlag, 1, false)
		require.Empty(t, flagtest.TakeKeys(&flags), "not newer, so nothing was written")

		newFlag := strings.Replace(childFlag, `"child"`, `"new"`, 1)
		require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
			{Key: "new", Item: parsed(t, newFlag, 1, true).Serialized(core.Flags, "new")},
		}}}))
		require.Equal(t, []string{"new"}, flagtest.TakeKeys(&flags))
		time.Sleep(time.Minute) // flags that are gone are looked for twice
		gone := flagtest.TakeKeys(&flags)
		require.Subset(t, gone, []string{"child", "parent"})
		require.Subset(t, []string{"child", "parent"}, gone)

		remove()
		write(t, other, "new", newFlag, 2, true)
		require.Empty(t, flagtest.TakeKeys(&flags))
	})
}

// In a process that has a data source, what goes through it is announced once, although the store tells of it too.
func TestFlagTracker_ChangesByDataSourceAndByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &memorystore.Database{}
		other := memorystore.New(db, nil)
		source := &manualSource{first: flagtest.Items(t)}
		client, err := New(t.Context(), Config{
			DataSource: source.factory, Store: memorystore.New(db, nil), Cache: caching.Options{Mode: caching.TTL(time.Hour)},
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		var flags flagtest.Collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(flags.Listen)
		require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "child", parsed(t, childFlag, 1, true)))
		require.Equal(t, []string{"child"}, flagtest.TakeKeys(&flags))
		write(t, other, "child", childFlag, 2, false)
		require.Equal(t, []string{"child"}, flagtest.TakeKeys(&flags))
		require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "child", 3))
		require.Equal(t, []string{"child"}, flagtest.TakeKeys(&flags))
	})
}

func TestFlagTracker_DaemonMode_ListenerAfterTheChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &memorystore.Database{}
		other := memorystore.New(db, nil)
		client, err := New(t.Context(), Config{Daemon: true, Store: memorystore.New(db, nil)})
		require.NoError(t, err)
		write(t, other, "child", childFlag, 1, false)
		synctest.Wait()
		var flags flagtest.Collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(flags.Listen)
		require.Empty(t, flagtest.TakeKeys(&flags))
		write(t, other, "child", childFlag, 2, false)
		require.Equal(t, []string{"child"}, flagtest.TakeKeys(&flags))
		require.NoError(t, client.Close())
		client.FlagTracker().AddFlagChangeListener(flags.Listen)
		require.Empty(t, flagtest.TakeKeys(&flags))
	})
}

// reordered is childFlag, as another writer, or the same after a restart, may write it.
const reordered = `{ "fallthrough":{"variation":1}, "on":%t, "variations":[false,true], "version":%d, "offVariation":0, "key":"child" }`

// An item that is written again with the same version and its properties in another order has not changed.
func TestFlagTracker_SameContentInAnotherOrder_IsNoChange(t *testing.T) {
	for name, mode := range map[string]caching.Mode{"off": caching.Off(), "ttl": caching.TTL(time.Hour), "forever": caching.Forever()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := &memorystore.Database{}
				other := memorystore.New(db, nil)
				writeAll := func(child string) {
					require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
						{Key: "child", Item: core.SerializedItem{Version: 1, Data: []byte(child)}},
					}}}))
				}
				writeAll(fmt.Sprintf(childFlag, 1, true))
				client, err := New(t.Context(), Config{Daemon: true, Store: memorystore.New(db, nil), Cache: caching.Options{Mode: mode}})
				require.NoError(t, err)
				defer func() { require.NoError(t, client.Close()) }()
				var flags flagtest.Collector[core.FlagChange]
				client.FlagTracker().AddFlagChangeListener(flags.Listen)
				flagtest.TakeKeys(&flags)
				writeAll(fmt.Sprintf(reordered, true, 1))
				require.Empty(t, flagtest.TakeKeys(&flags), "all data")
				db.WriteRaw("", core.Flags, "child", fmt.Appendf(nil, childFlag, 1, true))
				require.Empty(t, flagtest.TakeKeys(&flags), "one item")
				db.WriteRaw("", core.Flags, "child", fmt.Appendf(nil, reordered, false, 1))
				require.Equal(t, []string{"child"}, flagtest.TakeKeys(&flags), "it does differ")
			})
		})
	}
}

func TestFlagTracker_FlagChange_InitInAnotherOrderIsNoChange(t *testing.T) {
	data := func(format string, args ...any) []core.Collection {
		return []core.Collection{{Kind: core.Flags, Items: []core.KeyedItem{{Key: "child", Item: parsed(t, format, args...)}}}}
	}
	withClient(t, data(childFlag, 1, true), func(t *testing.T, client *Client, source *manualSource) {
		var changes flagtest.Collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(changes.Listen)
		source.deliver(t.Context(), data(reordered, true, 1))
		require.Empty(t, flagtest.TakeKeys(&changes))
		source.deliver(t.Context(), data(childFlag, 1, false))
		require.Equal(t, []string{"child"}, flagtest.TakeKeys(&changes), "it does differ")
		source.deliver(t.Context(), data(`{"version":1,"deleted":true}`))
		require.Equal(t, []string{"child"}, flagtest.TakeKeys(&changes))
		source.deliver(t.Context(), data(`{"key":"child","version":1,"deleted":true}`))
		require.Empty(t, flagtest.TakeKeys(&changes), "deleted as before")
	})
}

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
		first := flagtest.Keyed(t, "a", flagtest.OnFlag("a", 1, "true")).Item.Serialized(core.Flags, "a")
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
		second := flagtest.Keyed(t, "a", flagtest.OnFlag("a", 2, "false")).Item.Serialized(core.Flags, "a")
		_, err = other.Upsert(t.Context(), core.Flags, "a", second)
		require.NoError(t, err)
		close(store.gate)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.False(t, client.BoolVariation(t.Context(), "a", user, true))
		require.Len(t, changes, 1, "no listener was told that the flag is another")
	})
}
