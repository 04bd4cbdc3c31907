package core_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// The tombstones that readers in other languages understand.
const (
	flagTombstone = `{"key":"a \"quoted\" key","on":false,"prerequisites":[],"targets":[],"contextTargets":[],"rules":[],` +
		`"fallthrough":{},"offVariation":null,"variations":[],"clientSide":false,"salt":"","trackEvents":false,` +
		`"trackEventsFallthrough":false,"debugEventsUntilDate":null,"version":7,"deleted":true}`
	segmentTombstone = `{"key":"a \"quoted\" key","included":[],"excluded":[],"includedContexts":[],"excludedContexts":[],` +
		`"salt":"","rules":[],"version":7,"generation":null,"deleted":true}`
	otherTombstone = `{"key":"a \"quoted\" key","version":7,"deleted":true}`
)

const quotedKey = `a "quoted" key`

func wholeTombstones() map[core.DataKind]string {
	return map[core.DataKind]string{core.Flags: flagTombstone, core.Segments: segmentTombstone, "other": otherTombstone}
}

func TestNewTombstone_HasEveryProperty(t *testing.T) {
	for kind, want := range wholeTombstones() {
		item := core.NewTombstone(kind, quotedKey, 7)
		require.JSONEq(t, want, string(item.JSON()))
		require.Equal(t, 7, item.Version())
		require.True(t, item.Deleted())
		_, err := item.Flag()
		require.ErrorIs(t, err, core.ErrInvalid)
		_, err = item.Segment()
		require.ErrorIs(t, err, core.ErrInvalid)
	}
}

// Every shape in which a tombstone may arrive is read, and none but the whole one is written.
func TestItem_Serialized_TombstoneIsWhole(t *testing.T) {
	for _, shape := range []string{
		`{"version":7,"deleted":true}`,
		`{"key":"a \"quoted\" key","version":7,"deleted":true}`,
		`{"key":"$deleted","version":7,"deleted":true}`,
		`{"version":7,"deleted":true,"rules":3,"on":true}`,
		flagTombstone,
		segmentTombstone,
	} {
		for kind, want := range wholeTombstones() {
			item, err := core.SerializedItem{Data: []byte(shape)}.Parse(kind, quotedKey)
			require.NoError(t, err, shape)
			require.True(t, item.Deleted(), shape)
			require.NoError(t, item.Validate(kind), shape)
			serialized := item.Serialized(kind, quotedKey)
			if kind != core.Flags && kind != core.Segments {
				want = shape // what tombstones of other kinds look like is known to those who have such kinds
			}
			require.JSONEq(t, want, string(serialized.Data), shape)
			require.Equal(t, 7, serialized.Version, shape)
			require.True(t, serialized.Deleted, shape)
		}
	}
}

// A mark that the database keeps beside JSON without one is in the JSON that is written.
func TestItem_Serialized_DeletedByTheMarkBeside(t *testing.T) {
	item, err := core.SerializedItem{Version: 7, Deleted: true, Data: []byte(`{"version":3}`)}.Parse(core.Segments, quotedKey)
	require.NoError(t, err)
	require.JSONEq(t, segmentTombstone, string(item.Serialized(core.Segments, quotedKey).Data))
}
