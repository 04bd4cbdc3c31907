package endtoend

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
)

// interruptionTests are about a process that ends in the middle of an Init, and what the next one makes of what it left.
func interruptionTests() group {
	return group{"Interruption", []subtest{
		{"OfTheFirstInit", testInterruptedFirst},
		{"OfAReplacingInit", testInterruptedReplacing},
	}}
}

// interruption says when the process ends: as soon as the item is seen in the database in the new version, or at once.
type interruption struct {
	name string
	seen ref
}

func (f *fixture) interruptions() []interruption {
	middle := fmt.Sprint("f-", f.fillers/4)
	return []interruption{
		{"at once", ref{}},
		{"after the first segments", segmentRef(innerKey)},
		{"in the middle of the flags", flagRef(middle)},
	}
}

// generation returns data that takes a store which is not atomic several steps to write. Each generation has a flag and
// a segment that no other one has.
func (f *fixture) generation(version int) world {
	updates := everything(version)
	for i := range f.fillers / 2 {
		updates = append(updates, filler(strconv.Itoa(i), version, f.filler)...)
	}
	return newWorld(append(updates, filler(fmt.Sprint("only-", version), version, 0)...)...)
}

// sampled returns what of the world is looked at: all of it would take long.
func (w world) sampled() world {
	const every = 20
	sample := make(world)
	for of, item := range w {
		var n int
		if count, _ := fmt.Sscanf(of.key[1:], "-%d", &n); count == 0 || n%every == 0 {
			sample[of] = item
		}
	}
	return sample
}

// interrupt starts a process that has to write the world, and ends it.
func (f *fixture) interrupt(w world, when interruption) {
	f.Helper()
	c := f.start(how{linked: true})
	delivered := make(chan error, 1)
	go func() { delivered <- c.source.deliver(w) }()
	select {
	case <-c.link.inits:
	case <-time.After(f.wait):
		f.Fatalf("the Init did not reach the store within %v", f.wait)
	}
	if when.seen != (ref{}) {
		f.awaitStored(w, when.seen, delivered)
	}
	c.link.cut()
	select {
	case err := <-delivered:
		f.Logf("interrupted %s, the Init ended with: %v", when.name, err)
	case <-time.After(f.wait):
		f.Fatalf("an Init that was interrupted %s has not returned within %v", when.name, f.wait)
	}
	c.close()
}

// awaitStored waits until the item is in the database or the delivery has ended.
func (f *fixture) awaitStored(w world, of ref, delivered chan error) {
	f.Helper()
	deadline := time.After(f.wait)
	for {
		data, found := f.h.ReadRaw(f.tester, f.prefix, of.kind, of.key)
		if rawDiffers(data, found, w[of], exactly) == "" {
			return
		}
		select {
		case err := <-delivered:
			delivered <- err
			return
		case <-deadline:
			f.Fatalf("%v is not in the database after %v", of, f.wait)
		default:
		}
	}
}

// left reads with the bare driver what of the worlds is in the database.
func (f *fixture) left(worlds ...world) world {
	f.Helper()
	left := make(world)
	for _, w := range worlds {
		for of := range w {
			data, found := f.h.ReadRaw(f.tester, f.prefix, of.kind, of.key)
			if !found {
				continue
			}
			item, err := core.ParseItem(data)
			if err != nil {
				f.Fatalf("what an interrupted Init left of %v: %v", of, err)
			}
			left[of] = item
		}
	}
	return left
}

// settled returns what is left, and whether the database is marked as filled, once that does not change any more: what
// was on its way to the server when the process ended may still arrive.
func (f *fixture) settled(worlds ...world) (left world, marked bool) {
	f.Helper()
	const moment = 20 * time.Millisecond
	again, deadline := time.NewTicker(moment), time.After(f.wait)
	defer again.Stop()
	for left, marked = f.left(worlds...), f.isMarked(); ; {
		select {
		case <-again.C:
		case <-deadline:
			f.Fatalf("the database still changes %v after the process has ended", f.wait)
		}
		wasLeft, wasMarked := left, marked
		left, marked = f.left(worlds...), f.isMarked()
		if marked == wasMarked && maps.EqualFunc(left, wasLeft, func(a, b *core.Item) bool { return a.Version() == b.Version() }) {
			return left, marked
		}
	}
}

// isMarked asks a store that was not used whether an Init has completed.
func (f *fixture) isMarked() bool {
	f.Helper()
	s := f.openStore()
	defer func() {
		if err := s.Close(); err != nil {
			f.Errorf("closing a store: %v", err)
		}
	}()
	marked, err := s.Initialized(f.Context())
	if err != nil {
		f.Fatalf("Initialized: %v", err)
	}
	return marked
}

// progress says how much of w an interrupted Init wrote.
func progress(left, w world) (written int) {
	for of, item := range w {
		if left[of] != nil && left[of].Version() == item.Version() {
			written++
		}
	}
	return written
}

