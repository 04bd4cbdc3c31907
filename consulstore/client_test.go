package consulstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

// Close leaves a client of the caller's usable.
func TestStore_Close_LeavesTheCallersClientOpen(t *testing.T) {
	b := newBare(t, containers.Consul(t))
	store, err := New(t.Context(), b.Client, nil)
	require.NoError(t, err)
	segments, err := NewBigSegments(t.Context(), b.Client, nil)
	require.NoError(t, err)
	require.NoError(t, store.CheckAvailability(t.Context()))
	require.NoError(t, store.Close())
	require.NoError(t, segments.Close())
	_, _, err = b.KV().Get("k", nil)
	require.NoError(t, err)
	_, err = segments.Metadata(t.Context())
	require.ErrorIs(t, err, core.ErrClosed)
}
