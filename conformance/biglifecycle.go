package conformance

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
)

func bigLifecycleTests() group[*bigFixture] {
	return group[*bigFixture]{"Lifecycle", []subtest[*bigFixture]{
		{"NilContextIsRefused", testBigNilContext},
		{"EndedContextIsReported", testBigEndedContext},
		{"CloseIsIdempotent", testBigCloseTwice},
		{"EveryMethodReturnsErrClosedAfterwards", testBigClosed},
		{"CloseLeavesOtherStoresAlone", testBigCloseOthers},
		{"CloseWhileInUse", testBigCloseWhileInUse},
		{"CloseLeavesNoGoroutine", testBigLeak},
	}}
}

// methods returns every method of the store that takes a context. Those that write, write nothing that another subtest
// looks at.
func (s *bigSegmentStore) methods() []method {
	methods := []method{
		{"Metadata", func(ctx context.Context) error {
			return s.do("Metadata", func() error { _, err := s.core.Metadata(ctx); return err })
		}},
		{"Membership", func(ctx context.Context) error {
			return s.do("Membership", func() error { _, err := s.core.Membership(ctx, hashOne); return err })
		}},
	}
	if s.writer == nil {
		return methods
	}
	return slices.Concat(methods, []method{
		{"Cursor", func(ctx context.Context) error {
			return s.do("Cursor", func() error { _, err := s.writer.Cursor(ctx); return err })
		}},
		{"ApplyPatch", func(ctx context.Context) error {
			p := patch("a.g1", "", "written", adds(hashOne), unchanged())
			return s.do("ApplyPatch", func() error { _, err := s.writer.ApplyPatch(ctx, p); return err })
		}},
		{"SetLastUpToDate", func(ctx context.Context) error {
			return s.do("SetLastUpToDate", func() error { return s.writer.SetLastUpToDate(ctx, 9) })
		}},
	})
}

func testBigNilContext(f *bigFixture) {
	s := f.open()
	for _, m := range s.methods() {
		if err := m.call(nil); !errors.Is(err, core.ErrInvalid) {
			f.Errorf("%s with a nil context: the error is %v, want ErrInvalid", m.name, err)
		}
	}
	f.wantUntouched(s)
}

func testBigEndedContext(f *bigFixture) {
	cancelled, cancel := context.WithCancelCause(f.Context())
	cancel(errors.New("a cause that is not the context's error"))
	expired, cancelExpired := context.WithDeadline(f.Context(), time.Unix(0, 0))
	defer cancelExpired()
	s := f.open()
	for _, ctx := range []context.Context{cancelled, expired} {
		for _, m := range s.methods() {
			if err := m.call(ctx); !contextEnded(ctx, err) {
				f.Errorf("%s with a context that has ended: the error is %v, want %v as it is", m.name, err, ctx.Err())
			}
		}
	}
	f.wantUntouched(s)
}

func (f *bigFixture) wantUntouched(s *bigSegmentStore) {
	f.Helper()
	s.wantLastUpToDate(0)
	s.wantMembership(hashOne, nil, nil)
	if s.writer != nil {
		s.wantCursor("")
	}
}

func (f *bigFixture) openUnmanaged() *bigSegmentStore {
	f.Helper()
	return openBigSegmentsUnmanaged(f.tester, f.guard, f.h.Open, f.prefix)
}

func testBigCloseTwice(f *bigFixture) {
	s := f.openUnmanaged()
	for i := range 3 {
		if err := s.close(); err != nil {
			f.Fatalf("Close number %d: %v", i+1, err)
		}
	}
	again := f.openUnmanaged()
	concurrently(f, f.workers, func(int) error { return again.close() })
}

func testBigClosed(f *bigFixture) {
	s := f.openUnmanaged()
	f.closeBig(s)
	for _, m := range s.methods() {
		if err := m.call(f.Context()); !errors.Is(err, core.ErrClosed) {
			f.Errorf("%s after Close: the error is %v, want ErrClosed", m.name, err)
		}
	}
	f.wantUntouched(f.open())
}

func (f *bigFixture) closeBig(s *bigSegmentStore) {
	f.Helper()
	if err := s.close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
}

func testBigCloseOthers(f *bigFixture) {
	s, other := f.openUnmanaged(), f.open()
	other.wantLastUpToDate(0)
	f.closeBig(s)
	for _, m := range other.methods() {
		if err := m.call(f.Context()); err != nil {
			f.Errorf("%s of another store: %v", m.name, err)
		}
	}
}

// testBigCloseWhileInUse closes a store under workers that stop at the first error, which has to be ErrClosed.
func testBigCloseWhileInUse(f *bigFixture) {
	for round := range f.rounds / 5 {
		s := f.openUnmanaged().bounded()
		methods := s.methods()
		u := newUsage(f.workers, s.close, func(ctx context.Context, n int) error {
			return methods[n%len(methods)].call(ctx)
		})
		u.run(f, round%3)
	}
}

func testBigLeak(f *bigFixture) {
	use := func() {
		s := f.openUnmanaged()
		for _, m := range s.methods() {
			if err := m.call(f.Context()); err != nil {
				f.Fatalf("%s: %v", m.name, err)
			}
		}
		f.closeBig(s)
	}
	use()
	baseline := goleak.IgnoreCurrent()
	for range 3 {
		use()
	}
	if err := goleak.Find(baseline); err != nil {
		f.Fatalf("after Close: %v", err)
	}
}
