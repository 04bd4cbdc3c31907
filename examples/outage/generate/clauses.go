package main

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// Context kinds of the product besides users.
const (
	orgKind    ldcontext.Kind = "org"
	deviceKind ldcontext.Kind = "device"
)

// condition makes one clause of a rule.
type condition func(r *random) ldmodel.Clause

// anyClause returns a clause of any sort; one in eight is negated.
func anyClause(r *random) ldmodel.Clause {
	conditions := append(userConditions(), otherConditions()...)
	clause := pick(r, conditions)(r)
	if r.below(8) == 0 {
		clause = ldbuilders.Negate(clause)
	}
	return clause
}

func userConditions() []condition {
	return []condition{
		func(r *random) ldmodel.Clause {
			return user("country", ldmodel.OperatorIn, texts(sample(r, countries(), r.between(1, 5)))...)
		},
		func(r *random) ldmodel.Clause {
			return user("plan", ldmodel.OperatorIn, texts(sample(r, []string{"starter", "pro", "enterprise"}, r.between(1, 2)))...)
		},
		func(r *random) ldmodel.Clause {
			return user("email", ldmodel.OperatorEndsWith, text(pick(r, []string{"@cleat.example", "@acme.example", "@globex.example"})))
		},
		func(*random) ldmodel.Clause {
			return user("email", ldmodel.OperatorMatches, text(`^[a-z.]+\+(qa|test)[0-9]*@`), text(`@(acme|globex)\.example$`))
		},
		func(r *random) ldmodel.Clause {
			return user("name", ldmodel.OperatorContains, text(pick(r, []string{"Okafor", "Lindqvist", "Moreau"})))
		},
		func(r *random) ldmodel.Clause {
			return user("key", ldmodel.OperatorStartsWith, text(pick(r, []string{"anon-", "test-", "user-02"})))
		},
		func(r *random) ldmodel.Clause {
			return user("groups", ldmodel.OperatorIn, texts(sample(r, []string{"staff", "beta", "moderators", "resellers"}, 2))...)
		},
		func(r *random) ldmodel.Clause {
			return user("orders", ldmodel.OperatorGreaterThan, ldvalue.Int(pick(r, []int{0, 5, 20, 100})))
		},
		func(r *random) ldmodel.Clause {
			return user("orders", ldmodel.OperatorLessThanOrEqual, ldvalue.Int(pick(r, []int{1, 3, 10})))
		},
		func(r *random) ldmodel.Clause {
			return user("lifetimeValue", ldmodel.OperatorGreaterThanOrEqual, ldvalue.Float64(pick(r, []float64{99.5, 500, 2499.99})))
		},
		func(*random) ldmodel.Clause {
			return user("lastLoginDays", ldmodel.OperatorLessThan, ldvalue.Int(30))
		},
		func(*random) ldmodel.Clause {
			return user("signedUpAt", ldmodel.OperatorAfter, text("2025-03-01T00:00:00Z"))
		},
		func(*random) ldmodel.Clause {
			return user("signedUpAt", ldmodel.OperatorBefore, ldvalue.Float64(1704067200000))
		},
		func(r *random) ldmodel.Clause {
			return ldbuilders.ClauseRefWithKind(ldcontext.DefaultKind, ldattr.NewRef("/address/city"), ldmodel.OperatorIn,
				texts(sample(r, []string{"Berlin", "Lyon", "Porto", "Austin", "Osaka"}, 2))...)
		},
		func(*random) ldmodel.Clause {
			return user("anonymous", ldmodel.OperatorIn, ldvalue.Bool(true))
		},
	}
}

func otherConditions() []condition {
	return []condition{
		func(r *random) ldmodel.Clause {
			return of(orgKind, "tier", ldmodel.OperatorIn, texts(sample(r, []string{"silver", "gold", "platinum"}, 2))...)
		},
		func(r *random) ldmodel.Clause {
			return of(orgKind, "seats", ldmodel.OperatorGreaterThanOrEqual, ldvalue.Int(pick(r, []int{10, 50, 500})))
		},
		func(r *random) ldmodel.Clause {
			return of(orgKind, "region", ldmodel.OperatorIn, text(pick(r, []string{"emea", "amer", "apac"})))
		},
		func(r *random) ldmodel.Clause {
			return of(deviceKind, "os", ldmodel.OperatorIn, texts(sample(r, []string{"android", "ios", "linux"}, 2))...)
		},
		func(r *random) ldmodel.Clause {
			return of(deviceKind, "osVersion", ldmodel.OperatorSemVerGreaterThan, text(pick(r, []string{"12", "14.2", "16.0.0"})))
		},
		func(r *random) ldmodel.Clause {
			return of(deviceKind, "appVersion", ldmodel.OperatorSemVerLessThan, text(pick(r, []string{"4.6.0", "5.0.0", "5.2.0-beta.1"})))
		},
		func(*random) ldmodel.Clause {
			return of(deviceKind, "appVersion", ldmodel.OperatorSemVerEqual, text("5.1.0"), text("5.1.1"))
		},
		func(r *random) ldmodel.Clause {
			return of(deviceKind, "model", ldmodel.OperatorStartsWith, text(pick(r, []string{"Dockmaster", "Fieldpad"})))
		},
		func(*random) ldmodel.Clause {
			return ldbuilders.Clause("kind", ldmodel.OperatorIn, texts([]string{"device", "org"})...)
		},
	}
}

func countries() []string {
	return []string{"AT", "BE", "BR", "CH", "DE", "ES", "FR", "IT", "JP", "MX", "NL", "PL", "PT", "SE", "US"}
}

func user(attribute string, op ldmodel.Operator, values ...ldvalue.Value) ldmodel.Clause {
	return of(ldcontext.DefaultKind, attribute, op, values...)
}

func of(kind ldcontext.Kind, attribute string, op ldmodel.Operator, values ...ldvalue.Value) ldmodel.Clause {
	return ldbuilders.ClauseWithKind(kind, attribute, op, values...)
}

func text(value string) ldvalue.Value { return ldvalue.String(value) }

func texts(values []string) []ldvalue.Value { return list(ldvalue.String, values) }
