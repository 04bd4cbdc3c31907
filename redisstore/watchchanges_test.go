package redisstore

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// collected is a collector on a clock of its own.
type collected struct {
	*collector
	t       *testing.T
	now     time.Time
	changes []core.Change
}

func collect(t *testing.T) *collected {
	c := &collected{t: t, now: time.Now()}
	c.collector = newCollector(keys{"p"}, core.BuiltInKinds(), func(change core.Change) { c.changes = append(c.changes, change) })
	return c
}

// pass lets time pass and reports what becomes due, as the watch does.
func (c *collected) pass(d time.Duration) {
	end := c.now.Add(d)
	for next := c.next(); !next.IsZero() && !next.After(end); next = c.next() {
		c.now = next
		c.flush(next)
	}
	c.now = end
}

// want asserts what was reported since it was last called, in any order.
func (c *collected) want(changes ...core.Change) {
	c.t.Helper()
	require.ElementsMatch(c.t, changes, c.changes)
	c.changes = nil
}

func flagChange(key string) core.Change { return core.Change{Kind: core.Flags, Key: key} }

// A write by cleat is told at once by its key, and later by its kind, in case the notice hid somebody else's write.
func TestCollector_ExplainedNotice_IsTheItemAndLaterTheKind(t *testing.T) {
	c, f := collect(t), &feed{tracking: true}
	c.message(c.now, f, "features:a:b")
	c.message(c.now, f, "features:c")
	c.notice(c.now, f, "p:features")
	c.want(flagChange("a:b"), flagChange("c"))
	c.pass(recheckLate - time.Second)
	c.message(c.now, f, "features:d")
	c.notice(c.now, f, "p:features")
	c.want(flagChange("d"))
	c.pass(time.Second)
	c.want(flagChange(""))
	c.pass(time.Hour)
	c.want()
}

// A notice that nothing explains is about the whole kind, soon and once.
func TestCollector_UnexplainedNotices_AreTheKind(t *testing.T) {
	c, f := collect(t), &feed{tracking: true}
	c.notice(c.now, f, "p:features")
	c.notice(c.now, f, "p:features")
	c.notice(c.now, f, "p:features2")
	c.notice(c.now, f, "p:segments")
	c.pass(gatherTime)
	c.want(flagChange(""), core.Change{Kind: core.Segments})
	c.pass(time.Hour)
	c.want()
}

// Where others write too, a hidden write of theirs is looked for sooner.
func TestCollector_ForeignWriterKnown_LooksAgainSooner(t *testing.T) {
	c, f := collect(t), &feed{tracking: true}
	c.notice(c.now, f, "p:features")
	c.pass(gatherTime)
	c.want(flagChange(""))
	for range 100 { // writes by cleat for ten seconds
		c.message(c.now, f, "features:a")
		c.notice(c.now, f, "p:features")
		c.want(flagChange("a"))
		c.pass(recheckSoon / 50)
		c.changes = slices.DeleteFunc(c.changes, func(change core.Change) bool { return change == flagChange("") })
	}
	c.pass(recheckSoon)
	c.changes = nil
	c.pass(foreignMemory)
	c.message(c.now, f, "features:a")
	c.notice(c.now, f, "p:features")
	c.pass(recheckSoon)
	c.want(flagChange("a"))
	c.pass(recheckLate)
	c.want(flagChange(""))
}

// While cleat writes all the time, the whole kind is reported once in recheckSoon at most.
func TestCollector_SteadyWrites_BoundWholeKinds(t *testing.T) {
	c, f := collect(t), &feed{tracking: true}
	c.notice(c.now, f, "p:features")
	c.pass(gatherTime)
	c.changes = nil
	for range 1000 {
		c.message(c.now, f, "features:a")
		c.notice(c.now, f, "p:features")
		c.pass(100 * time.Millisecond)
	}
	whole := 0
	for _, change := range c.changes {
		if change == flagChange("") {
			whole++
		}
	}
	require.Len(t, c.changes, 1000+whole)
	require.InDelta(t, 100*time.Second/recheckSoon, whole, 1)
}

// Copies of a message that other servers of a Cluster pass on are not told again, before and after the notice.
func TestCollector_CopiesOfMessages_AreLeftOut(t *testing.T) {
	c, home, other := collect(t), &feed{tracking: true}, &feed{tracking: true}
	c.message(c.now, other, "features:a")
	c.message(c.now, home, "features:a")
	c.notice(c.now, home, "p:features")
	c.message(c.now, other, "features:a")
	c.pass(time.Second)
	c.want(flagChange("a"))

	// The kind moves: what nothing explains is the whole kind.
	c.message(c.now, other, "features:b")
	c.notice(c.now, other, "p:features")
	c.message(c.now, home, "features:b")
	c.pass(time.Second)
	c.want(flagChange(""))

	// The server is lost: messages count until there is a notice again.
	c.lost(other)
	c.message(c.now, home, "features:c")
	c.pass(time.Second)
	c.want(flagChange("c"))
}

