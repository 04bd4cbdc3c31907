package caching

import (
	"slices"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// witnesses are, in mode Off, in which nothing else is known, the keys of some live items of each kind that an Init of this process
// brought. A database that has none of a kind any more has lost it, although its mark is there.
type witnesses struct {
	mu   sync.Mutex // guards keys
	keys map[core.DataKind][]string

	// What follows belongs to the monitor: whether a kind was found without its witnesses, and since when; zero for the first look.
	doubtful bool
	since    time.Time
}

// keep takes witnesses from what an Init brought, in place of earlier ones.
func (s *witnesses) keep(data []core.Collection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = map[core.DataKind][]string{}
	for _, collection := range data {
		for _, it := range collection.Items {
			if keys := s.keys[collection.Kind]; len(keys) < maxWitnesses && !it.Item.Deleted() {
				s.keys[collection.Kind] = append(keys, it.Key)
			}
		}
	}
}

// drop forgets a witness, which this process has deleted.
func (s *witnesses) drop(of core.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.keys[of.Kind], of.Key); i >= 0 {
		s.keys[of.Kind] = slices.Delete(s.keys[of.Kind], i, i+1)
	}
}

// of returns the witnesses of a kind.
func (s *witnesses) of(kind core.DataKind) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys[kind])
}

// kinds returns the kinds that have witnesses.
func (s *witnesses) kinds() (kinds []core.DataKind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind, keys := range s.keys {
		if len(keys) > 0 {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// hasBrought reports, in mode Off, whether the database has one witness of each kind, or its tombstone.
func (w *CachingStoreWrapper) hasBrought() bool {
	for _, kind := range w.witnesses.kinds() {
		missing := func(key string) bool {
			v, err := w.lookForItem(kind, key)
			return err == nil && v.isUnknown()
		}
		if keys := w.witnesses.of(kind); !slices.ContainsFunc(keys, func(key string) bool { return !missing(key) }) {
			return false
		}
	}
	return true
}

// lookAtWitnesses believes, in mode Off, that a kind is lost if two looks have found none of its witnesses, some time apart. It
// reports whether it wants to look again.
func (w *CachingStoreWrapper) lookAtWitnesses() (again bool) {
	s := &w.witnesses
	switch {
	case !s.doubtful:
		return false
	case s.since.IsZero():
		s.since = time.Now()
		return true
	case time.Since(s.since) < secondLook:
		return true
	case !w.hasBrought():
		w.lose(errGoneTogether)
	}
	s.doubtful, s.since = false, time.Time{}
	return false
}
