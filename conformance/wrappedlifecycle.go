package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

// wrappedMethods returns every method of the wrapper that takes a context. The key that Get asks for is one that no
// subtest has asked for before, because what is cached is returned without a look at the context.
func (f *wrappedFixture) wrappedMethods(w *wrapped) []method {
	f.Helper()
	item := f.parsed(core.Flags, live("written", 9))
	return []method{
		{"Get", func(ctx context.Context) error { _, _, err := w.Get(ctx, core.Flags, "never asked"); return err }},
		{"All", func(ctx context.Context) error { _, err := w.All(ctx, spareKind); return err }},
		{"Initialized", func(ctx context.Context) error { _, err := w.Initialized(ctx); return err }},
		{"Upsert", func(ctx context.Context) error { _, err := w.Upsert(ctx, core.Flags, "written", item); return err }},
		{"Init", func(ctx context.Context) error { return w.Init(ctx, nil) }},
	}
}

func testWrappedInvalid(f *wrappedFixture) {
	w := f.openWrapped()
	f.initWrapped(w, f.parsedCollection(core.Flags, live("a", 1)))
	for _, m := range f.wrappedMethods(w) {
		if err := m.call(nil); !errors.Is(err, core.ErrInvalid) {
			f.Errorf("%s with a nil context: the error is %v, want ErrInvalid", m.name, err)
		}
	}
	item := f.parsed(core.Flags, live("b", 1))
	_, _, getErr := w.Get(f.Context(), core.Flags, "")
	_, allErr := w.All(f.Context(), "a:b")
	_, keyErr := w.Upsert(f.Context(), core.Flags, "", item)
	_, nilErr := w.Upsert(f.Context(), core.Flags, "b", nil)
	twice := core.Collection{Kind: core.Flags, Items: []core.KeyedItem{{Key: "b", Item: item}, {Key: "b", Item: item}}}
	for name, err := range map[string]error{
		"Get of an empty key": getErr, "All of an invalid kind": allErr, "Upsert of an empty key": keyErr, "Upsert of nil": nilErr,
		"Init with a key twice": w.Init(f.Context(), []core.Collection{twice}),
	} {
		if !errors.Is(err, core.ErrInvalid) {
			f.Errorf("%s: the error is %v, want ErrInvalid", name, err)
		}
	}
	f.wantMap(w, core.Flags, live("a", 1))
}

func testWrappedContext(f *wrappedFixture) {
	w := f.openWrapped()
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	for _, m := range f.wrappedMethods(w) {
		if err := m.call(ctx); !suite.ContextEnded(ctx, err) {
			f.Errorf("%s with a context that has ended: the error is %v, want %v as it is", m.name, err, ctx.Err())
		}
	}
	f.wantUpdated(w, core.Flags, live("a", 1), true)
	f.wantLive(w, core.Flags, live("a", 1))
}

func testWrappedStatus(f *wrappedFixture) {
	w := f.openWrapped()
	healthy := core.DataStoreStatus{Available: true}
	if got := f.status(w); !got.SameState(healthy) {
		f.Fatalf("Status of a new wrapper: %+v, want %+v", got, healthy)
	}
	f.initWrapped(w, f.parsedCollection(core.Flags, live("a", 1)))
	f.wantUpdated(w, core.Flags, live("a", 2), true)
	f.wantUpdated(w, core.Flags, live("a", 1), false)
	f.wantHidden(w, core.Flags, "nothing")
	if got := f.status(w); !got.SameState(healthy) {
		f.Fatalf("Status after ordinary use: %+v, want %+v", got, healthy)
	}
	if provider, ok := w.store.(core.DataStoreStatusProvider); !ok || !provider.MonitoringEnabled() {
		f.Fatalf("MonitoringEnabled is false")
	}
}

func testWrappedConcurrently(f *wrappedFixture) {
	a, b := f.openWrapped(), f.openWrapped()
	total := f.rounds * f.workers
	suite.Concurrently(f, f.workers, func(worker int) error {
		w := []*wrapped{a, b}[worker%2]
		random := rand.New(rand.NewPCG(7, uint64(worker)))
		for _, n := range random.Perm(f.rounds) {
			version := 1 + n*f.workers + worker
			item, err := live("a", version).Item.Parse(core.Flags, "a")
			if err != nil {
				return err
			}
			if _, err := w.Upsert(f.Context(), core.Flags, "a", item); err != nil {
				return err
			}
			got, found, err := w.Get(f.Context(), core.Flags, "a")
			if err != nil || !found || got.Version() < version {
				return fmt.Errorf("Get after an upsert of version %d: found %t, error %w", version, found, err)
			}
		}
		return nil
	})
	f.wantItem(f.open(), core.Flags, live("a", total))
	f.wantUpdated(a, core.Flags, live("a", total), false)
	f.wantLive(a, core.Flags, live("a", total))
}

func testWrappedClose(f *wrappedFixture) {
	s := f.openUnmanaged(f.prefix)
	w := f.openWrappedUnmanaged(s.core)
	f.initWrapped(w, f.parsedCollection(core.Flags, live("a", 1)))
	f.wantLive(w, core.Flags, live("a", 1))
	for i := range 2 {
		if err := w.Close(); err != nil {
			f.Fatalf("Close number %d: %v", i+1, err)
		}
	}
	for _, m := range f.wrappedMethods(w) {
		if err := m.call(f.Context()); !errors.Is(err, core.ErrClosed) {
			f.Errorf("%s after Close: the error is %v, want ErrClosed", m.name, err)
		}
	}
	if _, err := s.Initialized(f.Context()); !errors.Is(err, core.ErrClosed) {
		f.Fatalf("the store below is still open: its Initialized returns the error %v", err)
	}
}

func testWrappedLeak(f *wrappedFixture) {
	f.useAndClose()
	baseline := goleak.IgnoreCurrent()
	for range 3 {
		w := f.openWrappedUnmanaged(f.openUnmanaged(f.prefix).core)
		for _, m := range f.wrappedMethods(w) {
			if err := m.call(f.Context()); err != nil {
				f.Fatalf("%s: %v", m.name, err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatalf("Close: %v", err)
		}
	}
	if err := goleak.Find(baseline); err != nil {
		f.Fatalf("after Close: %v", err)
	}
}
