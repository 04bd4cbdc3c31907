package redisstore

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func flagChange(key string) core.Change { return core.Change{Kind: core.Flags, Key: key} }

// told is news on a clock of its own.
type told struct {
	*news
	t       *testing.T
	changes []core.Change
}

func tell(t *testing.T, f func(n *told, tracking *feed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &told{t: t}
		n.news = newNews(keys{"p"}, func(change core.Change) { n.changes = append(n.changes, change) })
		n.add(keys{"p"}, core.BuiltInKinds())
		f(n, &feed{tracking: true, named: map[core.DataKind]bool{}})
	})
}

// want asserts what was reported since it was last called, in any order.
func (n *told) want(changes ...core.Change) {
	n.t.Helper()
	time.Sleep(2 * gatherTime)
	n.mu.Lock()
	defer n.mu.Unlock()
	require.ElementsMatch(n.t, changes, n.changes)
	n.changes = nil
}

// A write by cleat is told by its key alone, however many of them one notice is about.
func TestNews_MessageBeforeNotice_IsTheItem(t *testing.T) {
	tell(t, func(n *told, f *feed) {
		n.message(f, "features:a:b")
		n.message(f, "features:c")
		n.notice(f, "p:features")
		n.want(flagChange("a:b"), flagChange("c"))
		n.message(f, "features:d")
		n.notice(f, "p:features")
		n.want(flagChange("d"))
	})
}

// A notice that no message explains is about the whole kind, and several at once are one report.
func TestNews_UnexplainedNotices_AreTheKind(t *testing.T) {
	tell(t, func(n *told, f *feed) {
		n.notice(f, "p:features")
		n.notice(f, "p:features")
		n.notice(f, "p:features2")
		n.notice(f, "p:segments")
		n.want(flagChange(""), core.Change{Kind: core.Segments})
		n.message(f, "features:a")
		n.notice(f, "p:segments")
		n.want(flagChange("a"), core.Change{Kind: core.Segments})
		n.notice(f, "p:features") // of the message
		n.notice(f, "p:features")
		n.want(flagChange(""))
	})
}

// A message explains a notice of its own connection only.
func TestNews_MessageOfAnotherConnection_ExplainsNothing(t *testing.T) {
	tell(t, func(n *told, f *feed) {
		n.message(&feed{named: map[core.DataKind]bool{}}, "features:a")
		n.notice(f, "p:features")
		n.want(flagChange("a"), flagChange(""))
	})
}

// A foreign write that the server told of together with one by cleat shows at the next recheck, which costs nothing otherwise.
func TestNews_Recheck_ReportsKindsOfExplainedNotices(t *testing.T) {
	tell(t, func(n *told, f *feed) {
		n.recheck()
		n.want()
		n.message(f, "features:a")
		n.notice(f, "p:features")
		n.want(flagChange("a"))
		n.recheck()
		n.want(flagChange(""))
		n.recheck()
		n.want()
	})
}

// An Init, the mark and a flush are about everything, which stands for every kind; nothing is explained by them.
func TestNews_Everything_StandsForTheKinds(t *testing.T) {
	tell(t, func(n *told, f *feed) {
		n.message(f, ":")
		n.notice(f, "p:features")
		n.notice(f, "p:$inited")
		n.want(core.Change{})
		n.anything()
		n.want(core.Change{})
		n.notice(f, "p:segments")
		n.want(core.Change{Kind: core.Segments})
	})
}

// A message without a key is about its kind, one of a kind that is not watched about its item, and another is none of ours.
func TestNews_OtherMessages(t *testing.T) {
	tell(t, func(n *told, f *feed) {
		n.message(f, "features:")
		n.notice(f, "p:features")
		n.want(flagChange(""))
		n.message(f, "other:x")
		n.message(f, "something else")
		n.want(core.Change{Kind: "other", Key: "x"})
	})
}

// Once the watch has ended, nothing is reported.
func TestNews_End_ReportsNothing(t *testing.T) {
	tell(t, func(n *told, f *feed) {
		n.notice(f, "p:features")
		n.end()
		n.message(f, "features:a")
		n.want()
	})
}

func TestLink_TrackedPrefixes_DoNotOverlap(t *testing.T) {
	l := &link{store: &Store{database: &database{keys: keys{""}}}, kinds: []core.DataKind{"a", "ab", "b", "features"}}
	require.Equal(t, []string{"$inited", "a", "b", "features"}, l.trackedPrefixes())
}
