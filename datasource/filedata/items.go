package filedata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/launchdarkly/go-jsonstream/v3/jreader"

	"github.com/cleatdev/cleat/core"
)

// item makes the item that the entry stands for.
func (e entry) item() (core.DataKind, *core.Item, error) {
	kind := core.Flags
	if e.section == sectionSegments {
		kind = core.Segments
	}
	data, err := e.whole()
	if err != nil {
		return kind, nil, e.refuse(err)
	}
	item, err := decode(kind, data)
	if err != nil {
		return kind, nil, e.refuse(err)
	}
	return kind, item, nil
}

// whole returns the JSON of the whole flag or segment.
func (e entry) whole() ([]byte, error) {
	if e.section == sectionFlagValues {
		return flagOfValue(e.key, e.json), nil
	}
	return complete(e.key, e.json)
}

func (e entry) refuse(err error) error {
	return errorAt(e.line, "%q in %q: %w", e.key, e.section, err)
}

// decode makes an item and makes sure that it can be evaluated: what people write by hand should be refused when it is
// loaded, and not when it is first asked for.
func decode(kind core.DataKind, data []byte) (*core.Item, error) {
	item, err := core.ParseItem(data)
	if err != nil {
		return nil, err
	}
	err = item.Validate(kind)
	return item, err
}

// flagOfValue returns a flag that is on and has one variation for everyone.
func flagOfValue(key string, value []byte) []byte {
	return fmt.Appendf(nil,
		`{"key":%s,"version":1,"on":true,"prerequisites":[],"targets":[],"rules":[],"fallthrough":{"variation":0},`+
			`"offVariation":0,"variations":[%s],"salt":""}`,
		quote(key), value)
}

// complete adds the key and the version if they are missing, and otherwise leaves the text as it is.
func complete(key string, data []byte) ([]byte, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return nil, errors.New("must be an object")
	}
	var hasKey, hasVersion bool
	r := jreader.NewReader(data)
	for object := r.Object(); object.Next(); {
		switch string(object.Name()) {
		case "key":
			hasKey = true
			if own := r.String(); r.Error() == nil && own != key {
				return nil, fmt.Errorf(`has another "key": %q`, own)
			}
		case "version":
			hasVersion = true
		}
	}
	if err := r.Error(); err != nil {
		return nil, err
	}
	var added []byte
	if !hasKey {
		added = fmt.Appendf(added, `"key":%s,`, quote(key))
	}
	if !hasVersion {
		added = append(added, `"version":1,`...)
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
