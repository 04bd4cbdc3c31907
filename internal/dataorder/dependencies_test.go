package dataorder_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
