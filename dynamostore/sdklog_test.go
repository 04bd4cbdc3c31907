package dynamostore

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
)

// Writes that lose are ordinary, and so is a server that sends no checksum with the errors by which it says so.
func TestStore_Upsert_Loses_LogsNothing(t *testing.T) {
	var log lockedBuilder
	store, err := Open(t.Context(), freshTable(t), &Options{
		Region: region, Endpoint: containers.DynamoDB(t), Credentials: testCredentials(),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	upsert(t, store, "a", item("a", 2))
	upsert(t, store, "a", item("a", 1))
	require.NoError(t, store.Close())
	require.Empty(t, log.String())
}
