package endtoend

import (
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
)

func sharingTests(m mode) group {
	tests := []subtest{
		{"UpdatesByAnotherClient", testOther},
		{"WinnerOfAnotherClientIsAdopted", testWinner},
		{"ClientsOfOneServiceEndUpAlike", testAlike},
		{"DaemonSeesUpdates", testDaemon},
		{"DaemonSeesTheStoreFilled", testDaemonBeforeTheFirst},
	}
	if !m.watched {
		tests = append(tests,
			subtest{"EditsWithTheBareDriver", testEdited},
			subtest{"DamagedItemIsOneDamagedItem", testDamaged})
	}
	return group{"Sharing", tests}
}

// testOther: a client whose data source has delivered sees what another one writes into the same store.
func testOther(f *fixture) {
	first := newWorld(everything(1)...)
	c, other := f.startWith(everything(1)...), f.startWith(everything(1)...)
	f.wantValues(c, first)
	now := first
	for _, u := range []update{
		toggle(2, false), deleted(flagRef(bySegmentKey), 2), toggle(3, true), bySegment(3), inner(2, "stranger"),
	} {
		now = f.follow(other, now, u)
		f.wantSeen(c, first, now)
	}
	f.wantValue(other, dependentKey, stranger(), "both-1")
}

// testWinner: a client whose data source is late learns from the store that there is something newer.
func testWinner(f *fixture) {
	c, other := f.startWith(everything(1)...), f.startWith(everything(1)...)
	f.wantValues(c, newWorld(everything(1)...))
	now := f.follow(other, newWorld(everything(1)...), toggle(5, false), deleted(segmentRef(innerKey), 5))
	c.send(toggle(4, true), inner(4, "stranger"))
	f.wantBoth(c, now)
	f.wantValue(c, switchKey, member(), "off-5")
	f.wantValue(c, bySegmentKey, stranger(), "out-1")
	c.send(toggle(6, true))
	now = now.with(toggle(6, true))
	f.wantBoth(c, now)
	f.wantSeen(other, now.with().replaced(toggle(5, false)), now)
}

// replaced returns the world with items in place of those that are there, whatever the versions.
func (w world) replaced(updates ...update) world {
	next := w.with()
	for _, u := range updates {
		next[u.ref] = u.item
	}
	return next
}

// testAlike: two clients are told the same, in different orders and at the same time.
func testAlike(f *fixture) {
	var updates []update
	now := newWorld(everything(1)...)
	for version := 2; version < 2+f.updates/2; version++ {
		updates = append(updates, toggle(version, version%2 == 0), inner(version, []string{"member", "stranger"}[version%2]))
		if version%3 == 0 {
			updates = append(updates, deleted(flagRef(dependentKey), version), dependent(version+1))
		}
	}
	clients := []*client{f.startWith(everything(1)...), f.startWith(everything(1)...)}
	errs := make([]error, len(clients)*len(updates))
	var sending sync.WaitGroup
	for i, c := range clients {
		sending.Go(func() {
			for n := range updates {
				u := updates[n]
				if i == 1 { // neighbours change places
					u = updates[min(n^1, len(updates)-1)]
				}
				errs[i*len(updates)+n] = c.source.send(u)
			}
		})
	}
	sending.Wait()
	for _, err := range errs {
		if err != nil {
			f.Fatalf("delivering an update: %v", err)
		}
	}
	now = now.with(updates...)
	f.wantStored(now)
	for _, c := range clients {
		f.eventually("what both were told", func() string { return f.valuesDiffer(c, now) })
	}
}

// testDaemon: a client without a data source sees what another one writes.
func testDaemon(f *fixture) {
	first := newWorld(everything(1)...)
	writer := f.startWith(everything(1)...)
	daemon := f.start(how{daemon: true})
	f.wantValues(daemon, first)
	f.wantValue(daemon, dependentKey, member(), "both-1")
	now := first
	for _, u := range []update{toggle(2, false), deleted(flagRef(switchKey), 3), toggle(4, true), inner(2, "stranger")} {
		now = f.follow(writer, now, u)
		f.wantSeen(daemon, first, now)
	}
	now = newWorld(toggle(1, false), dependent(1))
	writer.deliver(now)
	f.wantBoth(writer, now)
	if f.mode.sees != seesNever { // what an Init has removed or set back is noticed some time in every mode
		f.wantSeen(daemon, first, now)
	}
	f.wantStored(now)
}

// testDaemonBeforeTheFirst: a client without a data source is there before the one that fills the store.
func testDaemonBeforeTheFirst(f *fixture) {
	daemon := f.start(how{daemon: true})
	f.wantFailed(daemon, switchKey, ldreason.EvalErrorFlagNotFound)
	f.wantValues(daemon, newWorld())
	w := newWorld(everything(3)...)
	f.startWith(everything(3)...)
	f.eventually("a store that was filled", func() string { return f.valuesDiffer(daemon, w) })
	f.wantValue(daemon, dependentKey, member(), "both-3")
	f.wantStored(w)
}

// edit writes items with the bare driver.
func (f *fixture) edit(updates ...update) {
	f.Helper()
	for _, u := range updates {
		f.h.WriteRaw(f.tester, f.prefix, u.kind, u.key, u.item.JSON())
	}
}

// testEdited: what other software writes counts like what a client writes, also if it goes back to an older version.
func testEdited(f *fixture) {
	first := newWorld(everything(5)...)
	c, daemon := f.startWith(everything(5)...), f.start(how{daemon: true})
	f.wantValues(daemon, first)
	f.edit(toggle(7, false))
	now := first.replaced(toggle(7, false))
	f.wantSeen(daemon, first, now)
	f.edit(bySegment(2), deleted(flagRef(dependentKey), 6))
	now = now.replaced(bySegment(2), deleted(flagRef(dependentKey), 6))
	f.wantSeen(daemon, first, now)
	f.wantStored(now)
	c.send(toggle(6, true), bySegment(6), dependent(6))
	now = now.replaced(bySegment(6))
	f.wantStored(now)
	f.wantSeen(daemon, first, now)
}

// testDamaged: an item that cannot be decoded costs its own flag and those that depend on it, and heals.
func testDamaged(f *fixture) {
	f.startWith(everything(1)...).close()
	f.h.WriteRaw(f.tester, f.prefix, flagRef(switchKey).kind, switchKey, []byte(`{"key":"switch","version":`))
	c := f.start(how{})
	f.wantFailed(c, switchKey, ldreason.EvalErrorMalformedFlag)
	f.wantValue(c, dependentKey, member(), "lacking-1")
	f.wantValue(c, bySegmentKey, member(), "in-1")
	state := c.AllFlagsState(f.Context(), member())
	if _, found := state.Flag(switchKey); found || !state.Valid() || state.Value(bySegmentKey).StringValue() != "in-1" {
		f.Fatalf("AllFlagsState with a damaged flag: valid is %t, values are %v", state.Valid(), state.Values())
	}
	c.send(toggle(1, true))
	f.wantBoth(c, newWorld(everything(1)...))
}
