package dynamostore

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

// rawValue is the attribute that holds data, which is binary if it is no text.
func rawValue(data []byte) types.AttributeValue {
	if utf8.Valid(data) {
		return text(string(data))
	}
	return &types.AttributeValueMemberB{Value: data}
}

func harness(t *testing.T) conformance.Harness {
	client, table := bareClient(t), freshTable(t)
	return conformance.Harness{
		Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
			store, err := Open(t.Context(), table, forOpen(t, Options{Prefix: prefix, WatchInterval: 100 * time.Millisecond}))
			require.NoError(t, err)
			return store
		},
		WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			version := 0
			if item, err := core.ParseItem(data); err == nil {
				version = item.Version()
			}
			putRaw(t, client, table, keys{prefix}.items(kind), key,
				attributes{versionAttribute: number(strconv.Itoa(version)), itemAttribute: rawValue(data)})
		},
		ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
			stored := rawItem(t, client, table, keys{prefix}.items(kind), key)
			item, _ := unmarshalItem(stored)
			return item.Data, len(stored) > 0
		},
		Wipe: func(t testing.TB) { recreate(t, client, table) },
		OpenBigSegments: func(t testing.TB, prefix string) core.BigSegmentStore {
			return openBigSegments(t, table, prefix)
		},
		Capabilities: conformance.Capabilities{
			MaxItemSize: maxItemSize - 1024, MaxKeySize: maxKey,
			AvailabilityChecker: true, Watcher: true, ChangeSetApplier: true, ItemsGetter: true, DiagnosticDescription: true,
		},
	}
}

func openBigSegments(t testing.TB, table, prefix string) core.BigSegmentStore {
	store, err := OpenBigSegments(t.Context(), table, forOpen(t, Options{Prefix: prefix}))
	require.NoError(t, err)
	return store
}

func TestStore_Conformance(t *testing.T) { conformance.RunFeatureStore(t, harness(t)) }

func TestStore_ConformanceWrapped(t *testing.T) { conformance.RunWrapped(t, harness(t)) }

func TestBigSegments_Conformance(t *testing.T) {
	table := freshTable(t)
	conformance.RunBigSegments(t, conformance.BigSegmentsHarness{
		Open:   func(t testing.TB, prefix string) core.BigSegmentStore { return openBigSegments(t, table, prefix) },
		Writer: true,
	})
}

func TestStore_ConformanceFaults(t *testing.T) {
	table := freshTable(t)
	server, err := url.Parse(containers.DynamoDB(t))
	require.NoError(t, err)
	optionsAt := func(t testing.TB, address, prefix string) *Options {
		opts := forOpen(t, Options{Prefix: prefix})
		opts.Endpoint = "http://" + address
		return opts
	}
	conformance.RunFaults(t, conformance.FaultsHarness{
		Server: server.Host,
		Open: map[string]func(testing.TB, string, string) core.FeatureStoreCore{
			"OwnClient": func(t testing.TB, address, prefix string) core.FeatureStoreCore {
				store, err := Open(t.Context(), table, optionsAt(t, address, prefix))
				require.NoError(t, err)
				return store
			},
			"CallersClient": func(t testing.TB, address, prefix string) core.FeatureStoreCore {
				transport := &http.Transport{}
				t.Cleanup(transport.CloseIdleConnections)
				client := dynamodb.New(dynamodb.Options{ // as the SDK makes it
					Region: region, BaseEndpoint: aws.String("http://" + address), Credentials: testCredentials(),
					HTTPClient: &http.Client{Transport: transport},
				})
				store, err := New(t.Context(), client, table, &Options{Prefix: prefix})
				require.NoError(t, err)
				return store
			},
		},
		OpenBigSegments: func(t testing.TB, address, prefix string) core.BigSegmentStore {
			store, err := OpenBigSegments(t.Context(), table, optionsAt(t, address, prefix))
			require.NoError(t, err)
			return store
		},
	})
}
