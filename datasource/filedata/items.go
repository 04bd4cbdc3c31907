package filedata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/launchdarkly/go-jsonstream/v3/jreader"

	"github.com/cleatdev/cleat/core"
)

// kind returns that of the item that the entry stands for.
func (e entry) kind() core.DataKind {
	if e.section == sectionSegments {
		return core.Segments
	}
	return core.Flags
}

// item makes the item that the entry stands for.
func (e entry) item() (*core.Item, error) {
	data, err := e.whole()
	if err != nil {
		return nil, e.refuse(err)
	}
	item, err := decode(e.kind(), e.key, data)
	if err != nil {
		return nil, e.refuse(err)
	}
	return item, nil
}

// whole returns the JSON of the whole flag or segment.
func (e entry) whole() ([]byte, error) {
	data := e.json
	if e.section == sectionFlagValues {
		data = flagOfValue(e.key, e.json)
	}
	return complete(e.kind(), e.key, data)
}

func (e entry) refuse(err error) error {
	return errorAt(e.line, "%q in %q: %w", e.key, e.section, err)
}

// decode makes an item and makes sure that it can be evaluated: what people write by hand should be refused when it is
// loaded, and not when it is first asked for. Of a tombstone nothing
// but its version counts.
func decode(kind core.DataKind, key string, data []byte) (*core.Item, error) {
	item, err := core.ParseItem(data)
	if err != nil {
		return nil, err
	}
	if item.Deleted() {
		return core.NewTombstone(kind, key, item.Version()), nil
	}
	err = item.Validate(kind)
	return item, err
}

// flagOfValue returns a flag that is on and has one variation for everyone.
func flagOfValue(key string, value []byte) []byte {
	return fmt.Appendf(nil, `{"key":%s,"version":1,"on":true,"fallthrough":{"variation":0},"offVariation":0,"variations":[%s]}`,
		quote(key), value)
}

// defaults returns what properties of an item are that it does not have, as its model says, but for key and version. Readers
// of the same database in other languages rely on every property being there.
func defaults(kind core.DataKind) [][2]string {
	if kind == core.Segments {
		return [][2]string{
			{"included", "[]"}, {"excluded", "[]"}, {"includedContexts", "[]"}, {"excludedContexts", "[]"}, {"salt", `""`},
			{"rules", "[]"}, {"generation", "null"}, {"deleted", "false"},
		}
	}
	return [][2]string{
		{"on", "false"}, {"prerequisites", "[]"}, {"targets", "[]"}, {"contextTargets", "[]"}, {"rules", "[]"},
		{"fallthrough", "{}"}, {"offVariation", "null"}, {"variations", "[]"}, {"clientSide", "false"}, {"salt", `""`},
		{"trackEvents", "false"}, {"trackEventsFallthrough", "false"}, {"debugEventsUntilDate", "null"}, {"deleted", "false"},
	}
}

// complete adds the properties that are missing, and otherwise leaves the text as it is.
func complete(kind core.DataKind, key string, data []byte) ([]byte, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return nil, errors.New("must be an object")
	}
	has := map[string]bool{}
	r := jreader.NewReader(data)
	for object := r.Object(); object.Next(); {
		name := string(object.Name())
		has[name] = true
		if name != "key" {
			continue
		}
		if own := r.String(); r.Error() == nil && own != key {
			return nil, fmt.Errorf(`has another "key": %q`, own)
		}
	}
	if err := r.Error(); err != nil {
		return nil, err
	}
	var added []byte
	missing := append([][2]string{{"key", string(quote(key))}, {"version", "1"}}, defaults(kind)...)
	for _, property := range missing {
		if !has[property[0]] {
			added = fmt.Appendf(added, `%q:%s,`, property[0], property[1])
		}
	}
	return insert(data, added), nil
}

// insert adds properties, each followed by a comma, to the beginning of an object.
func insert(object, properties []byte) []byte {
	if len(properties) == 0 {
		return object
	}
	rest := object[1:]
	if bytes.HasPrefix(bytes.TrimSpace(rest), []byte("}")) {
		properties = bytes.TrimSuffix(properties, []byte(","))
	}
	return bytes.Join([][]byte{{'{'}, properties, rest}, nil)
}

func quote(text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // a string cannot fail
		panic(err)
	}
	return quoted
}
