package events

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRepair(t *testing.T) {
	for payload, expected := range map[string]string{
		``:                            ``,
		`[{"a":"NaN","b":1}]`:         `[{"a":"NaN","b":1}]`,
		`[NaN,+Inf,-Inf,-1]`:          `[null,null,null,-1]`,
		`["\"NaN",NaN,"\\",-Inf,"é"]`: `["\"NaN",null,"\\",null,"é"]`,
		"[\"a\xff\xfeb\",NaN]":        `["a` + "\uFFFD" + `b",null]`,
		`[{bad},NaN`:                  `[{bad},null`,
		`["NaN`:                       `["NaN`,
		`["NaN\`:                      `["NaN\`,
	} {
		require.Equal(t, expected, string(repair([]byte(payload))))
	}
}

func FuzzRepair_ValidPayloadStays(f *testing.F) {
	f.Add([]byte(`[{"kind":"custom","data":[1,"NaN","\\"]}]`))
	f.Add([]byte(`["\`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		text, err := json.Marshal(string(payload))
		require.NoError(t, err)
		require.Equal(t, string(text), string(repair(text)))
		withNumber := append(append([]byte("["), text...), ",NaN]"...)
		repaired := append(append([]byte("["), text...), ",null]"...)
		require.Equal(t, string(repaired), string(repair(withNumber)))
		repair(payload)
	})
}
