package conformance

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// memory is a memorystore that cannot be watched, because a watch would see the same faults once more.
type memory struct {
	core.FeatureStoreCore
	core.AvailabilityChecker
	core.ChangeSetApplier
	core.ItemsGetter
	core.DiagnosticDescription
}

func newMemory(s *memorystore.Store) memory { return memory{s, s, s, s, s} }

// faulty is a store that is right but for the methods that are replaced.
type faulty struct {
	memory
	db     *memorystore.Database
	prefix string
	state  *faultState

	onInit        func(ctx context.Context, data []core.SerializedCollection) error
	onGet         func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error)
	onGetAll      func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error)
	onUpsert      func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error)
	onInitialized func(ctx context.Context) (bool, error)
	onChangeSet   func(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error)
	onGetItems    func(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error)
	onClose       func() error
}

func (f *faulty) Init(ctx context.Context, data []core.SerializedCollection) error {
	if f.onInit != nil {
		return f.onInit(ctx, data)
	}
	return f.memory.Init(ctx, data)
}

func (f *faulty) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	defer f.state.hasRead()
	if f.onGet != nil {
		return f.onGet(ctx, kind, key)
	}
	return f.memory.Get(ctx, kind, key)
}

func (f *faulty) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	defer f.state.hasRead()
	if f.onGetAll != nil {
		return f.onGetAll(ctx, kind)
	}
	return f.memory.GetAll(ctx, kind)
}

func (f *faulty) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	if f.onUpsert != nil {
		return f.onUpsert(ctx, kind, key, item)
	}
	return f.memory.Upsert(ctx, kind, key, item)
}

func (f *faulty) Initialized(ctx context.Context) (bool, error) {
	defer f.state.hasRead()
	if f.onInitialized != nil {
		return f.onInitialized(ctx)
	}
	return f.memory.Initialized(ctx)
}

func (f *faulty) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	if f.onChangeSet != nil {
		return f.onChangeSet(ctx, changes)
	}
	return f.memory.ApplyChangeSet(ctx, changes)
}

func (f *faulty) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	if f.onGetItems != nil {
		return f.onGetItems(ctx, kind, keys)
	}
	return f.memory.GetItems(ctx, kind, keys)
}

func (f *faulty) Close() error {
	if f.onClose != nil {
		return f.onClose()
	}
	return f.memory.Close()
}

// upsertAfter replaces Upsert by write for arguments that are right.
func (f *faulty) upsertAfter(
	write func(kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error),
) {
	f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
		if _, _, err := f.memory.Get(ctx, kind, key); err != nil {
			return core.UpsertResult{}, err
		}
		if len(item.Data) > faultyMaxItemSize {
			return f.memory.Upsert(ctx, kind, key, item)
		}
		return write(kind, key, item)
	}
}

// fault is one thing that is wrong with a store, and the subtests that have to notice.
type fault struct {
	name string
	// inject makes the fault; it is called for every store of one run with that run's state.
	inject func(f *faulty, state *faultState)
	// wrap, if set, takes the place of the store.
	wrap func(s core.FeatureStoreCore) core.FeatureStoreCore
	// declare, if set, changes what the harness declares.
	declare func(c *Capabilities)
	// must are the subtests that have to fail; may are those that can also notice.
	must, may []string
	// wide says that most subtests rely on what is broken, so that only those in must run.
	wide bool
}

// requireFound runs the suite with the fault.
func (ft fault) requireFound(t *testing.T, suite func(t tester)) {
	t.Helper()
	var only []string
	if ft.wide {
		only = ft.must
	}
	testrun.Record(t, only, suite).RequireFailures(t, ft.must, ft.may)
}

// faultState is what the stores of one run share.
type faultState struct {
	t        testing.TB
	prefixes []string

	mu       sync.Mutex
	switches map[string]bool

	reads chan struct{} // taken from by a fault that waits for readers
	meet  chan struct{} // where two faults wait for each other
}

// patience is for how long a fault waits for others to see it.
const patience = 2 * time.Millisecond

// awaitReads waits until others have read something.
func (s *faultState) awaitReads() {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for range 4 {
		select {
		case <-s.reads:
		case <-timer.C:
			return
		}
	}
}

func (s *faultState) hasRead() {
	select {
	case s.reads <- struct{}{}:
	default:
	}
}

// awaitAnother waits until another goroutine has come here too.
func (s *faultState) awaitAnother() {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s.meet <- struct{}{}:
	case <-s.meet:
	case <-timer.C:
	}
}

func (s *faultState) set(name string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches[name] = on
}

func (s *faultState) get(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches[name]
}

// tinySizes is enough to find every fault.
func tinySizes() sizes {
	s := shortSizes()
	s.manyItems, s.bigItem = 200, 64<<10
	s.rounds, s.modelChecks = 12, 6
	return s
}

const faultyMaxItemSize = 100 << 10

// harness describes stores that have the fault.
func (ft fault) harness(t testing.TB, db *memorystore.Database) Harness {
	state := &faultState{
		t: t, switches: make(map[string]bool), reads: make(chan struct{}), meet: make(chan struct{}),
	}
	h := limitedHarness(db, faultyMaxItemSize)
	h.Capabilities.Watcher = false
	h.Open = func(_ testing.TB, prefix string) core.FeatureStoreCore {
		state.prefixes = append(state.prefixes, prefix)
		f := &faulty{
			memory: newMemory(memorystore.New(db, &memorystore.Options{Prefix: prefix, MaxItemSize: faultyMaxItemSize})),
			db:     db, prefix: prefix, state: state,
		}
		if ft.inject != nil {
			ft.inject(f, state)
		}
		if ft.wrap != nil {
			return ft.wrap(f)
		}
		return f
	}
	if ft.declare != nil {
		ft.declare(&h.Capabilities)
	}
	return h
}

func runFaults(t *testing.T, faults []fault) {
	for _, ft := range faults {
		t.Run(ft.name, func(t *testing.T) {
			h := ft.harness(t, new(memorystore.Database))
			ft.requireFound(t, func(t tester) { runFeatureStore(t, h, tinySizes()) })
		})
	}
}
