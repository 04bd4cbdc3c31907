package endtoend

import (
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/cleatdev/cleat/core"
)

func outageTests() group {
	return group{"Outage", []subtest{
		{"UpdatesDuringAnOutageArrive", testOutageUpdates},
		{"AllDataDuringAnOutageArrives", testOutageInit},
		{"OutageAtTheStart", testOutageAtStart},
		{"DaemonGoesOn", testOutageDaemon},
		{"WipedStoreIsFilledAgain", testWiped},
	}}
}

// wantDuring holds a client whose store is away to what it was told last, or, if it keeps nothing, to the default value.
func (f *fixture) wantDuring(c *client, w world, reason ldreason.EvalErrorKind) {
	f.Helper()
	if f.mode.caches() {
		f.wantValues(c, w)
		return
	}
	f.wantFailed(c, bySegmentKey, reason)
	if c.AllFlagsState(f.Context(), member()).Valid() {
		f.Fatalf("AllFlagsState is valid although there is nothing to read flags from")
	}
}

// wantRecovered waits until the store is well again and holds the world, and so does the client.
func (f *fixture) wantRecovered(c *client, w world) {
	f.Helper()
	f.eventually("after the outage", func() string { return f.recoveryLacks(c, w) })
	f.wantValues(c, w)
}

func (f *fixture) recoveryLacks(c *client, w world) string {
	f.Helper()
	if status := c.DataStoreStatus().Status(); !status.SameState(core.DataStoreStatus{Available: true}) {
		return fmt.Sprintf("the status of the store is %+v", status)
	}
	return f.storedDiffers(w, liveOnly)
}

// wantWritesGoOn sends an update after an outage and waits until the store has it. An outage that was too short to be noticed
// may leave a write that is being repeated, for which the update waits.
func (f *fixture) wantWritesGoOn(c *client, w world, u update) {
	f.Helper()
	c.send(u)
	f.wantRecovered(c, w.with(u))
}

// away is what a delivery while the store is away returned: memory has it, unless the client keeps nothing.
func (c *client) away(delivered error) {
	c.f.Helper()
	switch keeps := c.f.mode.caches(); {
	case keeps && delivered != nil:
		c.f.Fatalf("an update was refused because the store is away: %v", delivered)
	case !keeps && delivered == nil:
		c.f.Fatalf("an update was delivered without an error although the store is away and nothing is kept")
	}
}

func testOutageUpdates(f *fixture) {
	before := newWorld(everything(1)...)
	c := f.start(how{linked: true})
	c.deliver(before)
	f.wantBoth(c, before)
	c.link.cut()
	now := before
	for _, u := range []update{
		toggle(3, false), toggle(2, true), inner(2, "stranger"), deleted(flagRef(dependentKey), 2), dependent(3), toggle(4, true),
		deleted(segmentRef(outerKey), 2), outer(3), deleted(flagRef(switchKey), 5),
	} {
		c.away(c.source.send(u))
		now = now.with(u)
		f.wantDuring(c, now, ldreason.EvalErrorException)
	}
	f.wantStored(before)
	f.eventually("the client notices", func() string {
		if c.DataStoreStatus().Status().Available {
			return "the store counts as available"
		}
		return ""
	})
	c.link.mend()
	f.wantRecovered(c, now)
	f.wantValue(c, bySegmentKey, stranger(), "in-1")
	f.wantFailed(c, switchKey, ldreason.EvalErrorFlagNotFound)
	f.wantWritesGoOn(c, now, toggle(6, true))
	f.wantValue(c, dependentKey, stranger(), "both-3")
}

func testOutageInit(f *fixture) {
	before := newWorld(append(everything(5), byBig(1))...)
	c := f.start(how{linked: true})
	c.deliver(before)
	f.wantBoth(c, before)
	c.link.cut()
	now := newWorld(toggle(6, true), bySegment(9), dependent(6), inner(6, "stranger"), outer(7))
	c.away(c.source.deliver(now))
	f.wantDuring(c, now, ldreason.EvalErrorException)
	f.wantStored(before)
	c.link.mend()
	f.wantRecovered(c, now.alsoWithout(before))
	f.wantValue(c, dependentKey, stranger(), "both-6")
	f.wantFailed(c, byBigKey, ldreason.EvalErrorFlagNotFound)
	f.wantWritesGoOn(c, now.alsoWithout(before), toggle(7, false))
}

func testOutageAtStart(f *fixture) {
	w := newWorld(everything(1)...)
	c := f.start(how{linked: true})
	c.link.cut()
	c.away(c.source.deliver(w))
	f.wantDuring(c, w, ldreason.EvalErrorClientNotReady)
	f.wantStored(newWorld())
	c.link.mend()
	f.wantRecovered(c, w)
	f.wantInitialized(c, true)
	f.wantInitialized(f.start(how{}), true)
	f.wantWritesGoOn(c, w, toggle(2, false))
}

// testOutageDaemon: a client without a data source goes on with what it has read, and sees afterwards what it has missed.
func testOutageDaemon(f *fixture) {
	before := newWorld(everything(1)...)
	writer := f.startWith(everything(1)...)
	daemon := f.start(how{daemon: true, linked: true})
	if f.mode.watched {
		f.awaitWatch(daemon) // what was read before that may be read again at any moment
	}
	f.wantValues(daemon, before)
	daemon.link.cut()
	now := f.follow(writer, before, toggle(2, false))
	f.eventually("the client notices", func() string {
		if daemon.DataStoreStatus().Status().Available {
			return "the store counts as available"
		}
		return ""
	})
	f.wantDuring(daemon, before, ldreason.EvalErrorException)
	daemon.link.mend()
	f.eventually("after the outage", func() string {
		if status := daemon.DataStoreStatus().Status(); !status.Available {
			return fmt.Sprintf("the status of the store is %+v", status)
		}
		return ""
	})
	f.wantSeen(daemon, before, now)
	f.wantStored(now)
}

// testWiped: the client notices that the database has lost everything, fills it again, and a cache hides it from callers.
func testWiped(f *fixture) {
	w := newWorld(everything(3)...)
	c := f.startWith(everything(3)...)
	w = f.follow(c, w, toggle(4, false), deleted(flagRef(bySegmentKey), 5), bySegment(6))
	f.h.Wipe(f.tester)
	f.eventually("after the database was emptied", func() string {
		if f.mode.caches() {
			f.wantValues(c, w)
		}
		return f.recoveryLacks(c, w)
	})
	f.wantValues(c, w)
	f.wantInitialized(f.start(how{}), true)
	f.wantWritesGoOn(c, w, toggle(5, true))
}
