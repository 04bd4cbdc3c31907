package conformance

import (
	"testing"
	"time"

	"github.com/cleatdev/cleat/core"
)

// Harness describes the adapter under test. Open, WriteRaw, ReadRaw and Wipe are required; they report their own
// failures with t.Fatal. They are called with every prefix there can be, the empty one included, and on one goroutine
// at a time.
type Harness struct {
	// Open returns a new store on the shared test database under the prefix. Every call makes an independent store, as
	// another process would have, and registers nothing: the suite closes it.
	Open func(t testing.TB, prefix string) core.FeatureStoreCore

	// WriteRaw writes data as the JSON of an item behind the store's back, with the bare driver, also if it is invalid
	// JSON, and whatever was there before. A database that keeps the version and the deleted mark beside the JSON gets
	// there what data says, or 0 and false if data says nothing.
	WriteRaw func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte)

	// ReadRaw reads the JSON of an item with the bare driver; found is false if there is none.
	ReadRaw func(t testing.TB, prefix string, kind core.DataKind, key string) (data []byte, found bool)

	// Wipe removes everything in the database, of every prefix, as a restart without persistence or FLUSHALL would.
	// Stores that are open stay open.
	Wipe func(t testing.TB)

	// OpenBigSegments returns a new big segment store on the same database under the prefix, which must also be a
	// [core.BigSegmentWriter]. With it, the suite shows that the feature store leaves big segments alone. It is optional;
	// nil means that the adapter keeps none.
	OpenBigSegments func(t testing.TB, prefix string) core.BigSegmentStore

	// Capabilities says what the adapter can do beyond the minimum, and what its limits are.
	Capabilities Capabilities

	// Timeout is how long one call may take before the suite counts it as hanging and fails the subtest; 0 means 30 s.
	// Calls on very large data get four times as long.
	Timeout time.Duration
}

// Capabilities is what an adapter declares about itself. The zero value is an adapter without optional abilities, whose
// Init is not atomic, and which accepts items of 5 MB and keys of 10 KB.
type Capabilities struct {
	// AtomicInit says that readers see the old set or the new, never a mixture or nothing. Without it, an Init may also stop
	// with a [core.PartialInitError] that wraps [core.ErrConflict] because another one began later.
	AtomicInit bool

	// MaxItemSize is the largest item JSON in bytes that must be accepted. An item of twice that size must be refused with
	// [core.ErrTooLarge]; what happens in between is left to the database. 0 means that there is no limit worth naming, and
	// the suite's own flag of 5 MB must be accepted.
	MaxItemSize int

	// MaxKeySize is the longest item key in bytes that must be accepted. A key of twice that length must be refused with
	// [core.ErrTooLarge]. 0 means that there is no limit worth naming, and a key of 10 KB must be accepted.
	MaxKeySize int

	// The optional abilities. A declared one is tested; that an undeclared one is absent is asserted.
	AvailabilityChecker, Watcher, ChangeSetApplier, ItemsGetter, DiagnosticDescription bool
}