func testInterruptedFirst(f *fixture) {
	for _, when := range f.interruptions() {
		f.prefix = randomPrefix()
		all := f.generation(1)
		w := all.sampled()
		f.interrupt(all, when)
		left, marked := f.settled(w)
		written := progress(left, w)
		if problem := dangling(left, 1); problem != "" {
			f.Fatalf("interrupted %s: %s", when.name, problem)
		}
		switch {
		case marked && written < len(w):
			f.Fatalf("interrupted %s: the store says that an Init has completed, but only %d of %d items are there",
				when.name, written, len(w))
		case f.h.Capabilities.AtomicInit && (marked != (written == len(w)) || !marked && written > 0):
			f.Fatalf("interrupted %s: an atomic Init has left %d of %d items, and Initialized is %t", when.name, written, len(w), marked)
		}
		f.wantUsable(left, w, all, marked)
	}
}

// wantUsable holds new clients to making the best of what an interrupted first Init has left, and to completing it.
func (f *fixture) wantUsable(left, w, all world, marked bool) {
	f.Helper()
	next, daemon := f.start(how{}), f.start(how{daemon: true})
	f.wantInitialized(next, marked)
	if marked {
		f.wantLeft(next, left)
	} else {
		f.wantFailed(next, dependentKey, ldreason.EvalErrorClientNotReady)
		f.wantFailed(next, switchKey, ldreason.EvalErrorClientNotReady)
	}
	f.wantLeft(daemon, left)
	next.deliver(all)
	f.wantStored(w)
	f.wantLeft(next, w)
	f.eventually("the Init", func() string {
		if !f.isMarked() {
			return "everything is there, but the store says that no Init has completed"
		}
		return ""
	})
}

func testInterruptedReplacing(f *fixture) {
	for _, when := range f.interruptions() {
		f.prefix = randomPrefix()
		before, all := f.generation(1), f.generation(2)
		old, w := before.sampled(), all.sampled()
		first := f.start(how{})
		first.deliver(before)
		first.close()
		f.interrupt(all, when)
		left, marked := f.settled(old, w)
		if problem := f.halfReplaced(left, old, w); problem != "" {
			f.Fatalf("interrupted %s: %s", when.name, problem)
		}
		if !marked {
			f.Fatalf("interrupted %s: the store says that no Init has ever completed", when.name)
		}
		next := f.start(how{})
		f.wantInitialized(next, true)
		f.wantLeft(next, left)
		next.deliver(all)
		f.wantStored(w.alsoWithout(old))
		f.wantLeft(next, w)
	}
}

// wantLeft holds a client to what the flags evaluate to that are in a world of which only a sample is known.
func (f *fixture) wantLeft(c *client, left world) {
	f.Helper()
	for _, key := range left.flags() {
		_, got := c.StringVariationDetail(f.Context(), key, member(), defaultValue)
		if problem := differs(got, left.detail(key, member())); problem != "" {
			f.Fatalf("flag %q: %s", key, problem)
		}
	}
}

// halfReplaced returns what is wrong with what an interrupted Init has left of the old and written of the new world.
func (f *fixture) halfReplaced(left, old, w world) string {
	written := progress(left, w)
	kept := progress(left, old)
	if f.h.Capabilities.AtomicInit && (written != len(w) || len(left) != len(w)) && (kept != len(old) || len(left) != len(old)) {
		return fmt.Sprintf("an atomic Init has left a mixture: %d of %d new items, %d of %d old ones", written, len(w), kept, len(old))
	}
	for of := range old {
		switch {
		case left[of] != nil:
		case w[of] != nil:
			return fmt.Sprintf("%v is in both sets and gone", of)
		case written < len(w):
			return fmt.Sprintf("%v, which is not in the new set, is gone, but only %d of %d new items are there", of, written, len(w))
		}
	}
	return dangling(left, 2)
}

// dangling returns which flag or segment of the version refers to what is missing or older.
func dangling(left world, version int) string {
	for of, item := range left {
		if item.Version() != version {
			continue
		}
		for _, target := range references(of, item) {
			if left[target] == nil || left[target].Version() < version {
				return fmt.Sprintf("%v of version %d is there, but %v, which it refers to, is not", of, version, target)
			}
		}
	}
	return ""
}

// references returns what an item of the suite refers to.
func references(of ref, item *core.Item) (targets []ref) {
	if of.kind == core.Segments {
		if model, err := item.Segment(); err == nil {
			for i := range model.Rules {
				targets = append(targets, matched(model.Rules[i].Clauses)...)
			}
		}
		return targets
	}
	model, err := item.Flag()
	if err != nil {
		return nil
	}
	for _, p := range model.Prerequisites {
		targets = append(targets, flagRef(p.Key))
	}
	for i := range model.Rules {
		targets = append(targets, matched(model.Rules[i].Clauses)...)
	}
	return targets
}

// matched returns the segments that clauses ask for.
func matched(clauses []ldmodel.Clause) (targets []ref) {
	for i := range clauses {
		if clauses[i].Op != ldmodel.OperatorSegmentMatch {
			continue
		}
		for _, value := range clauses[i].Values {
			targets = append(targets, segmentRef(value.StringValue()))
		}
	}
	return targets
}
