package cleat

import (
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
	"github.com/cleatdev/cleat/memorystore"
)

// heard collects the keys of announced flags.
type heard struct {
	mu   sync.Mutex
	keys []string
}

func (h *heard) add(change core.FlagChange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys = append(h.keys, change.Key)
}

func (h *heard) take() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := h.keys
	h.keys = nil
	return keys
}

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

		var flags heard
		remove := client.FlagTracker().AddFlagChangeListener(flags.add)
		values := make(chan core.FlagValueChange, 1)
		client.FlagTracker().AddFlagValueChangeListener("parent", user, ldvalue.Null(), func(c core.FlagValueChange) { values <- c })
		require.Empty(t, flags.take())

		write(t, other, "child", childFlag, 2, true)
		require.ElementsMatch(t, []string{"child", "parent"}, flags.take())
		require.Equal(t, core.FlagValueChange{Key: "parent", OldValue: ldvalue.Bool(false), NewValue: ldvalue.Bool(true)}, <-values)
		require.True(t, client.BoolVariation(t.Context(), "parent", user, false))

		write(t, other, "child", childFlag, 1, false)
		require.Empty(t, flags.take(), "not newer, so nothing was written")

		newFlag := strings.Replace(childFlag, `"child"`, `"new"`, 1)
		require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{{Kind: core.Flags, Items: []core.KeyedSerializedItem{
			{Key: "new", Item: parsed(t, newFlag, 1, true).Serialized(core.Flags, "new")},
		}}}))
		require.Equal(t, []string{"new"}, flags.take())
		time.Sleep(time.Minute) // flags that are gone are looked for twice
		gone := flags.take()
		require.Subset(t, gone, []string{"child", "parent"})
		require.Subset(t, []string{"child", "parent"}, gone)

		remove()
		write(t, other, "new", newFlag, 2, true)
		require.Empty(t, flags.take())
	})
}

// In a process that has a data source, what goes through it is announced once, although the store tells of it too.
func TestFlagTracker_ChangesByDataSourceAndByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &memorystore.Database{}
		other := memorystore.New(db, nil)
		source := &manualSource{first: items(t)}
		client, err := New(t.Context(), Config{
			DataSource: source.factory, Store: memorystore.New(db, nil), Cache: caching.Options{Mode: caching.TTL(time.Hour)},
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		var flags heard
		client.FlagTracker().AddFlagChangeListener(flags.add)
		require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "child", parsed(t, childFlag, 1, true)))
		require.Equal(t, []string{"child"}, flags.take())
		write(t, other, "child", childFlag, 2, false)
		require.Equal(t, []string{"child"}, flags.take())
		require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "child", 3))
		require.Equal(t, []string{"child"}, flags.take())
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
		var flags heard
		client.FlagTracker().AddFlagChangeListener(flags.add)
		require.Empty(t, flags.take())
		write(t, other, "child", childFlag, 2, false)
		require.Equal(t, []string{"child"}, flags.take())
		require.NoError(t, client.Close())
		client.FlagTracker().AddFlagChangeListener(flags.add)
		require.Empty(t, flags.take())
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
				var flags heard
				client.FlagTracker().AddFlagChangeListener(flags.add)
				flags.take()
				writeAll(fmt.Sprintf(reordered, true, 1))
				require.Empty(t, flags.take(), "all data")
				db.WriteRaw("", core.Flags, "child", fmt.Appendf(nil, childFlag, 1, true))
				require.Empty(t, flags.take(), "one item")
				db.WriteRaw("", core.Flags, "child", fmt.Appendf(nil, reordered, false, 1))
				require.Equal(t, []string{"child"}, flags.take(), "it does differ")
			})
		})
	}
}

func TestFlagTracker_FlagChange_InitInAnotherOrderIsNoChange(t *testing.T) {
	data := func(format string, args ...any) []core.Collection {
		return []core.Collection{{Kind: core.Flags, Items: []core.KeyedItem{{Key: "child", Item: parsed(t, format, args...)}}}}
	}
	withClient(t, data(childFlag, 1, true), func(t *testing.T, client *Client, source *manualSource) {
		var changes collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(changes.listen)
		source.deliver(t.Context(), data(reordered, true, 1))
		require.Empty(t, takeKeys(&changes))
		source.deliver(t.Context(), data(childFlag, 1, false))
		require.Equal(t, []string{"child"}, takeKeys(&changes), "it does differ")
		source.deliver(t.Context(), data(`{"version":1,"deleted":true}`))
		require.Equal(t, []string{"child"}, takeKeys(&changes))
		source.deliver(t.Context(), data(`{"key":"child","version":1,"deleted":true}`))
		require.Empty(t, takeKeys(&changes), "deleted as before")
	})
}
