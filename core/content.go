package core

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
)

// SameContent reports whether two items stand for the same: they have the same version and are both deleted, or neither is
// and their JSON is the same but for what means nothing, as [Item.ContentSum] says. JSON that is the same byte for byte is
// not looked into.
func (i *Item) SameContent(other *Item) bool {
	switch {
	case i.version != other.version || i.deleted != other.deleted:
		return false
	case i.deleted || bytes.Equal(i.json, other.json):
		return true
	}
	seed := maphash.MakeSeed()
	return i.ContentSum(seed) == other.ContentSum(seed)
}

// ContentSum returns a hash of what the item's JSON says. The order of properties, white space between tokens and the way in
// which characters of strings are escaped make no difference; of properties that occur several times, the last one counts.
// Everything else does make one, each digit of a number included.
func (i *Item) ContentSum(seed maphash.Seed) uint64 {
	var room [32]memberSum
	h := contentHash{scanner: scanner{data: i.json}, seed: seed, members: room[:0]}
	sum, err := h.value()
	if err != nil { // the JSON was checked when the item was made; only the zero value has none
		return maphash.Bytes(seed, i.json)
	}
	return sum
}

// contentHash computes the sum of JSON that was checked before, so that it need not be strict about commas. It recurses as
// deep as items may be nested.
type contentHash struct {
	scanner
	seed    maphash.Seed
	members []memberSum // of the objects that the scanner is in, those of the innermost last
}

// memberSum stands for a property.
type memberSum struct{ name, value uint64 }

// The sorts of values that are told apart from all others.
const (
	sumOfObject uint64 = iota
	sumOfArray
	sumOfString
)

func (h *contentHash) value() (uint64, error) {
	switch h.token() {
	case '{':
		return h.object()
	case '[':
		return h.array()
	case '"':
		text, err := h.text()
		return h.combine(sumOfString, h.string(text)), err
	default:
		h.space()
		start := h.pos
		err := h.skip()
		return maphash.Bytes(h.seed, h.data[start:h.pos]), err
	}
}

func (h *contentHash) object() (uint64, error) {
	first := len(h.members)
	for h.pos++; ; {
		switch h.token() {
		case '}':
			h.pos++
			return h.objectSum(first), nil
		case ',':
			h.pos++
		default:
			name, err := h.name()
			if err != nil {
				return 0, err
			}
			value, err := h.value()
			if err != nil {
				return 0, err
			}
			h.members = append(h.members, memberSum{h.string(name), value})
		}
	}
}

// objectSum takes the members from the first one on away.
func (h *contentHash) objectSum(first int) uint64 {
	members := h.members[first:]
	slices.SortStableFunc(members, func(a, b memberSum) int { return cmp.Compare(a.name, b.name) })
	sum := sumOfObject
	for i, m := range members {
		if i+1 == len(members) || members[i+1].name != m.name {
			sum = h.combine(h.combine(sum, m.name), m.value)
		}
	}
	h.members = h.members[:first]
	return sum
}

func (h *contentHash) array() (uint64, error) {
	sum := sumOfArray
	for h.pos++; ; {
		switch h.token() {
		case ']':
			h.pos++
			return sum, nil
		case ',':
			h.pos++
		default:
			value, err := h.value()
			if err != nil {
				return 0, err
			}
			sum = h.combine(sum, value)
		}
	}
}

func (h *contentHash) string(text jsonString) uint64 {
	if text.escaped {
		return maphash.String(h.seed, text.plain())
	}
	return maphash.Bytes(h.seed, text.raw)
}

func (h *contentHash) combine(a, b uint64) uint64 { return maphash.Comparable(h.seed, [2]uint64{a, b}) }
