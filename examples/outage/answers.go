package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat"
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

func (a answer) equal(b answer) bool {
	return a.Flag == b.Flag && a.Subject == b.Subject && a.Version == b.Version && a.Value.Equal(b.Value) &&
		a.Variation == b.Variation && a.Reason == b.Reason
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

// evaluate answers every question for every subject: all subjects of the first question, then of the second, and so on.
func evaluate(ctx context.Context, client *cleat.Client, questions []question, subjects []subject) ([]answer, error) {
	state := client.AllFlagsState(ctx, subjects[0].Context)
	if !state.Valid() {
		return nil, errors.New("the client cannot evaluate anything")
	}
	answers := make([]answer, 0, len(questions)*len(subjects))
	for _, q := range questions {
		flag, _ := state.Flag(q.Key)
		for _, s := range subjects {
			value, detail := variation(ctx, client, q, s.Context)
			answers = append(answers, answer{
				Flag: q.Key, Subject: s.Name, Version: flag.Version,
				Value: value, Variation: detail.VariationIndex, Reason: detail.Reason,
			})
		}
	}
	return answers, nil
}

// variation evaluates a flag by the method for its type, as an application would, with a default that no flag has.
func variation(
	ctx context.Context, client *cleat.Client, q question, c ldcontext.Context,
) (ldvalue.Value, ldreason.EvaluationDetail) {
	switch q.Type {
	case typeBool:
		value, detail := client.BoolVariationDetail(ctx, q.Key, c, false)
		return ldvalue.Bool(value), detail
	case typeInt:
		value, detail := client.IntVariationDetail(ctx, q.Key, c, -1)
		return ldvalue.Int(value), detail
	case typeFloat:
		value, detail := client.Float64VariationDetail(ctx, q.Key, c, -1)
		return ldvalue.Float64(value), detail
	case typeString:
		value, detail := client.StringVariationDetail(ctx, q.Key, c, "the default")
		return ldvalue.String(value), detail
	default:
		return client.JSONVariationDetail(ctx, q.Key, c, ldvalue.Null())
	}
}
