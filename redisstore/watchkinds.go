package redisstore

import (
	"slices"
	"strings"
	"sync"

	"github.com/cleatdev/cleat/core"
)

// kindSet is which kinds a store was asked about. The zero value has the built-in ones. It is safe for concurrent use.
type kindSet struct {
	mu    sync.Mutex
	more  []core.DataKind // besides the built-in ones
	grown chan struct{}   // closed when there is another kind
}

func (s *kindSet) note(kind core.DataKind) {
	if kind == core.Flags || kind == core.Segments {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.more, kind) {
		return
	}
	s.more = append(s.more, kind)
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
}

// list returns the kinds, and a channel that is closed when there are more.
func (s *kindSet) list() (kinds []core.DataKind, grown <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grown == nil {
		s.grown = make(chan struct{})
	}
	return append(core.BuiltInKinds(), s.more...), s.grown
}

// trackedPrefixes returns prefixes that together cover the keys of the kinds and the mark. None begins with another, which
// servers refuse.
func trackedPrefixes(names keys, kinds []core.DataKind) []string {
	all := append(make([]string, 0, 1+len(kinds)), names.inited())
	for _, kind := range kinds {
		all = append(all, names.items(kind))
	}
	slices.Sort(all)
	var prefixes []string
	for _, name := range all { // a prefix sorts before what begins with it
		if len(prefixes) == 0 || !strings.HasPrefix(name, prefixes[len(prefixes)-1]) {
			prefixes = append(prefixes, name)
		}
	}
	return prefixes
}

// changes is the channel on which writers tell which item they wrote, as "<kind>:<key>", where an empty key stands for all
// items of the kind and an empty kind for everything. No kind has a colon in its name.
func (k keys) changes() string { return k.name("$changes") }
