package core_test

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func parse(t testing.TB, text string) *core.Item {
	t.Helper()
	item, err := core.ParseItem([]byte(text))
	require.NoError(t, err, text)
	return item
}

func TestItem_SameContent_WhatMeansNothingMakesNoDifference(t *testing.T) {
	for _, pair := range [][2]string{
		{`{"version":1}`, "\n{ \"version\" :\t1 } "},
		{`{"version":1,"key":"a","on":true}`, `{"on":true,"key":"a","version":1}`},
		{`{"version":1,"rules":[{"id":"r","clauses":[{"op":"in","values":[1,"2"]}]}]}`,
			`{"rules":[ {"clauses":[{"values":[1, "2"],"op":"in"}],"id":"r"} ],"version":1}`},
		{`{"version":1,"salt":"ü<\/"}`, `{"version":1,"salt":"\u00fc\u003c/"}`},
		{`{"version":1,"\u0061":1}`, `{"version":1,"a":1}`},
		{`{"version":1,"a":{"x":1,"x":2}}`, `{"version":1,"a":{"x":2}}`},
		{`{"version":1,"deleted":true}`, `{"version":1,"deleted":true,"key":"a","on":false}`},
		{`{"version":1,"a":[],"b":{}}`, `{"b":{},"a":[],"version":1}`},
	} {
		a, b := parse(t, pair[0]), parse(t, pair[1])
		require.True(t, a.SameContent(b), "%s and %s", pair[0], pair[1])
		require.True(t, b.SameContent(a))
	}
}

func TestItem_SameContent_WhatMeansSomethingMakesADifference(t *testing.T) {
	for _, pair := range [][2]string{
		{`{"version":1}`, `{"version":2}`},
		{`{"version":1}`, `{"version":1,"deleted":true}`},
		{`{"version":1,"on":true}`, `{"version":1,"on":false}`},
		{`{"version":1,"on":true}`, `{"version":1,"on":"true"}`},
		{`{"version":1,"a":[1,2]}`, `{"version":1,"a":[2,1]}`},
		{`{"version":1,"a":[1,[2]]}`, `{"version":1,"a":[[1],2]}`},
		{`{"version":1,"a":[]}`, `{"version":1,"a":{}}`},
		{`{"version":1,"a":null}`, `{"version":1}`},
		{`{"version":1,"a":9007199254740993}`, `{"version":1,"a":9007199254740992}`},
		{`{"version":1,"a":{"b":1},"c":{"d":2}}`, `{"version":1,"a":{"d":2},"c":{"b":1}}`},
		{`{"version":1,"x":1,"x":2}`, `{"version":1,"x":2,"x":1}`},
		{`{"version":1,"a":{"b":1,"c":2}}`, `{"version":1,"a":{"b":2,"c":1}}`},
		{`{"version":1,"a":["b","c"]}`, `{"version":1,"a":{"b":"c"}}`},
	} {
		a, b := parse(t, pair[0]), parse(t, pair[1])
		require.False(t, a.SameContent(b), "%s and %s", pair[0], pair[1])
		require.False(t, b.SameContent(a))
	}
}

// Everything that ParseItem accepts has a sum of its contents, also what is not quite JSON.
func TestItem_ContentSum_OfWhateverCanBeParsed(t *testing.T) {
	seed := maphash.MakeSeed()
	for _, pair := range [][2]string{
		{"{\"a\":\xa01,\"b\":2,\"version\":1}", "\n{\"a\":\xa01,\"b\":2,\"version\":1} "},
		{"{\"a\":\"\\n\x01\xff\",\"version\":01}", " {\"a\":\"\\n\x01\xff\",\"version\":01}"},
		{nested(1000), " " + nested(1000)},
	} {
		require.Equal(t, parse(t, pair[0]).ContentSum(seed), parse(t, pair[1]).ContentSum(seed), "%.50q", pair[0])
	}
	require.NotPanics(t, func() { new(core.Item).ContentSum(seed) })
}

func TestItem_SameContent_AllocatesNothingIfBytesAreTheSame(t *testing.T) {
	a, b := parse(t, ordinaryFlag("a")), parse(t, ordinaryFlag("a"))
	require.Zero(t, testing.AllocsPerRun(100, func() { a.SameContent(b) }))
}

func FuzzItem_ContentSum(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"\u00e9"},1.5,null],"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		item, err := core.ParseItem(data)
		if err != nil {
			return
		}
		spaced, err := core.ParseItem(append([]byte(" "), data...))
		require.NoError(t, err)
		require.True(t, item.SameContent(spaced))
	})
}

func ordinaryFlag(key string) string {
	return fmt.Sprintf(`{"key":%q,"version":3,"on":true,"salt":"abc","variations":[true,false],"offVariation":1,`+
		`"fallthrough":{"variation":0},"targets":[{"variation":0,"values":["ann","bob","cyd"]}],"rules":[{"id":"r","variation":1,`+
		`"clauses":[{"attribute":"country","op":"in","values":["ch","at","de"]}]}]}`, key)
}

func BenchmarkItem_ContentSum(b *testing.B) {
	item := parse(b, ordinaryFlag(strings.Repeat("k", 10)))
	seed := maphash.MakeSeed()
	b.SetBytes(int64(len(item.JSON())))
	b.ReportAllocs()
	for b.Loop() {
		item.ContentSum(seed)
	}
}
