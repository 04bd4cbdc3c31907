package endtoend

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

func trackerTests(m mode) group {
	tests := []subtest{
		{"ChangesThroughTheDataSource", testTracker},
		{"ValueChangesThroughTheDataSource", testValueTracker},
	}
	if m.watched {
		tests = append(tests,
			subtest{"ChangesByAnotherClient", testTrackerDaemon},
			subtest{"ValueChangesByAnotherClient", testValueTrackerDaemon})
	}
	return group{"FlagTracker", tests}
}

// fenceKey is a flag that nothing depends on. When its change is announced, so was everything before it.
const fenceKey = "fence"

func fence(version int) update { return asksFor(fenceKey, version, "no-such-segment") }

// heard collects announced flags.
type heard struct {
	f      *fixture
	mu     sync.Mutex
	keys   []string
	fenced chan struct{}
}

func (f *fixture) listen(c *client) *heard {
	h := &heard{f: f, fenced: make(chan struct{}, 1)}
	f.Cleanup(c.FlagTracker().AddFlagChangeListener(h.add))
	return h
}

func (h *heard) add(change core.FlagChange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if change.Key == fenceKey {
		select {
		case h.fenced <- struct{}{}:
		default:
		}
		return
	}
	h.keys = append(h.keys, change.Key)
}

// wantExactly holds the client to having announced the flags, once each, before the change of the fence.
func (h *heard) wantExactly(keys ...string) {
	h.f.Helper()
	select {
	case <-h.fenced:
	case <-time.After(h.f.wait):
		h.f.Fatalf("the change of a flag was not announced within %v", h.f.wait)
	}
	got := h.take()
	slices.Sort(got)
	slices.Sort(keys)
	if !slices.Equal(got, keys) {
		h.f.Fatalf("announced are %q, want %q", got, keys)
	}
}

func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := h.keys
	h.keys = nil
	return keys
}

// testTracker: what the database took is announced, for every flag that depends on it, and what it refused is not.
func testTracker(f *fixture) {
	w := newWorld(append(everything(2), fence(1))...)
	c := f.start(how{})
	c.deliver(w)
	h := f.listen(c)
	version := 1
	expect := func(u update, keys ...string) {
		f.Helper()
		version++
		w = f.follow(c, w, u, fence(version))
		h.wantExactly(keys...)
	}
	expect(toggle(3, false), switchKey, dependentKey)
	expect(toggle(2, true))
	expect(toggle(3, true))
	expect(inner(3, "stranger"), bySegmentKey, dependentKey)
	expect(dependent(3), dependentKey)
	expect(deleted(flagRef(switchKey), 4), switchKey, dependentKey)
	expect(toggle(4, true))
	expect(toggle(5, true), switchKey, dependentKey)
	expect(deleted(segmentRef(outerKey), 3), bySegmentKey, dependentKey)

	w = newWorld(toggle(5, true), bySegment(2), outer(4), inner(3, "stranger"), fence(version+1))
	c.deliver(w)
	f.wantBoth(c, w)
	h.wantExactly(bySegmentKey, dependentKey)
}

// values collects value changes of one flag.
type values struct {
	f       *fixture
	key     string
	changes chan core.FlagValueChange
}

func (f *fixture) listenForValues(c *client, key string) *values {
	v := &values{f, key, make(chan core.FlagValueChange, 100)}
	f.Cleanup(c.FlagTracker().AddFlagValueChangeListener(key, member(), ldvalue.String(defaultValue),
		func(change core.FlagValueChange) { v.changes <- change }))
	return v
}

func (v *values) want(old, now string) {
	v.f.Helper()
	want := core.FlagValueChange{Key: v.key, OldValue: ldvalue.String(old), NewValue: ldvalue.String(now)}
	select {
	case got := <-v.changes:
		if fmt.Sprint(got) != fmt.Sprint(want) {
			v.f.Fatalf("announced is %v, want %v", got, want)
		}
	case <-time.After(v.f.wait):
		v.f.Fatalf("%v was not announced within %v", want, v.f.wait)
	}
}

func testValueTracker(f *fixture) {
	w := newWorld(everything(2)...)
	c := f.startWith(everything(2)...)
	v := f.listenForValues(c, dependentKey)
	w = f.follow(c, w, toggle(3, false))
	v.want("both-2", "lacking-2")
	w = f.follow(c, w, toggle(2, true), inner(1), inner(3, "member", "stranger"), toggle(4, true))
	v.want("lacking-2", "both-2")
	w = f.follow(c, w, deleted(flagRef(dependentKey), 3))
	v.want("both-2", defaultValue)
	f.follow(c, w, dependent(2), dependent(4))
	v.want(defaultValue, "both-4")
}

// awaitWatch waits until the client is told of changes in the database.
func (f *fixture) awaitWatch(c *client) {
	f.Helper()
	select {
	case <-c.link.watched:
	case <-time.After(f.wait):
		f.Fatalf("the store has not begun to watch the database within %v", f.wait)
	}
}

// startWatching makes a client without a data source that is told of changes in the database.
func (f *fixture) startWatching(w world) *client {
	f.Helper()
	daemon := f.start(how{daemon: true, linked: true})
	f.awaitWatch(daemon)
	f.wantValues(daemon, w)
	return daemon
}

// listenToOthers makes a client without a data source listen to what the writer writes. That it does is known once the
// change of the fence has been announced.
func (f *fixture) listenToOthers(writer *client, w world) (daemon *client, h *heard, now world) {
	f.Helper()
	daemon = f.startWatching(w)
	h = f.listen(daemon)
	version := 0
	f.eventually("the first announcement", func() string {
		version++
		w = f.follow(writer, w, fence(version))
		select {
		case <-h.fenced:
			return ""
		default:
			return "none"
		}
	})
	f.eventually("the last of the first changes", func() string { return f.valuesDiffer(daemon, w) })
	return daemon, h, w
}

// testTrackerDaemon: a client without a data source announces what others write. Several changes may be announced as one,
// and one more than once.
func testTrackerDaemon(f *fixture) {
	writer := f.startWith(everything(2)...)
	daemon, h, w := f.listenToOthers(writer, newWorld(everything(2)...))
	expect := func(u update, keys ...string) {
		f.Helper()
		w = f.follow(writer, w, u)
		var got []string
		f.eventually("the announcement of "+u.String(), func() string {
			got = append(got, h.take()...)
			for _, key := range keys {
				if !slices.Contains(got, key) {
					return fmt.Sprintf("lacks %q: %q", key, got)
				}
			}
			return ""
		})
		f.wantValues(daemon, w)
	}
	expect(toggle(3, false), switchKey, dependentKey)
	expect(inner(3, "stranger"), bySegmentKey, dependentKey)
	expect(deleted(flagRef(switchKey), 4), switchKey, dependentKey)
	expect(toggle(5, true), switchKey, dependentKey)
}

func testValueTrackerDaemon(f *fixture) {
	writer := f.startWith(everything(2)...)
	daemon, _, w := f.listenToOthers(writer, newWorld(everything(2)...))
	v := f.listenForValues(daemon, dependentKey)
	w = f.follow(writer, w, toggle(3, false))
	v.want("both-2", "lacking-2")
	w = f.follow(writer, w, toggle(4, true))
	v.want("lacking-2", "both-2")
	f.follow(writer, w, deleted(flagRef(dependentKey), 3))
	v.want("both-2", defaultValue)
}
