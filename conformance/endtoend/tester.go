package endtoend

import "testing"

// tester is what the suite needs of *testing.T. It is an interface so that the suite can be run against stores that are
// meant to fail, and the failures be looked at.
type tester interface {
	testing.TB
	Run(name string, f func(t tester)) bool
}

// goTest makes a tester of a *testing.T.
type goTest struct{ *testing.T }

func (t goTest) Run(name string, f func(t tester)) bool {
	t.Helper()
	return t.T.Run(name, func(t *testing.T) { f(goTest{t}) })
}

// group is several subtests about one subject.
type group struct {
	name  string
	tests []subtest
}

type subtest struct {
	name string
	run  func(f *fixture)
}
