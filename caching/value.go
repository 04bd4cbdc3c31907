package caching

import (
	"math"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
)

// value is what is known of one key. It is immutable but for its lifetime.
type value struct {
	item *core.Item // tombstones included; nil if there is none or err is set
	err  error      // why there is no item although there should be
	// stored is the number of the step in which the value was stored; see kind.begin.
	stored uint64
	// expires is from when on it is read again, and refreshAt from when on in the background if it is in use; Unix ns. Both change
	// with the kind's mu held.
	expires, refreshAt atomic.Int64
	// write is the write by which the database gets the value; nil if it has it, or never will.
	write *write
	// refused is true if the database can never hold the value, which memory then keeps.
	refused bool
}

// lasting gives the value a lifetime, and returns it.
func (v *value) lasting(expires, refreshAt int64) *value {
	v.expires.Store(expires)
	v.refreshAt.Store(refreshAt)
	return v
}

// held reports whether memory alone has the value.
func (v *value) held() bool { return v != nil && (v.write != nil || v.refused) }

func (v *value) isLive() bool { return v != nil && v.item != nil && !v.item.Deleted() }

func (v *value) isUnknown() bool { return v != nil && v.item == nil && v.err == nil }

// live returns what a caller of Get gets.
func (v *value) live() (*core.Item, bool, error) {
	if v.err != nil || !v.isLive() {
		return nil, false, v.err
	}
	return v.item, true, nil
}

// version returns the version of the item, less than that of any item if there is none.
func (v *value) version() int {
	if v.item == nil {
		return math.MinInt
	}
	return v.item.Version()
}

// sameAs reports whether both stand for the same live item, or neither for any. Nil is no item.
func (v *value) sameAs(other *value) bool {
	if !v.isLive() || !other.isLive() {
		return !v.isLive() && !other.isLive() && (v == nil || v.err == nil) && (other == nil || other.err == nil)
	}
	return v.item.SameContent(other.item)
}

// verdict is what becomes of a value that was loaded.
type verdict int

const (
	storeLoaded  verdict = iota // the loaded value takes the known one's place
	keepKnown                   // the known value stays and is the answer
	doubtLoaded                 // as keepKnown, and the monitor has to find out whether the database lost data
	answerLoaded                // the loaded value is the answer; it may be old already
)

// judgeLoad decides between what is known of a key, nil if nothing is, and what a load found that began with step begin.
// forgotten is the last step at which something that was known of the kind was not kept. believe is true if the result of the
// load was checked, or the database is believed in any case.
//
// What was stored after the load began may be newer than what the load found, whatever order they ended in, so only a
// greater version replaces it. What was stored before may be older, unless the database went backwards: a live item that is
// gone and a version that has shrunk are not believed at first sight, because a database that was wiped looks the same.
func judgeLoad(known, loaded *value, begin, forgotten uint64, believe bool) verdict {
	switch {
	case known == nil && begin < forgotten, known.isUnknown() && known.stored > begin && !loaded.isUnknown():
		return answerLoaded
	case known == nil || loaded.version() > known.version():
		return storeLoaded
	case known.held() || known.stored > begin:
		return keepKnown
	case believe || loaded.err != nil || known.err != nil:
		return storeLoaded
	case known.isLive() && loaded.isUnknown() || !loaded.isUnknown() && loaded.version() < known.version():
		return doubtLoaded
	default:
		return storeLoaded
	}
}
