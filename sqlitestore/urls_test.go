package sqlitestore

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/storeurl"
)

// The store logs where the registry says.
func TestSchemes_Logger_ReachesTheStore(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	u, err := storeurl.Parse("sqlite:///x", logger)
	require.NoError(t, err)
	o, err := urlOptions(u)
	require.NoError(t, err)
	require.Same(t, logger, o.options.Logger)
}
