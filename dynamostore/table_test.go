package dynamostore

import (
	"context"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// foreignTable makes a table whose key has the given attributes, of the given types.
func foreignTable(t *testing.T, client *dynamodb.Client, names ...string) string {
	t.Helper()
	table := "foreign-" + rand.Text()
	input := &dynamodb.CreateTableInput{TableName: &table, BillingMode: types.BillingModePayPerRequest}
	for i, name := range names {
		attributeType := types.ScalarAttributeTypeS
		if name == "version" {
			attributeType = types.ScalarAttributeTypeN
		}
		input.AttributeDefinitions = append(input.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: &names[i], AttributeType: attributeType})
		input.KeySchema = append(input.KeySchema,
			types.KeySchemaElement{AttributeName: &names[i], KeyType: []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[i]})
	}
	_, err := client.CreateTable(t.Context(), input)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table})
		require.NoError(t, err)
	})
	return table
}

// A table with other keys is refused by every call, also by the first, with an error that says what is wrong, and nothing
// is written to it. In all but the first of these tables the server would accept an item.
func TestStore_OtherKeys_AreIncompatible(t *testing.T) {
	client := bareClient(t)
	for _, names := range [][]string{{"id"}, {"namespace"}, {"key"}, {"key", "namespace"}, {"namespace", "version"}, {"item"}} {
		table := foreignTable(t, client, names...)
		for i := range storetest.Calls(openStore(t, table, Options{})) {
			call := storetest.Calls(openStore(t, table, Options{}))[i]
			err := call.Run(t.Context())
			require.ErrorIs(t, err, core.ErrIncompatible, "%s: %v", call.Name, names)
			require.Contains(t, err.Error(), "its keys must be namespace (HASH, S) and key (RANGE, S), and are "+names[0]+" (HASH")
		}
		for i := range storetest.BigSegmentCalls(openBigSegments(t, table, "")) {
			segments := openBigSegments(t, table, "")
			call := storetest.BigSegmentCalls(segments)[i]
			require.ErrorIs(t, call.Run(t.Context()), core.ErrIncompatible, "%s: %v", call.Name, names)
			require.NoError(t, segments.Close())
		}
		output, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
		require.NoError(t, err)
		require.Empty(t, output.Items)
		require.ErrorIs(t, CreateTable(t.Context(), client, table), core.ErrIncompatible)
	}
}

// Without permission to describe the table the error is the same, only less detailed; without permission to read, an
// upsert goes ahead.
func TestStore_LeastPrivileges(t *testing.T) {
	client, rec := recordingClient(t, nil)
	denied := func() *http.Response {
		return failure(http.StatusBadRequest, "AccessDeniedException", "not authorized")
	}
	rec.intercept = always(denied, "DescribeTable")
	store := newStore(t, client, foreignTable(t, bareClient(t), "id"), Options{})
	_, err := store.Initialized(t.Context())
	require.ErrorIs(t, err, core.ErrIncompatible)

	rec.intercept = always(denied, "GetItem", "Query", "DescribeTable")
	store = newStore(t, client, freshTable(t), Options{})
	require.True(t, upsert(t, store, "a", storetest.Item("a", 1)).Written)
	_, _, err = store.Get(t.Context(), core.Flags, "a")
	require.ErrorIs(t, err, core.ErrUnavailable)
	require.Contains(t, err.Error(), "grant the credentials the permissions")
	require.NotErrorIs(t, err, core.ErrReadOnly)

	rec.intercept = always(denied, "PutItem", "BatchWriteItem", "TransactWriteItems", "UpdateItem")
	_, err = store.Upsert(t.Context(), core.Flags, "a", storetest.Item("a", 2))
	require.ErrorIs(t, err, core.ErrReadOnly)
	err = store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(1, 1, 100)})
	require.ErrorIs(t, err, core.ErrReadOnly)
	got, _, err := store.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.Equal(t, storetest.Item("a", 1), got)
}

func TestStore_MissingTable_IsUnavailableUntilItIsThere(t *testing.T) {
	client, table := bareClient(t), "missing-"+rand.Text()
	store := openStore(t, table, Options{})
	for _, call := range storetest.Calls(store) {
		err := call.Run(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable, call.Name)
		require.Contains(t, err.Error(), "create the table")
		require.Contains(t, err.Error(), table)
		var notFound *types.ResourceNotFoundException
		require.ErrorAs(t, err, &notFound, call.Name)
	}
	require.NoError(t, CreateTable(t.Context(), client, table))
	require.NoError(t, store.CheckAvailability(t.Context()))
	recreate(t, client, table)
	_, err := client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table})
	require.NoError(t, err)
	require.ErrorIs(t, store.CheckAvailability(t.Context()), core.ErrUnavailable)
}

func TestCreateTable(t *testing.T) {
	client, table := bareClient(t), "created-"+rand.Text()
	require.NoError(t, CreateTable(t.Context(), client, table))
	require.NoError(t, CreateTable(t.Context(), client, table), "again")
	output, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	require.NoError(t, err)
	require.Equal(t, types.BillingModePayPerRequest, output.Table.BillingModeSummary.BillingMode)
	lifetime, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	require.NoError(t, err)
	require.Equal(t, types.TimeToLiveStatusDisabled, lifetime.TimeToLiveDescription.TimeToLiveStatus)

	_, err = client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table})
	require.NoError(t, err)
}

func TestCreateTable_Refused(t *testing.T) {
	client := bareClient(t)
	require.ErrorIs(t, CreateTable(nil, client, "table"), core.ErrInvalid)
	require.ErrorIs(t, CreateTable(t.Context(), nil, "table"), core.ErrInvalid)
	require.ErrorIs(t, CreateTable(t.Context(), client, ""), core.ErrInvalid)
	require.ErrorIs(t, CreateTable(t.Context(), client, "no such name!"), core.ErrInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, context.Canceled, CreateTable(ctx, client, "table"))
	endpoint := "http://" + storetest.Mute(t)
	begin := time.Now()
	err := CreateTable(within(t, 100*time.Millisecond), clientFor(t, endpoint, nil), "table")
	require.Equal(t, context.DeadlineExceeded, err)
	require.Less(t, time.Since(begin), soon)
}
