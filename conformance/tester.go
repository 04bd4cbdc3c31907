package conformance

import "github.com/cleatdev/cleat/conformance/internal/testrun"

// tester is what the suite needs of *testing.T.
type tester = testrun.T

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
