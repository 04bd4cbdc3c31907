package core_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// What lies in a flag's or segment's place and has another key is another item.
func TestSerializedItem_Parse_AnothersItem(t *testing.T) {
	for key, others := range map[string][]string{
		"a": {`{"key":"b"}`, `{"key":"a","version":1,"key":"b"}`, `{"version":1,"k\u0065y":"\u0062"}`, `{"key":"A"}`, `{"key":"a "}`},
		"é": {`{"key":"e"}`, `{"key":"\u00e8"}`, "{\"key\":\"\xff\"}"},
	} {
		for _, other := range others {
			for _, kind := range core.BuiltInKinds() {
				_, err := core.SerializedItem{Version: 9, Data: []byte(other)}.Parse(kind, key)
				require.ErrorIs(t, err, core.ErrCorrupt, other)
				var item *core.ItemError
				require.ErrorAs(t, err, &item)
				require.Equal(t, key, item.Key)
				require.ErrorContains(t, err, "it is the item ")
			}
			for kind, data := range map[core.DataKind]string{
				"other":       other, // whose properties have a meaning of their own
				core.Flags:    strings.Replace(other, "{", `{"deleted":true,`, 1),
				core.Segments: strings.Replace(other, "{", `{"deleted":true,`, 1),
			} {
				_, err := core.SerializedItem{Data: []byte(data)}.Parse(kind, key)
				require.NoError(t, err, data)
			}
			_, err := core.SerializedItem{Deleted: true, Data: []byte(other)}.Parse(core.Flags, key)
			require.NoError(t, err, other)
		}
	}
}

// However its key is written, and if it has none, it is not another's.
func TestSerializedItem_Parse_OwnItem(t *testing.T) {
	for key, shapes := range map[string][]string{
		"a":      {`{}`, `{"key":""}`, `{"key":null}`, `{"key":7}`, `{"key":{"key":"b"}}`, `{"key":"b","key":"a"}`, `{"x":{"key":"b"}}`, `{"key":"\u0061"}`},
		"é&<\n":  {`{"key":"é&<\n"}`, `{"key":"\u00e9\u0026\u003c\n"}`, "{\"key\":\"é&<\n\"}"},
		"😀":      {`{"key":"😀"}`, `{"key":"\ud83d\ude00"}`},
		"\xff":   {"{\"key\":\"\xff\"}", `{"key":"\ufffd"}`},
		`a "b"\`: {`{"key":"a \"b\"\\"}`},
	} {
		for _, shape := range shapes {
			for _, kind := range core.BuiltInKinds() {
				_, err := core.SerializedItem{Data: []byte(shape)}.Parse(kind, key)
				require.NoError(t, err, shape)
			}
		}
	}
}
