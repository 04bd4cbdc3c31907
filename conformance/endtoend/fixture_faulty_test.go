package endtoend

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
	"github.com/cleatdev/cleat/memorystore"
)

// faulty is a store that is right but for the methods that are replaced.
type faulty struct {
	*memorystore.Store
	db     *memorystore.Database
	prefix string

	onInit        func(ctx context.Context, data []core.SerializedCollection) error
	onGet         func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error)
	onGetAll      func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error)
	onUpsert      func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error)
	onChangeSet   func(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error)
	onInitialized func(ctx context.Context) (bool, error)
	onWatch       func(ctx context.Context, changed func(core.Change)) error
}

func (f *faulty) Init(ctx context.Context, data []core.SerializedCollection) error {
	if f.onInit != nil {
		return f.onInit(ctx, data)
	}
	return f.Store.Init(ctx, data)
}

func (f *faulty) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if f.onGet != nil {
		return f.onGet(ctx, kind, key)
	}
	return f.Store.Get(ctx, kind, key)
}

func (f *faulty) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if f.onGetAll != nil {
		return f.onGetAll(ctx, kind)
	}
	return f.Store.GetAll(ctx, kind)
}

func (f *faulty) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	if f.onUpsert != nil {
		return f.onUpsert(ctx, kind, key, item)
	}
	return f.Store.Upsert(ctx, kind, key, item)
}

func (f *faulty) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	if f.onChangeSet != nil {
		return f.onChangeSet(ctx, changes)
	}
	return f.Store.ApplyChangeSet(ctx, changes)
}

func (f *faulty) Initialized(ctx context.Context) (bool, error) {
	if f.onInitialized != nil {
		return f.onInitialized(ctx)
	}
	return f.Store.Initialized(ctx)
}

func (f *faulty) Watch(ctx context.Context, changed func(core.Change)) error {
	if f.onWatch != nil {
		return f.onWatch(ctx, changed)
	}
	return f.Store.Watch(ctx, changed)
}

// all returns what the store holds.
func (f *faulty) all(ctx context.Context) ([]core.SerializedCollection, error) {
	var all []core.SerializedCollection
	for _, kind := range core.BuiltInKinds() {
		items, err := f.Store.GetAll(ctx, kind)
		if err != nil {
			return nil, err
		}
		all = append(all, core.SerializedCollection{Kind: kind, Items: items})
	}
	return all, nil
}

// versionOf returns the version of an item in the store; found is false if there is none.
func (f *faulty) versionOf(ctx context.Context, kind core.DataKind, key string) (version int, found bool) {
	stored, found, err := f.Store.Get(ctx, kind, key)
	if err != nil || !found {
		return 0, false
	}
	item, err := stored.Parse(kind, key)
	if err != nil {
		return 0, false
	}
	return item.Version(), true
}

// written writes an item whatever was there, and says so.
func (f *faulty) written(kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	f.db.WriteRaw(f.prefix, kind, key, item.Data)
	return core.UpsertResult{Item: item, Written: true}, nil
}

// step is one part of an Init that is not atomic.
type step func(ctx context.Context, before, data []core.SerializedCollection) error

// stepwise makes Init consist of the steps.
func (f *faulty) stepwise(steps ...step) {
	f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
		before, err := f.all(ctx)
		for _, step := range steps {
			if err == nil {
				err = step(ctx, before, data)
			}
		}
		return err
	}
}

// write writes the items of the kinds, one after the other.
func (f *faulty) write(kinds ...core.DataKind) step {
	return func(ctx context.Context, _, data []core.SerializedCollection) error {
		for _, c := range data {
			for _, item := range c.Items {
				if !slices.Contains(kinds, c.Kind) {
					continue
				}
				if err := lull(ctx); err != nil {
					return err
				}
				f.db.WriteRaw(f.prefix, c.Kind, item.Key, item.Item.Data)
			}
		}
		return nil
	}
}

// remove deletes what was there before and is not in the new data.
func (f *faulty) remove(ctx context.Context, before, data []core.SerializedCollection) error {
	kept := map[ref]bool{}
	for _, c := range data {
		for _, item := range c.Items {
			kept[ref{c.Kind, item.Key}] = true
		}
	}
	for _, c := range before {
		for _, item := range c.Items {
			if !kept[ref{c.Kind, item.Key}] {
				f.db.DeleteRaw(f.prefix, c.Kind, item.Key)
			}
		}
	}
	return lull(ctx)
}

// mark sets the mark that an Init has completed.
func (f *faulty) mark(ctx context.Context, _, _ []core.SerializedCollection) error {
	all, err := f.all(ctx)
	if err != nil {
		return err
	}
	return f.Store.Init(ctx, all)
}

// lull lets others see what has been written so far.
func lull(ctx context.Context) error { return pause.For(ctx, 2*time.Millisecond) } // several turns of a busy machine

// fault is one thing that is wrong with a store, and the subtests that have to notice.
type fault struct {
	name string
	// modes are those to run; Off if there are none.
	modes []string
	// inject makes the fault; it is called for every store.
	inject func(f *faulty)
	// injectBig makes a fault of a big segment store.
	injectBig func(s bigStore) core.BigSegmentStore
	// notAtomic is true if the harness does not declare AtomicInit.
	notAtomic bool
	// must are the subtests that have to fail, without the mode; may are those that can also notice.
	must, may []string
	// wide says that most subtests rely on what is broken, so that only those in must run.
	wide bool
}

func (ft fault) harness(db *memorystore.Database) Harness {
	h := memoryHarness(db)
	h.Capabilities.AtomicInit = !ft.notAtomic
	if ft.inject != nil {
		h.Open = func(_ testing.TB, prefix string) core.FeatureStoreCore {
			f := &faulty{Store: memorystore.New(db, &memorystore.Options{Prefix: prefix}), db: db, prefix: prefix}
			ft.inject(f)
			return f
		}
	}
	if ft.injectBig != nil {
		open := h.OpenBigSegments
		h.OpenBigSegments = func(t testing.TB, prefix string) core.BigSegmentStore {
			return ft.injectBig(open(t, prefix).(bigStore))
		}
	}
	return h
}

// bigStore is a big segment store that can be filled.
type bigStore interface {
	core.BigSegmentStore
	core.BigSegmentWriter
}

// tinySizes is enough to find every fault. What has to come is awaited for long only if nothing is meant to fail.
func (ft fault) tinySizes() sizes {
	s := sizes{updates: 8, fillers: 24, filler: 20, wait: 3 * time.Second}
	if ft.must == nil {
		s.wait *= 10
	}
	return s
}

func runFaults(t *testing.T, faults []fault) {
	for _, ft := range faults {
		modes := ft.modes
		if modes == nil {
			modes = []string{"Off"}
		}
		t.Run(ft.name, func(t *testing.T) {
			t.Parallel()
			must, only := inModes(modes, ft.must), modes
			if ft.wide {
				only = must
			}
			o := testrun.Record(t, only, func(t tester) { run(t, ft.harness(new(memorystore.Database)), ft.tinySizes()) })
			o.RequireFailures(t, must, inModes(modes, ft.may))
		})
	}
}

// inModes returns the names of the subtests in all of the modes.
func inModes(modes, names []string) []string {
	var all []string
	for _, mode := range modes {
		for _, name := range names {
			all = append(all, mode+"/"+name)
		}
	}
	return all
}
