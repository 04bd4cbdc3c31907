package dynamostore

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/core"
)

// rawValue is the attribute that holds data, which is binary if it is no text.
func rawValue(data []byte) types.AttributeValue {
	if utf8.Valid(data) {
		return text(string(data))
	}
	return &types.AttributeValueMemberB{Value: data}
}

// harness has two tables. That with a stream is for what is about changes: DynamoDB Local lets those who write to it wait for
// seconds while others read all the time.
func harness(t *testing.T) conformance.Harness {
	client, plain, streaming := bareClient(t), freshTable(t), freshStreamingTable(t)
	table := func(t testing.TB) (string, *TableOptions) {
		if strings.Contains(t.Name(), "/Watch/") {
			return streaming, &TableOptions{Stream: true}
		}
		return plain, nil
	}
	return conformance.Harness{
		Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
			name, _ := table(t)
			store, err := Open(t.Context(), name, forOpen(t, Options{Prefix: prefix}))
			require.NoError(t, err)
			return store
		},
		WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			version := 0
			if item, err := core.ParseItem(data); err == nil {
				version = item.Version()
			}
			name, _ := table(t)
			putRaw(t, client, name, keys{prefix}.items(kind), key,
				attributes{versionAttribute: number(strconv.Itoa(version)), itemAttribute: rawValue(data)})
		},
		ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
			name, _ := table(t)
			stored := rawItem(t, client, name, keys{prefix}.items(kind), key)
			item, _ := unmarshalItem(stored)
			return item.Data, len(stored) > 0
		},
		Wipe: func(t testing.TB) {
			name, opts := table(t)
			recreate(t, client, name, opts)
		},
		OpenBigSegments: func(t testing.TB, prefix string) core.BigSegmentStore {
			name, _ := table(t)
			return openBigSegments(t, name, prefix)
		},
		Capabilities: conformance.Capabilities{
			MaxItemSize: maxItemSize - 1024, MaxKeySize: maxKey,
			AvailabilityChecker: true, Watcher: true, ChangeSetApplier: true, DiagnosticDescription: true,
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
