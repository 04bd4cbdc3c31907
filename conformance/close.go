package conformance

import (
	"context"
	"errors"
	"sync/atomic"

	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func closeTests() group[*fixture] {
	return group[*fixture]{"Close", []subtest[*fixture]{
		{"IsIdempotent", testCloseTwice},
		{"ConcurrentCallsAllSucceed", testCloseConcurrently},
		{"EveryMethodReturnsErrClosedAfterwards", testCloseThenCall},
		{"WithoutAnyUse", testCloseUnused},
		{"LeavesOtherStoresAlone", testCloseOthers},
		{"WhileInUse", testCloseWhileInUse},
		{"LeavesNoGoroutine", testCloseLeak},
	}}
}

func (f *fixture) close(s *store) {
	f.Helper()
	if err := s.Close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
}

func testCloseTwice(f *fixture) {
	s := f.openUnmanaged(f.prefix)
	f.init(s)
	for i := range 3 {
		if err := s.Close(); err != nil {
			f.Fatalf("Close number %d: %v", i+1, err)
		}
	}
}

func testCloseConcurrently(f *fixture) {
	s := f.openUnmanaged(f.prefix)
	f.init(s)
	suite.Concurrently(f, f.workers, func(int) error { return s.Close() })
}

func testCloseThenCall(f *fixture) {
	s := f.openUnmanaged(f.prefix)
	f.upsert(s, core.Flags, live("a", 1))
	f.close(s)
	for _, m := range f.methods(s) {
		if err := m.call(f.Context()); !errors.Is(err, core.ErrClosed) {
			f.Errorf("%s after Close: the error is %v, want ErrClosed", m.name, err)
		}
	}
	other := f.open()
	f.wantAll(other, core.Flags, live("a", 1))
	f.wantInitialized(other, false)
}

func testCloseUnused(f *fixture) { f.close(f.openUnmanaged(f.prefix)) }

func testCloseOthers(f *fixture) {
	s, other := f.openUnmanaged(f.prefix), f.open()
	f.init(s, collection(core.Flags, live("a", 1)))
	f.close(s)
	f.wantItem(other, core.Flags, live("a", 1))
	f.upsert(other, core.Flags, live("a", 2))
	f.wantInitialized(other, true)
}

// testCloseWhileInUse closes a store under workers that read and write.
func testCloseWhileInUse(f *fixture) {
	for round := range f.rounds / 5 {
		prefix := suite.RandomPrefix()
		s := f.openBounded(prefix)
		var written atomic.Int64 // the greatest version known to be written
		u := suite.NewUsage(f.workers, s.Close, func(ctx context.Context, n int) error { return s.use(ctx, n, &written) })
		u.Run(f, round%3)
		lowest := int(written.Load())
		f.wantVersionBetween(f.openAt(prefix), "a", lowest, lowest+1)
	}
}

// use makes one call, which one depending on n.
func (s *store) use(ctx context.Context, n int, written *atomic.Int64) error {
	switch n % 4 {
	case 0:
		version := written.Load() + 1
		item := live("a", int(version))
		_, err := s.Upsert(ctx, core.Flags, item.Key, item.Item)
		if err == nil {
			raise(written, version)
		}
		return err
	case 1:
		_, _, err := s.Get(ctx, core.Flags, "a")
		return err
	case 2:
		_, err := s.GetAll(ctx, core.Flags)
		return err
	default:
		_, err := s.Initialized(ctx)
		return err
	}
}

func raise(highest *atomic.Int64, version int64) {
	for seen := highest.Load(); seen < version && !highest.CompareAndSwap(seen, version); {
		seen = highest.Load()
	}
}

// testCloseLeak compares goroutines. The first store is there to make the driver start what it shares between stores.
func testCloseLeak(f *fixture) {
	f.useAndClose()
	baseline := goleak.IgnoreCurrent()
	for range 3 {
		f.useAndClose()
	}
	if err := goleak.Find(baseline); err != nil {
		f.Fatalf("after Close: %v", err)
	}
}

func (f *fixture) useAndClose() {
	f.Helper()
	s := f.openUnmanaged(f.prefix)
	for _, m := range f.methods(s) {
		if m.name == "Watch" {
			continue
		}
		if err := m.call(f.Context()); err != nil {
			f.Fatalf("%s: %v", m.name, err)
		}
	}
	f.close(s)
}
