package dataorder

import (
	"cmp"
	"slices"

	"github.com/cleatdev/cleat/core"
)

// Sort returns the same items so that nothing comes before what it refers to. Segments come before flags, and each of
// the two kinds becomes several collections, its layers: no item of a layer refers to another one of the same layer, so
// that a layer may be written in parallel. Items that refer to nothing, or cannot be decoded, are in the first layer.
//
// Collections of other kinds keep their contents and their place before or after the built-in kinds. Of items that refer
// to each other in a cycle, one has to come before what it refers to; it is the one with the smallest key. The result
// depends on the items alone, not on the order in which they are given. The input is not changed.
func Sort(data []core.Collection) []core.Collection {
	var segments, flags []core.KeyedItem
	var before, after []core.Collection
	builtInSeen := false
	for _, collection := range data {
		switch collection.Kind {
		case core.Segments:
			segments = append(segments, collection.Items...)
			builtInSeen = true
		case core.Flags:
			flags = append(flags, collection.Items...)
			builtInSeen = true
		default:
			if builtInSeen {
				after = append(after, collection)
			} else {
				before = append(before, collection)
			}
		}
	}
	sorted := appendLayers(before, core.Segments, segments)
	sorted = appendLayers(sorted, core.Flags, flags)
	return append(sorted, after...)
}

func appendLayers(sorted []core.Collection, kind core.DataKind, items []core.KeyedItem) []core.Collection {
	slices.SortStableFunc(items, func(a, b core.KeyedItem) int { return cmp.Compare(a.Key, b.Key) })
	g := newGraph(kind, items)
	for layer := g.nextLayer(); len(layer) > 0; layer = g.nextLayer() {
		collection := core.Collection{Kind: kind, Items: make([]core.KeyedItem, len(layer))}
		for i, node := range layer {
			collection.Items[i] = items[node]
		}
		sorted = append(sorted, collection)
	}
	return sorted
}
