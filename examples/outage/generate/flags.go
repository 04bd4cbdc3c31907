package main

import (
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// debugDate is the middle of 2030 in Unix milliseconds.
const debugDate ldtime.UnixMillisecondTime = 1_909_008_000_000

// buildFlag makes a flag of the catalogue into one with targeting, rules and rollouts that suit its purpose.
func buildFlag(r *random, areaName string, e entry, segments []string) ldmodel.FeatureFlag {
	b := ldbuilders.NewFlagBuilder(areaName + "-" + e.name).
		Version(r.between(1, 600)).
		Salt(r.hex(16)).
		Variations(e.variations...)
	addSwitch(r, b, e)
	addTargets(r, b, e)
	addRules(r, b, e, segments)
	addFallthrough(r, b, e)
	addAudience(r, b, areaName, e)
	if e.needs != "" {
		b.AddPrerequisite(e.needs, 0)
	}
	return b.Build()
}

// addSwitch says whether the flag is on, and what it is when it is off.
func addSwitch(r *random, b *ldbuilders.FlagBuilder, e entry) {
	on := map[purpose]int{release: 84, operation: 97, entitlement: 95, experiment: 85, migration: 90}
	b.On(r.chance(on[e.purpose]))
	if !r.chance(4) {
		b.OffVariation(lowest(e))
	}
}

// lowest returns the index of the variation that stands for "nothing new": false, or the first value.
func lowest(e entry) int {
	if e.variations[0].Type() == ldvalue.BoolType {
		return 1
	}
	return 0
}

// addTargets lists contexts one by one: as many as the catalogue says, and for a third of the flags some named ones.
func addTargets(r *random, b *ldbuilders.FlagBuilder, e entry) {
	if e.targets > 0 {
		half := e.targets / 2
		keys := append(sample(r, namedUsers(), 3), userKeys(r, e.targets)...)
		b.AddTarget(0, keys[:half]...).AddTarget(1, keys[half:]...)
		b.AddContextTarget(ldcontext.DefaultKind, 0).AddContextTarget(ldcontext.DefaultKind, 1)
		b.AddContextTarget(orgKind, 0, numbered(r, "org", e.targets/20)...)
		return
	}
	if r.chance(24) {
		b.AddTarget(r.below(len(e.variations)), sample(r, namedUsers(), r.between(1, 5))...)
	}
	if r.chance(10) {
		b.AddContextTarget(orgKind, r.below(len(e.variations)), sample(r, namedOrgs(), r.between(1, 3))...)
	}
	if r.chance(6) {
		b.AddContextTarget(deviceKind, r.below(len(e.variations)), sample(r, namedDevices(), r.between(1, 3))...)
	}
}

func addRules(r *random, b *ldbuilders.FlagBuilder, e entry, segments []string) {
	most := map[purpose]int{release: 3, operation: 1, entitlement: 3, experiment: 1, migration: 2}
	least := map[purpose]int{entitlement: 1}
	for range r.between(least[e.purpose], most[e.purpose]) {
		rule := ldbuilders.NewRuleBuilder().ID(uuid(r)).TrackEvents(e.purpose == experiment && r.chance(50))
		if r.chance(35) {
			rule.Clauses(ldbuilders.SegmentMatchClause(pick(r, segments)))
		} else {
			clauses := make([]ldmodel.Clause, r.between(1, 3))
			for i := range clauses {
				clauses[i] = anyClause(r)
			}
			rule.Clauses(clauses...)
		}
		if r.chance(20) {
			rule.VariationOrRollout(percentageRollout(r, len(e.variations)))
		} else {
			rule.Variation(r.below(len(e.variations)))
		}
		b.AddRule(rule)
	}
}

func addFallthrough(r *random, b *ldbuilders.FlagBuilder, e entry) {
	switch {
	case e.purpose == experiment:
		b.Fallthrough(evenExperiment(r, len(e.variations))).TrackEventsFallthrough(true)
	case e.purpose == migration:
		b.FallthroughVariation(r.below(len(e.variations)))
		parameters := ldbuilders.NewMigrationFlagParametersBuilder().CheckRatio(pick(r, []int{1, 10, 100})).Build()
		b.MigrationFlagParameters(parameters)
	case e.purpose == operation:
		b.FallthroughVariation(pick(r, []int{0, 0, 0, 1}))
	case e.purpose == release && r.chance(38):
		b.Fallthrough(percentageRollout(r, len(e.variations)))
	case e.purpose == release && r.chance(45):
		b.FallthroughVariation(0)
	default:
		b.FallthroughVariation(lowest(e))
	}
}

// addAudience says which SDKs get the flag, and which evaluations are recorded.
func addAudience(r *random, b *ldbuilders.FlagBuilder, areaName string, e entry) {
	visible := e.purpose == release || e.purpose == experiment
	b.ClientSideUsingEnvironmentID(visible && r.chance(60))
	b.ClientSideUsingMobileKey(areaName == "mobile" || visible && r.chance(30))
	b.TrackEvents(e.purpose == experiment || r.chance(8))
	if r.chance(5) {
		b.DebugEventsUntilDate(debugDate + ldtime.UnixMillisecondTime(r.below(30))*86_400_000)
	}
	if r.chance(5) {
		b.SamplingRatio(pick(r, []int{10, 100, 1000}))
	}
	b.ExcludeFromSummaries(r.chance(3))
}

func uuid(r *random) string {
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", r.hex(8), r.hex(4), r.hex(3), r.hex(3), r.hex(12))
}
