package testsource_test

import (
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/datasource/testsource"
)

const (
	red = iota
	green
	blue
)

func newClient(t *testing.T, source *testsource.Source) *cleat.Client {
	t.Helper()
	client, err := cleat.New(t.Context(), cleat.Config{DataSource: source.Factory()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func TestFlagBuilder_Evaluations(t *testing.T) {
	source := testsource.New()
	client := newClient(t, source)
	user := func(key string) ldcontext.Context { return ldcontext.New(key) }
	in := func(country string) ldcontext.Context {
		return ldcontext.NewBuilder("somebody").SetString("country", country).Build()
	}
	org := ldcontext.NewWithKind("org", "acme")
	colors := func() *testsource.FlagBuilder {
		return source.Flag("color").
			Variations(ldvalue.String("red"), ldvalue.String("green"), ldvalue.String("blue")).
			FallthroughVariation(red).
			OffVariation(blue)
	}
	for name, test := range map[string]struct {
		flag *testsource.FlagBuilder
		want map[string]ldcontext.Context
	}{
		"fallthrough":      {colors(), map[string]ldcontext.Context{"red": user("ann")}},
		"off":              {colors().On(false), map[string]ldcontext.Context{"blue": user("ann")}},
		"no off variation": {colors().On(false).NoOffVariation(), map[string]ldcontext.Context{"default": user("ann")}},
		"targets": {colors().Target("", "ann", blue).Target(ldcontext.DefaultKind, "ann", green).Target("org", "acme", blue),
			map[string]ldcontext.Context{"green": user("ann"), "red": user("bob"), "blue": org}},
		"and": {colors().Rule(green, testsource.Match("country", ldvalue.String("ch"), ldvalue.String("at")), testsource.Not(testsource.Match("key", ldvalue.String("ann")))),
			map[string]ldcontext.Context{"green": in("at"), "red": in("de")}},
		"or": {colors().Rule(green, testsource.Match("country", ldvalue.String("ch"))).Rule(green, testsource.Match("country", ldvalue.String("at"))),
			map[string]ldcontext.Context{"green": in("at"), "red": in("de")}},
		"rule of another kind": {colors().Rule(green, testsource.MatchKind("org", "key", ldvalue.String("acme"))),
			map[string]ldcontext.Context{"green": org, "red": user("acme")}},
		"segment": {colors().Rule(green, testsource.InSegment("s")), map[string]ldcontext.Context{"green": user("member"), "red": user("ann")}},
		"variation for all": {colors().On(false).Target("", "ann", blue).Rule(green, testsource.Match("key", ldvalue.String("ann"))).VariationForAll(green),
			map[string]ldcontext.Context{"green": user("ann")}},
		"value for all":     {colors().On(false).ValueForAll(ldvalue.String("black")), map[string]ldcontext.Context{"black": user("ann")}},
		"unknown variation": {colors().FallthroughVariation(9), map[string]ldcontext.Context{"default": user("ann")}},
		"cleared": {colors().Target("", "ann", blue).Rule(green, testsource.Match("key", ldvalue.String("bob"))).ClearRules().ClearTargets(),
			map[string]ldcontext.Context{"red": user("ann")}},
	} {
		source.UsePreconfiguredSegment(ldbuilders.NewSegmentBuilder("s").Included("member").Build())
		source.Update(test.flag)
		for want, context := range test.want {
			require.Equal(t, want, client.StringVariation(t.Context(), "color", context, "default"), name)
		}
		source.DeleteFlag("color")
	}
}

func TestFlagBuilder_BooleanByDefault(t *testing.T) {
	source := testsource.New()
	client := newClient(t, source)
	evaluate := func(unknown bool) bool {
		return client.BoolVariation(t.Context(), "a", ldcontext.New("ann"), unknown)
	}
	require.True(t, evaluate(true))
	source.Update(source.Flag("a"))
	require.True(t, evaluate(false))
	source.Update(source.Flag("a").On(false))
	require.False(t, evaluate(true))
	source.Update(source.Flag("a").VariationForAll(testsource.False))
	require.False(t, evaluate(true))
	source.DeleteFlag("a")
	require.True(t, evaluate(true))
}

func TestSource_Flag_BeginsWithTheLastUpdate(t *testing.T) {
	source := testsource.New()
	client := newClient(t, source)
	evaluate := func() string {
		return client.StringVariation(t.Context(), "a", ldcontext.New("ann"), "default")
	}
	builder := source.Flag("a").ValueForAll(ldvalue.String("x"))
	source.Update(builder)
	builder.ValueForAll(ldvalue.String("never updated"))
	source.Flag("a").ValueForAll(ldvalue.String("never updated"))
	source.Update(source.Flag("a").Target("", "bob", 0))
	require.Equal(t, "x", evaluate())
	source.UsePreconfiguredFlag(ldbuilders.NewFlagBuilder("a").SingleVariation(ldvalue.String("pre")).Build())
	require.Equal(t, "pre", evaluate())
	source.Update(source.Flag("a").Variations(ldvalue.String("new"), ldvalue.String("old")))
	require.Equal(t, "new", evaluate())
}
