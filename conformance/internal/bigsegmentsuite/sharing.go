package bigsegmentsuite

import "github.com/cleatdev/cleat/conformance/internal/suite"

func sharingTests() suite.Group[*fixture] {
	return suite.Group[*fixture]{"Sharing", []suite.Subtest[*fixture]{
		{"WritesAreSeenByOthersAtOnce", testSharing},
		{"PrefixesAreSeparate", testPrefixes},
		{"DataOutlivesTheStore", testReopen},
	}}
}

func testSharing(f *fixture) {
	a, b := f.open(), f.open()
	b.wantMembership(hashOne, nil, nil)
	b.wantLastUpToDate(0)
	b.wantCursor("")
	a.apply(patch("a.g1", "", "1", adds(hashOne), unchanged()))
	a.setLastUpToDate(1234)
	b.wantMembership(hashOne, []string{"a.g1"}, nil)
	b.wantLastUpToDate(1234)
	b.wantCursor("1")
	b.apply(patch("a.g1", "1", "2", removes(hashOne), unchanged()))
	a.wantMembership(hashOne, nil, nil)
	a.wantCursor("2")
}

func testPrefixes(f *fixture) {
	a := f.open()
	a.apply(patch("a.g1", "", "1", adds(hashOne), unchanged()))
	a.setLastUpToDate(1234)
	for _, suffix := range []string{"2", ":b", "/b", "*", "A"} {
		b := f.openAt(f.prefix + suffix)
		b.wantCursor("")
		b.wantLastUpToDate(0)
		b.wantMembership(hashOne, nil, nil)
		b.apply(patch("b.g1", "", "7", adds(hashOne), unchanged()))
		b.setLastUpToDate(99)
		a.wantCursor("1")
		a.wantLastUpToDate(1234)
		a.wantMembership(hashOne, []string{"a.g1"}, nil)
		b.wantMembership(hashOne, []string{"b.g1"}, nil)
	}
}

func testReopen(f *fixture) {
	s := f.openUnmanaged()
	s.apply(patch("a.g1", "", "1", adds(hashOne), adds(hashTwo)))
	s.setLastUpToDate(1234)
	if err := s.close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
	reopened := f.open()
	reopened.wantMembership(hashOne, []string{"a.g1"}, nil)
	reopened.wantMembership(hashTwo, nil, []string{"a.g1"})
	reopened.wantLastUpToDate(1234)
	reopened.wantCursor("1")
}
