package conformance_test

import (
	"testing"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// server stands for the server of a database that the tests have started; its methods stand for the bare driver.
type server struct{ memorystore.Database }

func harness(db *server) conformance.Harness {
	return conformance.Harness{
		Open: func(_ testing.TB, prefix string) core.FeatureStoreCore {
			return memorystore.New(&db.Database, &memorystore.Options{Prefix: prefix})
		},
		WriteRaw: func(_ testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			db.WriteRaw(prefix, kind, key, data)
		},
		ReadRaw: func(_ testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
			return db.ReadRaw(prefix, kind, key)
		},
		Wipe: func(testing.TB) { db.Wipe() },
		Capabilities: conformance.Capabilities{
			AtomicInit: true, AvailabilityChecker: true, Watcher: true, ChangeSetApplier: true, ItemsGetter: true, DiagnosticDescription: true,
		},
	}
}

// These are the tests of an adapter. Replace memorystore by your adapter, and server by the driver of your database.
func Example() {
	db := new(server)
	tests := map[string]func(*testing.T){
		"TestStore_Conformance":        func(t *testing.T) { conformance.RunFeatureStore(t, harness(db)) },
		"TestStore_WrappedConformance": func(t *testing.T) { conformance.RunWrapped(t, harness(db)) },
		"TestBigSegments_Conformance": func(t *testing.T) {
			conformance.RunBigSegments(t, conformance.BigSegmentsHarness{
				Writer: true,
				Open: func(_ testing.TB, prefix string) core.BigSegmentStore {
					return memorystore.NewBigSegments(&db.Database, &memorystore.Options{Prefix: prefix})
				},
			})
		},
	}
	_ = tests
}
