package testsource

import (
	"fmt"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// The variations of a boolean flag.
const (
	True  = 0
	False = 1
)

// FlagBuilder describes a flag. Get one from [Source.Flag] and give it to [Source.Update]; its methods change it and
// return it. Variations are named by their index, which for a boolean flag is [True] or [False]; an index that the flag
// does not have makes it malformed. It is not safe for concurrent use.
type FlagBuilder struct {
	key         string
	on          bool
	variations  []ldvalue.Value
	off         ldvalue.OptionalInt
	fallThrough int
	targets     []target
	rules       []rule
}

type target struct {
	kind      ldcontext.Kind
	key       string
	variation int
}

type rule struct {
	clauses   []ldmodel.Clause
	variation int
}

func newFlagBuilder(key string) *FlagBuilder {
	return (&FlagBuilder{key: key, on: true}).Booleans()
}

func (b *FlagBuilder) clone() *FlagBuilder {
	c := *b
	c.variations = slices.Clone(b.variations)
	c.targets = slices.Clone(b.targets)
	c.rules = slices.Clone(b.rules) // a rule is never changed
	return &c
}

// On says whether the flag is on. If it is not, everyone gets the variation of [FlagBuilder.OffVariation].
func (b *FlagBuilder) On(on bool) *FlagBuilder {
	b.on = on
	return b
}

// Booleans makes the flag a boolean one: true for everyone, and false when it is off. Targets and rules stay.
func (b *FlagBuilder) Booleans() *FlagBuilder {
	return b.Variations(ldvalue.Bool(true), ldvalue.Bool(false)).FallthroughVariation(True).OffVariation(False)
}

// Variations sets the values that the flag may have. Nothing else changes.
func (b *FlagBuilder) Variations(values ...ldvalue.Value) *FlagBuilder {
	b.variations = slices.Clone(values)
	return b
}

// FallthroughVariation sets what those get for whom no target and no rule is.
func (b *FlagBuilder) FallthroughVariation(variation int) *FlagBuilder {
	b.fallThrough = variation
	return b
}

// OffVariation sets what everyone gets while the flag is off.
func (b *FlagBuilder) OffVariation(variation int) *FlagBuilder {
	b.off = ldvalue.NewOptionalInt(variation)
	return b
}

// NoOffVariation makes evaluations return their default value while the flag is off.
func (b *FlagBuilder) NoOffVariation() *FlagBuilder {
	b.off = ldvalue.OptionalInt{}
	return b
}

// VariationForAll turns the flag on, removes targets and rules, and gives everyone the variation.
func (b *FlagBuilder) VariationForAll(variation int) *FlagBuilder {
	return b.On(true).ClearTargets().ClearRules().FallthroughVariation(variation)
}

// ValueForAll gives everyone the value, which becomes the flag's only one, whether the flag is on or off.
func (b *FlagBuilder) ValueForAll(value ldvalue.Value) *FlagBuilder {
	return b.Variations(value).OffVariation(0).VariationForAll(0)
}

// Target gives the variation to contexts of the kind with the key, whatever rules say. Of several for the same context,
// the last counts.
func (b *FlagBuilder) Target(kind ldcontext.Kind, key string, variation int) *FlagBuilder {
	if kind == "" {
		kind = ldcontext.DefaultKind
	}
	b.targets = slices.DeleteFunc(b.targets, func(t target) bool { return t.kind == kind && t.key == key })
	b.targets = append(b.targets, target{kind, key, variation})
	return b
}

// ClearTargets removes all targets.
func (b *FlagBuilder) ClearTargets() *FlagBuilder {
	b.targets = nil
	return b
}

// Rule gives the variation to contexts for which all the clauses hold. The first rule that does so counts: several rules
// with the same variation are clauses of which one has to hold. Clauses are made by [Match], [MatchKind], [InSegment] and
// [Not], or by package ldbuilders.
func (b *FlagBuilder) Rule(variation int, clauses ...ldmodel.Clause) *FlagBuilder {
	b.rules = append(b.rules, rule{slices.Clone(clauses), variation})
	return b
}

// ClearRules removes all rules.
func (b *FlagBuilder) ClearRules() *FlagBuilder {
	b.rules = nil
	return b
}

func (b *FlagBuilder) build() ldmodel.FeatureFlag {
	flag := ldbuilders.NewFlagBuilder(b.key).
		On(b.on).
		Variations(b.variations...).
		FallthroughVariation(b.fallThrough)
	if variation, ok := b.off.Get(); ok {
		flag.OffVariation(variation)
	}
	for _, t := range b.targets {
		if t.kind == ldcontext.DefaultKind {
			flag.AddTarget(t.variation, t.key)
			flag.AddContextTarget(t.kind, t.variation) // without keys, it stands for the target
		} else {
			flag.AddContextTarget(t.kind, t.variation, t.key)
		}
	}
	for i, r := range b.rules {
		flag.AddRule(ldbuilders.NewRuleBuilder().
			ID(fmt.Sprintf("rule-%d", i)).
			Clauses(r.clauses...).
			Variation(r.variation))
	}
	return flag.Build()
}
