package core

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A flag that was compacted gives every context what it would have given without.
func TestItem_Flag_Compacted_EvaluatesTheSame(t *testing.T) {
	evaluator := evaluation.NewEvaluator(nil)
	rapid.Check(t, func(t *rapid.T) {
		built := ldbuilders.NewFlagBuilder("k").Version(1).On(true).Variations(ldvalue.Bool(false), ldvalue.Bool(true)).
			FallthroughVariation(0).AddRule(ldbuilders.NewRuleBuilder().Variation(1).Clauses(drawClauses(t)...)).
			AddTarget(1, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 9).Draw(t, "targets")...).Build()
		plain, err := ldmodel.NewJSONDataModelSerialization().UnmarshalFeatureFlag(NewFlag(&built).JSON())
		require.NoError(t, err)
		item, err := ParseItem(NewFlag(&built).JSON())
		require.NoError(t, err)
		compacted, err := item.Flag()
		require.NoError(t, err)
		require.Equal(t, NewFlag(&plain).JSON(), NewFlag(compacted).JSON())

		who := ldcontext.NewBuilder(rapid.SampledFrom([]string{"a", "x"}).Draw(t, "key")).SetValue("attribute", drawValue(t)).Build()
		require.Equal(t, evaluator.Evaluate(&plain, who, nil), evaluator.Evaluate(compacted, who, nil))
	})
}

func drawClauses(t *rapid.T) []ldmodel.Clause {
	operators := []ldmodel.Operator{ldmodel.OperatorIn, ldmodel.OperatorEndsWith, ldmodel.OperatorMatches, ldmodel.OperatorLessThan}
	clauses := make([]ldmodel.Clause, rapid.IntRange(1, 3).Draw(t, "clauses"))
	for i := range clauses {
		values := make([]ldvalue.Value, rapid.IntRange(0, 2*fewValues).Draw(t, "values"))
		for j := range values {
			values[j] = drawValue(t)
		}
		attribute := rapid.SampledFrom([]string{"attribute", "key", "kind"}).Draw(t, "name")
		clauses[i] = ldbuilders.Clause(attribute, rapid.SampledFrom(operators).Draw(t, "operator"), values...)
		clauses[i].Negate = rapid.Bool().Draw(t, "negate")
	}
	return clauses
}

func drawValue(t *rapid.T) ldvalue.Value {
	return rapid.SampledFrom([]ldvalue.Value{
		ldvalue.String("a"), ldvalue.String("user"), ldvalue.String(""), ldvalue.String("1"), ldvalue.Int(1), ldvalue.Float64(0),
		ldvalue.Bool(true), ldvalue.Bool(false), ldvalue.Null(), ldvalue.ArrayOf(ldvalue.String("a"), ldvalue.Int(1)), ldvalue.ArrayOf(),
		ldvalue.ObjectBuild().SetString("a", "b").Build(),
	}).Draw(t, "value")
}

// compactClauses copies what a clause says field by field, so it has to know every field.
func TestCompactClauses_KnowsEveryField(t *testing.T) {
	var fields []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[ldmodel.Clause]()) {
		if field.IsExported() {
			fields = append(fields, field.Name)
		}
	}
	require.Equal(t, []string{"ContextKind", "Attribute", "Op", "Values", "Negate"}, fields)
}

// A decoded flag with rules takes at most three quarters of the memory that the library's decoding leaves it with.
func TestItem_Flag_Compacted_TakesLessMemory(t *testing.T) {
	data := NewFlag(ruleFlag()).JSON()
	const n = 200
	plain := heapOf(n, func() any {
		flag, _ := ldmodel.NewJSONDataModelSerialization().UnmarshalFeatureFlag(data)
		return &flag
	})
	compacted := heapOf(n, func() any {
		item, _ := ParseItem(data)
		_, _ = item.Flag()
		return item
	})
	t.Logf("%d bytes instead of %d", compacted, plain)
	require.Less(t, compacted, plain*3/4)
}

// heapOf returns how many bytes of heap each of n values takes.
func heapOf(n int, value func() any) uint64 {
	live := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	values := make([]any, n)
	before := live()
	for i := range values {
		values[i] = value()
	}
	after := live()
	runtime.KeepAlive(values)
	return (after - before) / uint64(n)
}

func ruleFlag() *ldmodel.FeatureFlag {
	builder := ldbuilders.NewFlagBuilder("flag").Version(1).On(true).Variations(ldvalue.Bool(true), ldvalue.Bool(false))
	for n, country := range []string{"FR", "IT", "ES", "PT", "DE"} {
		builder.AddRule(ldbuilders.NewRuleBuilder().ID(fmt.Sprint("rule-", n)).Variation(0).Clauses(
			ldbuilders.Clause("country", ldmodel.OperatorIn, ldvalue.String(country), ldvalue.String(country+"2")),
			ldbuilders.Clause("email", ldmodel.OperatorEndsWith, ldvalue.String("@example.com")),
		))
	}
	flag := builder.Build()
	return &flag
}

// BenchmarkClause_In is what fewValues is chosen by.
func BenchmarkClause_In(b *testing.B) {
	for _, n := range []int{2, fewValues, 2 * fewValues} {
		values := make([]ldvalue.Value, n)
		for i := range values {
			values[i] = ldvalue.String(fmt.Sprintf("country-%02d", i))
		}
		flag := ldbuilders.NewFlagBuilder("k").AddRule(ldbuilders.NewRuleBuilder().Clauses(
			ldbuilders.Clause("country", ldmodel.OperatorIn, values...))).Build()
		indexed := flag.Rules[0].Clauses[0]
		searched := ldmodel.Clause{Attribute: indexed.Attribute, Op: indexed.Op, Values: values}
		for name, clause := range map[string]*ldmodel.Clause{"index": &indexed, "search": &searched} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				for b.Loop() {
					ldmodel.EvaluatorAccessors.ClauseFindValue(clause, values[n-1])
				}
			})
		}
	}
}

// Validating an item leaves it as small as it was.
func TestItem_Validate_KeepsNoModel(t *testing.T) {
	data := NewFlag(ruleFlag()).JSON()
	require.Less(t, heapOf(200, func() any {
		item, _ := ParseItem(data)
		_ = item.Validate(Flags)
		return item
	}), uint64(200))
}
