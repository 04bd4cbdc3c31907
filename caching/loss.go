package caching

import (
	"math"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
)

const (
	// secondLook is how long after a first look at lost data the second one comes: an Init by another writer that deletes
	// before it writes looks like a loss for a moment.
	secondLook = time.Second
	// lateLook is how long after the first look the second one comes if most of a kind is gone: after an eviction and an update,
	// a process that has everything fills the database before that.
	lateLook = 30 * time.Second
	// maxWitnesses is how many known items are looked for in a database that lost its data and has its mark again.
	maxWitnesses = 8
	// regularWitnesses is how many are looked for now and then: enough to notice an eviction although updates followed it.
	regularWitnesses = 3
)

// finding is what a look at a kind with a doubtful item found.
type finding int

const (
	nothingGone  finding = iota // the database has what is known
	aloneGone                   // the only known item of the kind is gone, and the database has none of it
	togetherGone                // all known items of the kind are gone, and the database has fewer than that
	mostGone                    // half of them or more are gone
	someGone                    // fewer are gone, or some are older
)

// judgeLook says what a look found: of so many known live items, how many are absent, and how many older than known, and
// how many items the database has of the kind.
func judgeLook(known, absent, older, stored int) finding {
	switch {
	case absent+older == 0:
		return nothingGone
	case absent == known && known == 1 && stored == 0:
		return aloneGone
	case absent > 0 && absent == known && stored < known: // what is left may have been written after an eviction
		return togetherGone
	case absent > 0 && 2*absent >= known:
		return mostGone
	default:
		return someGone
	}
}

// hasWitnesses reports whether the database has, of each kind, one of some live items that are known. Kinds of which it lacks one
// become doubtful.
func (w *CachingStoreWrapper) hasWitnesses(most int) bool {
	each := true
	for _, k := range w.gen.Load().kinds() {
		keys, found := k.sample(most, w.opts.random), false
		for _, key := range keys {
			switch loaded, err := w.lookForItem(k.name, key); {
			case err != nil:
				return false
			case loaded.isUnknown():
				k.doubtful.Store(true)
			default:
				found = true
			}
		}
		each = each && (found || len(keys) == 0)
	}
	return each
}

// sample returns some keys of live items that the database should have, chosen at random.
func (k *kind) sample(most int, random func() float64) []string {
	var keys []string
	seen := 0
	for key, s := range k.slots.All() {
		if v := s.value.Load(); !v.isLive() || v.held() {
			continue
		}
		seen++
		if len(keys) < most {
			keys = append(keys, key)
		} else if i := int(random() * float64(seen)); i < most {
			keys[i] = key
		}
	}
	return keys
}

// look is what was found by looking at a kind of which a load found less than is known. It belongs to the monitor.
type look struct {
	finding finding
	gone    map[string]int // the versions that the database has of items that are gone or older than known; MinInt for none
	since   time.Time      // of the first of the looks in a row that confirm each other
}

// confirms reports whether a look found what an earlier one had: as much is gone, and nothing that was not gone then. Updates
// may have brought something back meanwhile.
func (l *look) confirms(earlier *look) bool {
	if l.finding != earlier.finding {
		return false
	}
	for key, version := range l.gone {
		if v, found := earlier.gone[key]; !found || v != version {
			return false
		}
	}
	return true
}

// patience returns for how long looks have to find the same until it is believed.
func (l *look) patience(own bool) time.Duration {
	switch {
	case l.finding == nothingGone || l.finding == aloneGone:
		return 0
	case l.finding == mostGone && !own:
		return lateLook
	default:
		return secondLook
	}
}

// lookAtDoubts looks at kinds of which loads found less than is known, and reports whether it wants to look again. What two
// looks have found, some time apart, is believed.
func (w *CachingStoreWrapper) lookAtDoubts(looks map[*kind]*look) (again bool) {
	if !w.caches() {
		return w.lookAtWitnesses()
	}
	g := w.gen.Load()
	for of := range looks {
		if g.kind(of.name) != of {
			delete(looks, of)
		}
	}
	for _, k := range g.kinds() {
		if !k.doubtful.Load() || w.notAsked(g, k) != nil {
			delete(looks, k)
			continue
		}
		begin := k.begin()
		loaded, err := w.readAll(w.store.Context(), k.name)
		if err != nil {
			again = true
			continue
		}
		is := k.compare(loaded)
		is.since = time.Now()
		if was := looks[k]; was != nil && is.confirms(was) {
			is.since = was.since
		}
		looks[k] = is
		if time.Since(is.since) < is.patience(k.own) {
			again = true
			continue
		}
		k.doubtful.Store(false)
		delete(looks, k)
		w.believe(k, is, loaded, begin)
	}
	return again
}

// compare looks at what the database has of a kind beside what is known of it.
func (k *kind) compare(loaded map[string]*value) *look {
	l := &look{gone: map[string]int{}}
	known, absent, older := 0, 0, 0
	for key, s := range k.slots.All() {
		v := s.value.Load()
		if v.item == nil || v.held() {
			continue
		}
		known += count(v.isLive())
		switch is := loaded[key]; {
		case is == nil && v.isLive():
			absent++
			l.gone[key] = math.MinInt
		case is != nil && is.err == nil && is.version() < v.version():
			older++
			l.gone[key] = is.version()
		}
	}
	l.finding = judgeLook(known, absent, older, len(loaded))
	return l
}

// believe acts on what looks at a kind have found.
func (w *CachingStoreWrapper) believe(k *kind, l *look, loaded map[string]*value, begin uint64) {
	switch {
	case l.finding == nothingGone:
	case l.finding == togetherGone && (k.name == core.Flags || w.refersToAny(l.gone)):
		w.lose(errGoneTogether)
	case l.finding == togetherGone:
		w.replaceGone(k, l, loaded, begin) // an Init of another process has left none, and nothing refers to any
	case k.own:
		w.writer.restore() // what was evicted, but for updates since; what another process deleted, the data source deletes too
	case l.finding == aloneGone:
		for key := range l.gone {
			if k.reportOnce(key) {
				w.opts.Logger.Warn("caching: the only known item of its kind is missing from the data store; it is kept",
					"kind", k.name, "key", key)
			}
		}
	default:
		w.replaceGone(k, l, loaded, begin)
	}
}

// replaceGone believes that items are gone, or older than known.
func (w *CachingStoreWrapper) replaceGone(k *kind, l *look, loaded map[string]*value, begin uint64) {
	for key := range l.gone {
		v := loaded[key]
		if v == nil {
			v = w.absent(w.life)
		}
		known := k.lookup(key)
		if counts := k.load(key, v, begin, true, w.room); !counts.sameAs(known) {
			w.changes.Publish(core.Change{Kind: k.name, Key: key})
		}
	}
}

// refersToAny reports whether a flag in the database refers to one of some keys, none of which are those of flags. A database
// that cannot be read counts as one that does.
func (w *CachingStoreWrapper) refersToAny(keys map[string]int) bool {
	flags, err := w.readAll(w.store.Context(), core.Flags)
	if err != nil {
		return true
	}
	for _, v := range flags {
		if v.item == nil {
			continue
		}
		for _, ref := range dataorder.Dependencies(core.Flags, v.item) {
			if _, gone := keys[ref.Key]; gone && ref.Kind != core.Flags {
				return true
			}
		}
	}
	return false
}
