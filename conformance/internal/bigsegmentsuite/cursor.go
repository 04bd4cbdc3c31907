package bigsegmentsuite

import (
	"fmt"
	"sync/atomic"

	"github.com/cleatdev/cleat/conformance/internal/suite"
)

func cursorTests() suite.Group[*fixture] {
	return suite.Group[*fixture]{"Cursor", []suite.Subtest[*fixture]{
		{"EmptyAtFirst", testCursorEmpty},
		{"MovesWithEachPatch", testCursorMoves},
		{"PatchAtAnotherCursorChangesNothing", testCursorMismatch},
		{"SeveralPatchesOfOneVersion", testCursorSameVersion},
		{"SamePatchAgainChangesNothing", testCursorAgain},
		{"IsTextNotANumber", testCursorText},
		{"TwoWritersOneWins", testCursorTwoWriters},
		{"PatchWithoutChangesMovesTheCursor", testCursorEmptyPatch},
		{"LatePatchWritesNothingMore", testCursorLatePatch},
		{"WritersAtOneCursorAgree", testCursorManyWriters},
	}}
}

func testCursorEmpty(f *fixture) {
	s := f.open()
	s.wantCursor("")
	s.setLastUpToDate(1)
	s.wantCursor("")
}

func testCursorMoves(f *fixture) {
	s := f.open()
	s.apply(patch("a.g1", "", "1", adds(hashOne), unchanged()))
	s.wantCursor("1")
	s.apply(patch("a.g1", "1", "2", unchanged(), unchanged()))
	s.wantCursor("2")
	f.open().wantCursor("2")
}

func testCursorMismatch(f *fixture) {
	s := f.open()
	s.wantApplied(patch("a.g1", "7", "8", adds(hashOne), unchanged()), false)
	s.wantCursor("")
	s.wantMembership(hashOne, nil, nil)
	s.apply(patch("a.g1", "", "1", adds(hashOne), unchanged()))
	for _, previous := range []string{"", "0", "2", "10", " 1", "1 "} {
		s.wantApplied(patch("a.g1", previous, "9", removes(hashOne), adds(hashTwo)), false)
		s.wantCursor("1")
		s.wantMembership(hashOne, []string{"a.g1"}, nil)
		s.wantMembership(hashTwo, nil, nil)
	}
	s.apply(patch("a.g1", "1", "9", removes(hashOne), unchanged()))
}

func testCursorSameVersion(f *fixture) {
	s := f.open()
	s.apply(patch("a.g1", "", "1", adds(hashOne), unchanged()))
	s.apply(patch("b.g1", "1", "1", adds(hashOne), unchanged()))
	s.apply(patch("c.g1", "1", "1", unchanged(), adds(hashOne)))
	s.wantCursor("1")
	s.wantMembership(hashOne, []string{"a.g1", "b.g1"}, []string{"c.g1"})
	s.apply(patch("a.g1", "1", "2", removes(hashOne), unchanged()))
	s.wantCursor("2")
}

// testCursorAgain applies a patch again whose previous version is its own, as after an interruption, and one whose is not.
func testCursorAgain(f *fixture) {
	s := f.open()
	first := patch("a.g1", "", "1", adds(hashOne), adds(hashTwo))
	s.apply(first)
	s.wantApplied(first, false)
	second := patch("b.g1", "1", "1", adds(hashOne), removes(hashTwo))
	for range 3 {
		s.apply(second)
		s.wantCursor("1")
		s.wantMembership(hashOne, []string{"a.g1", "b.g1"}, nil)
		s.wantMembership(hashTwo, nil, []string{"a.g1"})
	}
}

func testCursorText(f *fixture) {
	s := f.open()
	versions := []string{"", "9", "10", "09", "1e1", "äöü: / * 'x' \"y\"", "01J9Z3-abc", "0"}
	for i := 1; i < len(versions); i++ {
		s.apply(patch("a.g1", versions[i-1], versions[i], unchanged(), unchanged()))
		s.wantCursor(versions[i])
	}
}

// testCursorTwoWriters has several writers move the cursor from the same version at once.
func testCursorTwoWriters(f *fixture) {
	stores := make([]*store, f.Workers)
	for i := range stores {
		stores[i] = f.open()
	}
	version := ""
	for round := range f.Rounds {
		var applied atomic.Int64
		winner := make([]string, f.Workers)
		suite.Concurrently(f, f.Workers, func(worker int) error {
			next := fmt.Sprintf("%d-%d", round, worker)
			ok, err := stores[worker].applyPatch(patch("a.g1", version, next, adds(hashOne), unchanged()))
			if ok {
				applied.Add(1)
				winner[worker] = next
			}
			return err
		})
		if n := applied.Load(); n != 1 {
			f.Fatalf("%d writers were told that they moved the cursor from %q, want 1", n, version)
		}
		for _, next := range winner {
			if next != "" {
				version = next
			}
		}
		stores[0].wantCursor(version)
	}
	stores[0].wantMembership(hashOne, []string{"a.g1"}, nil)
}
