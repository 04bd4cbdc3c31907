package bigsegmentsuite

import (
	"fmt"
	"strconv"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func writeTests() suite.Group[*fixture] {
	return suite.Group[*fixture]{"Write", []suite.Subtest[*fixture]{
		{"LastUpToDateRoundTrip", testLastUpToDate},
		{"MembershipRoundTrip", testMembership},
		{"IncludeBeatsExclude", testIncludeBeatsExclude},
		{"AddAndRemove", testAddAndRemove},
		{"SegmentsAreSeparate", testSegmentsSeparate},
		{"ContextsAreSeparate", testContextsSeparate},
		{"MembershipIsImmutable", testImmutable},
		{"MetadataAndPatchesAreIndependent", testIndependent},
		{"AwkwardSegmentReferences", testAwkwardReferences},
		{"LargePatch", testLargePatch},
	}}
}

// hashOne and hashTwo are context hashes; as Base64 they may contain characters that mean something in URLs and keys.
const (
	hashOne = "p6OgU0/7+wSuHvbqB1V4NBYOQ2nZLbM/ePJhvm9LJ+8="
	hashTwo = "f/Zd1+7T9GxwC0pOn5Qe+nJkJZ7pJtqDzC8H2/r0Xw0="
)

// patch makes a patch that moves the cursor from one version to the next.
func patch(ref, previous, version string, included, excluded core.BigSegmentChanges) core.BigSegmentPatch {
	return core.BigSegmentPatch{
		SegmentRef: ref, PreviousVersion: previous, Version: version, Included: included, Excluded: excluded,
	}
}

func adds(hashes ...string) core.BigSegmentChanges    { return core.BigSegmentChanges{Add: hashes} }
func unchanged() core.BigSegmentChanges               { return core.BigSegmentChanges{} }
func removes(hashes ...string) core.BigSegmentChanges { return core.BigSegmentChanges{Remove: hashes} }

func testLastUpToDate(f *fixture) {
	s := f.open()
	for _, at := range []ldtime.UnixMillisecondTime{1_700_000_000_123, 1, 4_102_444_800_000, 1_600_000_000_000} {
		s.setLastUpToDate(at)
		s.wantLastUpToDate(at)
		f.open().wantLastUpToDate(at)
	}
}

func testMembership(f *fixture) {
	s := f.open()
	s.apply(patch("a.g1", "", "1", adds(hashOne), unchanged()))
	s.apply(patch("b.g1", "1", "2", unchanged(), adds(hashOne)))
	for _, reader := range []*store{s, f.open()} {
		reader.wantMembership(hashOne, []string{"a.g1"}, []string{"b.g1"})
		reader.wantMembership(hashTwo, nil, nil)
	}
}

func testIncludeBeatsExclude(f *fixture) {
	s := f.open()
	s.apply(patch("a.g1", "", "1", adds(hashOne), adds(hashOne)))
	s.wantMembership(hashOne, []string{"a.g1"}, nil)
	s.apply(patch("b.g1", "1", "2", unchanged(), adds(hashOne)))
	s.apply(patch("b.g1", "2", "3", adds(hashOne), unchanged()))
	s.wantMembership(hashOne, []string{"a.g1", "b.g1"}, nil)
	s.apply(patch("a.g1", "3", "4", removes(hashOne), unchanged()))
	s.wantMembership(hashOne, []string{"b.g1"}, []string{"a.g1"})
}

func testAddAndRemove(f *fixture) {
	s := f.open()
	s.apply(patch("a.g1", "", "1", adds(hashOne, hashTwo), unchanged()))
	s.apply(patch("a.g1", "1", "2", removes(hashOne), adds(hashOne)))
	s.wantMembership(hashOne, nil, []string{"a.g1"})
	s.wantMembership(hashTwo, []string{"a.g1"}, nil)
	s.apply(patch("a.g1", "2", "3", unchanged(), removes(hashOne)))
	s.wantMembership(hashOne, nil, nil)
	s.apply(patch("a.g1", "3", "4", removes(hashOne), removes(hashOne, hashTwo))) // none of these is there
	s.wantMembership(hashOne, nil, nil)
	s.wantMembership(hashTwo, []string{"a.g1"}, nil)
	s.apply(patch("a.g1", "4", "5", adds(hashOne, hashTwo), unchanged())) // one of these is there
	s.wantMembership(hashOne, []string{"a.g1"}, nil)
	s.wantMembership(hashTwo, []string{"a.g1"}, nil)
}

func testSegmentsSeparate(f *fixture) {
	s := f.open()
	s.apply(patch("a.g1", "", "1", adds(hashOne), unchanged()))
	s.apply(patch("a.g2", "1", "2", unchanged(), adds(hashOne)))
	s.apply(patch("a", "2", "3", adds(hashOne), unchanged()))
	s.apply(patch("a.g1", "3", "4", removes(hashOne), unchanged()))
	s.wantMembership(hashOne, []string{"a"}, []string{"a.g2"})
}

func testContextsSeparate(f *fixture) {
	s := f.open()
	similar := []string{"Zm9v", "zm9v", "ZM9V", "Zm9v=", "Zm9", "Zm+v", "Zm/v", "Zm-v", "Zm_v"}
	version := ""
	for i, hash := range similar {
		next := strconv.Itoa(i + 1)
		s.apply(patch(fmt.Sprintf("segment-%d.g1", i), version, next, adds(hash), unchanged()))
		version = next
	}
	for i, hash := range similar {
		s.wantMembership(hash, []string{fmt.Sprintf("segment-%d.g1", i)}, nil)
	}
}

func testImmutable(f *fixture) {
	s := f.open()
	s.apply(patch("a.g1", "", "1", adds(hashOne), unchanged()))
	before, err := s.membership(hashOne)
	if err != nil {
		f.Fatalf("Membership: %v", err)
	}
	s.apply(patch("a.g1", "1", "2", removes(hashOne), unchanged()))
	s.apply(patch("b.g1", "2", "3", adds(hashOne), unchanged()))
	if !before.Equal(core.NewBigSegmentMembership([]string{"a.g1"}, nil)) {
		f.Fatalf("a membership that was returned earlier changed to %+v", before)
	}
	s.wantMembership(hashOne, []string{"b.g1"}, nil)
}

func testIndependent(f *fixture) {
	s := f.open()
	s.apply(patch("a.g1", "", "1", adds(hashOne), unchanged()))
	s.wantLastUpToDate(0)
	s.setLastUpToDate(1234)
	s.wantCursor("1")
	s.wantMembership(hashOne, []string{"a.g1"}, nil)
	s.apply(patch("a.g1", "1", "2", unchanged(), adds(hashTwo)))
	s.wantLastUpToDate(1234)
	s.wantCursor("2")
}

func testAwkwardReferences(f *fixture) {
	s := f.open()
	version := ""
	for i, key := range suite.AwkwardKeys() {
		next := strconv.Itoa(i + 1)
		s.apply(patch(key+".g1", version, next, adds(hashOne), adds(hashTwo)))
		version = next
	}
	refs := make([]string, 0, len(suite.AwkwardKeys()))
	for _, key := range suite.AwkwardKeys() {
		refs = append(refs, key+".g1")
	}
	s.wantMembership(hashOne, refs, nil)
	s.wantMembership(hashTwo, nil, refs)
}

func testLargePatch(f *fixture) {
	s := f.open()
	s.Guard = s.Patient()
	hashes := f.contexts()
	half := len(hashes) / 2
	s.apply(patch("big.g1", "", "1", adds(hashes[:half]...), adds(hashes[half:]...)))
	s.apply(patch("big.g1", "1", "2", removes(hashes[:half/2]...), unchanged()))
	s.wantMembership(hashes[0], nil, nil)
	s.wantMembership(hashes[half/2], []string{"big.g1"}, nil)
	s.wantMembership(hashes[half-1], []string{"big.g1"}, nil)
	s.wantMembership(hashes[half], nil, []string{"big.g1"})
	s.wantMembership(hashes[len(hashes)-1], nil, []string{"big.g1"})
	s.wantCursor("2")
}
