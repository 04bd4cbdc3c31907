package endtoend

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/dynamostore"
)

const dynamoRegion = "eu-central-1"

func dynamoCredentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("test", "test-secret", "")
}

type dynamoItem = map[string]types.AttributeValue

// dynamoTable is a table with the bare driver.
type dynamoTable struct {
	client *dynamodb.Client
	name   string
}

func newDynamoTable(t *testing.T) *dynamoTable {
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	endpoint := containers.DynamoDB(t)
	d := &dynamoTable{
		name: "test-" + rand.Text(),
		client: dynamodb.New(dynamodb.Options{
			Region: dynamoRegion, BaseEndpoint: &endpoint, Credentials: dynamoCredentials(),
			HTTPClient: &http.Client{Transport: transport},
			Logger:     logging.Nop{}, // DynamoDB Local sends no checksums with its errors.
		}),
	}
	d.create(t)
	t.Cleanup(func() { d.remove(t) })
	return d
}

func (d *dynamoTable) create(t testing.TB) {
	t.Helper()
	require.NoError(t, dynamostore.CreateTable(context.Background(), d.client, d.name))
}

func (d *dynamoTable) remove(t testing.TB) {
	t.Helper()
	_, err := d.client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &d.name})
	require.NoError(t, err)
}

func (d *dynamoTable) get(t testing.TB, namespace, key string) dynamoItem {
	t.Helper()
	output, err := d.client.GetItem(context.Background(), &dynamodb.GetItemInput{
		TableName: aws.String(d.name), ConsistentRead: aws.Bool(true), Key: dynamoKey(namespace, key),
	})
	require.NoError(t, err)
	return output.Item
}

func dynamoKey(namespace, key string) dynamoItem {
	return dynamoItem{
		"namespace": &types.AttributeValueMemberS{Value: namespace}, "key": &types.AttributeValueMemberS{Value: key},
	}
}

func (d *dynamoTable) write(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
	version := 0
	if item, err := core.ParseItem(data); err == nil {
		version = item.Version()
	}
	item := dynamoKey(prefix+":"+string(kind), key)
	item["version"] = &types.AttributeValueMemberN{Value: strconv.Itoa(version)}
	item["item"] = &types.AttributeValueMemberS{Value: string(data)}
	_, err := d.client.PutItem(context.Background(), &dynamodb.PutItemInput{
		TableName: aws.String(d.name), Item: item,
	})
	require.NoError(t, err)
}

func (d *dynamoTable) read(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
	item, found := d.get(t, prefix+":"+string(kind), key)["item"].(*types.AttributeValueMemberS)
	if !found {
		return nil, false
	}
	return []byte(item.Value), true
}

func (d *dynamoTable) readBigSegments(t testing.TB, prefix, hash string) (included, excluded []string) {
	item := d.get(t, prefix+":big_segments_user", hash)
	refs := func(attribute string) []string {
		if set, found := item[attribute].(*types.AttributeValueMemberSS); found {
			return set.Value
		}
		return nil
	}
	return refs("included"), refs("excluded")
}

func (d *dynamoTable) options(t testing.TB, prefix string) *dynamostore.Options {
	return &dynamostore.Options{
		Prefix: prefix, Region: dynamoRegion, Endpoint: containers.DynamoDB(t), Credentials: dynamoCredentials(),
		Logger: slog.New(slog.DiscardHandler),
	}
}

func dynamoHarness(t *testing.T) Harness {
	d := newDynamoTable(t)
	return Harness{
		Harness: conformance.Harness{
			Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
				s, err := dynamostore.Open(t.Context(), d.name, d.options(t, prefix))
				require.NoError(t, err)
				return s
			},
			OpenBigSegments: func(t testing.TB, prefix string) core.BigSegmentStore {
				s, err := dynamostore.OpenBigSegments(t.Context(), d.name, d.options(t, prefix))
				require.NoError(t, err)
				return s
			},
			WriteRaw: d.write,
			ReadRaw:  d.read,
			Wipe: func(t testing.TB) {
				d.remove(t)
				d.create(t)
			},
			Capabilities: conformance.Capabilities{Watcher: true},
		},
		ReadBigSegments: d.readBigSegments,
	}
}

func TestRun_DynamoStore_Passes(t *testing.T) {
	t.Parallel()
	Run(t, dynamoHarness(t))
}

func TestRunRecovery_DynamoStore_Passes(t *testing.T) {
	t.Parallel()
	d := newDynamoTable(t)
	RunRecovery(t, conformance.FaultsHarness{
		Server: strings.TrimPrefix(containers.DynamoDB(t), "http://"),
		Open: map[string]func(testing.TB, string, string) core.FeatureStoreCore{
			"OwnClient": func(t testing.TB, address, prefix string) core.FeatureStoreCore {
				opts := d.options(t, prefix)
				opts.Endpoint = "http://" + address
				store, err := dynamostore.Open(t.Context(), d.name, opts)
				require.NoError(t, err)
				return store
			},
		},
	})
}
