package bigsegmentsuite

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func lifecycleTests() suite.Group[*fixture] {
	return suite.Group[*fixture]{"Lifecycle", []suite.Subtest[*fixture]{
		{"NilContextIsRefused", testNilContext},
		{"EndedContextIsReported", testEndedContext},
		{"CloseIsIdempotent", testCloseTwice},
		{"EveryMethodReturnsErrClosedAfterwards", testClosed},
		{"CloseLeavesOtherStoresAlone", testCloseOthers},
		{"CloseWhileInUse", testCloseWhileInUse},
		{"CloseLeavesNoGoroutine", testLeak},
	}}
}

// method is a method of a store that takes a context.
type method struct {
	name string
	call func(ctx context.Context) error
}

// methods returns every method of the store that takes a context. Those that write, write nothing that another subtest
// looks at.
func (s *store) methods() []method {
	methods := []method{
		{"Metadata", func(ctx context.Context) error {
			return s.Do("Metadata", func() error { _, err := s.core.Metadata(ctx); return err })
		}},
		{"Membership", func(ctx context.Context) error {
			return s.Do("Membership", func() error { _, err := s.core.Membership(ctx, hashOne); return err })
		}},
	}
	if s.writer == nil {
		return methods
	}
	return slices.Concat(methods, []method{
		{"Cursor", func(ctx context.Context) error {
			return s.Do("Cursor", func() error { _, err := s.writer.Cursor(ctx); return err })
		}},
		{"ApplyPatch", func(ctx context.Context) error {
			p := patch("a.g1", "", "written", adds(hashOne), unchanged())
			return s.Do("ApplyPatch", func() error { _, err := s.writer.ApplyPatch(ctx, p); return err })
		}},
		{"SetLastUpToDate", func(ctx context.Context) error {
			return s.Do("SetLastUpToDate", func() error { return s.writer.SetLastUpToDate(ctx, 9) })
		}},
	})
}

func testNilContext(f *fixture) {
	s := f.open()
	for _, m := range s.methods() {
		if err := m.call(nil); !errors.Is(err, core.ErrInvalid) {
			f.Errorf("%s with a nil context: the error is %v, want ErrInvalid", m.name, err)
		}
	}
	f.wantUntouched(s)
}

func testEndedContext(f *fixture) {
	cancelled, cancel := context.WithCancelCause(f.Context())
	cancel(errors.New("a cause that is not the context's error"))
	expired, cancelExpired := context.WithDeadline(f.Context(), time.Unix(0, 0))
	defer cancelExpired()
	s := f.open()
	for _, ctx := range []context.Context{cancelled, expired} {
		for _, m := range s.methods() {
			if err := m.call(ctx); !suite.ContextEnded(ctx, err) {
				f.Errorf("%s with a context that has ended: the error is %v, want %v as it is", m.name, err, ctx.Err())
			}
		}
	}
	f.wantUntouched(s)
}

func (f *fixture) wantUntouched(s *store) {
	f.Helper()
	s.wantLastUpToDate(0)
	s.wantMembership(hashOne, nil, nil)
	if s.writer != nil {
		s.wantCursor("")
	}
}

func testCloseTwice(f *fixture) {
	s := f.openUnmanaged()
	for i := range 3 {
		if err := s.close(); err != nil {
			f.Fatalf("Close number %d: %v", i+1, err)
		}
	}
	again := f.openUnmanaged()
	suite.Concurrently(f, f.Workers, func(int) error { return again.close() })
}

func testClosed(f *fixture) {
	s := f.openUnmanaged()
	f.close(s)
	for _, m := range s.methods() {
		if err := m.call(f.Context()); !errors.Is(err, core.ErrClosed) {
			f.Errorf("%s after Close: the error is %v, want ErrClosed", m.name, err)
		}
	}
	f.wantUntouched(f.open())
}

func (f *fixture) close(s *store) {
	f.Helper()
	if err := s.close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
}

func testCloseOthers(f *fixture) {
	s, other := f.openUnmanaged(), f.open()
	other.wantLastUpToDate(0)
	f.close(s)
	for _, m := range other.methods() {
		if err := m.call(f.Context()); err != nil {
			f.Errorf("%s of another store: %v", m.name, err)
		}
	}
}

// testCloseWhileInUse closes a store under workers that stop at the first error, which has to be ErrClosed.
func testCloseWhileInUse(f *fixture) {
	for round := range f.Rounds / 5 {
		s := f.openUnmanaged().bounded()
		methods := s.methods()
		u := suite.NewUsage(f.Workers, s.close, func(ctx context.Context, n int) error {
			return methods[n%len(methods)].call(ctx)
		})
		u.Run(f, round%3)
	}
}

func testLeak(f *fixture) {
	use := func() {
		s := f.openUnmanaged()
		for _, m := range s.methods() {
			if err := m.call(f.Context()); err != nil {
				f.Fatalf("%s: %v", m.name, err)
			}
		}
		f.close(s)
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
