package cleat

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// evaluateConstant fills in the result for a flag that has one value for all contexts, because it is off or has nothing to
// tell contexts apart by, as most flags do most of their lives. It reports whether the flag is one; any other is left to
// the engine, which comes to the same result for these and takes many times as long.
func evaluateConstant(flag *ldmodel.FeatureFlag, result *evaluation.Result) bool {
	var variation ldvalue.OptionalInt
	var reason ldreason.EvaluationReason
	switch {
	case !flag.On:
		variation, reason = flag.OffVariation, ldreason.NewEvalReasonOff()
	case flag.TrackEventsFallthrough || // its result is part of an experiment
		len(flag.Prerequisites) > 0 || len(flag.Targets) > 0 || len(flag.ContextTargets) > 0 || len(flag.Rules) > 0:
		return false
	default:
		variation, reason = flag.Fallthrough.Variation, ldreason.NewEvalReasonFallthrough()
	}
	index, defined := variation.Get()
	if !defined || index < 0 || index >= len(flag.Variations) {
		return false
	}
	*result = evaluation.Result{Detail: ldreason.NewEvaluationDetail(flag.Variations[index], index, reason)}
	return true
}
