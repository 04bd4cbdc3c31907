package conformance

import (
	"bytes"
	"context"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
)

// wrappedFixture is what one subtest about a wrapped store is given.
type wrappedFixture struct {
	*fixture
	mode caching.Mode
	wrap wrapper
}

// openWrapped returns a wrapper over a new store under the subtest's prefix. It is closed at the end of the subtest.
func (f *wrappedFixture) openWrapped() *wrapped {
	f.Helper()
	w := f.openWrappedUnmanaged(f.openUnmanaged(f.prefix).core)
	f.Cleanup(func() {
		if err := w.Close(); err != nil {
			f.Errorf("Close: %v", err)
		}
	})
	return w
}

// openWrappedUnmanaged returns a wrapper that the subtest closes itself.
func (f *wrappedFixture) openWrappedUnmanaged(s core.FeatureStoreCore) *wrapped {
	f.Helper()
	w, err := f.wrap(s, f.mode)
	if err != nil {
		f.Fatalf("wrapping the store: %v", err)
	}
	return &wrapped{guard: f.guard, store: w}
}

// wrapped is a core.FeatureStore with every call guarded.
type wrapped struct {
	guard
	store core.FeatureStore
}

var _ core.FeatureStore = (*wrapped)(nil)

func (w *wrapped) Get(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	type answer struct {
		item  *core.Item
		found bool
	}
	a, err := suite.Guarded(w.guard, "Get", func() (a answer, err error) {
		a.item, a.found, err = w.store.Get(ctx, kind, key)
		return a, err
	})
	return a.item, a.found, err
}

func (w *wrapped) All(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
	return suite.Guarded(w.guard, "All", func() (map[string]*core.Item, error) { return w.store.All(ctx, kind) })
}

func (w *wrapped) Initialized(ctx context.Context) (bool, error) {
	return suite.Guarded(w.guard, "Initialized", func() (bool, error) { return w.store.Initialized(ctx) })
}

func (w *wrapped) Init(ctx context.Context, data []core.Collection) error {
	return w.Do("Init", func() error { return w.store.Init(ctx, data) })
}

func (w *wrapped) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error) {
	return suite.Guarded(w.guard, "Upsert", func() (bool, error) { return w.store.Upsert(ctx, kind, key, item) })
}

func (w *wrapped) Close() error { return w.Do("Close", w.store.Close) }

// parsed makes a core.Item of one of the suite's own items.
func (f *wrappedFixture) parsed(kind core.DataKind, item core.KeyedSerializedItem) *core.Item {
	f.Helper()
	parsed, err := item.Item.Parse(kind, item.Key)
	if err != nil {
		f.Fatalf("the suite's own item: %v", err)
	}
	return parsed
}

func (f *wrappedFixture) parsedCollection(kind core.DataKind, items ...core.KeyedSerializedItem) core.Collection {
	f.Helper()
	c := core.Collection{Kind: kind}
	for _, item := range items {
		c.Items = append(c.Items, core.KeyedItem{Key: item.Key, Item: f.parsed(kind, item)})
	}
	return c
}

func (f *wrappedFixture) initWrapped(w *wrapped, data ...core.Collection) {
	f.Helper()
	if err := w.Init(f.Context(), data); err != nil {
		f.Fatalf("Init: %v", err)
	}
}

func (f *wrappedFixture) wantUpdated(w *wrapped, kind core.DataKind, item core.KeyedSerializedItem, want bool) {
	f.Helper()
	updated, err := w.Upsert(f.Context(), kind, item.Key, f.parsed(kind, item))
	if err != nil {
		f.Fatalf("Upsert of version %d of %s: %v", item.Item.Version, item.Key, err)
	}
	if updated != want {
		f.Fatalf("Upsert of version %d of %s: updated is %t, want %t", item.Item.Version, item.Key, updated, want)
	}
}

// wantLive expects Get to return the item.
func (f *wrappedFixture) wantLive(w *wrapped, kind core.DataKind, want core.KeyedSerializedItem) {
	f.Helper()
	item, found, err := w.Get(f.Context(), kind, want.Key)
	if err != nil || !found || item == nil {
		f.Fatalf("Get of %s: found %t, error %v; want version %d", want.Key, found, err, want.Item.Version)
	}
	if !bytes.Equal(item.JSON(), want.Item.Data) || item.Version() != want.Item.Version || item.Deleted() {
		f.Fatalf("Get of %s: version %d, %s; want %s", want.Key, item.Version(), brief(item.JSON()), brief(want.Item.Data))
	}
}

// wantHidden expects Get to find nothing.
func (f *wrappedFixture) wantHidden(w *wrapped, kind core.DataKind, key string) {
	f.Helper()
	item, found, err := w.Get(f.Context(), kind, key)
	if err != nil || found || item != nil {
		f.Fatalf("Get of %s: found %t, item %v, error %v; want nothing", key, found, item != nil, err)
	}
}

// wantMap expects All to return exactly the items.
func (f *wrappedFixture) wantMap(w *wrapped, kind core.DataKind, want ...core.KeyedSerializedItem) {
	f.Helper()
	got, err := w.All(f.Context(), kind)
	if err != nil {
		f.Fatalf("All of %s: %v", kind, err)
	}
	if d := differsInMap(got, want); d != "" {
		f.Fatalf("All of %s: %s", kind, d)
	}
}

// differsInMap says how live items differ from those that should be there, or "".
func differsInMap(got map[string]*core.Item, want []core.KeyedSerializedItem) string {
	all := make([]core.KeyedSerializedItem, 0, len(got))
	for key, item := range got {
		all = append(all, core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{
			Version: item.Version(), Deleted: item.Deleted(), Data: item.JSON(),
		}})
	}
	return differsInAll(all, want)
}

func (f *wrappedFixture) wantWrappedInitialized(w *wrapped, want bool) {
	f.Helper()
	got, err := w.Initialized(f.Context())
	if err != nil || got != want {
		f.Fatalf("Initialized: %t, error %v; want %t", got, err, want)
	}
}

// status returns the status that the wrapper gives.
func (f *wrappedFixture) status(w *wrapped) core.DataStoreStatus {
	f.Helper()
	provider, ok := w.store.(core.DataStoreStatusProvider)
	if !ok {
		f.Fatalf("the wrapper is no core.DataStoreStatusProvider")
	}
	return provider.Status()
}

// eventually asks again and again until there is nothing wrong any more, and fails the subtest if that takes too long.
func (f *fixture) eventually(what string, wrong func() string) {
	f.Helper()
	testrun.Eventually(f, f.wait, what, wrong)
}
