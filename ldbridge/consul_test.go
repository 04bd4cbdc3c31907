package ldbridge

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
)

// Consul is the one server to which an upsert takes a read and a write. What another writer stores in between counts: the
// greater version stays.
func TestDataStore_Upsert_BetweenReadAndWriteOfConsul(t *testing.T) {
	direct := onConsul(t)
	require.NoError(t, direct.wipe(t.Context()))
	other := build(t, direct.dataStore(""))
	var onWrite atomic.Pointer[func()]
	store := build(t, consulAt(t, newWriteHookProxy(t, containers.Consul(t), &onWrite)).dataStore(""))
	kind := ldstoreimpl.Features()
	for _, test := range []struct {
		key           string
		ours, theirs  int
		weAreUpdating bool
	}{
		{"theirs is newer", 2, 3, false},
		{"ours is newer", 3, 2, true},
	} {
		requireUpsert(t, other, test.key, 1, true)
		written := 0
		hook := func() {
			if written++; written == 1 {
				requireUpsert(t, other, test.key, test.theirs, true)
			}
		}
		onWrite.Store(&hook)
		requireUpsert(t, store, test.key, test.ours, test.weAreUpdating)
		onWrite.Store(nil)
		require.NotZero(t, written)
		item, err := store.Get(kind, test.key)
		require.NoError(t, err)
		require.Equal(t, max(test.ours, test.theirs), item.Version, test.key)
	}
	require.NoError(t, store.Close())
	require.NoError(t, other.Close())
}

func requireUpsert(t *testing.T, store subsystems.PersistentDataStore, key string, version int, want bool) {
	t.Helper()
	updated, err := store.Upsert(ldstoreimpl.Features(), key, deletedFlag(version))
	require.NoError(t, err)
	require.Equal(t, want, updated, "%s, version %d", key, version)
}

// newWriteHookProxy returns the address of a proxy before a Consul server, which calls onWrite before each write reaches it.
func newWriteHookProxy(t *testing.T, server string, onWrite *atomic.Pointer[func()]) (address string) {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server})
	proxy.Transport = transport
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hook := onWrite.Load(); hook != nil && r.Method == http.MethodPut {
			(*hook)()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return strings.TrimPrefix(front.URL, "http://")
}
