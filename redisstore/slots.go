package redisstore

import (
	"strconv"
	"strings"
)

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

// inSlotOf returns a name that begins with stem and has the slot of key. It tries numbers, because braces around the key
// would not do: the key need not begin with the prefix then, to which permissions may be limited, and may have braces of its
// own. The stem and the key must have the same hash tag or none.
func inSlotOf(key, stem string) string {
	if _, tagged := hashTag(stem); tagged {
		return stem
	}
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
