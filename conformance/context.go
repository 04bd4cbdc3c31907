package conformance

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func contextTests(c Capabilities) group[*fixture] {
	g := group[*fixture]{"Context", []subtest[*fixture]{
		{"NilIsRefused", testContextNil},
		{"CancelledBefore", testContextCancelled},
		{"DeadlineExceededBefore", testContextDeadline},
		{"EndedDuringReads", testContextDuringReads},
		{"EndedDuringUpsert", testContextDuringUpsert},
		{"EndedDuringInitLeavesTheMark", testContextDuringInit},
	}}
	if c.AtomicInit {
		g.Tests = append(g.Tests, subtest[*fixture]{"EndedDuringAtomicInitChangesAllOrNothing", testContextDuringAtomicInit})
	}
	return g
}

func testContextNil(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	for _, m := range f.methods(s) {
		if err := m.call(nil); !errors.Is(err, core.ErrInvalid) {
			f.Errorf("%s with a nil context: the error is %v, want ErrInvalid", m.name, err)
		}
	}
	f.wantAll(s, core.Flags, live("a", 1))
	f.wantInitialized(s, false)
}

func testContextCancelled(f *fixture) {
	ctx, cancel := context.WithCancelCause(f.Context())
	cancel(errors.New("a cause that is not the context's error"))
	f.wantContextError(ctx)
}

func testContextDeadline(f *fixture) {
	ctx, cancel := context.WithDeadline(f.Context(), time.Unix(0, 0))
	defer cancel()
	f.wantContextError(ctx)
}

// wantContextError expects that every method returns the error of a context that has ended as it is, and does nothing.
func (f *fixture) wantContextError(ctx context.Context) {
	f.Helper()
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	for _, m := range f.methods(s) {
		if err := m.call(ctx); !suite.ContextEnded(ctx, err) {
			f.Errorf("%s with a context that has ended: the error is %v, want %v as it is", m.name, err, ctx.Err())
		}
	}
	f.wantAll(s, core.Flags, live("a", 1))
	f.wantInitialized(s, false)
}

// endingSoon returns a context that ends by itself after at most a few milliseconds, in one of both ways.
func endingSoon(parent context.Context, random *rand.Rand) (context.Context, context.CancelFunc) {
	const atMost = 3 * time.Millisecond
	after := time.Duration(random.Int64N(int64(atMost)))
	if random.IntN(2) == 0 {
		return context.WithTimeout(parent, after)
	}
	ctx, cancel := context.WithCancel(parent)
	timer := time.AfterFunc(after, cancel)
	return ctx, func() { timer.Stop(); cancel() }
}

func testContextDuringReads(f *fixture) {
	s := f.openBounded(f.prefix)
	items := numbered("flag", f.manyItems/20, 1)
	f.init(s, collection(core.Flags, items...))
	random := rand.New(rand.NewPCG(1, 1))
	for range f.rounds {
		ctx, cancel := endingSoon(f.Context(), random)
		for ctx.Err() == nil {
			got, err := s.GetAll(ctx, core.Flags)
			if err == nil {
				if d := differsInAll(got, items); d != "" {
					f.Fatalf("GetAll with a context that ended: no error, but %s", d)
				}
			} else if !suite.ContextEnded(ctx, err) {
				f.Fatalf("GetAll with a context that ended: the error is %v, want %v as it is", err, ctx.Err())
			}
			item, found, err := s.Get(ctx, core.Flags, items[0].Key)
			if err == nil && (!found || differs(item, items[0].Item) != "") || err != nil && !suite.ContextEnded(ctx, err) {
				f.Fatalf("Get with a context that ended: found %t, error %v", found, err)
			}
		}
		cancel()
	}
	f.wantAll(s, core.Flags, items...)
}

