package redisstore

import "github.com/cleatdev/cleat/core"

// keys makes the names of Redis keys under one prefix.
type keys struct{ prefix string }

func (k keys) name(suffix string) string {
	if k.prefix == "" {
		return suffix
	}
	return k.prefix + ":" + suffix
}

func (k keys) items(kind core.DataKind) string { return k.name(string(kind)) }

func (k keys) inited() string { return k.name("$inited") }

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

// stagedInSlot is where an Init collects items if the keys are spread over the slots of a Cluster: in that of the kind.
func (k keys) stagedInSlot(id string, kind core.DataKind) string {
	return inSlotOf(k.items(kind), k.staged(id, kind)+":")
}

// latest is the number of the Init that began last, if the keys are spread over the slots of a Cluster. It is in the slot of
// the mark, which every Init needs, too.
func (k keys) latest() string { return inSlotOf(k.inited(), k.name("$init:latest:")) }

// latestOf is the number of the last Init that came to a kind, in the slot of the kind.
func (k keys) latestOf(kind core.DataKind) string {
	return inSlotOf(k.items(kind), k.name("$init:latest:"+string(kind)+":"))
}

func (k keys) synchronizedOn() string { return k.name("big_segments_synchronized_on") }

func (k keys) cursor() string { return k.name("big_segments_cursor") }

func (k keys) lock() string { return k.name("big_segments_lock") }

func (k keys) include(contextHash string) string { return k.name("big_segment_include:" + contextHash) }

func (k keys) exclude(contextHash string) string { return k.name("big_segment_exclude:" + contextHash) }

// epoch begins the name of the epoch of the cursor, if the keys are spread over the slots of a Cluster. It is in the slot of
// the cursor.
func (k keys) epoch() string { return k.name("big_segments_epoch:") }

// fences returns for every slot the name of its fence.
func (k keys) fences() []string { return inEverySlot(k.name("big_segments_fence:")) }
