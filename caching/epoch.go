package caching

import (
	"github.com/puzpuzpuz/xsync/v4"

	"github.com/cleatdev/cleat/core"
)

// epoch is everything that is known between two events that replace everything. A read that ends after its epoch has
// been replaced leaves its result in the old one, where nobody sees it.
type epoch struct {
	flags, segments *kindCache
	others          *xsync.Map[core.DataKind, *kindCache]
	// complete is true if an Init of this process made it, so that it is fit to be written to a database.
	complete bool
}

func newEpoch(life lifetimes) *epoch {
	return &epoch{
		flags:    newKindCache(core.Flags, life, 0),
		segments: newKindCache(core.Segments, life, 0),
		others:   xsync.NewMap[core.DataKind, *kindCache](),
	}
}

// cache returns the cache of a kind; nil if it has none yet.
func (e *epoch) cache(kind core.DataKind) *kindCache {
	switch kind {
	case core.Flags:
		return e.flags
	case core.Segments:
		return e.segments
	default:
		c, _ := e.others.Load(kind)
		return c
	}
}

// cacheFor returns the cache of a valid kind.
func (e *epoch) cacheFor(kind core.DataKind, life lifetimes) *kindCache {
	if c := e.cache(kind); c != nil {
		return c
	}
	c, _ := e.others.LoadOrStore(kind, newKindCache(kind, life, 0))
	return c
}

// all returns the caches of all kinds, segments before flags.
func (e *epoch) all() []*kindCache {
	caches := []*kindCache{e.segments, e.flags}
	for _, c := range e.others.All() {
		caches = append(caches, c)
	}
	return caches
}

// size returns how many keys are kept.
func (e *epoch) size() int {
	n := 0
	for _, c := range e.all() {
		n += c.slots.Size()
	}
	return n
}

// successor returns the epoch after an Init with the given items: what it names and the built-in kinds are replaced,
// other kinds stay.
func (e *epoch) successor(items map[core.DataKind][]core.KeyedItem, life lifetimes, now int64, stored bool, pinned func(core.DataKind, string) bool) *epoch {
	filled := func(kind core.DataKind) *kindCache {
		c := newFilledCache(kind, life, items[kind], now, func(key string) bool { return pinned(kind, key) })
		c.sealed = !stored
		return c
	}
	next := &epoch{
		flags:    filled(core.Flags),
		segments: filled(core.Segments),
		others:   xsync.NewMap[core.DataKind, *kindCache](),
		complete: true,
	}
	for kind, c := range e.others.All() {
		next.others.Store(kind, c)
	}
	for kind := range items {
		if kind != core.Flags && kind != core.Segments {
			next.others.Store(kind, filled(kind))
		}
	}
	return next
}

// items returns everything that is kept, tombstones included, as collections of their own.
func (e *epoch) items() []core.Collection {
	var collections []core.Collection
	for _, c := range e.all() {
		if items, complete := c.items(); complete {
			collections = append(collections, core.Collection{Kind: c.kind, Items: items})
		}
	}
	return collections
}
