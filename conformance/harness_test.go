package conformance

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
	"github.com/cleatdev/cleat/memorystore"
)

// TestMain keeps rapid from spending long on the failures of broken stores.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.shrinktime": "200ms"} {
		if err := flag.Set(name, value); err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m, storetest.IgnoreProxies()...)
}

// memoryHarness describes stores on db with every ability that memorystore has.
func memoryHarness(db *memorystore.Database) Harness {
	return limitedHarness(db, 0)
}

// limitedHarness is memoryHarness with a limit for the size of items.
func limitedHarness(db *memorystore.Database, maxItemSize int) Harness {
	return Harness{
		Open: func(_ testing.TB, prefix string) core.FeatureStoreCore {
			return memorystore.New(db, &memorystore.Options{Prefix: prefix, MaxItemSize: maxItemSize})
		},
		WriteRaw: func(_ testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			db.WriteRaw(prefix, kind, key, data)
		},
		ReadRaw: func(_ testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
			return db.ReadRaw(prefix, kind, key)
		},
		Wipe: func(testing.TB) { db.Wipe() },
		OpenBigSegments: func(_ testing.TB, prefix string) core.BigSegmentStore {
			return memorystore.NewBigSegments(db, &memorystore.Options{Prefix: prefix})
		},
		Capabilities: Capabilities{
			AtomicInit: true, AvailabilityChecker: true, Watcher: true, ChangeSetApplier: true, ItemsGetter: true, DiagnosticDescription: true,
			MaxItemSize: maxItemSize,
		},
	}
}

func TestRunFeatureStore_MemoryStore_Passes(t *testing.T) {
	RunFeatureStore(t, memoryHarness(new(memorystore.Database)))
}

func TestRunWrapped_MemoryStore_Passes(t *testing.T) {
	RunWrapped(t, memoryHarness(new(memorystore.Database)))
}
