package redisstore

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

func optionsFor(prefix string) *Options { return &Options{Prefix: prefix, NoPrefix: prefix == ""} }

func openBigSegments(t testing.TB, prefix string) core.BigSegmentStore {
	store, err := OpenBigSegments(t.Context(), containers.Redis(t), optionsFor(prefix))
	require.NoError(t, err)
	return store
}

func harness(t *testing.T) conformance.Harness {
	client := bareClient(t)
	return conformance.Harness{
		Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
			store, err := Open(t.Context(), containers.Redis(t), optionsFor(prefix))
			require.NoError(t, err)
			return store
		},
		WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			require.NoError(t, client.HSet(t.Context(), keys{prefix}.items(kind), key, data).Err())
		},
		ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
			data, err := client.HGetAll(t.Context(), keys{prefix}.items(kind)).Result()
			require.NoError(t, err)
			value, found := data[key]
			return []byte(value), found
		},
		Wipe:            func(t testing.TB) { require.NoError(t, client.FlushAll(context.Background()).Err()) },
		OpenBigSegments: openBigSegments,
		Capabilities: conformance.Capabilities{
			AtomicInit: true, AvailabilityChecker: true, ChangeSetApplier: true, ItemsGetter: true, DiagnosticDescription: true, Watcher: true,
		},
	}
}

func TestConformance_FeatureStore(t *testing.T) { conformance.RunFeatureStore(t, harness(t)) }

func TestConformance_Wrapped(t *testing.T) { conformance.RunWrapped(t, harness(t)) }

func TestConformance_BigSegments(t *testing.T) {
	conformance.RunBigSegments(t, conformance.BigSegmentsHarness{Open: openBigSegments, Writer: true})
}
