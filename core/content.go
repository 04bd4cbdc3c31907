package core

import (
	"bytes"
	"hash/maphash"

	"github.com/cleatdev/cleat/internal/itemjson"
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
// Everything else does make one, each digit of a number included, and so does every byte in what is not quite JSON.
func (i *Item) ContentSum(seed maphash.Seed) uint64 { return itemjson.Sum(seed, i.json) }
