package endtoend

import (
	"testing"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// memoryHarness describes stores on db with every ability that memorystore has.
func memoryHarness(db *memorystore.Database) Harness {
	options := func(prefix string) *memorystore.Options { return &memorystore.Options{Prefix: prefix} }
	return Harness{Harness: conformance.Harness{
		Open: func(_ testing.TB, prefix string) core.FeatureStoreCore { return memorystore.New(db, options(prefix)) },
		WriteRaw: func(_ testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			db.WriteRaw(prefix, kind, key, data)
		},
		ReadRaw: func(_ testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
			return db.ReadRaw(prefix, kind, key)
		},
		Wipe: func(testing.TB) { db.Wipe() },
		OpenBigSegments: func(_ testing.TB, prefix string) core.BigSegmentStore {
			return memorystore.NewBigSegments(db, options(prefix))
		},
		Capabilities: conformance.Capabilities{
			AtomicInit: true, AvailabilityChecker: true, Watcher: true, ChangeSetApplier: true, ItemsGetter: true, DiagnosticDescription: true,
		},
	}}
}

func TestRun_MemoryStore_Passes(t *testing.T) {
	t.Parallel()
	Run(t, memoryHarness(new(memorystore.Database)))
}
