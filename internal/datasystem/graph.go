package datasystem

import (
	"hash/maphash"
	"maps"
	"slices"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
)

// graph knows of every item what it was when it was last delivered and what it refers to, so as to tell which flags
// an update concerns. It is not safe for concurrent use.
type graph struct {
	seed  maphash.Seed
	keeps bool // nodes keep their items, which are in memory anyway
	nodes map[dataorder.Ref]node
	// referrers is the reverse of the references in nodes; nil if it has to be worked out again.
	referrers map[dataorder.Ref][]dataorder.Ref
}

// node stands for one item. What its JSON says counts too, because a file may change without a new version.
type node struct {
	version  int
	deleted  bool
	bytes    uint64     // a hash of the JSON as it is
	item     *core.Item // of a graph that keeps items
	content  uint64     // of one that does not: a hash of what the JSON says, which takes long to work out
	refersTo []dataorder.Ref
}

func newGraph(keeps bool) *graph {
	return &graph{seed: maphash.MakeSeed(), keeps: keeps, nodes: map[dataorder.Ref]node{}}
}

// nodeOf returns what an item is now. JSON that is the same byte for byte as before is not looked into.
func (g *graph) nodeOf(ref dataorder.Ref, item *core.Item) node {
	is := node{version: item.Version(), deleted: item.Deleted(), bytes: maphash.Bytes(g.seed, item.JSON())}
	if g.keeps {
		is.item = item
	}
	if was, known := g.nodes[ref]; known && was.bytes == is.bytes && was.deleted == is.deleted {
		is.content, is.refersTo = was.content, was.refersTo
		return is
	}
	if !g.keeps {
		is.content = item.ContentSum(g.seed)
	}
	is.refersTo = dataorder.Dependencies(ref.Kind, item)
	return is
}

// differs reports whether two nodes of the same or of succeeding graphs stand for items that differ, as [core.Item.SameContent] does.
func (n node) differs(other node) bool {
	switch {
	case n.version != other.version || n.deleted != other.deleted:
		return true
	case n.deleted || n.bytes == other.bytes:
		return false
	case n.item != nil:
		return !n.item.SameContent(other.item)
	default:
		return n.content != other.content
	}
}

// successor returns the graph of data that replaces everything.
func (g *graph) successor(data []core.Collection) *graph {
	next := &graph{seed: g.seed, keeps: g.keeps, nodes: make(map[dataorder.Ref]node, len(g.nodes))}
	for _, collection := range data {
		for _, item := range collection.Items {
			if item.Item != nil {
				ref := dataorder.Ref{Kind: collection.Kind, Key: item.Key}
				next.nodes[ref] = g.nodeOf(ref, item.Item)
			}
		}
	}
	return next
}

// differences returns the items that are not the same in both graphs. An item that is missing in one and deleted in the
// other is the same.
func (g *graph) differences(next *graph) []dataorder.Ref {
	var refs []dataorder.Ref
	for ref, is := range next.nodes {
		if was, known := g.nodes[ref]; known && is.differs(was) || !known && !is.deleted {
			refs = append(refs, ref)
		}
	}
	for ref, was := range g.nodes {
		if _, known := next.nodes[ref]; !known && !was.deleted {
			refs = append(refs, ref)
		}
	}
	return refs
}

func (g *graph) set(ref dataorder.Ref, item *core.Item) {
	is := g.nodeOf(ref, item)
	if !slices.Equal(g.nodes[ref].refersTo, is.refersTo) {
		g.referrers = nil
	}
	g.nodes[ref] = is
}

// apply sets the items and returns those that are not what they were.
func (g *graph) apply(data []core.Collection) (changed []dataorder.Ref) {
	for _, collection := range data {
		for _, item := range collection.Items {
			ref := dataorder.Ref{Kind: collection.Kind, Key: item.Key}
			was, known := g.nodes[ref]
			if is := g.nodeOf(ref, item.Item); known && is.differs(was) || !known && !is.deleted {
				changed = append(changed, ref)
			}
			g.set(ref, item.Item)
		}
	}
	return changed
}

// setAll makes the items all that there is of a kind.
func (g *graph) setAll(kind core.DataKind, items map[string]*core.Item) {
	for ref := range g.nodes {
		if ref.Kind == kind && items[ref.Key] == nil {
			delete(g.nodes, ref)
		}
	}
	for key, item := range items {
		ref := dataorder.Ref{Kind: kind, Key: key}
		g.nodes[ref] = g.nodeOf(ref, item)
	}
	g.referrers = nil
}

func (g *graph) remove(ref dataorder.Ref) {
	delete(g.nodes, ref)
	g.referrers = nil
}

func (g *graph) clone() *graph {
	return &graph{seed: g.seed, keeps: g.keeps, nodes: maps.Clone(g.nodes)}
}

// matching returns the items that a change names.
func (g *graph) matching(change core.Change) []dataorder.Ref {
	if change.Key != "" {
		return []dataorder.Ref{{Kind: change.Kind, Key: change.Key}}
	}
	var refs []dataorder.Ref
	for ref := range g.nodes {
		if change.Kind == "" || change.Kind == ref.Kind {
			refs = append(refs, ref)
		}
	}
	return refs
}

// flagsConcerned returns the keys of the flags among refs and of those that refer to any of refs, directly or not, in
// ascending order.
func (g *graph) flagsConcerned(refs []dataorder.Ref) []string {
	if g.referrers == nil {
		g.referrers = map[dataorder.Ref][]dataorder.Ref{}
		for ref, is := range g.nodes {
			for _, target := range is.refersTo {
				g.referrers[target] = append(g.referrers[target], ref)
			}
		}
	}
	var keys []string
	seen := map[dataorder.Ref]bool{}
	for pending := refs; len(pending) > 0; {
		ref := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if seen[ref] {
			continue
		}
		seen[ref] = true
		if ref.Kind == core.Flags {
			keys = append(keys, ref.Key)
		}
		pending = append(pending, g.referrers[ref]...)
	}
	slices.Sort(keys)
	return keys
}
