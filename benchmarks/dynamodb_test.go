package benchmarks

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	lddynamodb "github.com/launchdarkly/go-server-sdk-dynamodb/v4"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/dynamostore"
)

// dynamoClient is a client that counts what it is used for.
type dynamoClient struct {
	*dynamodb.Client
	requests *httpRequests
	writes   atomic.Int64 // items, whether they are put, changed or deleted
	current  string       // the table
}

func newDynamoClient(b *bench, endpoint string, delay time.Duration) *dynamoClient {
	b.Helper()
	c := &dynamoClient{requests: newHTTPRequests(b, delay)}
	c.Client = dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "secret", ""),
		HTTPClient: &http.Client{Transport: c.requests}, Logger: logging.Nop{},
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("CountWrites", c.count), middleware.Before)
		}},
	})
	b.cleanup(func() error { return c.drop(b.ctx()) })
	return c
}

func (c *dynamoClient) count(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	switch input := in.Parameters.(type) {
	case *dynamodb.BatchWriteItemInput:
		for _, writes := range input.RequestItems {
			c.writes.Add(int64(len(writes)))
		}
	case *dynamodb.TransactWriteItemsInput:
		c.writes.Add(int64(len(input.TransactItems)))
	case *dynamodb.PutItemInput, *dynamodb.UpdateItemInput, *dynamodb.DeleteItemInput:
		c.writes.Add(1)
	}
	return next.HandleInitialize(ctx, in)
}

func (c *dynamoClient) counters() map[measure.Metric]func() int64 {
	counters := c.requests.counters()
	counters[measure.Writes] = c.writes.Load
	return counters
}

// table makes a table that no other workload uses, in place of the one that the client has made before.
func (c *dynamoClient) table(b *bench) string {
	b.Helper()
	require.NoError(b, c.drop(b.ctx()))
	c.current = "bench-" + rand.Text()
	require.NoError(b, dynamostore.CreateTable(b.ctx(), c.Client, c.current))
	return c.current
}

// drop removes the table, if there is one.
func (c *dynamoClient) drop(ctx context.Context) error {
	if c.current == "" {
		return nil
	}
	_, err := c.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &c.current})
	return err
}

func (c *dynamoClient) ours(b *bench, table string) *dynamostore.Store {
	b.Helper()
	store, err := dynamostore.New(b.ctx(), c.Client, table, nil)
	require.NoError(b, err)
	b.cleanup(store.Close)
	return store
}

func (c *dynamoClient) theirs(b *bench, table string) subsystems.PersistentDataStore {
	b.Helper()
	store := buildLD(b, lddynamodb.DataStore(table).DynamoClient(c.Client))
	b.cleanup(store.Close)
	return store
}

// bareBatches returns the flags in requests of the greatest size that there is.
func bareBatches(flags []flagJSON) (batches [][]types.WriteRequest) {
	const most = 25
	requests := make([]types.WriteRequest, len(flags))
	for i, flag := range flags {
		requests[i] = types.WriteRequest{PutRequest: &types.PutRequest{Item: map[string]types.AttributeValue{
			"namespace": &types.AttributeValueMemberS{Value: "features"},
			"key":       &types.AttributeValueMemberS{Value: flag.key},
			"version":   &types.AttributeValueMemberN{Value: strconv.Itoa(firstVersion)},
			"item":      &types.AttributeValueMemberS{Value: string(flag.data)},
		}}}
	}
	for batch := range slices.Chunk(requests, most) {
		batches = append(batches, batch)
	}
	return batches
}

func (c *dynamoClient) writeBatches(ctx context.Context, table string, batches [][]types.WriteRequest) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, batch := range batches {
		group.Go(func() error {
			output, err := c.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
				RequestItems: map[string][]types.WriteRequest{table: batch},
			})
			if err == nil && len(output.UnprocessedItems) > 0 {
				err = errWrong
			}
			return err
		})
	}
	return group.Wait()
}

