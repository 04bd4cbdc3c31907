package endtoend

import (
	"fmt"
	"math/rand/v2"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
)

func versionTests() group {
	return group{"Versions", []subtest{
		{"InitFillsDatabaseAndClient", testInit},
		{"NewerUpdatesCount", testNewer},
		{"OlderUpdatesAreRefused", testOlder},
		{"SameVersionIsRefused", testSameVersion},
		{"DeletedItemsStayDeleted", testDeleted},
		{"DeletedSegmentContainsNobody", testDeletedSegment},
		{"RecreatedItemsComeBack", testRecreated},
		{"DeletionOfUnknownItemIsRemembered", testDeletedUnknown},
		{"InitCountsWhateverTheVersions", testInitIgnoresVersions},
		{"RandomUpdates", testRandom},
	}}
}

func testInit(f *fixture) {
	w := newWorld(everything(1)...)
	c := f.start(how{})
	c.deliver(w)
	f.wantBoth(c, w)
	f.wantValue(c, dependentKey, member(), "both-1")
	f.wantValue(c, dependentKey, stranger(), "lacking-1")
	f.wantValue(c, bySegmentKey, member(), "in-1")
	f.wantValue(c, bySegmentKey, stranger(), "out-1")
	f.wantValue(c, switchKey, stranger(), "on-1")
}

// follow sends the updates one by one, and holds database and client to the result of each.
func (f *fixture) follow(c *client, w world, updates ...update) world {
	f.Helper()
	for _, u := range updates {
		c.send(u)
		w = w.with(u)
		f.wantBoth(c, w)
	}
	return w
}

func testNewer(f *fixture) {
	c := f.startWith(everything(1)...)
	w := f.follow(c, newWorld(everything(1)...), toggle(2, false))
	f.wantValue(c, dependentKey, member(), "lacking-1")
	w = f.follow(c, w, toggle(3, true), inner(7, "stranger"))
	f.wantValue(c, dependentKey, member(), "lacking-1")
	f.wantValue(c, dependentKey, stranger(), "both-1")
	f.follow(c, w, dependent(2), bySegment(9), outer(2))
	f.wantValue(c, dependentKey, stranger(), "both-2")
}

func testOlder(f *fixture) {
	c := f.startWith(everything(5)...)
	w := f.follow(c, newWorld(everything(5)...), toggle(8, false), toggle(7, true), toggle(6, true))
	f.wantValue(c, switchKey, member(), "off-8")
	w = f.follow(c, w, inner(9, "stranger"), inner(4, "member"), inner(8, "member", "stranger"))
	f.wantValue(c, bySegmentKey, member(), "out-5")
	f.follow(c, w, dependent(4), outer(-1), deleted(flagRef(switchKey), 7), deleted(segmentRef(innerKey), 0))
	f.wantValue(c, switchKey, member(), "off-8")
}

func testSameVersion(f *fixture) {
	c := f.startWith(everything(2)...)
	f.follow(c, newWorld(everything(2)...),
		toggle(2, false), inner(2, "stranger"), deleted(flagRef(dependentKey), 2), toggle(3, false), toggle(3, true), toggle(3, false))
	f.wantValue(c, switchKey, member(), "off-3")
	f.wantValue(c, bySegmentKey, member(), "in-2")
}

func testDeleted(f *fixture) {
	c := f.startWith(everything(1)...)
	w := f.follow(c, newWorld(everything(1)...), deleted(flagRef(switchKey), 5))
	f.wantFailed(c, switchKey, ldreason.EvalErrorFlagNotFound)
	f.wantValue(c, dependentKey, member(), "lacking-1")
	f.follow(c, w, toggle(4, true), toggle(5, true), deleted(flagRef(switchKey), 4), deleted(flagRef(switchKey), 6), toggle(6, true))
	f.wantFailed(c, switchKey, ldreason.EvalErrorFlagNotFound)
}

