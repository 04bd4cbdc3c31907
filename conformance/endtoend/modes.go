package endtoend

import (
	"testing"
	"time"

	"github.com/cleatdev/cleat/caching"
)

// mode is a way to cache, and what follows from it for what others write.
type mode struct {
	name    string
	cache   caching.Mode
	watched bool // changes by others are reported
	sees    visibility
}

// visibility says when a client sees what others wrote.
type visibility int

const (
	seesAtOnce visibility = iota // at the next evaluation
	seesSoon                     // after a while
	seesNever                    // not before it is told the same by its own data source
)

// shortTTL is long enough for a few calls and short enough to be waited for; longTTL is too long to be waited for, so that
// what is seen has been reported by the watch.
const (
	shortTTL = 200 * time.Millisecond
	longTTL  = time.Hour
)

func modes() []mode {
	return []mode{
		{"Off", caching.Off(), false, seesAtOnce},
		{"TTL", caching.TTL(shortTTL), false, seesSoon},
		{"Forever", caching.Forever(), false, seesNever},
		{"OffWatched", caching.Off(), true, seesAtOnce},
		{"TTLWatched", caching.TTL(longTTL), true, seesSoon},
		{"ForeverWatched", caching.Forever(), true, seesSoon},
	}
}

// caches reports whether a client knows anything while its store is away.
func (m mode) caches() bool { return m.cache != caching.Off() }

// sizes says how much of everything the subtests do.
type sizes struct {
	updates int           // of a random sequence
	fillers int           // items that make an Init take more than one step in a store that is not atomic
	filler  int           // bytes of each of them
	wait    time.Duration // for how long something is awaited that has to come
}

func defaultSizes() sizes {
	if testing.Short() {
		return sizes{updates: 10, fillers: 60, filler: 100, wait: 10 * time.Second}
	}
	return sizes{updates: 16, fillers: 130, filler: 8 << 10, wait: 30 * time.Second}
}
