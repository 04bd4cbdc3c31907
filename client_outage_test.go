package cleat

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

var errCut = errors.New("cable cut")

// A store that is down at the start leaves the data source valid where memory has what it delivered.
func TestClient_StoreDownAtStart_SourceIsValid(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Second), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &flagtest.Faulty{Store: memorystore.New(nil, nil)}
				store.Fail(errCut)
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
					store := &flagtest.Faulty{Store: memorystore.New(nil, nil)}
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
					store.Fail(errCut)
					client.StringVariation(t.Context(), "a", user, "default")
					time.Sleep(5 * time.Second)
					require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "a", flagtest.Keyed(t, "a", flagtest.OnFlag("a", 2, `"y"`)).Item))
					require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "gone", 2))
					require.ElementsMatch(t, []string{"a", "gone"}, flagtest.TakeKeys(&flags))
					time.Sleep(5 * time.Second)
					store.Fail(nil)
					time.Sleep(time.Minute)
					require.Empty(t, flagtest.TakeKeys(&flags))
				})
			})
		}
	}
}
