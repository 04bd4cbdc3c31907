package cleat

import (
	"fmt"
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

		require.NoError(t, other.Init(t.Context(), nil))
		require.Subset(t, flags.take(), []string{"child", "parent"})
		write(t, other, "new", childFlag, 1, true)
		require.Equal(t, []string{"new"}, flags.take())

		remove()
		write(t, other, "new", childFlag, 2, true)
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
