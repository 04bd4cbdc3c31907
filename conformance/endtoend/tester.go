package endtoend

import "github.com/cleatdev/cleat/conformance/internal/testrun"

// tester is what the suite needs of *testing.T.
type tester = testrun.T

// group is several subtests about one subject.
type group struct {
	name  string
	tests []subtest
}

type subtest struct {
	name string
	run  func(f *fixture)
}
