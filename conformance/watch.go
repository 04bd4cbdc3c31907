package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func watchTests() group[*fixture] {
	return group[*fixture]{"Watch", []subtest[*fixture]{
		{"ReportsItsBeginning", testWatchBegins},
		{"ReportsUpsertsByOthers", testWatchUpsert},
		{"ReportsInitByOthers", testWatchInit},
		{"CallsOneAtATimeAndNotAfterItsEnd", testWatchCalls},
		{"EndsWithTheContext", testWatchContext},
		{"EndsWithClose", testWatchClose},
	}}
}

// watch is a Watch that is under way.
type watch struct {
	cancel     context.CancelFunc
	ctx        context.Context
	changes    chan core.Change
	ended      chan error
	overlaps   atomic.Bool // two calls of changed ran at once
	afterwards atomic.Bool // changed was called after Watch had returned
}

// watch starts to watch the store and waits until the watch has begun. It ends with the subtest at the latest.
func (f *fixture) watch(s *store) *watch {
	f.Helper()
	w := f.startWatch(s)
	select {
	case c := <-w.changes:
		if c != (core.Change{}) {
			f.Fatalf("the first change is %+v, want an empty one, which says that the watch has begun", c)
		}
	case <-time.After(f.wait):
		f.Fatalf("no change was reported within %v after Watch was called, to say that it has begun", f.wait)
	}
	return w
}

func (f *fixture) startWatch(s *store) *watch {
	f.Helper()
	watcher, ok := s.core.(core.Watcher)
	if !ok {
		f.Fatalf("the store is no core.Watcher")
	}
	ctx, cancel := context.WithCancel(f.Context())
	w := &watch{cancel: cancel, ctx: ctx, changes: make(chan core.Change, 1), ended: make(chan error, 1)}
	var running sync.Mutex
	var returned atomic.Bool
	changed := func(c core.Change) {
		if returned.Load() {
			w.afterwards.Store(true)
		}
		if !running.TryLock() {
			w.overlaps.Store(true)
			return
		}
		defer running.Unlock()
		const moments = 20
		for range moments {
			runtime.Gosched() // so that a second call would come while this one runs
		}
		select {
		case w.changes <- c:
		default:
		}
	}
	go func() {
		err := watcher.Watch(ctx, changed)
		returned.Store(true)
		w.ended <- err
	}()
	f.Cleanup(func() { _ = f.waitForEnd(w) })
	return w
}

// waitForEnd ends the watch and returns what Watch returned.
func (f *fixture) waitForEnd(w *watch) error {
	f.Helper()
	w.cancel()
	return f.ended(w)
}

func (f *fixture) ended(w *watch) error {
	f.Helper()
	select {
	case err := <-w.ended:
		w.ended <- err
		return err
	case <-time.After(f.wait):
		f.Errorf("Watch did not end within %v", f.wait)
		return suite.ErrHung
	}
}

// wantChange calls write with growing numbers until a change that may be about the key is reported. A change that is
// reported late may be about an earlier write.
func (f *fixture) wantChange(w *watch, kind core.DataKind, key string, write func(n int)) {
	f.Helper()
	const pause = 20 * time.Millisecond
	again, deadline := time.NewTicker(pause), time.After(f.wait)
	defer again.Stop()
	for n := 1; ; n++ {
		write(n)
		for waiting := true; waiting; {
			select {
			case c := <-w.changes:
				if c.Kind == "" || c.Kind == kind && (c.Key == "" || c.Key == key) {
					return
				}
			case <-again.C:
				waiting = false
			case <-deadline:
				f.Fatalf("no change of %s %s was reported within %v", kind, briefKey(key), f.wait)
			}
		}
	}
}

func testWatchBegins(f *fixture) {
	s := f.open()
	f.upsert(s, core.Flags, live("a", 1))
	f.watch(s)
}

func testWatchUpsert(f *fixture) {
	watched, other := f.open(), f.open()
	w := f.watch(watched)
	f.wantChange(w, core.Flags, "a", func(n int) { f.upsert(other, core.Flags, live("a", n)) })
	f.wantChange(w, core.Segments, "s", func(n int) { f.upsert(other, core.Segments, tombstone("s", n)) })
	f.wantChange(w, otherKind, "x", func(n int) { f.upsert(other, otherKind, live("x", n)) })
}

func testWatchInit(f *fixture) {
	watched, other := f.open(), f.open()
	w := f.watch(watched)
	f.wantChange(w, core.Flags, "a", func(n int) { f.init(other, collection(core.Flags, live("a", n))) })
}

func testWatchCalls(f *fixture) {
	watched, stores := f.open(), f.openSeveral(f.workers)
	w := f.watch(watched)
	f.wantChange(w, core.Flags, "a", func(n int) { f.upsert(stores[0], core.Flags, live("a", n)) })
	suite.Concurrently(f, f.workers, func(worker int) error {
		for i, item := range numbered(fmt.Sprint("worker-", worker), f.rounds, 1) {
			if i == f.rounds/2 {
				w.cancel()
			}
			if _, err := stores[worker].Upsert(f.Context(), core.Flags, item.Key, item.Item); err != nil {
				return err
			}
		}
		return nil
	})
	_ = f.ended(w)
	const pause = 5 * time.Millisecond
	later := time.NewTicker(pause)
	defer later.Stop()
	for version := range 10 {
		f.upsert(stores[0], core.Flags, live("last", version))
		<-later.C
	}
	switch {
	case w.overlaps.Load():
		f.Fatalf("Watch made two calls at once")
	case w.afterwards.Load():
		f.Fatalf("Watch made a call after it had returned")
	}
}

func testWatchContext(f *fixture) {
	s, other := f.open(), f.open()
	w := f.watch(s)
	f.wantChange(w, core.Flags, "a", func(n int) { f.upsert(other, core.Flags, live("a", n)) })
	if err := f.waitForEnd(w); !suite.ContextEnded(w.ctx, err) {
		f.Fatalf("Watch with a context that ended: the error is %v, want %v as it is", err, w.ctx.Err())
	}
	f.upsert(s, core.Flags, live("b", 1))
}

func testWatchClose(f *fixture) {
	s, other := f.openUnmanaged(f.prefix), f.open()
	w := f.watch(s)
	f.wantChange(w, core.Flags, "a", func(n int) { f.upsert(other, core.Flags, live("a", n)) })
	f.close(s)
	if err := f.ended(w); !errors.Is(err, core.ErrClosed) {
		f.Fatalf("Watch of a store that was closed: the error is %v, want ErrClosed", err)
	}
}
