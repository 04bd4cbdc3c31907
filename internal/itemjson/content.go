package itemjson

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/tidwall/gjson"
)

// Sum returns a hash of what an item's JSON says. The order of properties, white space between tokens and the way in which
// characters of strings are escaped make no difference; of properties that occur several times, the last one counts. Everything
// else does make one, each digit of a number included, and in what is not quite JSON every byte but the space around it.
func Sum(seed maphash.Seed, data []byte) uint64 {
	if deeperThan(data, maxDepth) || !gjson.ValidBytes(data) {
		return maphash.Bytes(seed, bytes.TrimSpace(data))
	}
	var room [32]memberSum
	h := contentHash{seed: seed, members: room[:0]}
	return h.value(parse(data))
}

// contentHash computes the sum of JSON that was checked before.
type contentHash struct {
	seed    maphash.Seed
	members []memberSum // of the objects that are being read, those of the innermost last
}

// memberSum stands for a property.
type memberSum struct{ name, value uint64 }

// The sorts of values that are told apart from all others.
const (
	sumOfObject uint64 = iota
	sumOfArray
	sumOfString
)

func (h *contentHash) value(value gjson.Result) uint64 {
	switch {
	case value.IsObject():
		first := len(h.members)
		value.ForEach(func(name, value gjson.Result) bool {
			h.members = append(h.members, memberSum{maphash.String(h.seed, name.Str), h.value(value)})
			return true
		})
		return h.objectSum(first)
	case value.IsArray():
		sum := sumOfArray
		value.ForEach(func(_, value gjson.Result) bool {
			sum = h.combine(sum, h.value(value))
			return true
		})
		return sum
	case value.Type == gjson.String:
		return h.combine(sumOfString, maphash.String(h.seed, value.Str))
	default:
		return maphash.String(h.seed, value.Raw)
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

func (h *contentHash) combine(a, b uint64) uint64 { return maphash.Comparable(h.seed, [2]uint64{a, b}) }
