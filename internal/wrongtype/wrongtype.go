// Package wrongtype says which property of a flag or segment has a value of a type that it cannot have. The decoder of
// go-server-sdk-evaluation knows the place of the value in the text and the type that it wanted, but not the property's name.
package wrongtype

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/launchdarkly/go-jsonstream/v3/jreader"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
)

// Error says that a value has the wrong type.
type Error struct {
	// Path leads to the value: a string for each property and an int for each element of a list. It is empty if the item itself
	// has the wrong type, or if the place cannot be found because the text is not quite JSON.
	Path []any
	// Offset is where in the item's JSON the value begins, in bytes.
	Offset int

	expected, found string
}

// Error implements error.
func (e *Error) Error() string {
	what := "the value"
	if len(e.Path) > 0 {
		what = fmt.Sprintf("%q", e.property())
	}
	return fmt.Sprintf("%s must be %s, and is %s", what, e.expected, e.found)
}

// property returns the path as it is written in most languages: rules[0].clauses[1].op.
func (e *Error) property() string {
	var text strings.Builder
	for _, step := range e.Path {
		if index, ok := step.(int); ok {
			fmt.Fprintf(&text, "[%d]", index)
			continue
		}
		if text.Len() > 0 {
			text.WriteByte('.')
		}
		fmt.Fprint(&text, step)
	}
	return text.String()
}

// Explain returns what is wrong with an item that [core.ParseItem] or [core.ParseEvaluable] has refused with the given error: an
// *[Error] if it is the type of a value, and otherwise the error without [core.ErrCorrupt], which is about stored data.
func Explain(kind core.DataKind, text []byte, err error) error {
	if !errors.Is(err, core.ErrCorrupt) {
		return err
	}
	if wrong := find(kind, text); wrong != nil {
		return wrong
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		causes := joined.Unwrap()
		return causes[len(causes)-1]
	}
	return err
}

// find returns nil if all types are right.
func find(kind core.DataKind, text []byte) *Error {
	reader := jreader.NewReader(text)
	switch kind {
	case core.Flags:
		ldmodel.UnmarshalFeatureFlagFromJSONReader(&reader)
	case core.Segments:
		ldmodel.UnmarshalSegmentFromJSONReader(&reader)
	}
	wrong, ok := errors.AsType[jreader.TypeError](reader.Error())
	if !ok {
		return nil
	}
	expected := withArticle(wrong.Expected)
	if wrong.Nullable {
		expected += " or null"
	}
	return &Error{Path: pathTo(text, wrong.Offset), Offset: wrong.Offset, expected: expected, found: found(text, wrong)}
}

func withArticle(kind jreader.ValueKind) string {
	switch kind {
	case jreader.NullValue:
		return "null"
	case jreader.ArrayValue, jreader.ObjectValue:
		return "an " + kind.String()
	default:
		return "a " + kind.String()
	}
}

// found describes a value, with its text if that is short.
func found(text []byte, wrong jreader.TypeError) string {
	const short = 50
	description := withArticle(wrong.Actual)
	switch wrong.Actual {
	case jreader.BoolValue, jreader.NumberValue, jreader.StringValue:
	default:
		return description
	}
	var value json.RawMessage
	rest := text[min(max(wrong.Offset, 0), len(text)):]
	if json.NewDecoder(bytes.NewReader(rest)).Decode(&value) != nil || len(value) > short {
		return description
	}
	return "the " + wrong.Actual.String() + " " + string(value)
}
