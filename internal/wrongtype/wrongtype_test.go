package wrongtype_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/wrongtype"
)

func explain(t *testing.T, kind core.DataKind, text string) error {
	item, err := core.ParseItem([]byte(text))
	if err == nil {
		err = item.Validate(kind)
	}
	require.Error(t, err)
	return wrongtype.Explain(kind, []byte(text), err)
}

func TestExplain_NamesPropertyExpectedAndFound(t *testing.T) {
	for text, want := range map[string]string{
		`null`:            `the value must be an object, and is null`,
		`[1]`:             `the value must be an object, and is an array`,
		`5`:               `the value must be an object, and is the number 5`,
		`{"version":"1"}`: `"version" must be a number, and is the string "1"`,
		`{"deleted":"x"}`: `"deleted" must be a boolean, and is the string "x"`,
		`{"key":"f", "x": [[{"a":1}], 2, {"b":{}}], "on" : "yes"}`: `"on" must be a boolean, and is the string "yes"`,
		`{"on":{"a":1}}`:                       `"on" must be a boolean, and is an object`,
		`{"variations":{}}`:                    `"variations" must be an array or null, and is an object`,
		`{"variations":7}`:                     `"variations" must be an array or null, and is the number 7`,
		`{"fallthrough":{"variation":"1"}}`:    `"fallthrough.variation" must be a number or null, and is the string "1"`,
		`{"prerequisites":[{"key":"a"},true]}`: `"prerequisites[1]" must be an object, and is the boolean true`,
		`{"rules":[{},{"clauses":[{},{},
			{"op": 7}]}]}`: `"rules[1].clauses[2].op" must be a string, and is the number 7`,
		`{"targets":[{"values":["a",3]}]}`:                               `"targets[0].values[1]" must be a string, and is the number 3`,
		`{"salt":12345678901234567890123456789012345678901234567890123}`: `"salt" must be a string, and is a number`,
	} {
		require.EqualError(t, explain(t, core.Flags, text), want, text)
	}
	require.EqualError(t, explain(t, core.Segments, `{"included":"x"}`), `"included" must be an array or null, and is the string "x"`)
}

func TestExplain_TellsTheOffset(t *testing.T) {
	const text = `{"key":"ü","on": "yes"}`
	var wrong *wrongtype.Error
	require.ErrorAs(t, explain(t, core.Flags, text), &wrong)
	require.Equal(t, `"yes"}`, text[wrong.Offset:])
	require.Equal(t, []any{"on"}, wrong.Path)
}

func TestExplain_OtherErrorsKeepTheirCause(t *testing.T) {
	require.EqualError(t, explain(t, core.Flags, `{"version":1.5}`), "version 1.5 is not an integer that JSON can hold")
	other := errors.New("other")
	require.Equal(t, other, wrongtype.Explain(core.Flags, []byte(`{}`), other))
	require.Equal(t, core.ErrCorrupt, wrongtype.Explain(core.Flags, []byte(`{}`), core.ErrCorrupt))
}
