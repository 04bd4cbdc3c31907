package conformance

import (
	"testing"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
)

// RunFeatureStore runs every test of [core.FeatureStoreCore] and of its optional abilities against the adapter that h
// describes, as subtests of t, one after the other. See the package documentation for what they show.
func RunFeatureStore(t *testing.T, h Harness) {
	t.Helper()
	runFeatureStore(testrun.Of(t), h, defaultSizes())
}

func runFeatureStore(t tester, h Harness, s sizes) {
	newFixture := func(t tester) *fixture { return newFixture(t, h, s) }
	if harnessIsSound(t, newFixture) {
		suite.Run(t, featureStoreTests(h), newFixture)
	}
}

// featureStoreTests returns what there is to test about an adapter with these capabilities.
func featureStoreTests(h Harness) []group[*fixture] {
	c := h.Capabilities
	groups := []group[*fixture]{
		getTests(),
		upsertTests(),
		initTests(h),
		initObservedTests(c),
		initializedTests(),
		sharingTests(),
		keyTests(c),
		kindTests(),
		prefixTests(),
		corruptTests(),
		fidelityTests(),
		sizeTests(c),
		concurrencyTests(),
		linearizabilityTests(),
		modelTests(),
		contextTests(c),
		closeTests(),
		abilityTests(c),
	}
	if c.ChangeSetApplier {
		groups = append(groups, changeSetTests(c))
	}
	if c.ItemsGetter {
		groups = append(groups, getItemsTests())
	}
	if c.Watcher {
		groups = append(groups, watchTests())
	}
	return groups
}
