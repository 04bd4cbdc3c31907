package itemjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/itemjson"
)

// kind is what a kind of items is decoded by.
type kind struct {
	quick  func([]byte) bool
	decode func([]byte) error
	full   []byte // an item with every property
}

func kinds(tb testing.TB) map[string]kind {
	decoder := ldmodel.NewJSONDataModelSerialization()
	return map[string]kind{
		"flag": {itemjson.DecodableFlag, func(data []byte) error {
			_, err := decoder.UnmarshalFeatureFlag(data)
			return err
		}, fullFlag(tb)},
		"segment": {itemjson.DecodableSegment, func(data []byte) error {
			_, err := decoder.UnmarshalSegment(data)
			return err
		}, fullSegment(tb)},
	}
}

func clauses() []ldmodel.Clause {
	return []ldmodel.Clause{{
		ContextKind: "org", Attribute: ldattr.NewRef("/a/b"), Op: ldmodel.OperatorIn, Negate: true,
		Values: []ldvalue.Value{ldvalue.String("x"), ldvalue.Int(1)},
	}}
}

// fullFlag has every property that a flag can have.
func fullFlag(tb testing.TB) []byte {
	rollout := ldmodel.Rollout{
		Kind: ldmodel.RolloutKindExperiment, ContextKind: "org", BucketBy: ldattr.NewRef("name"), Seed: ldvalue.NewOptionalInt(7),
		Variations: []ldmodel.WeightedVariation{{Variation: 1, Weight: 100_000, Untracked: true}},
	}
	targets := []ldmodel.Target{{ContextKind: "org", Values: []string{"ann", "bob"}, Variation: 1}}
	data, err := ldmodel.NewJSONDataModelSerialization().MarshalFeatureFlag(ldmodel.FeatureFlag{
		Key: "f", On: true, Prerequisites: []ldmodel.Prerequisite{{Key: "g", Variation: 1}}, Targets: targets, ContextTargets: targets,
		Rules: []ldmodel.FlagRule{
			{VariationOrRollout: ldmodel.VariationOrRollout{Rollout: rollout}, ID: "r", Clauses: clauses(), TrackEvents: true},
			{VariationOrRollout: ldmodel.VariationOrRollout{Variation: ldvalue.NewOptionalInt(1)}, ID: "s", Clauses: clauses()},
		},
		Fallthrough: ldmodel.VariationOrRollout{Rollout: rollout}, OffVariation: ldvalue.NewOptionalInt(1),
		Variations:             []ldvalue.Value{ldvalue.Bool(true), ldvalue.ObjectBuild().Set("a", ldvalue.ArrayOf(ldvalue.Null())).Build()},
		ClientSideAvailability: ldmodel.ClientSideAvailability{UsingMobileKey: true, UsingEnvironmentID: true, Explicit: true},
		Salt:                   "c2FsdA", TrackEvents: true, TrackEventsFallthrough: true, DebugEventsUntilDate: 1_700_000_000_000, Version: 7,
		Migration: &ldmodel.MigrationFlagParameters{CheckRatio: ldvalue.NewOptionalInt(2)}, SamplingRatio: ldvalue.NewOptionalInt(3),
		ExcludeFromSummaries: true,
	})
	require.NoError(tb, err)
	return data
}

// fullSegment has every property that a segment can have.
func fullSegment(tb testing.TB) []byte {
	targets := []ldmodel.SegmentTarget{{ContextKind: "org", Values: []string{"ann", "bob"}}}
	data, err := ldmodel.NewJSONDataModelSerialization().MarshalSegment(ldmodel.Segment{
		Key: "s", Included: []string{"ann"}, Excluded: []string{"bob"}, IncludedContexts: targets, ExcludedContexts: targets, Salt: "c2FsdA",
		Rules: []ldmodel.SegmentRule{{
			ID: "r", Clauses: clauses(), Weight: ldvalue.NewOptionalInt(5), BucketBy: ldattr.NewRef("name"), RolloutContextKind: "org",
		}},
		Unbounded: true, UnboundedContextKind: "org", Version: 7, Generation: ldvalue.NewOptionalInt(2),
	})
	require.NoError(tb, err)
	return data
}

