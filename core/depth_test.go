package core_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// nested returns an item whose JSON is nested as deep as said: the object itself, and arrays in it.
func nested(depth int) string {
	return `{"version":1,"x":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
}

func TestParseItem_Depth_IsLimited(t *testing.T) {
	item, err := core.ParseItem([]byte(nested(1000)))
	require.NoError(t, err)
	require.Equal(t, 1, item.Version())
	for name, json := range map[string]string{
		"arrays":            nested(1001),
		"objects":           `{"version":1,"x":` + strings.Repeat(`{"x":`, 1000) + `1` + strings.Repeat("}", 1001),
		"after a string":    `{"s":"\"","x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
		"after a backslash": `{"s":"\\","x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
	} {
		_, err := core.ParseItem([]byte(json))
		require.ErrorIs(t, err, core.ErrCorrupt, name)
		require.ErrorContains(t, err, "nested deeper than 1000", name)
	}
}

// A parser that recursed that deep would end the process, from which no program could recover.
func TestParseItem_Depth_MillionsDoNotEndTheProcess(t *testing.T) {
	for _, json := range []string{nested(5_000_000), `{"x":` + strings.Repeat("[", 5_000_000), strings.Repeat("[", 5_000_000)} {
		_, err := core.ParseItem([]byte(json))
		require.ErrorIs(t, err, core.ErrCorrupt)
	}
}

func TestParseItem_Depth_BracketsInStringsDoNotCount(t *testing.T) {
	brackets := strings.Repeat("[{", 2000)
	for name, json := range map[string]string{
		"a value":         `{"version":1,"x":"` + brackets + `"}`,
		"a name":          `{"` + brackets + `":0,"version":1}`,
		"escaped quotes":  `{"version":1,"x":"\"` + brackets + `\\\"` + brackets + `"}`,
		"side by side":    `{"version":1,"x":[` + strings.Repeat("[],", 2000) + `{}]}`,
		"ends in \\\\":    `{"x":"` + brackets + `\\","version":1}`,
		"unicode escapes": `{"version":1,"x":"\u005b\u0022` + brackets + `"}`,
	} {
		item, err := core.ParseItem([]byte(json))
		require.NoError(t, err, name)
		require.Equal(t, 1, item.Version(), name)
	}
}
