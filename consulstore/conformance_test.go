package consulstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

func openBigSegments(t testing.TB, prefix string) core.BigSegmentStore {
	store, err := OpenBigSegments(t.Context(), optionsFor(t, prefix))
	require.NoError(t, err)
	return store
}

func harness(t *testing.T) conformance.Harness {
	bare := newBare(t, containers.Consul(t))
	return conformance.Harness{
		Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
			store, err := Open(t.Context(), optionsFor(t, prefix))
			require.NoError(t, err)
			return store
		},
		WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			bare.write(t, keys{prefix}.item(kind, key), data)
		},
		ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
			return bare.read(t, keys{prefix}.item(kind, key))
		},
		Wipe:            bare.wipe,
		OpenBigSegments: openBigSegments,
		Capabilities: conformance.Capabilities{
			MaxItemSize: DefaultMaxItemSize, MaxKeySize: maxKeySize,
			AvailabilityChecker: true, Watcher: true, ChangeSetApplier: true, ItemsGetter: true, DiagnosticDescription: true,
		},
	}
}

func TestConformance_FeatureStore(t *testing.T) { conformance.RunFeatureStore(t, harness(t)) }

func TestConformance_Wrapped(t *testing.T) { conformance.RunWrapped(t, harness(t)) }

func TestConformance_BigSegments(t *testing.T) {
	conformance.RunBigSegments(t, conformance.BigSegmentsHarness{Open: openBigSegments, Writer: true})
}

func TestConformance_Faults(t *testing.T) {
	conformance.RunFaults(t, conformance.FaultsHarness{
		Server: containers.Consul(t),
		Open: map[string]func(testing.TB, string, string) core.FeatureStoreCore{
			"OwnClient": func(t testing.TB, address, prefix string) core.FeatureStoreCore {
				store, err := Open(t.Context(), &Options{Address: address, Prefix: prefix})
				require.NoError(t, err)
				return store
			},
			"CallersClient": func(t testing.TB, address, prefix string) core.FeatureStoreCore {
				store, err := New(t.Context(), newBare(t, address).Client, &Options{Prefix: prefix})
				require.NoError(t, err)
				return store
			},
		},
		OpenBigSegments: func(t testing.TB, address, prefix string) core.BigSegmentStore {
			store, err := OpenBigSegments(t.Context(), &Options{Address: address, Prefix: prefix})
			require.NoError(t, err)
			return store
		},
	})
}
