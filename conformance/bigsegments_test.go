package conformance

import (
	"testing"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestRunBigSegments_MemoryStore_Passes(t *testing.T) {
	RunBigSegments(t, BigSegmentsHarness{Writer: true, Open: memoryHarness(new(memorystore.Database)).OpenBigSegments})
}

func TestRunBigSegments_ReaderOnly_Passes(t *testing.T) {
	db := new(memorystore.Database)
	RunBigSegments(t, BigSegmentsHarness{Open: func(_ testing.TB, prefix string) core.BigSegmentStore {
		return struct{ core.BigSegmentStore }{memorystore.NewBigSegments(db, &memorystore.Options{Prefix: prefix})}
	}})
}
