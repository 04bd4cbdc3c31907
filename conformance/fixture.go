package conformance

import (
	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

// fixture is what one subtest about a feature store is given: a prefix that nothing else uses, and helpers that end the
// subtest when a store does not do what it should.
type fixture struct {
	tester
	sizes
	guard
	h      Harness
	prefix string
}

func newFixture(t tester, h Harness, s sizes) *fixture {
	g := suite.NewGuard(t, h.Timeout)
	return &fixture{tester: t, sizes: s, guard: g, h: h.bounded(g.Timeout()), prefix: suite.RandomPrefix()}
}

// open returns a new store under the subtest's prefix.
func (f *fixture) open() *store { return f.openAt(f.prefix) }

// openAt returns a new store under another prefix. It is closed at the end of the subtest.
func (f *fixture) openAt(prefix string) *store {
	f.Helper()
	s := f.openUnmanaged(prefix)
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Errorf("Close: %v", err)
		}
	})
	return s
}

// openUnmanaged returns a new store that the subtest closes itself.
func (f *fixture) openUnmanaged(prefix string) *store {
	f.Helper()
	s := f.h.Open(f.tester, prefix)
	if s == nil {
		f.Fatalf("Harness.Open returned nil")
	}
	return &store{guard: f.guard, core: s}
}

// openSeveral returns n stores under the subtest's prefix.
func (f *fixture) openSeveral(n int) []*store {
	f.Helper()
	stores := make([]*store, n)
	for i := range stores {
		stores[i] = f.open()
	}
	return stores
}

func (f *fixture) init(s *store, data ...core.SerializedCollection) {
	f.Helper()
	if err := s.Init(f.Context(), data); err != nil {
		f.Fatalf("Init: %v", err)
	}
}

// upsert stores the item and expects it to be written.
func (f *fixture) upsert(s *store, kind core.DataKind, item core.KeyedSerializedItem) {
	f.Helper()
	f.wantUpsert(s, kind, item, item, true)
}

// wantUpsert stores the given item and expects the result to name the winner.
func (f *fixture) wantUpsert(s *store, kind core.DataKind, given, winner core.KeyedSerializedItem, written bool) {
	f.Helper()
	result, err := s.Upsert(f.Context(), kind, given.Key, given.Item)
	if err != nil {
		f.Fatalf("Upsert of version %d of %s %s: %v", given.Item.Version, kind, briefKey(given.Key), err)
	}
	if d := differsInResult(result, winner.Item, written); d != "" {
		f.Fatalf("Upsert of version %d of %s %s: %s", given.Item.Version, kind, briefKey(given.Key), d)
	}
}

func (f *fixture) wantItem(s *store, kind core.DataKind, want core.KeyedSerializedItem) {
	f.Helper()
	got, found, err := s.Get(f.Context(), kind, want.Key)
	switch {
	case err != nil:
		f.Fatalf("Get of %s %s: %v", kind, briefKey(want.Key), err)
	case !found:
		f.Fatalf("Get of %s %s: not found, want version %d", kind, briefKey(want.Key), want.Item.Version)
	}
	if d := differs(got, want.Item); d != "" {
		f.Fatalf("Get of %s %s: %s", kind, briefKey(want.Key), d)
	}
}

func (f *fixture) wantMissing(s *store, kind core.DataKind, key string) {
	f.Helper()
	got, found, err := s.Get(f.Context(), kind, key)
	switch {
	case err != nil:
		f.Fatalf("Get of %s %s, which is not there: %v", kind, briefKey(key), err)
	case found:
		f.Fatalf("Get of %s %s: found %s, want nothing", kind, briefKey(key), brief(got.Data))
	case got.Data != nil || got.Version != 0 || got.Deleted:
		f.Fatalf("Get of %s %s: not found, but the item is not the zero value", kind, briefKey(key))
	}
}

func (f *fixture) wantAll(s *store, kind core.DataKind, want ...core.KeyedSerializedItem) {
	f.Helper()
	got, err := s.GetAll(f.Context(), kind)
	if err != nil {
		f.Fatalf("GetAll of %s: %v", kind, err)
	}
	if d := differsInAll(got, want); d != "" {
		f.Fatalf("GetAll of %s: %s", kind, d)
	}
}

func (f *fixture) wantInitialized(s *store, want bool) {
	f.Helper()
	got, err := s.Initialized(f.Context())
	if err != nil {
		f.Fatalf("Initialized: %v", err)
	}
	if got != want {
		f.Fatalf("Initialized is %t, want %t", got, want)
	}
}
