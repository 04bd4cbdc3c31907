package flagservice

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/itemjson"
)

// The functions of this file read what is ordinary, which is nearly everything, in one pass. Where ok is false, nothing is known: a
// reader that takes several times as long finds out whether anything is wrong, and what.

// scanAll reads what [ReadAll] reads.
func scanAll(text []byte) (data []core.Collection, ok bool) {
	s := itemjson.NewScanner(text)
	data = scanCollections(&s)
	return data, data != nil && s.End() && utf8.Valid(text)
}

// scanPut reads what [ReadPut] reads, if it is about everything.
func scanPut(text []byte) (data []core.Collection, ok bool) {
	s := itemjson.NewScanner(text)
	for more := s.Object(); more; more = s.NextMember() {
		switch s.Name() {
		case "path":
			if s.Text() != "/" {
				return nil, false
			}
		case "data":
			if data = scanCollections(&s); data == nil {
				return nil, false
			}
		default:
			s.Value()
		}
	}
	return data, data != nil && s.End() && utf8.Valid(text)
}

// scanCollections reads the collections by their names. It returns nil if they are not ordinary.
func scanCollections(s *itemjson.Scanner) []core.Collection {
	items := map[core.DataKind][]core.KeyedItem{}
	for more := s.Object(); more; more = s.NextMember() {
		kind, known := kindOf(s.Name())
		if !known {
			s.Value()
			continue
		}
		if items[kind] = scanItems(s, kind); items[kind] == nil {
			return nil
		}
	}
	if items[core.Flags] == nil {
		return nil
	}
	return collections(items)
}

// scanItems reads an object of items by key. It returns nil if they are not ordinary.
func scanItems(s *itemjson.Scanner, kind core.DataKind) []core.KeyedItem {
	items := newItemList()
	for more := s.Object(); more; more = s.NextMember() {
		key := s.Name()
		// A copy, because an item that is kept must not keep the whole text.
		item, err := parseItem(kind, bytes.Clone(s.Value()))
		if key == "" || err != nil {
			return nil
		}
		items.put(strings.Clone(key), item)
	}
	if s.Failed() {
		return nil
	}
	return items.all
}

// scanPatch reads what [ReadPatch] reads. The data is a part of the text.
func scanPatch(text []byte) (path string, data []byte, ok bool) {
	s := itemjson.NewScanner(text)
	for more := s.Object(); more; more = s.NextMember() {
		switch s.Name() {
		case "path":
			path = s.Text()
		case "data":
			data = s.Value()
		default:
			return "", nil, false
		}
	}
	return path, data, path != "" && data != nil && s.End()
}
