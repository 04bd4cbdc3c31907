package conformance

import "github.com/cleatdev/cleat/core"

func bigReadTests() group[*bigFixture] {
	return group[*bigFixture]{"Read", []subtest[*bigFixture]{
		{"NeverUpdatedHasZeroMetadata", testBigNeverUpdated},
		{"UnknownContextHasEmptyMembership", testBigUnknownContext},
		{"WriterIsAsDeclared", testBigWriterDeclared},
	}}
}

func testBigNeverUpdated(f *bigFixture) { f.open().wantLastUpToDate(0) }

func testBigUnknownContext(f *bigFixture) {
	s := f.open()
	for _, hash := range []string{core.BigSegmentContextHash("nobody"), "not a hash", "*", "a/b+c=="} {
		s.wantMembership(hash, nil, nil)
	}
}

func testBigWriterDeclared(f *bigFixture) {
	if has := f.open().writer != nil; has != f.h.Writer {
		f.Fatalf("the store is a core.BigSegmentWriter: %t; the harness declares %t", has, f.h.Writer)
	}
}
