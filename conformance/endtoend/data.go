package endtoend

import (
	"fmt"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"

	"github.com/cleatdev/cleat/core"
)

// The flags and segments of the subtests. The flag "dependent" has the prerequisites "switch" and "by-segment"; the latter
// asks for the segment "outer", which asks for "inner". So one evaluation needs five items. Every value of a flag names
// the version that it comes from.
const (
	switchKey    = "switch"
	bySegmentKey = "by-segment"
	dependentKey = "dependent"
	byBigKey     = "by-big"
	outerKey     = "outer"
	innerKey     = "inner"
	bigKey       = "big"
)

// bigGeneration is the generation of the big segment.
const bigGeneration = 3

func member() ldcontext.Context   { return ldcontext.New("member") }
func stranger() ldcontext.Context { return ldcontext.New("stranger") }

// defaultValue is what evaluations return that cannot do better.
const defaultValue = "default"

// update is a new version of an item.
type update struct {
	ref
	item *core.Item
}

func newFlag(b *ldbuilders.FlagBuilder, version int, values ...string) update {
	variations := make([]ldvalue.Value, len(values))
	for i, value := range values {
		variations[i] = ldvalue.String(fmt.Sprint(value, "-", version))
	}
	f := b.Version(version).Variations(variations...).Build()
	return update{ref{core.Flags, f.Key}, core.NewFlag(&f)}
}

// toggle is the flag that is on or off.
func toggle(version int, on bool) update {
	return newFlag(ldbuilders.NewFlagBuilder(switchKey).On(on).OffVariation(0).FallthroughVariation(1), version, "off", "on")
}

// bySegment is the flag that asks whether the context is in a segment.
func bySegment(version int) update {
	return asksFor(bySegmentKey, version, outerKey)
}

// byBig is the flag that asks whether the context is in a big segment.
func byBig(version int) update { return asksFor(byBigKey, version, bigKey) }

func asksFor(key string, version int, segment string) update {
	rule := ldbuilders.NewRuleBuilder().ID("rule").Variation(1).Clauses(ldbuilders.SegmentMatchClause(segment))
	return newFlag(ldbuilders.NewFlagBuilder(key).On(true).AddRule(rule).FallthroughVariation(0), version, "out", "in")
}

// dependent is the flag with prerequisites.
func dependent(version int) update {
	b := ldbuilders.NewFlagBuilder(dependentKey).On(true).OffVariation(0).FallthroughVariation(1).
		AddPrerequisite(switchKey, 1).AddPrerequisite(bySegmentKey, 1)
	return newFlag(b, version, "lacking", "both")
}

func newSegment(b *ldbuilders.SegmentBuilder, version int) update {
	s := b.Version(version).Build()
	return update{ref{core.Segments, s.Key}, core.NewSegment(&s)}
}

// inner is the segment that names its members.
func inner(version int, members ...string) update {
	return newSegment(ldbuilders.NewSegmentBuilder(innerKey).Included(members...), version)
}

// outer is the segment that contains the members of inner.
func outer(version int) update {
	rule := ldbuilders.NewSegmentRuleBuilder().ID("rule").Clauses(ldbuilders.SegmentMatchClause(innerKey))
	return newSegment(ldbuilders.NewSegmentBuilder(outerKey).AddRule(rule), version)
}

// big is the segment whose members are in a big segment store.
func big(version int) update {
	return newSegment(ldbuilders.NewSegmentBuilder(bigKey).Unbounded(true).Generation(bigGeneration), version)
}

func bigReference() string { return fmt.Sprintf("%s.g%d", bigKey, bigGeneration) }

func deleted(of ref, version int) update {
	return update{of, core.NewTombstone(of.kind, of.key, version)}
}

func flagRef(key string) ref { return ref{core.Flags, key} }

func segmentRef(key string) ref { return ref{core.Segments, key} }

// everything is all flags and segments but the big ones, in version v. The member is in the segment, and the switch is on.
func everything(v int) []update {
	return []update{toggle(v, true), bySegment(v), dependent(v), inner(v, "member"), outer(v)}
}

// filler returns a segment and a flag that asks for it, of about the given size.
func filler(name string, version, size int) []update {
	padding := strings.Repeat("x", size)
	return []update{
		newSegment(ldbuilders.NewSegmentBuilder("s-"+name).Included(padding), version),
		asksFor("f-"+name, version, "s-"+name),
	}
}