func testContextDuringUpsert(f *fixture) {
	s := f.openBounded(f.prefix)
	random := rand.New(rand.NewPCG(2, 2))
	written, tried := 0, 0
	for range f.rounds {
		ctx, cancel := endingSoon(f.Context(), random)
		for ctx.Err() == nil {
			tried++
			item := live("a", tried)
			result, err := s.Upsert(ctx, core.Flags, item.Key, item.Item)
			if err == nil {
				written = tried
				if d := differsInResult(result, item.Item, true); d != "" {
					f.Fatalf("Upsert with a context that ended: no error, but %s", d)
				}
			} else if !suite.ContextEnded(ctx, err) {
				f.Fatalf("Upsert with a context that ended: the error is %v, want %v as it is", err, ctx.Err())
			}
		}
		cancel()
		f.wantVersionBetween(s, "a", written, tried)
	}
	f.close(s)
	f.wantVersionBetween(f.open(), "a", written, tried)
}

// wantVersionBetween expects a version of the item that some upsert is known to have written, or one after it whose
// upsert was interrupted.
func (f *fixture) wantVersionBetween(s *store, key string, lowest, highest int) {
	f.Helper()
	got, found, err := s.Get(f.Context(), core.Flags, key)
	if err != nil {
		f.Fatalf("Get of %s: %v", briefKey(key), err)
	}
	if !found && lowest == 0 {
		return
	}
	item, err := got.Parse(core.Flags, key)
	if err != nil || item.Version() < lowest || item.Version() > highest {
		f.Fatalf("Get of %s: found %t, %s, error %v; want a version from %d to %d",
			briefKey(key), found, brief(got.Data), err, lowest, highest)
	}
}

// interruptedInit calls Init of a new store with a context that ends soon, waits until nothing of the call runs any more,
// and reports whether it succeeded.
func (f *fixture) interruptedInit(prefix string, random *rand.Rand, flags []core.KeyedSerializedItem) bool {
	f.Helper()
	s := f.openBounded(prefix)
	defer f.close(s)
	ctx, cancel := endingSoon(f.Context(), random)
	defer cancel()
	err := s.Init(ctx, []core.SerializedCollection{collection(core.Flags, flags...)})
	if err == nil {
		return true
	}
	partial, ok := errors.AsType[*core.PartialInitError](err)
	if ok && !f.h.Capabilities.AtomicInit && suite.ContextEnded(ctx, partial.Err) {
		return false
	}
	if !suite.ContextEnded(ctx, err) {
		f.Fatalf("Init with a context that ended: the error is %v, want %v as it is", err, ctx.Err())
	}
	return false
}

// testContextDuringInit expects that the mark says that everything is there. An Init that was interrupted may have taken
// effect all the same.
func testContextDuringInit(f *fixture) {
	random := rand.New(rand.NewPCG(3, 3))
	flags := numbered("flag", f.manyItems/20, 1)
	for range f.rounds {
		prefix := suite.RandomPrefix()
		done := f.interruptedInit(prefix, random, flags)
		s := f.openAt(prefix)
		initialized, err := s.Initialized(f.Context())
		switch {
		case err != nil:
			f.Fatalf("Initialized: %v", err)
		case initialized:
			f.wantAll(s, core.Flags, flags...)
		case done:
			f.Fatalf("Initialized is false after Init has succeeded")
		}
	}
}

func testContextDuringAtomicInit(f *fixture) {
	s := f.open()
	random := rand.New(rand.NewPCG(4, 4))
	current := numbered("flag", f.manyItems/20, 1)
	f.init(s, collection(core.Flags, current...))
	// What the last Init that succeeded wrote, and all that were interrupted since.
	possible := append(make([][]core.KeyedSerializedItem, 0, f.rounds+1), current)
	for round := range f.rounds {
		next := numbered("flag", f.manyItems/20+round%2, round+2)
		if f.interruptedInit(f.prefix, random, next) {
			possible = possible[:0]
		}
		possible = append(possible, next)
		f.wantOneOf(s, core.Flags, possible)
		f.wantInitialized(s, true)
	}
}

// wantOneOf expects GetAll to return exactly one of the sets.
func (f *fixture) wantOneOf(s *store, kind core.DataKind, sets [][]core.KeyedSerializedItem) {
	f.Helper()
	got, err := s.GetAll(f.Context(), kind)
	if err != nil {
		f.Fatalf("GetAll of %s: %v", kind, err)
	}
	var difference string
	for _, set := range sets {
		if difference = differsInAll(got, set); difference == "" {
			return
		}
	}
	f.Fatalf("GetAll of %s: none of %d sets that may be there; from the last it differs so: %s", kind, len(sets), difference)
}