// A message whose notice does not come is told all the same.
func TestCollector_MessageWithoutNotice_IsTheItem(t *testing.T) {
	c, f := collect(t), &feed{tracking: true}
	c.message(c.now, f, "features:a")
	c.want()
	c.pass(noticeTime)
	c.want(flagChange("a"))
}

// A message of a kind that was never asked for is told, as one about everything is, and what is none of ours is not.
func TestCollector_OtherMessages(t *testing.T) {
	c, f := collect(t), &feed{tracking: true}
	c.message(c.now, f, "other:x")
	c.want(core.Change{Kind: "other", Key: "x"})
	c.message(c.now, f, "nonsense")
	c.message(c.now, f, ":")
	c.message(c.now, f, "other:x")
	c.notice(c.now, f, "p:$inited")
	c.notice(c.now, f, "p:features")
	c.pass(time.Hour)
	c.want(core.Change{})
}

// Too many items of one moment are told as their kind, and so is what a writer told as the kind.
func TestCollector_ManyMessages_AreTheKind(t *testing.T) {
	c, f := collect(t), &feed{tracking: true}
	for i := range maxHeld + 1 {
		c.message(c.now, f, "features:"+strconv.Itoa(i))
	}
	c.notice(c.now, f, "p:features")
	c.pass(time.Hour)
	c.want(flagChange(""))
	c.message(c.now, f, "features:")
	c.notice(c.now, f, "p:features")
	c.pass(time.Hour)
	c.want(flagChange(""))
}

// With keyspace notifications, a message explains one event, and later the kind is told in case that was somebody else's.
func TestCollector_KeyspaceEvents(t *testing.T) {
	c, f := collect(t), &feed{keyspace: true, channel: true}
	c.notice(c.now, f, "p:features")
	c.message(c.now, f, "features:a")
	c.pass(recheckLate - time.Second)
	c.want(flagChange("a"))
	c.pass(time.Hour)
	c.want(flagChange(""))

	c.notice(c.now, f, "p:features") // foreign
	c.notice(c.now, f, "p:features")
	c.message(c.now, f, "features:b")
	c.pass(gatherTime)
	c.want(flagChange("b"), flagChange(""))
	c.pass(time.Hour)
	c.want()

	c.message(c.now, f, "features:c") // the server sends no such events
	c.pass(time.Hour)
	c.want(flagChange("c"))
}

// A copy of a message from another server, or one about a write to another database, hides no foreign write for long.
func TestCollector_KeyspaceEventsAndCopies_HideNoForeignWrite(t *testing.T) {
	c, home, other := collect(t), &feed{keyspace: true, channel: true}, &feed{keyspace: true, channel: true}
	c.notice(c.now, home, "p:features")
	c.message(c.now, home, "features:x")
	c.pass(time.Millisecond)
	c.notice(c.now, home, "p:features") // foreign
	c.message(c.now, other, "features:x")
	c.pass(recheckLate)
	c.want(flagChange("x"), flagChange("x"), flagChange(""))
}

// What is known to be foreign is told soon, whatever messages come from servers that tell nothing else.
func TestCollector_MessageWithoutEvents_CancelsNothing(t *testing.T) {
	c, home, other := collect(t), &feed{tracking: true, channel: true}, &feed{channel: true}
	c.notice(c.now, home, "p:features") // foreign
	c.message(c.now, other, "features:x")
	c.pass(gatherTime)
	c.want(flagChange("x"), flagChange(""))
}

// A message about an item takes back nothing of one about its kind.
func TestCollector_ChannelAlone_KindAndThenItem(t *testing.T) {
	c, f := collect(t), &feed{channel: true}
	c.message(c.now, f, "features:")
	c.pass(time.Millisecond)
	c.message(c.now, f, "features:x")
	c.pass(gatherTime)
	c.want(flagChange("x"), flagChange(""))
}

// Servers refuse prefixes of which one begins with another.
func TestTrackedPrefixes_DoNotOverlap(t *testing.T) {
	require.Equal(t, []string{"p:$inited", "p:features", "p:segments", "p:x"},
		trackedPrefixes(keys{"p"}, append(core.BuiltInKinds(), "features2", "x", "x.y", "segments")))
	require.Equal(t, []string{"$inited", "features", "segments"}, trackedPrefixes(keys{""}, core.BuiltInKinds()))
}
