package benchmarks

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// firstVersion is the version of all flags at first. Versions have ten digits from then on, so that they can be replaced in
// JSON as it is.
const firstVersion = 1_000_000_000

// flagJSON is a flag as the service sends it.
type flagJSON struct {
	key  string
	data []byte
	at   int // where the version is in data
}

func newFlagJSON(flag ldmodel.FeatureFlag) flagJSON {
	data, err := ldmodel.NewJSONDataModelSerialization().MarshalFeatureFlag(flag)
	if err != nil {
		panic(err) // a flag of our own making
	}
	const name = `"version":`
	at := bytes.Index(data, []byte(name+strconv.Itoa(firstVersion)))
	return flagJSON{key: flag.Key, data: data, at: at + len(name)}
}

// withVersion returns a copy of the JSON with another version.
func (f flagJSON) withVersion(version int) []byte {
	data := bytes.Clone(f.data)
	strconv.AppendInt(data[f.at:f.at], int64(version), 10)
	return data
}

func flagKey(i int) string { return fmt.Sprintf("checkout-express-button-%06d", i) }

// simpleFlag is a flag that is on for everybody.
func simpleFlag(i int) flagJSON {
	return newFlagJSON(ldbuilders.NewFlagBuilder(flagKey(i)).Version(firstVersion).On(true).Salt("c2FsdA").
		Variations(ldvalue.Bool(true), ldvalue.Bool(false)).OffVariation(1).FallthroughVariation(0).
		ClientSideUsingEnvironmentID(true).Build())
}

// ruleFlag is a flag of about 2 KB, as most are: some rules, the last of which matches [customer], and some targets.
func ruleFlag(i int) flagJSON {
	builder := ldbuilders.NewFlagBuilder(flagKey(i)).Version(firstVersion).On(true).Salt("c2FsdA").
		Variations(ldvalue.Bool(true), ldvalue.Bool(false)).OffVariation(1).FallthroughVariation(1).
		ClientSideUsingEnvironmentID(true)
	targets := make([]string, 21)
	for n := range targets {
		targets[n] = fmt.Sprintf("customer-%06d", i+n)
	}
	builder.AddTarget(0, targets...)
	for n, country := range []string{"FR", "IT", "ES", "PT", "DE"} {
		builder.AddRule(ldbuilders.NewRuleBuilder().ID(fmt.Sprintf("7f4c1a2e-%04d-4b1c-9d3e-%06d", n, i)).Variation(0).Clauses(
			ldbuilders.Clause("country", ldmodel.OperatorIn, ldvalue.String(country), ldvalue.String(country+"2")),
			ldbuilders.Clause("email", ldmodel.OperatorEndsWith, ldvalue.String("@example.com")),
		))
	}
	return newFlagJSON(builder.Build())
}

// flagsOf makes n flags.
func flagsOf(n int, flag func(i int) flagJSON) []flagJSON {
	flags := make([]flagJSON, n)
	for i := range flags {
		flags[i] = flag(i)
	}
	return flags
}

// customer is whom flags are evaluated for.
func customer() ldcontext.Context {
	return ldcontext.NewBuilder("customer-x").SetString("country", "DE").SetString("email", "somebody@example.com").Build()
}

// serialized returns the flags as an adapter of ours takes them.
func serialized(flags []flagJSON, version int) []core.SerializedCollection {
	items := make([]core.KeyedSerializedItem, len(flags))
	for i, flag := range flags {
		items[i] = core.KeyedSerializedItem{Key: flag.key, Item: core.SerializedItem{Version: version, Data: flag.withVersion(version)}}
	}
	return []core.SerializedCollection{{Kind: core.Flags, Items: items}}
}

// serializedLD returns the flags as an adapter of theirs takes them.
func serializedLD(flags []flagJSON, version int) []ldstoretypes.SerializedCollection {
	items := make([]ldstoretypes.KeyedSerializedItemDescriptor, len(flags))
	for i, flag := range flags {
		items[i] = ldstoretypes.KeyedSerializedItemDescriptor{
			Key: flag.key, Item: ldstoretypes.SerializedItemDescriptor{Version: version, SerializedItem: flag.withVersion(version)},
		}
	}
	return []ldstoretypes.SerializedCollection{{Kind: ldstoreimpl.Features(), Items: items}}
}

// item returns the flag as our data sources pass it on.
func (f flagJSON) item(version int) *core.Item {
	item, err := core.ParseItem(f.withVersion(version))
	if err != nil {
		panic(err) // a flag of our own making
	}
	return item
}

// model returns the flag as the evaluation library decodes it.
func (f flagJSON) model(tb testing.TB) *ldmodel.FeatureFlag {
	tb.Helper()
	flag, err := ldmodel.NewJSONDataModelSerialization().UnmarshalFeatureFlag(f.data)
	require.NoError(tb, err)
	return &flag
}

// itemLD returns the flag as their data sources pass it on.
func (f flagJSON) itemLD(version int) ldstoretypes.ItemDescriptor {
	item, err := ldstoreimpl.Features().Deserialize(f.withVersion(version))
	if err != nil {
		panic(err) // a flag of our own making
	}
	return item
}

func collections(flags []flagJSON, version int) []core.Collection {
	items := make([]core.KeyedItem, len(flags))
	for i, flag := range flags {
		items[i] = core.KeyedItem{Key: flag.key, Item: flag.item(version)}
	}
	return []core.Collection{{Kind: core.Flags, Items: items}}
}

func collectionsLD(flags []flagJSON, version int) []ldstoretypes.Collection {
	items := make([]ldstoretypes.KeyedItemDescriptor, len(flags))
	for i, flag := range flags {
		items[i] = ldstoretypes.KeyedItemDescriptor{Key: flag.key, Item: flag.itemLD(version)}
	}
	return []ldstoretypes.Collection{{Kind: ldstoreimpl.Features(), Items: items}}
}

func TestFlags_AreWhatTheTableSays(t *testing.T) {
	rules := ruleFlag(7)
	require.InDelta(t, 2000, len(rules.data), 100)
	for _, flag := range []flagJSON{rules, simpleFlag(7)} {
		item := flag.item(firstVersion + 5)
		require.Equal(t, firstVersion+5, item.Version())
		model, err := item.Flag()
		require.NoError(t, err)
		require.Equal(t, flag.key, model.Key)
		require.Equal(t, firstVersion+5, model.Version)
		theirs := flag.itemLD(firstVersion + 5)
		require.Equal(t, firstVersion+5, theirs.Version)
		require.Equal(t, core.NewFlag(model).JSON(), core.NewFlag(theirs.Item.(*ldmodel.FeatureFlag)).JSON(), "both sides evaluate the same")
	}
	require.Contains(t, string(rules.data), strconv.Itoa(firstVersion), "the original is left alone")
}
