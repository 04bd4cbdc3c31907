package core

import "github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

// fewValues is up to how many values a clause is better searched one by one. Decoding makes an index for a clause with
// more than one, which takes 460 bytes for two of them and is slower than a search up to here: BenchmarkClause_In.
const fewValues = 4

// compactFlag makes a flag that was just decoded take less memory, and changes nothing of what it means.
func compactFlag(flag *ldmodel.FeatureFlag) {
	flag.Rules = clipped(flag.Rules)
	for i := range flag.Rules {
		flag.Rules[i].Clauses = compactClauses(flag.Rules[i].Clauses)
	}
	compactTargets(flag.Targets)
	compactTargets(flag.ContextTargets)
}

// compactSegment does the same for a segment.
func compactSegment(segment *ldmodel.Segment) {
	segment.Included, segment.Excluded = clipped(segment.Included), clipped(segment.Excluded)
	segment.Rules = clipped(segment.Rules)
	for i := range segment.Rules {
		segment.Rules[i].Clauses = compactClauses(segment.Rules[i].Clauses)
	}
}

func compactTargets(targets []ldmodel.Target) {
	for i := range targets {
		targets[i].Values = clipped(targets[i].Values)
	}
}

// compactClauses leaves out indexes of few values. The evaluation library does without one where there is none.
func compactClauses(clauses []ldmodel.Clause) []ldmodel.Clause {
	clauses = clipped(clauses)
	for i := range clauses {
		clauses[i].Values = clipped(clauses[i].Values)
		if clause := clauses[i]; clause.Op == ldmodel.OperatorIn && len(clause.Values) <= fewValues {
			clauses[i] = ldmodel.Clause{
				ContextKind: clause.ContextKind, Attribute: clause.Attribute, Op: clause.Op, Values: clause.Values, Negate: clause.Negate,
			}
		}
	}
	return clauses
}

// clipped returns the list without room for more.
func clipped[T any](list []T) []T {
	if len(list) == cap(list) {
		return list
	}
	exact := make([]T, len(list))
	copy(exact, list)
	return exact
}
