package conformance

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

// group is several subtests about one subject; F is what each is given.
type group[F any] struct {
	name  string
	tests []subtest[F]
}

type subtest[F any] struct {
	name string
	run  func(F)
}

// runGroups runs every subtest, each with a fixture of its own.
func runGroups[F any](t tester, groups []group[F], newFixture func(t tester) F) {
	for _, g := range groups {
		t.Run(g.name, func(t tester) {
			for _, test := range g.tests {
				t.Run(test.name, func(t tester) { test.run(newFixture(t)) })
			}
		})
	}
}
