package dynamostore

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// BenchmarkStore_Get reads an item of 2 KB, beside the bare request.
func BenchmarkStore_Get(b *testing.B) {
	client, table := bareClient(b), freshTable(b)
	store := newStore(b, client, table, Options{})
	upsert(b, store, "k", storetest.Sized("k", 1, 2000))
	b.Run("bare GetItem", func(b *testing.B) {
		for b.Loop() {
			output, err := client.GetItem(b.Context(), &dynamodb.GetItemInput{
				TableName: &table, Key: primaryKey{"features", "k"}.attributes(), ConsistentRead: aws.Bool(true),
			})
			require.NoError(b, err)
			require.NotEmpty(b, output.Item)
		}
	})
	b.Run("store", func(b *testing.B) {
		for b.Loop() {
			_, found, err := store.Get(b.Context(), core.Flags, "k")
			require.NoError(b, err)
			require.True(b, found)
		}
	})
}

// BenchmarkStore_Upsert writes an item of 2 KB, beside the bare request that does the same without comparing.
func BenchmarkStore_Upsert(b *testing.B) {
	client, table := bareClient(b), freshTable(b)
	store := newStore(b, client, table, Options{})
	upsert(b, store, "k", storetest.Sized("k", 0, 2000))
	version := 0
	b.Run("bare PutItem", func(b *testing.B) {
		for b.Loop() {
			version++
			_, err := client.PutItem(b.Context(), &dynamodb.PutItemInput{
				TableName: &table, Item: marshalItem(primaryKey{"features", "bare"}, storetest.Sized("k", version, 2000)),
			})
			require.NoError(b, err)
		}
	})
	b.Run("newer", func(b *testing.B) {
		for b.Loop() {
			version++
			require.True(b, upsert(b, store, "k", storetest.Sized("k", version, 2000)).Written)
		}
	})
	b.Run("not newer", func(b *testing.B) {
		for b.Loop() {
			require.False(b, upsert(b, store, "k", storetest.Sized("k", version, 2000)).Written)
		}
	})
}

// slow adds the latency of a network to every request.
type slow struct{ next http.RoundTripper }

func (s slow) RoundTrip(request *http.Request) (*http.Response, error) {
	<-time.After(5 * time.Millisecond)
	return s.next.RoundTrip(request)
}

// BenchmarkStore_Init stores 10,000 items of 2 KB, beside batches that are sent one after the other: on a DynamoDB Local
// that shares the processor with the client, and as if there were 5 ms of network between them.
func BenchmarkStore_Init(b *testing.B) {
	b.Run("local", func(b *testing.B) { benchmarkInit(b, bareClient(b)) })
	b.Run("5 ms away", func(b *testing.B) {
		benchmarkInit(b, clientFor(b, containers.DynamoDB(b), func(next http.RoundTripper) http.RoundTripper { return slow{next} }))
	})
}

func benchmarkInit(b *testing.B, client *dynamodb.Client) {
	b.Helper()
	collection := storetest.Flags(10_000, 1, 2000)
	data := []core.SerializedCollection{collection}
	b.Run("bare sequential batches", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			table := freshTable(b)
			b.StartTimer()
			writeSequentially(b, client, table, collection)
		}
	})
	for _, concurrency := range []int{4, 8, DefaultInitConcurrency, 32} {
		b.Run("first, concurrency "+strconv.Itoa(concurrency), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				store := newStore(b, client, freshTable(b), Options{InitConcurrency: concurrency})
				b.StartTimer()
				require.NoError(b, store.Init(b.Context(), data))
			}
		})
	}
	b.Run("again", func(b *testing.B) {
		store := newStore(b, client, freshTable(b), Options{})
		require.NoError(b, store.Init(b.Context(), data))
		for b.Loop() {
			require.NoError(b, store.Init(b.Context(), data))
		}
	})
}

func writeSequentially(b *testing.B, client *dynamodb.Client, table string, collection core.SerializedCollection) {
	b.Helper()
	for begin := 0; begin < len(collection.Items); begin += maxBatchItems {
		var requests []types.WriteRequest
		for _, item := range collection.Items[begin:min(begin+maxBatchItems, len(collection.Items))] {
			put := &types.PutRequest{Item: marshalItem(primaryKey{"features", item.Key}, item.Item)}
			requests = append(requests, types.WriteRequest{PutRequest: put})
		}
		output, err := client.BatchWriteItem(b.Context(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{table: requests},
		})
		require.NoError(b, err)
		require.Empty(b, output.UnprocessedItems)
	}
}

// BenchmarkBigSegments_ApplyPatch fills a table with the members of a big segment in pieces as the synchroniser does.
func BenchmarkBigSegments_ApplyPatch(b *testing.B) {
	const piece = 4000
	segments, err := NewBigSegments(b.Context(), bareClient(b), freshTable(b), nil)
	require.NoError(b, err)
	members := 0
	for b.Loop() {
		patch := includes("", "", make([]string, piece))
		for i := range patch.Included.Add {
			patch.Included.Add[i] = core.BigSegmentContextHash(strconv.Itoa(members))
			members++
		}
		applied, err := segments.ApplyPatch(b.Context(), patch)
		require.NoError(b, err)
		require.True(b, applied)
	}
	b.ReportMetric(float64(members)/b.Elapsed().Seconds(), "members/s")
	require.NoError(b, segments.Close())
}
