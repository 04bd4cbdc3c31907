package main

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// buildSegments returns all segments of the product. A segment refers only to segments that come before it.
func buildSegments(r *random) []ldmodel.Segment {
	var segments []ldmodel.Segment
	add := func(key string, fill func(b *ldbuilders.SegmentBuilder)) {
		b := ldbuilders.NewSegmentBuilder(key).Version(r.between(1, 90)).Salt(r.hex(16))
		fill(b)
		segments = append(segments, b.Build())
	}
	addListedSegments(r, add)
	addRuleSegments(r, add)
	addNestedSegments(r, add)
	addBigSegments(add)
	return segments
}

type addSegment func(key string, fill func(b *ldbuilders.SegmentBuilder))

// addListedSegments adds segments that name their members.
func addListedSegments(r *random, add addSegment) {
	add("beta-testers", func(b *ldbuilders.SegmentBuilder) {
		b.Included(append(sample(r, namedUsers(), 9), userKeys(r, 120)...)...).Excluded("ben", "olga")
	})
	add("early-access-waitlist", func(b *ldbuilders.SegmentBuilder) {
		b.Included(append([]string{"chloe"}, userKeys(r, 3100)...)...)
	})
	add("blocked-accounts", func(b *ldbuilders.SegmentBuilder) {
		b.Included(userKeys(r, 260)...).Excluded("user-0123456")
	})
	add("pilot-orgs", func(b *ldbuilders.SegmentBuilder) {
		b.IncludedContextKind(orgKind, "acme", "initech", "hooli").ExcludedContextKind(orgKind, "umbra")
	})
	add("partner-orgs", func(b *ldbuilders.SegmentBuilder) {
		b.IncludedContextKind(orgKind, append([]string{"globex"}, numbered(r, "org", 80)...)...)
		b.IncludedContextKind(deviceKind, "kiosk-12")
	})
	add("warehouse-kiosks", func(b *ldbuilders.SegmentBuilder) {
		b.IncludedContextKind(deviceKind, "kiosk-3", "kiosk-7", "kiosk-12").ExcludedContextKind(deviceKind, "scanner-04")
	})
}

// addRuleSegments adds segments whose members are found by their attributes, some of them by percentage.
func addRuleSegments(r *random, add addSegment) {
	simple := []struct {
		key     string
		clauses []ldmodel.Clause
	}{
		{"employees", []ldmodel.Clause{user("email", ldmodel.OperatorEndsWith, text("@cleat.example"))}},
		{"eu-users", []ldmodel.Clause{user("country", ldmodel.OperatorIn,
			texts([]string{"AT", "BE", "DE", "ES", "FR", "IT", "NL", "PL", "PT", "SE"})...)}},
		{"us-users", []ldmodel.Clause{user("country", ldmodel.OperatorIn, text("US"))}},
		{"latam-users", []ldmodel.Clause{user("country", ldmodel.OperatorIn, texts([]string{"BR", "MX"})...)}},
		{"enterprise-customers", []ldmodel.Clause{of(orgKind, "tier", ldmodel.OperatorIn, texts([]string{"gold", "platinum"})...)}},
		{"free-plan", []ldmodel.Clause{user("plan", ldmodel.OperatorIn, text("free"))}},
		{"frequent-buyers", []ldmodel.Clause{user("orders", ldmodel.OperatorGreaterThanOrEqual, ldvalue.Int(20))}},
		{"new-customers", []ldmodel.Clause{user("signedUpAt", ldmodel.OperatorAfter, text("2026-01-01T00:00:00Z"))}},
		{"outdated-apps", []ldmodel.Clause{of(deviceKind, "appVersion", ldmodel.OperatorSemVerLessThan, text("4.6.0"))}},
		{"android-devices", []ldmodel.Clause{of(deviceKind, "os", ldmodel.OperatorIn, text("android"))}},
	}
	for _, s := range simple {
		add(s.key, func(b *ldbuilders.SegmentBuilder) {
			b.AddRule(ldbuilders.NewSegmentRuleBuilder().ID(uuid(r)).Clauses(s.clauses...))
		})
	}
	add("ten-percent-holdout", func(b *ldbuilders.SegmentBuilder) {
		everybody := ldbuilders.Negate(user("key", ldmodel.OperatorIn, text("")))
		b.AddRule(ldbuilders.NewSegmentRuleBuilder().ID(uuid(r)).Clauses(everybody).Weight(10000))
	})
	add("half-of-gold-orgs", func(b *ldbuilders.SegmentBuilder) {
		b.AddRule(ldbuilders.NewSegmentRuleBuilder().ID(uuid(r)).
			Clauses(of(orgKind, "tier", ldmodel.OperatorIn, text("gold"))).
			Weight(50000).RolloutContextKind(orgKind).BucketBy("region"))
	})
}

// addNestedSegments adds segments that refer to other segments.
func addNestedSegments(r *random, add addSegment) {
	nested := []struct {
		key string
		of  [][]string // rules; each lists segments that must all match
	}{
		{"early-adopters", [][]string{{"beta-testers"}, {"employees"}, {"early-access-waitlist"}}},
		{"eu-early-adopters", [][]string{{"eu-users", "early-adopters"}}},
		{"vip-customers", [][]string{{"enterprise-customers"}, {"frequent-buyers", "eu-users"}}},
	}
	for _, s := range nested {
		add(s.key, func(b *ldbuilders.SegmentBuilder) {
			for _, segments := range s.of {
				rule := ldbuilders.NewSegmentRuleBuilder().ID(uuid(r))
				clauses := make([]ldmodel.Clause, len(segments))
				for i, key := range segments {
					clauses[i] = ldbuilders.SegmentMatchClause(key)
				}
				b.AddRule(rule.Clauses(clauses...))
			}
		})
	}
}

// addBigSegments adds segments whose members are kept in a store of their own.
func addBigSegments(add addSegment) {
	for i, key := range []string{"newsletter-subscribers", "churn-risk", "lapsed-customers"} {
		add(key, func(b *ldbuilders.SegmentBuilder) {
			b.Unbounded(true).Generation(i + 1)
			if i == 1 {
				b.UnboundedContextKind(orgKind)
			}
		})
	}
}
