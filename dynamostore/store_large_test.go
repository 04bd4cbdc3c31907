package dynamostore

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// soon is more than any call may take whose context ends after a few hundred milliseconds.
const soon = 3 * time.Second

// Large answers arrive whole: with the SDK's own request bodies, some of these reads fail. Nothing is repeated here.
func TestStore_Get_Large_NeverLosesTheConnection(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	big := storetest.Sized("k", 1, 400_000)
	upsert(t, newStore(t, client, table, Options{}), "big", big)
	rec.take()
	store := openStore(t, table, Options{})
	_, _, err := store.Get(t.Context(), core.Flags, "big")
	require.NoError(t, err)
	const workers, reads = 4, 50
	errs := make(chan error, workers)
	for range workers {
		go func() {
			for range reads {
				_, err := store.client.GetItem(t.Context(), &dynamodb.GetItemInput{
					TableName: &table, Key: primaryKey{"features", "big"}.attributes(),
				}, store.perRequest)
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range workers {
		require.NoError(t, <-errs)
	}
}
