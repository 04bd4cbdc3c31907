package main

import (
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// answer is what a flag is for one context.
type answer struct {
	Flag      string                    `json:"flag"`
	Subject   string                    `json:"context"`
	Version   int                       `json:"version"` // of the flag; 0 if the client has no such flag
	Value     ldvalue.Value             `json:"value"`
	Variation ldvalue.OptionalInt       `json:"variation"`
	Reason    ldreason.EvaluationReason `json:"reason"`
}

type answerID struct{ flag, subject string }

func (a answer) id() answerID { return answerID{a.Flag, a.Subject} }

func (a answer) equal(b answer) bool {
	return a.id() == b.id() && a.Version == b.Version && a.Value.Equal(b.Value) && a.Variation == b.Variation &&
		a.Reason == b.Reason
}

// fromStore reports whether the flag was found and evaluated, so that the value is not just the caller's default.
func (a answer) fromStore() bool {
	return a.Version > 0 && a.Reason.GetKind() != ldreason.EvalReasonError
}

// String returns the answer on one line.
func (a answer) String() string {
	if a.Flag == "" {
		return "nothing"
	}
	return fmt.Sprintf("%s (variation %s, %s, version %d)", display(a.Value), a.Variation, a.Reason, a.Version)
}

// countFlags returns how many different flags the answers are about.
func countFlags(answers []answer) int {
	flags := map[string]bool{}
	for _, a := range answers {
		flags[a.Flag] = true
	}
	return len(flags)
}

// countServed returns how many flags have only answers that come from the store.
func countServed(answers []answer) int {
	missing := map[string]bool{}
	for _, a := range answers {
		if !a.fromStore() {
			missing[a.Flag] = true
		}
	}
	return countFlags(answers) - len(missing)
}
