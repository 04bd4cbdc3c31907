package dynamostore

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// Writes that lose are ordinary, and so is a server that sends no checksum with the errors by which it says so: nothing is
// logged about it, with the store's own client and the caller's.
func TestStore_Upsert_Loses_LogsNothing(t *testing.T) {
	endpoint, table := containers.DynamoDB(t), freshTable(t)
	for _, owned := range []bool{true, false} {
		var log lockedBuilder
		logger := slog.New(slog.NewTextHandler(&log, nil))
		var store *Store
		var err error
		if owned {
			store, err = Open(t.Context(), table, &Options{
				Region: region, Endpoint: endpoint, Credentials: testCredentials(), Logger: logger,
			})
		} else {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			store, err = New(t.Context(), dynamodb.New(dynamodb.Options{
				Region: region, BaseEndpoint: &endpoint, Credentials: testCredentials(), Logger: sdkLogger(logger),
				HTTPClient: &http.Client{Transport: transport},
			}), table, &Options{Logger: logger})
		}
		require.NoError(t, err)
		upsert(t, store, "a", storetest.Item("a", 2))
		upsert(t, store, "a", storetest.Item("a", 1))
		change := core.KindAndKeyedItem{Kind: core.Flags, Key: "a", Item: storetest.Item("a", 1)}
		_, err = store.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{change})
		require.NoError(t, err)
		require.NoError(t, store.Close())
		require.Empty(t, log.String(), "owned: %t", owned)
	}
}