func testDeletedSegment(f *fixture) {
	c := f.startWith(everything(1)...)
	w := f.follow(c, newWorld(everything(1)...), deleted(segmentRef(innerKey), 2))
	f.wantValue(c, bySegmentKey, member(), "out-1")
	f.wantValue(c, dependentKey, member(), "lacking-1")
	f.follow(c, w, inner(1, "member"), inner(3, "member"), deleted(segmentRef(outerKey), 2), deleted(segmentRef(innerKey), 2))
	f.wantValue(c, dependentKey, member(), "lacking-1")
}

func testRecreated(f *fixture) {
	c := f.startWith(everything(1)...)
	w := f.follow(c, newWorld(everything(1)...),
		deleted(flagRef(switchKey), 2), deleted(segmentRef(innerKey), 2), toggle(3, true), inner(3, "stranger"))
	f.wantValue(c, dependentKey, stranger(), "both-1")
	f.follow(c, w, deleted(flagRef(switchKey), 2), deleted(flagRef(switchKey), 4), toggle(9, false), toggle(10, true))
	f.wantValue(c, dependentKey, stranger(), "both-1")
	f.wantValue(c, switchKey, stranger(), "on-10")
}

func testDeletedUnknown(f *fixture) {
	c := f.startWith(inner(1, "member"), outer(1), bySegment(1))
	w := newWorld(inner(1, "member"), outer(1), bySegment(1))
	w = f.follow(c, w, deleted(flagRef(switchKey), 4), toggle(3, true))
	f.wantFailed(c, switchKey, ldreason.EvalErrorFlagNotFound)
	f.follow(c, w, toggle(5, true), dependent(1))
	f.wantValue(c, dependentKey, member(), "both-1")
}

// testInitIgnoresVersions: an Init replaces everything by what may be older, and tombstones by nothing.
func testInitIgnoresVersions(f *fixture) {
	c := f.startWith(everything(9)...)
	f.follow(c, newWorld(everything(9)...), deleted(flagRef(switchKey), 12))
	w := newWorld(toggle(2, true), bySegment(3), inner(4, "stranger"), outer(1))
	c.deliver(w)
	f.wantBoth(c, w)
	f.wantFailed(c, dependentKey, ldreason.EvalErrorFlagNotFound)
	f.wantValue(c, bySegmentKey, stranger(), "in-3")
	w = f.follow(c, w, toggle(3, false), dependent(1), dependent(2))
	f.wantValue(c, dependentKey, stranger(), "lacking-2")
	c.deliver(newWorld())
	f.wantBoth(c, newWorld())
	f.wantFailed(c, switchKey, ldreason.EvalErrorFlagNotFound)
	f.follow(c, newWorld(), w.updates()...)
	f.wantValue(c, bySegmentKey, stranger(), "in-3")
}

// updates returns what is in the world as updates.
func (w world) updates() []update {
	updates := make([]update, 0, len(w))
	for of, item := range w {
		updates = append(updates, update{of, item})
	}
	return updates
}

// testRandom sends random updates, many of them out of date, with an Init now and then.
func testRandom(f *fixture) {
	const seed = 20
	random := rand.New(rand.NewPCG(seed, seed))
	w := newWorld(everything(5)...)
	c := f.startWith(everything(5)...)
	for n := range f.updates {
		if n%8 == 7 {
			w = newWorld(randomUpdate(random), randomUpdate(random), randomUpdate(random)).live()
			c.deliver(w)
		} else {
			u := randomUpdate(random)
			c.send(u)
			w = w.with(u)
		}
		if problem := f.valuesDiffer(c, w); problem != "" {
			f.Fatalf("after update %d of seed %d: %s", n+1, seed, problem)
		}
		f.eventually(fmt.Sprintf("update %d of seed %d", n+1, seed), func() string { return f.storedDiffers(w, exactly) })
	}
}

func randomUpdate(random *rand.Rand) update {
	const versions = 10
	version := 1 + random.IntN(versions)
	updates := append(everything(version), toggle(version, false), inner(version, "stranger"), inner(version))
	u := updates[random.IntN(len(updates))]
	if random.IntN(4) == 0 {
		return deleted(u.ref, version)
	}
	return u
}
