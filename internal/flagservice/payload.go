package flagservice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/wrongtype"
)

// ErrInvalidData is wrapped by errors that say that the flag service sent something that cannot be understood.
var ErrInvalidData = errors.New("the flag service sent data that cannot be understood")

// ReadAll reads {"flags":{…},"segments":{…}}, the form of an answer to a poll. Flags have to be there, if only as {}: what
// a proxy says in their place is often JSON too, and must not be taken for an environment without flags. Text that is not
// UTF-8 is refused as a whole: a replaced character could be one of a key. What stands under an empty key is left out and
// logged.
//
// The text is read to its end first, so that one that never ends costs no more memory than the reader's limit. A JSON decoder needs
// several times that for a single value.
func ReadAll(r io.Reader, logger *slog.Logger) ([]core.Collection, error) {
	text, err := readAll(r)
	if err != nil {
		return nil, err
	}
	if data, ok := scanAll(text); ok {
		return data, nil
	}
	p := newParser(text, logger)
	data, err := p.all()
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return nil, p.source.Explain(err)
	}
	return data, nil
}

// ReadPut reads {"path":"/","data":{"flags":{…},"segments":{…}}}, a stream's event for everything. ok is false if the
// path says that it is about something else, which is to be ignored; without a path it is about everything. The rest is as
// with [ReadAll].
func ReadPut(text []byte, logger *slog.Logger) (data []core.Collection, ok bool, err error) {
	if data, ok := scanPut(text); ok {
		return data, true, nil
	}
	p := newParser(text, logger)
	data, ok, err = p.put()
	if err == nil {
		err = p.end()
	}
	switch {
	case err != nil:
		return nil, false, p.source.Explain(err)
	case !ok:
		return nil, false, nil
	case data == nil:
		return nil, false, fmt.Errorf(`%w: "data" is missing`, ErrInvalidData)
	default:
		return data, true, nil
	}
}

// parser reads JSON that is out of the ordinary or broken, and says what is wrong.
type parser struct {
	source  *Source
	decoder *json.Decoder
	logger  *slog.Logger
}

func newParser(text []byte, logger *slog.Logger) *parser {
	s := NewSource(bytes.NewReader(text))
	return &parser{source: s, decoder: json.NewDecoder(s), logger: logger}
}

func (p *parser) put() (data []core.Collection, ok bool, err error) {
	ok = true
	err = p.object("the event", func(name string) error {
		switch {
		case name == "path":
			var path string
			if err := p.decoder.Decode(&path); err != nil {
				return fmt.Errorf(`"path": %w`, err)
			}
			ok = path == "/" || path == ""
			return nil
		case name == "data" && ok:
			var err error
			data, err = p.all()
			return err
		default:
			return p.skip()
		}
	})
	return data, ok, err
}

func (p *parser) all() ([]core.Collection, error) {
	items := map[core.DataKind][]core.KeyedItem{}
	err := p.object("the data", func(name string) (err error) {
		kind, ok := kindOf(name)
		if !ok {
			return p.skip()
		}
		items[kind], err = p.collection(kind, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if items[core.Flags] == nil {
		return nil, errors.New(`"flags" is missing`)
	}
	return collections(items), nil
}

// collections returns the items in the order of [core.BuiltInKinds].
func collections(items map[core.DataKind][]core.KeyedItem) []core.Collection {
	data := make([]core.Collection, 0, len(core.BuiltInKinds()))
	for _, kind := range core.BuiltInKinds() {
		data = append(data, core.Collection{Kind: kind, Items: items[kind]})
	}
	return data
}

// kindOf returns the kind whose items a collection has; false if cleat does not know it.
func kindOf(name string) (core.DataKind, bool) {
	switch name {
	case "flags":
		return core.Flags, true
	case "segments":
		return core.Segments, true
	default:
		return "", false
	}
}

// collection reads an object of items by key; it returns nil for null. Of a key that is there twice, the last item counts.
// What stands under an empty key is skipped: no evaluation can ask for it, and no store takes it.
func (p *parser) collection(kind core.DataKind, name string) ([]core.KeyedItem, error) {
	token, err := p.decoder.Token()
	if err != nil || token == nil {
		return nil, err
	}
	if token != json.Delim('{') {
		return nil, errNoObject(strconv.Quote(name), token)
	}
	items, nameless := newItemList(), false
	err = p.members(func(key string) error {
		if key == "" {
			nameless = true
			return p.skip()
		}
		var text json.RawMessage
		if err := p.decoder.Decode(&text); err != nil {
			return fmt.Errorf("%q in %q: %w", key, name, err)
		}
		item, err := parseItem(kind, text)
		if err != nil {
			return fmt.Errorf("%q in %q: %w", key, name, err)
		}
		items.put(key, item)
		return nil
	})
	if nameless {
		logEmptyKey(p.logger, kind)
	}
	return items.all, err
}

// itemList is the items of a collection, each key once.
type itemList struct {
	all  []core.KeyedItem // not nil
	seen map[string]int   // where a key is in all
}

func newItemList() *itemList { return &itemList{all: []core.KeyedItem{}, seen: map[string]int{}} }

// put adds an item, or replaces the one with the same key.
func (l *itemList) put(key string, item *core.Item) {
	if i, again := l.seen[key]; again {
		l.all[i].Item = item
		return
	}
	l.seen[key] = len(l.all)
	l.all = append(l.all, core.KeyedItem{Key: key, Item: item})
}

// logEmptyKey tells of an item that is left out.
func logEmptyKey(logger *slog.Logger, kind core.DataKind) {
	logger.Warn("cleat: the flag service sent an item with an empty key, which is left out", "kind", string(kind))
}

// parseItem makes an item and makes sure that it can be evaluated. An error names the property that is wrong.
func parseItem(kind core.DataKind, text []byte) (*core.Item, error) {
	item, err := core.ParseEvaluable(kind, text)
	if err != nil {
		return nil, wrongtype.Explain(kind, text, err)
	}
	return item, nil
}

// object reads an object and calls member for each property, which has to read the value.
func (p *parser) object(what string, member func(name string) error) error {
	token, err := p.decoder.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return errNoObject(what, token)
	}
	return p.members(member)
}

// errNoObject says what stands in the place of an object.
func errNoObject(what string, found json.Token) error {
	const short = 50
	description := "null"
	switch found := found.(type) {
	case json.Delim:
		description = "an array"
	case bool:
		description = fmt.Sprintf("the boolean %t", found)
	case float64:
		description = fmt.Sprintf("the number %v", found)
	case string:
		description = "a string"
		if len(found) <= short {
			description = fmt.Sprintf("the string %q", found)
		}
	}
	return fmt.Errorf("%s must be an object, and is %s", what, description)
}

func (p *parser) members(member func(name string) error) error {
	for p.decoder.More() {
		name, err := p.decoder.Token()
		if err != nil {
			return err
		}
		if err := member(name.(string)); err != nil {
			return err
		}
	}
	_, err := p.decoder.Token()
	return err
}

// skip reads a value and forgets it.
func (p *parser) skip() error {
	var ignored json.RawMessage
	return p.decoder.Decode(&ignored)
}

// end makes sure that nothing follows.
func (p *parser) end() error {
	_, err := p.decoder.Token()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = errors.New("something follows the JSON object")
	}
	return err
}