func (c *dynamoClient) queryAll(ctx context.Context, table string, want int) error {
	pages := dynamodb.NewQueryPaginator(c.Client, &dynamodb.QueryInput{
		TableName: &table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("namespace = :n"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberS{Value: "features"}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		want -= len(page.Items)
	}
	if want != 0 {
		return errWrong
	}
	return nil
}

func dynamoInit() workload {
	w := dynamoFirstInit("dynamodb/init", 0)
	w.title = "DynamoDB Init of 10,000 into an empty table (bare: BatchWriteItem, 16 at once)"
	w.note = "DynamoDB Local runs on the same two cores as the client and needs about 1.2 s of processor time for 10,000 items of " +
		"2 KB (utime and stime of its process), the client 0.2 s (profile): 0.7 s is what both cores together can do, however " +
		"requests are sent. The goal would need a server on a machine of its own, which the next row has."
	return w
}

func dynamoInitFar() workload {
	w := dynamoFirstInit("dynamodb/init-far", networkDelay)
	w.title = "DynamoDB Init of 10,000 with 5 ms of network for each request"
	return w
}

// networkDelay is about what a request within a region takes.
const networkDelay = 5 * time.Millisecond

func dynamoFirstInit(name string, delay time.Duration) workload {
	return workload{
		name: name, metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1.0/3, measure.Theirs)},
		setup: func(b *bench) sides {
			endpoint := containers.DynamoDB(b)
			client, clientLD := newDynamoClient(b, endpoint, delay), newDynamoClient(b, endpoint, delay)
			flags := flagsOf(b.many(10_000), ruleFlag)
			data, dataLD := serialized(flags, firstVersion), serializedLD(flags, firstVersion)
			bare := newDynamoClient(b, endpoint, delay)
			batches := bareBatches(flags)
			var table string
			var store core.FeatureStoreCore
			var storeLD subsystems.PersistentDataStore
			return sides{
				bare: measure.Op{
					N: 1, Counters: bare.counters(),
					Before: func(int) error {
						table = bare.table(b)
						return nil
					},
					Run: func(int) error { return bare.writeBatches(b.ctx(), table, batches) },
				},
				ours: measure.Op{
					N: 1, Counters: client.counters(),
					Before: func(int) error {
						store = client.ours(b, client.table(b))
						return nil
					},
					Run: func(int) error { return store.Init(b.ctx(), data) },
				},
				theirs: measure.Op{
					N: 1, Counters: clientLD.counters(),
					Before: func(int) error {
						storeLD = clientLD.theirs(b, clientLD.table(b))
						return nil
					},
					Run: func(int) error { return storeLD.Init(dataLD) },
				},
			}
		},
	}
}

func dynamoInitAgain() workload {
	return workload{
		name: "dynamodb/init-again", title: "DynamoDB re-Init of the same (bare: Query of all)", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1.0/2, measure.Theirs), measure.AtMost(measure.Writes, 1)},
		note:  "Against DynamoDB Local on the same cores, as above. To know what differs, everything has to be read, which bare does.",
		setup: func(b *bench) sides {
			endpoint := containers.DynamoDB(b)
			client, clientLD := newDynamoClient(b, endpoint, 0), newDynamoClient(b, endpoint, 0)
			flags := flagsOf(b.many(10_000), ruleFlag)
			data, dataLD := serialized(flags, firstVersion), serializedLD(flags, firstVersion)
			store, storeLD := client.ours(b, client.table(b)), clientLD.theirs(b, clientLD.table(b))
			bare := newDynamoClient(b, endpoint, 0)
			table := bare.table(b)
			require.NoError(b, bare.writeBatches(b.ctx(), table, bareBatches(flags)))
			return sides{ // the first time, which does not count, fills the table
				ours:   measure.Op{N: 1, Counters: client.counters(), Run: func(int) error { return store.Init(b.ctx(), data) }},
				theirs: measure.Op{N: 1, Counters: clientLD.counters(), Run: func(int) error { return storeLD.Init(dataLD) }},
				bare:   measure.Op{N: 1, Counters: bare.counters(), Run: func(int) error { return bare.queryAll(b.ctx(), table, len(flags)) }},
			}
		},
	}
}
