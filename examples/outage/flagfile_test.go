package main

import (
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"
)

// Every flag and segment has another version after the update, so that no mixture of both looks like either.
func TestFlagFile_Updated_ChangesEveryVersion(t *testing.T) {
	file, err := parseFlagFile(committedFlags)
	require.NoError(t, err)
	data, err := file.updated()
	require.NoError(t, err)
	next, err := parseFlagFile(data)
	require.NoError(t, err)
	require.Len(t, next.Flags, len(file.Flags))
	require.Len(t, next.Segments, len(file.Segments))
	for key, flag := range file.Flags {
		require.Equal(t, flag.Version+1, next.Flags[key].Version)
		require.Equal(t, flag.Variations, next.Flags[key].Variations)
	}
	for key, segment := range file.Segments {
		require.Equal(t, segment.Version+1, next.Segments[key].Version)
	}
	require.Equal(t, file.questions(), next.questions())
}

func TestFlagFile_Questions_TypesAndOrder(t *testing.T) {
	file, err := parseFlagFile(committedFlags)
	require.NoError(t, err)
	questions := file.questions()
	require.GreaterOrEqual(t, len(questions), 200)
	types := map[valueType]int{}
	for i, q := range questions {
		types[q.Type]++
		if i > 0 {
			require.Less(t, questions[i-1].Key, q.Key)
		}
	}
	require.Len(t, types, 5)
}

func TestTypeOf_Variations(t *testing.T) {
	require.Equal(t, typeBool, typeOf([]ldvalue.Value{ldvalue.Bool(true)}))
	require.Equal(t, typeString, typeOf([]ldvalue.Value{ldvalue.String("")}))
	require.Equal(t, typeInt, typeOf([]ldvalue.Value{ldvalue.Int(1), ldvalue.Float64(2)}))
	require.Equal(t, typeFloat, typeOf([]ldvalue.Value{ldvalue.Int(1), ldvalue.Float64(0.5)}))
	require.Equal(t, typeJSON, typeOf([]ldvalue.Value{ldvalue.ArrayOf(ldvalue.Int(1))}))
}
