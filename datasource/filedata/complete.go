package filedata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

// complete returns the item that a flag or segment stands for. Properties that are missing or null, at any depth, get the
// value that their absence means, because readers of the database in other languages fail without them. Everything else
// stays as it is: the digits of numbers, and properties that are unknown.
func complete(kind core.DataKind, key string, data []byte) (*core.Item, error) {
	item, err := core.ParseItem(data)
	if err != nil {
		return nil, err
	}
	own, err := members(data)
	if err != nil {
		return nil, err
	}
	if err := checkKey(key, own); err != nil {
		return nil, err
	}
	version := item.Version()
	if _, found := lookup(own, "version"); !found {
		version = 1
	}
	if item.Deleted() {
		return core.NewTombstone(kind, key, version), nil
	}
	model, err := modelOf(kind, item, key, version)
	if err != nil {
		return nil, err
	}
	whole, err := fill(data, model.JSON())
	if err != nil {
		return nil, err
	}
	return core.ParseItem(whole)
}

func checkKey(key string, own []member) error {
	value, found := lookup(own, "key")
	if !found {
		return nil
	}
	var given string
	if err := json.Unmarshal(value, &given); err != nil {
		return fmt.Errorf("%w: %w", core.ErrCorrupt, err)
	}
	if given != key {
		return fmt.Errorf(`has another "key": %q`, given)
	}
	return nil
}

// modelOf returns an item with the JSON that the model of the given one has, every property included. An item that cannot
// be evaluated is refused: what people write by hand should be refused when it is loaded, and not when it is first asked for.
func modelOf(kind core.DataKind, item *core.Item, key string, version int) (*core.Item, error) {
	if kind == core.Segments {
		segment, err := item.Segment()
		if err != nil {
			return nil, err
		}
		whole := *segment
		whole.Key, whole.Version = key, version
		return core.NewSegment(&whole), nil
	}
	flag, err := item.Flag()
	if err != nil {
		return nil, err
	}
	whole := *flag
	whole.Key, whole.Version = key, version
	return core.NewFlag(&whole), nil
}

// member is a property of an object, with the text of its value.
type member struct {
	name  string
	value json.RawMessage
}

var errNoObject = errors.New("must be an object")

// members returns the properties of an object in their order.
func members(object []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if token, err := decoder.Token(); err != nil {
		return nil, err
	} else if token != json.Delim('{') {
		return nil, errNoObject
	}
	var all []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: name.(string)}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// lookup returns the value of a property; found is false if it is missing or null. Of several, the last one counts.
func lookup(all []member, name string) (value json.RawMessage, found bool) {
	for _, m := range all {
		if m.name == name {
			value = m.value
		}
	}
	return value, !isNothing(value)
}

func isNothing(value []byte) bool { return len(value) == 0 || string(value) == "null" }

// fill returns a value with what only its model has: properties of objects, and of those in them and in lists.
func fill(value, model json.RawMessage) (json.RawMessage, error) {
	switch {
	case isNothing(value):
		return model, nil
	case value[0] == '{' && model[0] == '{':
		return fillObject(value, model)
	case value[0] == '[' && model[0] == '[':
		return fillList(value, model)
	default:
		return value, nil
	}
}

func fillObject(value, model json.RawMessage) (json.RawMessage, error) {
	own, err := members(value)
	if err != nil {
		return nil, err
	}
	whole, err := members(model)
	if err != nil {
		return nil, err
	}
	ofModel := make(map[string]json.RawMessage, len(whole))
	for _, m := range whole {
		ofModel[m.name] = m.value
	}
	there := make(map[string]bool, len(own))
	for i, m := range own {
		there[m.name] = true
		if wanted, known := ofModel[m.name]; known {
			if own[i].value, err = fill(m.value, wanted); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range whole {
		if !there[m.name] {
			own = append(own, m)
		}
	}
	return objectOf(own), nil
}

// fillList fills the elements of a list, unless the model has others.
func fillList(value, model json.RawMessage) (json.RawMessage, error) {
	var own, whole []json.RawMessage
	if err := errors.Join(json.Unmarshal(value, &own), json.Unmarshal(model, &whole)); err != nil {
		return nil, err
	}
	if len(own) != len(whole) {
		return value, nil
	}
	for i := range own {
		filled, err := fill(own[i], whole[i])
		if err != nil {
			return nil, err
		}
		own[i] = filled
	}
	return fmt.Appendf(nil, "[%s]", bytes.Join(asBytes(own), []byte(","))), nil
}

func asBytes(values []json.RawMessage) [][]byte {
	all := make([][]byte, len(values))
	for i, value := range values {
		all[i] = value
	}
	return all
}

func objectOf(all []member) json.RawMessage {
	text := []byte{'{'}
	for i, m := range all {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, quote(m.name)...), ':'), m.value...)
	}
	return append(text, '}')
}

func quote(text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // a string cannot fail
		panic(err)
	}
	return quoted
}