// mutations calls yield with the path to each value of the JSON, at any depth, and what the whole becomes with another value there.
func mutations(whole map[string]any, with json.RawMessage, yield func(path string, data []byte)) {
	var walk func(path string, value any, set func(any))
	walk = func(path string, value any, set func(any)) {
		set(with)
		data, err := json.Marshal(whole)
		if err != nil {
			panic(err)
		}
		yield(path, data)
		set(value)
		switch value := value.(type) {
		case map[string]any:
			for name, member := range value {
				walk(path+"."+name, member, func(v any) { value[name] = v })
			}
		case []any:
			for i, element := range value {
				walk(fmt.Sprintf("%s[%d]", path, i), element, func(v any) { value[i] = v })
			}
		}
	}
	for name, member := range whole {
		walk(name, member, func(v any) { whole[name] = v })
	}
}

// Whatever is put in the place of any property of an item: what is said to be decodable is.
func TestDecodable_WrongTypes_AreNeverSaidToBeDecodable(t *testing.T) {
	for name, kind := range kinds(t) {
		require.True(t, kind.quick(kind.full), "%s: an item with every property", name)
		var whole map[string]any
		require.NoError(t, json.Unmarshal(kind.full, &whole))
		refused := 0
		for _, with := range []string{"null", "true", "7", "-7", "1.5", "1e3", `"x"`, "[]", "[null]", `["x"]`, "{}", `{"x":null}`} {
			mutations(whole, json.RawMessage(with), func(path string, data []byte) {
				err := kind.decode(data)
				if err != nil {
					refused++
					require.False(t, kind.quick(data), "%s: %s is %s, and that is refused: %v", name, path, with, err)
				}
			})
		}
		require.Greater(t, refused, 100, name)
	}
}

// What the flag service sends is not decoded only to be checked.
func TestDecodable_WhatIsOrdinary_IsDecodable(t *testing.T) {
	for _, data := range []string{
		`{}`, ` { "key" : "f" , "version" : 0 } `, `{"key":"f","salt":"\u00fc\n\"","on":false,"variations":[null,1.5,-0.25,"x",{"a":[{}]},[[]]]}`,
		`{"key":"f","rules":null,"targets":null,"offVariation":null,"debugEventsUntilDate":null,"clientSideAvailability":null}`,
		`{"key":"f","fallthrough":{"variation":0,"rollout":null},"rules":[{"variation":null,"rollout":null,"clauses":[]}]}`,
	} {
		require.True(t, itemjson.DecodableFlag([]byte(data)), data)
	}
	require.True(t, itemjson.DecodableSegment([]byte(`{"key":"s","included":null,"rules":[{"clauses":[],"weight":null,"bucketBy":null}]}`)))
	full := fullFlag(t)
	require.Zero(t, testing.AllocsPerRun(100, func() { itemjson.DecodableFlag(full) }))
}

func TestDecodable_WhatIsNotOrdinary_IsLeftToTheDecoder(t *testing.T) {
	for _, data := range []string{
		``, ` `, `{`, `{"on":true`, `{"on":true,}`, `{,}`, `{"on" true}`, `{"on":true} {}`, `{"on":true}x`, `[]`, `null`, `{"on":tru}`, `{"on":}`,
		`{"\u006fn":true}`, `{"unknown":1}`, `{"salt":"\x"}`, `{"salt":"\u00g0"}`, `{"salt":"\u00"}`, `{"salt":"\`, `{"salt":"`, "{\"salt\":\"\n\"}",
		`{"version":01}`, `{"version":-}`, `{"version":- 1}`, `{"version":1.}`, `{"version":.5}`, `{"version":1e3}`, `{"version":+1}`,
		`{"variations":[` + strings.Repeat("9", 26) + `]}`, `{"variations":[1 2]}`, `{"variations":[1,]}`, `{"variations":[}`,
		`{"variations":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, "{\"on\":true\x00}",
	} {
		require.False(t, itemjson.DecodableFlag([]byte(data)), data)
	}
	require.True(t, itemjson.DecodableFlag([]byte(`{"variations":`+strings.Repeat("[", 999)+strings.Repeat("]", 999)+`}`)))
}

// Soundness: what is said to be decodable is.
func FuzzDecodable_IsDecoded(f *testing.F) {
	all := kinds(f)
	for _, kind := range all {
		f.Add(kind.full)
		var whole map[string]any
		require.NoError(f, json.Unmarshal(kind.full, &whole))
		for _, with := range []string{"null", "1.5", `"x"`, "[]", "{}"} {
			mutations(whole, json.RawMessage(with), func(_ string, data []byte) { f.Add(data) })
		}
	}
	f.Add([]byte(`{"key":"\ud83d\ude00\ud83d \/","version":-0,"variations":[1.25,"\u0000",{"":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, kind := range all {
			if kind.quick(data) {
				require.NoError(t, kind.decode(data), "%s %q", name, data)
				require.True(t, json.Valid(data))
			}
		}
	})
}
