package ldbridge

import (
	"testing"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// JSON objects are stored as they are, and everything else in an envelope; what comes out is what went in.
func TestEncode_RoundTrip(t *testing.T) {
	for text, plain := range map[string]bool{
		`{"key":"a","version":3,"new":[1]}`: true,
		` { "version" : 3 } `:               true,
		`a,3,,`:                             false,
		``:                                  false,
		"\xff\x00":                          false,
		`{"$ldbridge":"eA==","version":3}`:  false, // could be mistaken for an envelope
		`{"version":"3"}`:                   false, // no version that a store could compare
	} {
		given := ldstoretypes.SerializedItemDescriptor{Version: 3, SerializedItem: []byte(text)}
		item, err := encode(given)
		require.NoError(t, err, text)
		require.Equal(t, plain, string(item.JSON()) == text, text)
		require.Equal(t, 3, item.Version(), text)
		stored := core.SerializedItem{Data: item.JSON()} // as of a database with the version in the JSON only
		require.Equal(t, given, decode("kind", "a", stored), text)
	}
}

func TestEncode_TombstoneRoundTrip(t *testing.T) {
	given := ldstoretypes.SerializedItemDescriptor{Version: 3, Deleted: true, SerializedItem: []byte("gone")}
	item, err := encode(given)
	require.NoError(t, err)
	require.True(t, item.Deleted())
	require.Equal(t, given, decode("kind", "a", core.SerializedItem{Data: item.JSON()}))
}

// What is no item reaches the SDK as it is.
func TestDecode_Damaged_IsPassedOn(t *testing.T) {
	for _, text := range []string{"", "{", `{"$ldbridge":`, `{"$ldbridge":1,"version":1}`} {
		got := decode(core.Flags, "a", core.SerializedItem{Version: 7, Data: []byte(text)})
		require.Equal(t, text, string(got.SerializedItem))
		require.Equal(t, 7, got.Version)
	}
}
