package suite

import "github.com/cleatdev/cleat/conformance/internal/testrun"

// Group is several subtests about one subject; F is what each is given. It is no type of its own, so that a literal of it
// needs no names.
type Group[F any] = struct {
	Name  string
	Tests []Subtest[F]
}

// Subtest is one of a [Group].
type Subtest[F any] = struct {
	Name string
	Run  func(F)
}

// Run runs every subtest, each with a fixture of its own.
func Run[F any](t testrun.T, groups []Group[F], newFixture func(t testrun.T) F) {
	for _, g := range groups {
		t.Run(g.Name, func(t testrun.T) {
			for _, test := range g.Tests {
				t.Run(test.Name, func(t testrun.T) { test.Run(newFixture(t)) })
			}
		})
	}
}
