package main

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// whole is the sum of the weights of a rollout.
const whole = 100000

// percentageRollout splits contexts over the variations in uneven steps, as a release in progress does.
func percentageRollout(r *random, variations int) ldmodel.VariationOrRollout {
	rollout := ldmodel.Rollout{Kind: ldmodel.RolloutKindRollout, ContextKind: rolloutKind(r), Variations: steps(r, variations)}
	if r.chance(20) {
		rollout.BucketBy = ldattr.NewRef(bucketAttribute(rollout.ContextKind))
	}
	if r.chance(25) {
		rollout.Seed = ldvalue.NewOptionalInt(r.between(1, 1<<30))
	}
	return ldmodel.VariationOrRollout{Rollout: rollout}
}

// steps gives each variation but the last one a share of what is left.
func steps(r *random, variations int) []ldmodel.WeightedVariation {
	weighted := make([]ldmodel.WeightedVariation, 0, variations)
	left := whole
	for i := range variations {
		share := left
		if i < variations-1 {
			share = left / 100 * pick(r, []int{1, 5, 10, 20, 25, 33, 50, 75})
		}
		weighted = append(weighted, ldmodel.WeightedVariation{Variation: i, Weight: share})
		left -= share
	}
	return weighted
}

// evenExperiment splits a part of the contexts evenly and leaves the rest untracked on the first variation.
func evenExperiment(r *random, variations int) ldmodel.VariationOrRollout {
	observed := pick(r, []int{20000, 50000, whole})
	rollout := ldmodel.Rollout{
		Kind:        ldmodel.RolloutKindExperiment,
		ContextKind: rolloutKind(r),
		Seed:        ldvalue.NewOptionalInt(r.between(1, 1<<30)),
	}
	left := whole
	for i := range variations {
		share := observed / variations
		if observed == whole && i == variations-1 {
			share = left
		}
		rollout.Variations = append(rollout.Variations, ldmodel.WeightedVariation{Variation: i, Weight: share})
		left -= share
	}
	if left > 0 {
		rollout.Variations = append(rollout.Variations, ldmodel.WeightedVariation{Weight: left, Untracked: true})
	}
	return ldmodel.VariationOrRollout{Rollout: rollout}
}

func rolloutKind(r *random) ldcontext.Kind {
	kinds := []ldcontext.Kind{ldcontext.DefaultKind, ldcontext.DefaultKind, ldcontext.DefaultKind, orgKind, deviceKind}
	return pick(r, kinds)
}

func bucketAttribute(kind ldcontext.Kind) string {
	switch kind {
	case orgKind:
		return "region"
	case deviceKind:
		return "model"
	default:
		return "/address/city"
	}
}
