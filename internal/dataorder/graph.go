package dataorder

import (
	"slices"
	"sort"

	"github.com/cleatdev/cleat/core"
)

// graph is what the items of one kind refer to within the kind. Nodes are indexes of the items. It is taken apart from
// the bottom, layer by layer.
type graph struct {
	refersTo   map[int][]int // most items refer to nothing
	referredBy map[int][]int
	waitsFor   []int // how many of refersTo have not been taken yet
	taken      []bool
	ready      []int // nodes to take next
	first      int   // no node before it is left
}

// newGraph returns the graph of items that are sorted by key.
func newGraph(kind core.DataKind, items []core.KeyedItem) *graph {
	g := &graph{
		refersTo:   map[int][]int{},
		referredBy: map[int][]int{},
		waitsFor:   make([]int, len(items)),
		taken:      make([]bool, len(items)),
		ready:      make([]int, 0, len(items)),
	}
	for node, item := range items {
		if node > 0 && items[node-1].Key == item.Key {
			g.connect(node, node-1) // a layer must not have a key twice
		}
		for _, ref := range Dependencies(kind, item.Item) {
			after := sort.Search(len(items), func(i int) bool { return items[i].Key > ref.Key })
			if target := after - 1; ref.Kind == kind && target >= 0 && items[target].Key == ref.Key {
				g.connect(node, target)
			}
		}
	}
	for node, count := range g.waitsFor {
		if count == 0 {
			g.ready = append(g.ready, node)
		}
	}
	return g
}

func (g *graph) connect(from, to int) {
	if from == to {
		return
	}
	g.refersTo[from] = append(g.refersTo[from], to)
	g.referredBy[to] = append(g.referredBy[to], from)
	g.waitsFor[from]++
}

// nextLayer takes the nodes that wait for nothing, in ascending order; when only cycles are left, one node of a cycle;
// and nothing at the end.
func (g *graph) nextLayer() []int {
	layer := g.ready
	g.ready = nil
	if len(layer) == 0 {
		layer = g.breakCycle()
	}
	for _, node := range layer {
		g.taken[node] = true
	}
	for _, node := range layer {
		for _, dependent := range g.referredBy[node] {
			g.waitsFor[dependent]--
			if g.waitsFor[dependent] == 0 && !g.taken[dependent] {
				g.ready = append(g.ready, dependent)
			}
		}
	}
	slices.Sort(g.ready)
	return layer
}

// breakCycle returns the smallest node of one of the cycles, or nothing if all nodes are taken. It is called only when
// every node that is left waits for another one, so that following the references must come back to where it has been.
func (g *graph) breakCycle() []int {
	for g.first < len(g.taken) && g.taken[g.first] {
		g.first++
	}
	if g.first == len(g.taken) {
		return nil
	}
	seenAt := map[int]int{}
	var path []int
	for node := g.first; ; node = g.nextOnPath(node) {
		if start, seen := seenAt[node]; seen {
			return []int{slices.Min(path[start:])}
		}
		seenAt[node] = len(path)
		path = append(path, node)
	}
}

func (g *graph) nextOnPath(node int) int {
	i := slices.IndexFunc(g.refersTo[node], func(target int) bool { return !g.taken[target] })
	return g.refersTo[node][i]
}
