package itemjson_test

import (
	"encoding/json"
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
	read   func([]byte) (itemjson.Metadata, bool)
	decode func([]byte) (itemjson.Metadata, error)
	full   []byte // an item with every property
}

func kinds(tb testing.TB) map[string]kind {
	decoder := ldmodel.NewJSONDataModelSerialization()
	return map[string]kind{
		"flag": {itemjson.ReadFlag, func(data []byte) (itemjson.Metadata, error) {
			flag, err := decoder.UnmarshalFeatureFlag(data)
			return itemjson.Metadata{Version: flag.Version, Deleted: flag.Deleted, Key: flag.Key}, err
		}, fullFlag(tb)},
		"segment": {itemjson.ReadSegment, func(data []byte) (itemjson.Metadata, error) {
			segment, err := decoder.UnmarshalSegment(data)
			return itemjson.Metadata{Version: segment.Version, Deleted: segment.Deleted, Key: segment.Key}, err
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

// mutations calls yield with what the JSON becomes with another value in the place of each one, at any depth.
func mutations(whole map[string]any, with json.RawMessage, yield func(data []byte)) {
	var walk func(value any, set func(any))
	walk = func(value any, set func(any)) {
		set(with)
		data, err := json.Marshal(whole)
		if err != nil {
			panic(err)
		}
		yield(data)
		set(value)
		switch value := value.(type) {
		case map[string]any:
			for name, member := range value {
				walk(member, func(v any) { value[name] = v })
			}
		case []any:
			for i, element := range value {
				walk(element, func(v any) { value[i] = v })
			}
		}
	}
	for name, member := range whole {
		walk(member, func(v any) { whole[name] = v })
	}
}

// Whatever is put in the place of any property of an item: what is read is what the decoder makes of it.
func TestReadFlag_WrongTypes_AreLeftToTheDecoder(t *testing.T) {
	for name, kind := range kinds(t) {
		_, ok := kind.read(kind.full)
		require.True(t, ok, "%s: an item with every property", name)
		var whole map[string]any
		require.NoError(t, json.Unmarshal(kind.full, &whole))
		refused := 0
		for _, with := range []string{"null", "true", "7", "-7", "1.5", "1e3", `"x"`, "[]", "[null]", `["x"]`, "{}", `{"x":null}`} {
			mutations(whole, json.RawMessage(with), func(data []byte) {
				if !requireReadAsDecoded(t, kind, data) {
					refused++
				}
			})
		}
		require.Greater(t, refused, 100, name)
	}
}

// requireReadAsDecoded requires that the decoder accepts what is read, and understands the same. It reports whether the decoder accepts it.
func requireReadAsDecoded(t *testing.T, kind kind, data []byte) bool {
	t.Helper()
	meta, ok := kind.read(data)
	want, err := kind.decode(data)
	if ok {
		require.NoError(t, err, "%q", data)
		require.True(t, json.Valid(data), "%q", data)
		require.Equal(t, want, meta, "%q", data)
	}
	return err == nil
}

// What the flag service sends is not decoded only to be checked.
func TestReadFlag_WhatIsOrdinary_IsRead(t *testing.T) {
	for _, data := range []string{
		`{}`, ` { "key" : "f" , "version" : 0 } `, `{"key":"f","salt":"\u00fc\n\"","on":false,"variations":[null,1.5,-0.25,"x",{"a":[{}]},[[]]]}`,
		`{"key":"f","rules":null,"targets":null,"offVariation":null,"debugEventsUntilDate":null,"clientSideAvailability":null}`,
		`{"key":"f","fallthrough":{"variation":0,"rollout":null},"rules":[{"variation":null,"rollout":null,"clauses":[]}]}`,
	} {
		_, ok := itemjson.ReadFlag([]byte(data))
		require.True(t, ok, data)
	}
	meta, ok := itemjson.ReadSegment([]byte(`{"key":"s","version":-7,"deleted":true,"included":null,"rules":[{"clauses":[],"weight":null,"bucketBy":null}]}`))
	require.True(t, ok)
	require.Equal(t, itemjson.Metadata{Version: -7, Deleted: true, Key: "s"}, meta)
	full := fullFlag(t)
	require.Zero(t, testing.AllocsPerRun(100, func() { itemjson.ReadFlag(full) }))
}

func TestReadFlag_WhatIsNotOrdinary_IsLeftToTheDecoder(t *testing.T) {
	for _, data := range []string{
		``, ` `, `{`, `{"on":true`, `{"on":true,}`, `{,}`, `{"on" true}`, `{"on":true} {}`, `{"on":true}x`, `[]`, `null`, `{"on":tru}`, `{"on":}`,
		`{"\u006fn":true}`, `{"unknown":1}`, `{"salt":"\x"}`, `{"salt":"\u00g0"}`, `{"salt":"\u00"}`, `{"salt":"\`, `{"salt":"`, "{\"salt\":\"\n\"}",
		`{"version":01}`, `{"version":-}`, `{"version":- 1}`, `{"version":1.}`, `{"version":.5}`, `{"version":1e3}`, `{"version":+1}`,
		`{"version":9007199254740993}`, `{"version":99999999999999999999}`, `{"version":null}`, `{"key":"\\n"}`, `{"deleted":null}`, `{"rules":[{"x":1}]}`,
		`{"variations":[` + strings.Repeat("9", 26) + `]}`, `{"variations":[1 2]}`, `{"variations":[1,]}`, `{"variations":[}`,
		`{"variations":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, "{\"on\":true\x00}",
	} {
		_, ok := itemjson.ReadFlag([]byte(data))
		require.False(t, ok, data)
	}
	_, ok := itemjson.ReadFlag([]byte(`{"variations":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + `}`))
	require.True(t, ok)
}

// Soundness: the decoder accepts what is read, and understands the same.
func FuzzReadFlag_AsDecoded(f *testing.F) {
	all := kinds(f)
	for _, kind := range all {
		f.Add(kind.full)
		var whole map[string]any
		require.NoError(f, json.Unmarshal(kind.full, &whole))
		for _, with := range []string{"null", "1.5", `"x"`, "[]", "{}"} {
			mutations(whole, json.RawMessage(with), func(data []byte) { f.Add(data) })
		}
	}
	f.Add([]byte(`{"key":"\ud83d\ude00\ud83d \/","version":-0,"variations":[1.25,"\u0000",{"":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range all {
			if _, ok := kind.read(data); ok {
				requireReadAsDecoded(t, kind, data)
			}
		}
	})
}
