package synchronizer

import (
	"hash/maphash"
	"iter"

	"github.com/cleatdev/cleat/core"
)

// progress is what is known of the changes that belong at the store's cursor: to what they amount, and which of them the
// store has. Whatever was written is so never written again after an error, and of several changes of one membership only
// the last is written, as any other writer does at this cursor.
type progress struct {
	cursor string
	seeds  [2]maphash.Seed
	sets   map[setKey]map[member]change
}

// setKey names one of the two sets of a segment.
type setKey struct {
	segment  string
	excluded bool
}

// member stands for a context hash. It takes less memory than the hash, which need not be kept for it; with 128 bits of a
// keyed hash, no two are the same.
type member [2]uint64

// change is what is known of the last change of a membership.
type change uint8

const (
	removed change = 1 << iota // it removes, otherwise it adds
	queued                     // it is in a piece already
	stored                     // the store has it
)

func newProgress() *progress {
	return &progress{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

// at forgets everything unless the cursor is the one that it was.
func (p *progress) at(cursor string) {
	if p.cursor != cursor || p.sets == nil {
		p.cursor, p.sets = cursor, make(map[setKey]map[member]change)
	}
}

func (p *progress) member(hash string) member {
	return member{maphash.String(p.seeds[0], hash), maphash.String(p.seeds[1], hash)}
}

// plan notes what patches amount to, on top of what was planned before.
func (p *progress) plan(patches []patch) {
	for segment, list := range allLists(patches) {
		set := p.set(segment, list.excluded)
		for _, hash := range *list.hashes {
			m := p.member(hash)
			if known := set[m]; known&removed == list.op {
				set[m] = known &^ queued
			} else {
				set[m] = list.op
			}
		}
	}
}

func (p *progress) set(segment string, excluded bool) map[member]change {
	key := setKey{segment, excluded}
	set := p.sets[key]
	if set == nil {
		set = make(map[member]change)
		p.sets[key] = set
	}
	return set
}

// list is one of the four lists of a patch.
type list struct {
	hashes   *[]string
	excluded bool
	op       change
}

// lists yields the lists of a patch in the order in which they count.
func lists(included, excluded *core.BigSegmentChanges) iter.Seq[list] {
	return func(yield func(list) bool) {
		_ = yield(list{&included.Add, false, 0}) && yield(list{&included.Remove, false, removed}) &&
			yield(list{&excluded.Add, true, 0}) && yield(list{&excluded.Remove, true, removed})
	}
}

// allLists yields the lists of all patches, with the segments that they are about.
func allLists(patches []patch) iter.Seq2[string, list] {
	return func(yield func(string, list) bool) {
		for i := range patches {
			for list := range lists(&patches[i].included, &patches[i].excluded) {
				if !yield(patches[i].segment, list) {
					return
				}
			}
		}
	}
}

// pieces yields those of the planned changes that the store does not have yet, as patches of as many changes as size says
// that leave the cursor where it is.
func (p *progress) pieces(patches []patch, size *int) iter.Seq[core.BigSegmentPatch] {
	return func(yield func(core.BigSegmentPatch) bool) {
		var piece core.BigSegmentPatch
		for segment, list := range allLists(patches) {
			set := p.set(segment, list.excluded)
			for _, hash := range *list.hashes {
				m := p.member(hash)
				if set[m] != list.op { // it is queued or stored, or a later change counts
					continue
				}
				if n := piece.Changes(); n > 0 && (n >= *size || piece.SegmentRef != segment) {
					if !yield(piece) {
						return
					}
					piece = core.BigSegmentPatch{}
				}
				set[m] |= queued
				piece.SegmentRef, piece.PreviousVersion, piece.Version = segment, p.cursor, p.cursor
				into := list.in(&piece)
				*into = append(*into, hash)
			}
		}
		if piece.Changes() > 0 {
			yield(piece)
		}
	}
}

// in returns the same list of another patch.
func (l list) in(p *core.BigSegmentPatch) *[]string {
	changes := &p.Included
	if l.excluded {
		changes = &p.Excluded
	}
	if l.op == removed {
		return &changes.Remove
	}
	return &changes.Add
}

// done notes that the store has a piece.
func (p *progress) done(piece core.BigSegmentPatch) {
	for list := range lists(&piece.Included, &piece.Excluded) {
		set := p.set(piece.SegmentRef, list.excluded)
		for _, hash := range *list.hashes {
			set[p.member(hash)] |= stored
		}
	}
}
