package redisstore

import (
	"strconv"
	"strings"

	"github.com/cleatdev/cleat/core"
)

// keys makes the names of Redis keys under one prefix.
type keys struct{ prefix string }

func (k keys) name(suffix string) string {
	if k.prefix == "" {
		return suffix
	}
	return k.prefix + ":" + suffix
}

func (k keys) items(kind core.DataKind) string { return k.name(string(kind)) }

func (k keys) itemsOf(kinds []core.DataKind) []string {
	hashes := make([]string, len(kinds))
	for i, kind := range kinds {
		hashes[i] = k.items(kind)
	}
	return hashes
}

func (k keys) inited() string { return k.name("$inited") }

// changes is the channel on which writers tell which item they write, as "<kind>:<key>", where an empty key stands for all
// items of the kind and an empty kind for everything. No kind has a colon in its name.
func (k keys) changes() string { return k.name("$changes") }

// oneSlot reports whether all keys are in one slot of a Redis Cluster.
func (k keys) oneSlot() bool {
	_, tagged := hashTag(k.prefix)
	return tagged
}

// staged is where an Init collects the items of a kind. No kind's name has a '$' or a ':', so that it collides with
// nothing else, and id is different for every Init.
func (k keys) staged(id string, kind core.DataKind) string {
	return k.name("$init:" + id + ":" + string(kind))
}

func (k keys) synchronizedOn() string { return k.name("big_segments_synchronized_on") }

func (k keys) cursor() string { return k.name("big_segments_cursor") }

func (k keys) lock() string { return k.name("big_segments_lock") }

func (k keys) include(contextHash string) string { return k.name("big_segment_include:" + contextHash) }

func (k keys) exclude(contextHash string) string { return k.name("big_segment_exclude:" + contextHash) }

// epoch is the epoch of the cursor, if the keys are spread over the slots of a Cluster. It is in the slot of the cursor.
func (k keys) epoch() string { return inSlotOf(k.cursor(), k.name("big_segments_epoch:")) }

// fences returns for every slot the name of its fence.
func (k keys) fences() []string { return inEverySlot(k.name("big_segments_fence:")) }

const slotCount = 16384

// hashTag returns the part of a key that decides about its slot in a Redis Cluster: what is between the first opening brace
// and the next closing one. If there is nothing between them, or no such pair, the whole key decides.
func hashTag(key string) (tag string, found bool) {
	_, after, opened := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(after, "}")
	if !opened || !closed || tag == "" {
		return key, false
	}
	return tag, true
}

// slotOf returns the slot of a key in a Redis Cluster.
func slotOf(key string) uint16 {
	tag, _ := hashTag(key)
	return crc16(0, tag) % slotCount
}

// crc16 continues the checksum that Redis Cluster specifies, which is that of XMODEM.
func crc16(sum uint16, data string) uint16 {
	const polynomial = 0x1021
	for i := range len(data) {
		sum ^= uint16(data[i]) << 8
		for range 8 {
			carry := sum&0x8000 != 0
			sum <<= 1
			if carry {
				sum ^= polynomial
			}
		}
	}
	return sum
}

// inSlotOf returns a name that begins with stem, which has no hash tag, and has the slot of key. It tries numbers, because
// braces around the key would not do: the name must begin with the prefix, to which permissions may be limited.
func inSlotOf(key, stem string) string {
	want, sum := slotOf(key), crc16(0, stem)
	for n := 0; ; n++ {
		if number := strconv.Itoa(n); crc16(sum, number)%slotCount == want {
			return stem + number
		}
	}
}

// inEverySlot returns for every slot a name that begins with stem and has that slot. The stem must have no hash tag.
func inEverySlot(stem string) []string {
	names, missing, sum := make([]string, slotCount), slotCount, crc16(0, stem)
	for n := 0; missing > 0; n++ {
		number := strconv.Itoa(n)
		if slot := crc16(sum, number) % slotCount; names[slot] == "" {
			names[slot] = stem + number
			missing--
		}
	}
	return names
}
