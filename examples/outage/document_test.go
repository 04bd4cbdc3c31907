package main

import (
	"testing"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"
)

// document returns the embedded flag file.
func document(t *testing.T) flagFile {
	t.Helper()
	file, err := parseFlagFile(committedFlags)
	require.NoError(t, err)
	return file
}

// Everything that a flag or a segment refers to is in the file.
func TestDocument_ReferencesExist(t *testing.T) {
	file := document(t)
	for key, flag := range file.Flags {
		require.Equal(t, key, flag.Key)
		require.False(t, flag.Deleted)
		for _, needed := range flag.Prerequisites {
			prerequisite, found := file.Flags[needed.Key]
			require.True(t, found, "%s needs %s", key, needed.Key)
			require.Less(t, needed.Variation, len(prerequisite.Variations))
		}
		for _, rule := range flag.Rules {
			requireSegments(t, file, key, rule.Clauses)
		}
	}
	for key, segment := range file.Segments {
		require.Equal(t, key, segment.Key)
		for _, rule := range segment.Rules {
			requireSegments(t, file, key, rule.Clauses)
		}
	}
}

func requireSegments(t *testing.T, file flagFile, key string, clauses []ldmodel.Clause) {
	t.Helper()
	for _, clause := range clauses {
		if clause.Op == ldmodel.OperatorSegmentMatch {
			require.Contains(t, file.Segments, clause.Values[0].StringValue(), key)
		}
	}
}

func TestDocument_WeightsAddUp(t *testing.T) {
	file := document(t)
	for key, flag := range file.Flags {
		for _, rollout := range rollouts(flag) {
			sum := 0
			for _, share := range rollout.Variations {
				require.Less(t, share.Variation, len(flag.Variations), key)
				sum += share.Weight
			}
			require.Equal(t, 100_000, sum, key)
		}
	}
}

func rollouts(flag ldmodel.FeatureFlag) []ldmodel.Rollout {
	var all []ldmodel.Rollout
	if len(flag.Fallthrough.Rollout.Variations) > 0 {
		all = append(all, flag.Fallthrough.Rollout)
	}
	for _, rule := range flag.Rules {
		if len(rule.Rollout.Variations) > 0 {
			all = append(all, rule.Rollout)
		}
	}
	return all
}

// Everything that the model has occurs, and often enough to matter.
func TestDocument_CoversTheModel(t *testing.T) {
	file := document(t)
	require.GreaterOrEqual(t, len(file.Flags), 200)
	require.GreaterOrEqual(t, len(file.Segments), 24)
	counts := map[string]int{}
	for _, flag := range file.Flags {
		countFlag(counts, flag)
	}
	for _, segment := range file.Segments {
		countSegment(counts, segment)
	}
	for what, least := range map[string]int{
		"on": 200, "off": 15, "no off variation": 3, "over 50 kB": 2, "prerequisite": 25, "targets": 40, "org targets": 20,
		"device targets": 5, "rules": 120, "negated": 10, "percentage": 40, "experiment": 12, "bucketed by": 5, "seeded": 15,
		"untracked": 4, "trackEvents": 20, "trackEventsFallthrough": 12, "debugged": 5, "sampled": 5, "client side": 40,
		"migration": 5, "bool": 100, "string": 40, "json": 15, "int": 35, "float": 15,
		"listed segment": 3, "listed contexts": 3, "weighted segment": 2, "big segment": 3, "segment of segments": 3,
		"op in": 40, "op endsWith": 3, "op startsWith": 3, "op matches": 3, "op contains": 3, "op lessThan": 1,
		"op lessThanOrEqual": 1, "op greaterThan": 1, "op greaterThanOrEqual": 3, "op before": 1, "op after": 1,
		"op segmentMatch": 40, "op semVerEqual": 1, "op semVerLessThan": 1, "op semVerGreaterThan": 1,
	} {
		require.GreaterOrEqual(t, counts[what], least, what)
	}
	require.GreaterOrEqual(t, longestChain(file), 4)
}

func countFlag(counts map[string]int, flag ldmodel.FeatureFlag) {
	data, _ := flag.MarshalJSON()
	facts := map[string]bool{
		"on": flag.On, "off": !flag.On, "no off variation": !flag.OffVariation.IsDefined(), "over 50 kB": len(data) > 50_000,
		"prerequisite": len(flag.Prerequisites) > 0, "targets": len(flag.Targets) > 0, "rules": len(flag.Rules) > 0,
		"trackEvents": flag.TrackEvents, "trackEventsFallthrough": flag.TrackEventsFallthrough,
		"debugged": flag.DebugEventsUntilDate > 0, "sampled": flag.SamplingRatio.IsDefined(),
		"client side": flag.ClientSideAvailability.UsingEnvironmentID, "migration": flag.Migration != nil,
	}
	facts[string(typeOf(flag.Variations))] = true
	for _, target := range flag.ContextTargets {
		facts[string(target.ContextKind)+" targets"] = true
	}
	for _, rollout := range rollouts(flag) {
		facts["experiment"] = facts["experiment"] || rollout.IsExperiment()
		facts["percentage"] = facts["percentage"] || !rollout.IsExperiment()
		facts["bucketed by"] = facts["bucketed by"] || rollout.BucketBy.IsDefined()
		facts["seeded"] = facts["seeded"] || rollout.Seed.IsDefined()
		for _, share := range rollout.Variations {
			facts["untracked"] = facts["untracked"] || share.Untracked
		}
	}
	for _, rule := range flag.Rules {
		countClauses(facts, rule.Clauses)
	}
	count(counts, facts)
}

func countSegment(counts map[string]int, segment ldmodel.Segment) {
	facts := map[string]bool{
		"listed segment": len(segment.Included) > 0, "listed contexts": len(segment.IncludedContexts) > 0,
		"big segment": segment.Unbounded && segment.Generation.IsDefined(),
	}
	for _, rule := range segment.Rules {
		facts["weighted segment"] = facts["weighted segment"] || rule.Weight.IsDefined()
		for _, clause := range rule.Clauses {
			facts["segment of segments"] = facts["segment of segments"] || clause.Op == ldmodel.OperatorSegmentMatch
		}
		countClauses(facts, rule.Clauses)
	}
	count(counts, facts)
}

func countClauses(facts map[string]bool, clauses []ldmodel.Clause) {
	for _, clause := range clauses {
		facts["op "+string(clause.Op)] = true
		facts["negated"] = facts["negated"] || clause.Negate
	}
}

func count(counts map[string]int, facts map[string]bool) {
	for what, present := range facts {
		if present {
			counts[what]++
		}
	}
}

// longestChain returns how many flags are in the longest chain of prerequisites.
func longestChain(file flagFile) int {
	var length func(key string) int
	length = func(key string) int {
		longest := 0
		for _, needed := range file.Flags[key].Prerequisites {
			longest = max(longest, length(needed.Key))
		}
		return longest + 1
	}
	longest := 0
	for key := range file.Flags {
		longest = max(longest, length(key))
	}
	return longest
}
