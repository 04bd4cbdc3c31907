package dataorder_test

import (
	"fmt"
	"testing"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
)

func parse(t testing.TB, json string) *core.Item {
	t.Helper()
	item, err := core.ParseItem([]byte(json))
	require.NoError(t, err)
	return item
}

func TestDependencies(t *testing.T) {
	flag := func(key string) dataorder.Ref { return dataorder.Ref{Kind: core.Flags, Key: key} }
	segment := func(key string) dataorder.Ref { return dataorder.Ref{Kind: core.Segments, Key: key} }
	for _, tc := range []struct {
		name string
		kind core.DataKind
		json string
		want []dataorder.Ref
	}{
		{"flag without", core.Flags, `{"key":"f"}`, nil},
		{
			"flag with prerequisites and segments, each once", core.Flags,
			`{"key":"f","prerequisites":[{"key":"p2","variation":0},{"key":"p1","variation":0},{"key":"p2","variation":1}],
			"rules":[{"clauses":[{"op":"segmentMatch","values":["s2","s1"]},{"op":"in","attribute":"a","values":["x"]}]},
			{"clauses":[{"op":"segmentMatch","values":["s1",3],"negate":true}]}]}`,
			[]dataorder.Ref{flag("p2"), flag("p1"), segment("s2"), segment("s1")},
		},
		{
			"flag and segment of one key", core.Flags,
			`{"key":"f","prerequisites":[{"key":"x"}],"rules":[{"clauses":[{"op":"segmentMatch","values":["x"]}]}]}`,
			[]dataorder.Ref{flag("x"), segment("x")},
		},
		{
			"segment", core.Segments,
			`{"key":"s","included":["x"],"rules":[{"clauses":[{"op":"segmentMatch","values":["s1"]}]}]}`,
			[]dataorder.Ref{segment("s1")},
		},
		{"tombstone", core.Flags, `{"key":"f","deleted":true,"prerequisites":[{"key":"p"}]}`, nil},
		{"undecodable flag", core.Flags, `{"key":"f","prerequisites":"p"}`, nil},
		{"undecodable segment", core.Segments, `{"key":"s","rules":3}`, nil},
		{"other kind", "metrics", `{"key":"m","prerequisites":[{"key":"p"}]}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, dataorder.Dependencies(tc.kind, parse(t, tc.json)))
		})
	}
}

func TestDependencies_NilItem(t *testing.T) {
	require.Empty(t, dataorder.Dependencies(core.Flags, nil))
}

// Finding out that an item refers to nothing does not decode it.
func TestDependencies_OfNothing_DecodesNothing(t *testing.T) {
	item := parse(t, `{"key":"f","prerequisites" : [ ],"rules":[{"clauses":[{"op":"in","attribute":"a","values":["x"]}]}]}`)
	require.Zero(t, testing.AllocsPerRun(1, func() { require.Empty(t, dataorder.Dependencies(core.Flags, item)) }))
}

// However an item's JSON is written, it refers to what its model refers to.
func TestDependencies_AreThoseOfTheModel(t *testing.T) {
	spaces := rapid.SampledFrom([]string{"", " ", "\n\t", "\r\n  "})
	name := func(t *rapid.T, plain string) string {
		return rapid.SampledFrom([]string{plain, fmt.Sprintf(`\u%04x`, plain[0]) + plain[1:]}).Draw(t, "name")
	}
	rapid.Check(t, func(t *rapid.T) {
		space := func() string { return spaces.Draw(t, "space") }
		list := rapid.SampledFrom([]string{`[]`, `[ ]`, `null`, `[{"key":"p","variation":0}]`, `[{"key":"p"},{"key":"q"}]`})
		operator := rapid.SampledFrom([]string{"in", "segmentMatch"}).Draw(t, "operator")
		json := fmt.Sprintf(`{"key":"f","x":{"prerequisites":[]},"%s"%s:%s%s,"rules":[{"clauses":[{"op":"%s","attribute":"a","values":["s"]}]}]}`,
			name(t, "prerequisites"), space(), space(), list.Draw(t, "list"), name(t, operator))
		item, err := core.ParseItem([]byte(json))
		require.NoError(t, err)
		flag, err := item.Flag()
		require.NoError(t, err)
		var want []dataorder.Ref
		for _, prerequisite := range flag.Prerequisites {
			want = append(want, dataorder.Ref{Kind: core.Flags, Key: prerequisite.Key})
		}
		if flag.Rules[0].Clauses[0].Op == ldmodel.OperatorSegmentMatch {
			want = append(want, dataorder.Ref{Kind: core.Segments, Key: "s"})
		}
		require.Equal(t, want, dataorder.Dependencies(core.Flags, item), json)
	})
}
