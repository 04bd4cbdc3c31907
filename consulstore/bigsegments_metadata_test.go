package consulstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// The manager takes for stale what is corrupt, and for an outage everything else.
func TestBigSegments_Metadata_NotATime_IsCorrupt(t *testing.T) {
	prefix := storetest.Prefix()
	segments, err := OpenBigSegments(t.Context(), optionsFor(t, prefix))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, segments.Close()) })
	for _, value := range []string{"soon", "-5", "1.5", "99999999999999999999", "{}", "\x00"} {
		require.NoError(t, segments.kv.put(t.Context(), prefix+"/big_segments_synchronized_on", []byte(value)))
		_, err := segments.Metadata(t.Context())
		require.ErrorIs(t, err, core.ErrCorrupt, value)
	}
}
