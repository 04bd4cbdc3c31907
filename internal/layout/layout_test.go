package layout_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/layout"
)

func TestIncomplete_NamesWhatIsMissing(t *testing.T) {
	require.Equal(t, "it has no salt, rules",
		layout.Incomplete(core.Segments, []byte(`{"key":"s","included":[],"excluded":[],"includedContexts":[],"excludedContexts":[],`+
			`"rules":null,"version":1,"generation":null,"deleted":false}`)))
	require.Contains(t, layout.Incomplete(core.Flags, []byte(`{"key":"a","version":1,"deleted":true}`)), "prerequisites")
	require.Contains(t, layout.Incomplete(core.Flags, []byte(`[]`)), "no JSON object")
	require.Empty(t, layout.Incomplete("other", []byte(`{"key":"a","version":1}`)))
}

func TestTombstones_AreReadAsTombstones(t *testing.T) {
	for _, data := range layout.Tombstones("a", 3) {
		item, err := core.ParseItem(data)
		require.NoError(t, err)
		require.True(t, item.Deleted(), string(data))
		require.Equal(t, 3, item.Version())
	}
}
