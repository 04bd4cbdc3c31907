package caching

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// witnesses are, in mode Off, in which nothing else is known, the keys of some live items of each kind that an Init of this process
// brought. A database that lacks most of them has lost the kind, although its mark is there, and may have some that were updated
// since.
type witnesses struct {
	mu   sync.Mutex // guards keys
	keys map[core.DataKind][]string

	// What follows belongs to the monitor: whether a witness was found missing, and when it was looked for again.
	doubtful bool
	since    time.Time
}

// keep takes witnesses at random from what an Init brought, in place of earlier ones.
func (s *witnesses) keep(data []core.Collection, random func() float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = map[core.DataKind][]string{}
	for _, collection := range data {
		keys, seen := s.keys[collection.Kind], 0
		for _, it := range collection.Items {
			if it.Item.Deleted() {
				continue
			}
			seen++
			if len(keys) < maxWitnesses {
				keys = append(keys, it.Key)
			} else if i := int(random() * float64(seen)); i < maxWitnesses {
				keys[i] = it.Key
			}
		}
		s.keys[collection.Kind] = keys
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

// all returns the witnesses of each kind.
func (s *witnesses) all() map[core.DataKind][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[core.DataKind][]string, len(s.keys))
	for kind, keys := range s.keys {
		all[kind] = slices.Clone(keys)
	}
	return all
}

// lacks counts those of some items that the database has not, not even as tombstones. A read that fails finds everything.
func (w *CachingStoreWrapper) lacks(kind core.DataKind, keys []string) (missing int) {
	for _, key := range keys {
		v, err := w.lookForItem(kind, key)
		if err != nil {
			return 0
		}
		missing += count(v.isUnknown())
	}
	return missing
}

// lacksWitnesses reports, in mode Off, whether the database has lost a kind.
func (w *CachingStoreWrapper) lacksWitnesses() bool {
	for kind, keys := range w.witnesses.all() {
		if 2*w.lacks(kind, keys) > len(keys) {
			return true
		}
	}
	return false
}

// doubtWitnesses looks, in mode Off, for a few witnesses now and then.
func (w *CachingStoreWrapper) doubtWitnesses() {
	for kind, keys := range w.witnesses.all() {
		rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		if few := keys[:min(len(keys), regularWitnesses)]; w.lacks(kind, few) > 0 {
			w.witnesses.doubtful = true
		}
	}
}

// lookAtWitnesses believes, in mode Off, that a kind is lost if two looks say so, some time apart. It reports whether it wants to
// look again.
func (w *CachingStoreWrapper) lookAtWitnesses() (again bool) {
	s := &w.witnesses
	switch {
	case !s.doubtful:
		return false
	case s.since.IsZero() && w.lacksWitnesses():
		s.since = time.Now()
		return true
	case !s.since.IsZero() && time.Since(s.since) < secondLook:
		return true
	case !s.since.IsZero() && w.lacksWitnesses():
		w.lose(errGoneTogether)
	}
	s.doubtful, s.since = false, time.Time{}
	return false
}
