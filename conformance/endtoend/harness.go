package endtoend

import (
	"testing"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
)

// Harness describes the adapter under test. What the embedded harness says is enough; its OpenBigSegments, AtomicInit,
// Watcher and ChangeSetApplier decide what is tested.
type Harness struct {
	conformance.Harness

	// ReadBigSegments reads with the bare driver which segment references include and exclude the context with the hash.
	// It is optional; nil means that a second big segment store is asked.
	ReadBigSegments func(t testing.TB, prefix, contextHash string) (included, excluded []string)
}

// Run runs every test of a client on the adapter that h describes, in every mode of the cache, as subtests of t, one after
// the other. See the package documentation for what they show.
func Run(t *testing.T, h Harness) {
	t.Helper()
	run(testrun.Of(t), h, defaultSizes())
}

func run(t tester, h Harness, s sizes) {
	for _, m := range modes() {
		if m.watched && !h.Capabilities.Watcher {
			continue
		}
		t.Run(m.name, func(t tester) {
			for _, g := range groups(h, m) {
				t.Run(g.name, func(t tester) {
					for _, test := range g.tests {
						t.Run(test.name, func(t tester) { test.run(newFixture(t, h, m, s)) })
					}
				})
			}
		})
	}
}

// groups returns what there is to test about an adapter in a mode.
func groups(h Harness, m mode) []group {
	all := []group{sharingTests(m), trackerTests(m), outageTests()}
	if !m.watched || m.caches() { // what is read past the cache is the same with and without a watch
		all = append(all, versionTests())
	}
	if m.watched {
		return all
	}
	all = append(all, startTests(), wholeTests(), interruptionTests())
	if h.Capabilities.ChangeSetApplier {
		all = append(all, changeSetTests())
	}
	if h.OpenBigSegments != nil {
		all = append(all, bigSegmentTests())
	}
	return all
}
