package main

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// toggledFlags says that one flag in so many is switched on or off by the update.
const toggledFlags = 10

// updated returns the flag file after an update that changes every flag and segment: each has a version greater by one,
// and most flags have other results. A store that holds a part of the update cannot be mistaken for one that holds all
// or nothing of it.
func (f flagFile) updated() ([]byte, error) {
	next := flagFile{Flags: map[string]ldmodel.FeatureFlag{}, Segments: map[string]ldmodel.Segment{}}
	for i, key := range slices.Sorted(maps.Keys(f.Flags)) {
		flag := f.Flags[key]
		flag.Version++
		flag.Fallthrough = nextFallthrough(flag.Fallthrough, len(flag.Variations))
		if flag.OffVariation.IsDefined() {
			flag.OffVariation = nextVariation(flag.OffVariation, len(flag.Variations))
		}
		if i%toggledFlags == 0 {
			flag.On = !flag.On
		}
		next.Flags[key] = flag
	}
	for key, segment := range f.Segments {
		segment.Version++
		segment.Included = segment.Included[len(segment.Included)/2:]
		next.Segments[key] = segment
	}
	return json.Marshal(next)
}

func nextVariation(variation ldvalue.OptionalInt, variations int) ldvalue.OptionalInt {
	return ldvalue.NewOptionalInt((variation.IntValue() + 1) % variations)
}

// nextFallthrough moves on to the next variation, or gives each share of a rollout to the next variation.
func nextFallthrough(current ldmodel.VariationOrRollout, variations int) ldmodel.VariationOrRollout {
	if current.Variation.IsDefined() {
		current.Variation = nextVariation(current.Variation, variations)
		return current
	}
	shares := slices.Clone(current.Rollout.Variations)
	for i := range shares {
		shares[i].Variation = (shares[i].Variation + 1) % variations
	}
	current.Rollout.Variations = shares
	return current
}
