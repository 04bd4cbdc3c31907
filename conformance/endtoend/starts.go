package endtoend

import (
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/cleatdev/cleat/core"
)

func startTests() group {
	return group{"Start", []subtest{
		{"EmptyStoreIsNotReady", testStartEmpty},
		{"FilledStoreWithoutDataSource", testStartWithoutSource},
		{"FilledStoreIsBroughtUpToDate", testStartWithSource},
		{"FilledStoreTakesUpdatesBeforeAllData", testStartUpdates},
		{"DeletedItemsStayDeletedAfterARestart", testRestartDeleted},
		{"ReadOnlyClientLeavesTheStoreAlone", testReadOnly},
	}}
}

func (f *fixture) wantInitialized(c *client, want bool) {
	f.Helper()
	if got := c.Initialized(f.Context()); got != want {
		f.Fatalf("Initialized is %t, want %t", got, want)
	}
}

func testStartEmpty(f *fixture) {
	c := f.start(how{})
	f.wantInitialized(c, false)
	f.wantFailed(c, switchKey, ldreason.EvalErrorClientNotReady)
	if c.AllFlagsState(f.Context(), member()).Valid() {
		f.Fatalf("AllFlagsState of a client that is not ready is valid")
	}
	f.wantStored(newWorld())
	c.send(toggle(1, true)) // an update alone does not make a store ready
	f.wantInitialized(f.start(how{}), false)
	f.wantStored(newWorld(toggle(1, true)))
	w := newWorld(everything(2)...)
	c.deliver(w)
	f.wantInitialized(c, true)
	f.wantBoth(c, w)
}

func testStartWithoutSource(f *fixture) {
	w := newWorld(everything(4)...)
	f.startWith(everything(4)...).close()
	c := f.start(how{}) // the data source never delivers
	f.wantInitialized(c, true)
	f.wantBoth(c, w)
	f.wantValue(c, dependentKey, member(), "both-4")
	if state := c.DataSourceStatus().Status().State; state != core.DataSourceInitializing {
		f.Fatalf("the state of a data source that has not delivered is %q", state)
	}
}

func testStartWithSource(f *fixture) {
	old := newWorld(append(everything(4), byBig(4))...)
	f.startWith(old.updates()...).close()
	w := newWorld(toggle(3, false), bySegment(5), inner(5, "stranger"), outer(5), dependent(5))
	c := f.start(how{first: w})
	f.eventually("what was delivered first", func() string { return f.storedDiffers(w.alsoWithout(old), liveOnly) })
	f.wantBoth(c, w.alsoWithout(old))
	f.wantValue(c, switchKey, member(), "off-3")
	f.wantFailed(c, byBigKey, ldreason.EvalErrorFlagNotFound)
	f.eventually("a data source that has delivered", func() string {
		if state := c.DataSourceStatus().Status().State; state != core.DataSourceValid {
			return fmt.Sprintf("its state is %q", state)
		}
		return ""
	})
}

// testStartUpdates: updates that arrive before all data are compared with what an earlier client left.
func testStartUpdates(f *fixture) {
	f.startWith(everything(4)...).close()
	c := f.start(how{})
	f.follow(c, newWorld(everything(4)...), toggle(3, false), toggle(5, false), inner(4), inner(5, "stranger"))
	f.wantValue(c, switchKey, member(), "off-5")
}

func testRestartDeleted(f *fixture) {
	c := f.startWith(everything(1)...)
	w := f.follow(c, newWorld(everything(1)...), deleted(flagRef(switchKey), 5), deleted(segmentRef(innerKey), 5))
	c.close()
	c = f.start(how{})
	f.wantBoth(c, w)
	f.wantFailed(c, switchKey, ldreason.EvalErrorFlagNotFound)
	f.follow(c, w, toggle(4, true), inner(4, "member"), toggle(6, true), inner(6, "member"))
	f.wantValue(c, dependentKey, member(), "both-1")
}

// testReadOnly: a client that must not write evaluates with what its data source says, and before that with the store.
func testReadOnly(f *fixture) {
	stored := newWorld(everything(1)...)
	f.startWith(everything(1)...).close()
	c := f.start(how{readOnly: true})
	f.wantBoth(c, stored)
	w := newWorld(everything(2)...)
	c.deliver(w)
	f.wantValues(c, w)
	f.wantStored(stored)
	c.send(toggle(3, false), deleted(flagRef(bySegmentKey), 3))
	f.wantValues(c, w.with(toggle(3, false), deleted(flagRef(bySegmentKey), 3)))
	f.wantStored(stored)
}
