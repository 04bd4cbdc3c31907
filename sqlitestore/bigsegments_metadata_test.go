package sqlitestore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// The manager takes for stale what is corrupt, and for an outage everything else. The column's type allows nothing but text.
func TestBigSegments_Metadata_NotATime_IsCorrupt(t *testing.T) {
	path := tempPath(t)
	s := openBigSegments(t, path, nil)
	require.NoError(t, s.SetLastUpToDate(t.Context(), 5))
	for _, value := range []string{"soon", "-5", "1.5", "99999999999999999999", "{}"} {
		bare(t, path, "UPDATE metadata SET value = ?", value)
		_, err := s.Metadata(t.Context())
		require.ErrorIs(t, err, core.ErrCorrupt, value)
	}
}
