package core_test

import (
	"fmt"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// flagOf2KB is a flag as most are: some targets, and some rules of two clauses.
func flagOf2KB(tb testing.TB) []byte {
	targets := make([]string, 21)
	for n := range targets {
		targets[n] = fmt.Sprintf("customer-%06d", n)
	}
	flag := ldbuilders.NewFlagBuilder("checkout-express-button").Version(1_000_000_000).On(true).Salt("c2FsdA").
		Variations(ldvalue.Bool(true), ldvalue.Bool(false)).OffVariation(1).FallthroughVariation(1).AddTarget(0, targets...)
	for n, country := range []string{"FR", "IT", "ES", "PT", "DE"} {
		flag.AddRule(ldbuilders.NewRuleBuilder().ID(fmt.Sprintf("7f4c1a2e-%04d-4b1c-9d3e-000000000000", n)).Variation(0).Clauses(
			ldbuilders.Clause("country", ldmodel.OperatorIn, ldvalue.String(country), ldvalue.String(country+"2")),
			ldbuilders.Clause("email", ldmodel.OperatorEndsWith, ldvalue.String("@example.com")),
		))
	}
	model := flag.Build()
	data := core.NewFlag(&model).JSON()
	require.InDelta(tb, 2048, len(data), 200)
	return data
}

func BenchmarkParseItem(b *testing.B) {
	data := flagOf2KB(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := core.ParseItem(data); err != nil {
			b.Fatal(err)
		}
	}
}
