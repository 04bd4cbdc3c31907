package consulstore

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// A server that is not one of Consul, and an address where nothing listens, are outages.
func TestStore_NoConsulThere_IsUnavailable(t *testing.T) {
	for name, opts := range map[string]Options{
		"nothing": {Address: storetest.Unused(t)}, "no such host": {Address: "host.invalid:8500"},
		"another path": {Address: "http://" + containers.Consul(t) + "/v1/status"},
	} {
		store := openStore(t, opts)
		_, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 1))
		require.ErrorIs(t, err, core.ErrUnavailable, name)
		require.NotContains(t, err.Error(), "/v1/kv", "%s: no URLs", name)
	}
}

// A datacenter or namespace that is not there is an error, and nothing is written elsewhere.
func TestStore_WrongPlace_IsUnavailable(t *testing.T) {
	for name, opts := range map[string]Options{
		"datacenter": {Datacenter: "nowhere"}, "namespace": {Namespace: "nobody"}, "partition": {Partition: "nothing"},
	} {
		opts.Prefix = storetest.Prefix()
		store := openStore(t, opts)
		for _, call := range storetest.Calls(store) {
			require.ErrorIs(t, call.Run(t.Context()), core.ErrUnavailable, "%s of %s", call.Name, name)
		}
		segments, err := NewBigSegments(t.Context(), store.kv.client, &Options{
			Prefix: opts.Prefix, Datacenter: opts.Datacenter, Namespace: opts.Namespace, Partition: opts.Partition,
		})
		require.NoError(t, err)
		_, err = segments.ApplyPatch(t.Context(), core.BigSegmentPatch{
			SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: hashes(3)},
		})
		require.ErrorIs(t, err, core.ErrUnavailable, name)
		require.NoError(t, segments.Close())
		require.Empty(t, newBare(t, containers.Consul(t)).keysUnder(t, opts.Prefix))
	}
}

// The status of an answer decides.
func TestTranslate_ByStatus(t *testing.T) {
	for status, want := range map[int]error{
		http.StatusForbidden: core.ErrUnavailable, http.StatusRequestEntityTooLarge: core.ErrTooLarge,
		http.StatusTooManyRequests: core.ErrUnavailable, http.StatusInternalServerError: core.ErrUnavailable,
		http.StatusBadRequest: core.ErrUnavailable, http.StatusNotFound: core.ErrUnavailable,
	} {
		err := new(kv).translate("reading x", api.StatusError{Code: status, Body: strings.Repeat("b", 1000)}, false)
		require.ErrorIs(t, err, want)
		var cause api.StatusError
		require.ErrorAs(t, err, &cause)
		require.Equal(t, status, cause.Code)
		require.Less(t, len(err.Error()), 500)
	}
	require.ErrorIs(t, new(kv).translate("", api.StatusError{Code: http.StatusForbidden}, true), core.ErrReadOnly)
}
