package caching

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v4"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
)

// generation is everything that is known at a time; an Init swaps it. A load that ends after its generation has been
// replaced leaves its result in the old one, where it has no effect.
type generation struct {
	flags, segments *kind
	others          *xsync.Map[core.DataKind, *kind]
	// own is true if an Init of this process made the generation, so that it is whole and fit to be written.
	own bool
	// given is what the Init brought, in its order, until the database has it; belongs to the writer's goroutine.
	given []core.Collection
	// due is what of an Init is still to be done. Until it is done, memory alone counts.
	due atomic.Int32
}

// What an Init has still to do.
const (
	initDone    = iota // nothing
	initUnsure         // to write the generation, unless the database turns out to hold the same
	initPending        // to write the generation
)

// firstStep is the step in which a kind gets what an Init brought.
const firstStep = 1

func newGeneration() *generation {
	return &generation{
		flags:    newKind(core.Flags, 0),
		segments: newKind(core.Segments, 0),
		others:   xsync.NewMap[core.DataKind, *kind](),
	}
}

// holds reports whether memory alone counts for a kind.
func (g *generation) holds(k *kind) bool { return g.due.Load() != initDone && k.own }

// kind returns what is known of a kind; nil if nothing ever was.
func (g *generation) kind(name core.DataKind) *kind {
	switch name {
	case core.Flags:
		return g.flags
	case core.Segments:
		return g.segments
	default:
		k, _ := g.others.Load(name)
		return k
	}
}

// kindFor returns what is known of a valid kind.
func (g *generation) kindFor(name core.DataKind) *kind {
	if k := g.kind(name); k != nil {
		return k
	}
	k, _ := g.others.LoadOrStore(name, newKind(name, 0))
	return k
}

// kinds returns all kinds.
func (g *generation) kinds() []*kind {
	kinds := []*kind{g.segments, g.flags}
	for _, k := range g.others.All() {
		kinds = append(kinds, k)
	}
	return kinds
}

// size returns how many keys are kept.
func (g *generation) size() int {
	n := 0
	for _, k := range g.kinds() {
		n += k.slots.Size()
	}
	return n
}

// successor returns the generation after an Init with the given data: the built-in kinds and those that the data names are
// replaced, other kinds stay. The error wraps [core.ErrInvalid].
func (g *generation) successor(data []core.Collection) (*generation, error) {
	items := make(map[core.DataKind][]core.KeyedItem, len(data))
	for _, name := range core.BuiltInKinds() {
		items[name] = nil
	}
	for _, collection := range data {
		items[collection.Kind] = append(slices.Clip(items[collection.Kind]), collection.Items...)
	}
	next := newGeneration()
	next.own, next.given = true, data
	next.due.Store(initPending)
	for name, k := range g.others.All() {
		next.others.Store(name, k)
	}
	for name, of := range items {
		k, err := newOwnKind(name, of)
		if err != nil {
			return nil, err
		}
		switch name {
		case core.Flags:
			next.flags = k
		case core.Segments:
			next.segments = k
		default:
			next.others.Store(name, k)
		}
	}
	return next, nil
}

// newOwnKind returns a kind of which the items are all there is. Its lifetime begins when the database has it; see renew. The
// error wraps [core.ErrInvalid].
func newOwnKind(name core.DataKind, items []core.KeyedItem) (*kind, error) {
	if err := name.Validate(); err != nil {
		return nil, err
	}
	k := newKind(name, len(items))
	k.steps, k.own = firstStep, true
	slots, values := make([]slot, len(items)), make([]value, len(items))
	for i, it := range items {
		values[i].item, values[i].stored = it.Item, k.steps
		slots[i].value.Store(values[i].lasting(never, never))
		switch _, twice := k.slots.LoadOrStore(it.Key, &slots[i]); {
		case twice:
			return nil, fmt.Errorf("%w: key %.200q of kind %q occurs twice", core.ErrInvalid, it.Key, string(name))
		case it.Key == "":
			return nil, fmt.Errorf("%w: an item of kind %q has an empty key", core.ErrInvalid, string(name))
		case it.Item == nil:
			return nil, fmt.Errorf("%w: nil item %.200q of kind %q", core.ErrInvalid, it.Key, string(name))
		}
	}
	k.wholeUntil.Store(never)
	k.wholeRefreshAt.Store(never)
	return k, nil
}

// unchanged reports whether the generation has what the Init brought and nothing else, each kind once.
func (g *generation) unchanged() bool {
	if g.given == nil {
		return false
	}
	named := map[core.DataKind]bool{}
	for _, collection := range g.given {
		if named[collection.Kind] {
			return false
		}
		named[collection.Kind] = true
	}
	for _, k := range g.kinds() {
		isNamed := named[k.name] || slices.Contains(core.BuiltInKinds(), k.name)
		if k.own && (!isNamed || k.begin() != firstStep) {
			return false
		}
	}
	return true
}

// contents returns everything that an Init of the generation writes, tombstones included, in the order in which it was given or,
// if something has changed since, in one in which nothing comes before what it refers to; and the values that wait to be
// written and are part of it.
func (g *generation) contents() (collections []core.Collection, waiting map[core.Change]*value) {
	if g.unchanged() {
		return g.given, nil
	}
	waiting = map[core.Change]*value{}
	for _, k := range g.kinds() {
		if !k.own {
			continue // never known as a whole
		}
		collection := core.Collection{Kind: k.name, Items: make([]core.KeyedItem, 0, k.slots.Size())}
		for key, s := range k.slots.All() {
			v := s.value.Load()
			if v.item != nil {
				collection.Items = append(collection.Items, core.KeyedItem{Key: key, Item: v.item})
			}
			if v.write != nil {
				waiting[core.Change{Kind: k.name, Key: key}] = v
			}
		}
		slices.SortFunc(collection.Items, func(a, b core.KeyedItem) int { return strings.Compare(a.Key, b.Key) })
		collections = append(collections, collection)
	}
	return dataorder.Sort(collections), waiting
}
