package bigsegmentsuite

import (
	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func readTests() suite.Group[*fixture] {
	return suite.Group[*fixture]{"Read", []suite.Subtest[*fixture]{
		{"NeverUpdatedHasZeroMetadata", testNeverUpdated},
		{"UnknownContextHasEmptyMembership", testUnknownContext},
		{"WriterIsAsDeclared", testWriterDeclared},
	}}
}

func testNeverUpdated(f *fixture) { f.open().wantLastUpToDate(0) }

func testUnknownContext(f *fixture) {
	s := f.open()
	for _, hash := range []string{core.BigSegmentContextHash("nobody"), "not a hash", "*", "a/b+c=="} {
		s.wantMembership(hash, nil, nil)
	}
}

func testWriterDeclared(f *fixture) {
	if has := f.open().writer != nil; has != f.h.Writer {
		f.Fatalf("the store is a core.BigSegmentWriter: %t; the harness declares %t", has, f.h.Writer)
	}
}
