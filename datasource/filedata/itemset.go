package filedata

import (
	"github.com/cleatdev/cleat/core"
)

// itemSet collects the items of all files.
type itemSet struct {
	duplicates DuplicateKeys
	flags      []core.KeyedItem
	segments   []core.KeyedItem
	places     map[place]origin
	nameless   map[core.DataKind]origin // where, for the first time, a key is empty
}

type place struct {
	kind core.DataKind
	key  string
}

type origin struct {
	path string
	line int
}

func newItemSet(duplicates DuplicateKeys) *itemSet {
	return &itemSet{duplicates: duplicates, places: map[place]origin{}, nameless: map[core.DataKind]origin{}}
}

func (s *itemSet) add(path string, e entry) error {
	kind := e.kind()
	if e.key == "" {
		if _, known := s.nameless[kind]; !known {
			s.nameless[kind] = origin{path, e.line}
		}
		return nil
	}
	item, err := e.item()
	if err != nil {
		return err
	}
	here := place{kind, e.key}
	if first, twice := s.places[here]; twice {
		if s.duplicates == DuplicateKeysFirstWins {
			return nil
		}
		return errorAt(e.line, "%q in %q is there twice, first in line %d of %q", e.key, e.section, first.line, first.path)
	}
	s.places[here] = origin{path, e.line}
	keyed := core.KeyedItem{Key: e.key, Item: item}
	if kind == core.Segments {
		s.segments = append(s.segments, keyed)
	} else {
		s.flags = append(s.flags, keyed)
	}
	return nil
}

func (s *itemSet) collections() []core.Collection {
	return []core.Collection{{Kind: core.Segments, Items: s.segments}, {Kind: core.Flags, Items: s.flags}}
}
