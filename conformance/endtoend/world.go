package endtoend

import (
	"fmt"
	"maps"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/core"
)

// ref names an item.
type ref struct {
	kind core.DataKind
	key  string
}

func (r ref) String() string { return fmt.Sprintf("%q of %s", r.key, r.kind) }

// world is the suite's own account of what a database should hold, tombstones included, and what flags should evaluate to
// then. It knows nothing of stores, caches and clients.
type world map[ref]*core.Item

var _ evaluation.DataProvider = world(nil)

func newWorld(updates ...update) world {
	w := make(world, len(updates))
	for _, u := range updates {
		w[u.ref] = u.item
	}
	return w
}

// with returns the world after updates that may come in any order, of which those that are not newer change nothing.
func (w world) with(updates ...update) world {
	next := make(world, len(w)+len(updates))
	maps.Copy(next, w)
	for _, u := range updates {
		if old := next[u.ref]; old == nil || old.Version() < u.item.Version() {
			next[u.ref] = u.item
		}
	}
	return next
}

// live returns the world without tombstones.
func (w world) live() world {
	live := maps.Clone(w)
	maps.DeleteFunc(live, func(_ ref, item *core.Item) bool { return item == nil || item.Deleted() })
	return live
}

// alsoWithout returns the world in a form that says of all items of the other one that are not in it that they are not.
func (w world) alsoWithout(other world) world {
	next := w.with()
	for of := range other {
		if next[of] == nil {
			next[of] = nil
		}
	}
	return next
}

// collections returns the world as a data source delivers it, in no particular order.
func (w world) collections() []core.Collection {
	flags, segments := core.Collection{Kind: core.Flags}, core.Collection{Kind: core.Segments}
	for of, item := range w {
		if of.kind == core.Flags {
			flags.Items = append(flags.Items, core.KeyedItem{Key: of.key, Item: item})
		} else {
			segments.Items = append(segments.Items, core.KeyedItem{Key: of.key, Item: item})
		}
	}
	return []core.Collection{flags, segments}
}

// has reports whether the item is there and not deleted.
func (w world) has(of ref) bool { return w[of] != nil && !w[of].Deleted() }

// GetFeatureFlag implements [evaluation.DataProvider].
func (w world) GetFeatureFlag(key string) *ldmodel.FeatureFlag {
	if !w.has(flagRef(key)) {
		return nil
	}
	model, _ := w[flagRef(key)].Flag() // nil for what cannot be decoded, as if it were missing
	return model
}

// GetSegment implements [evaluation.DataProvider].
func (w world) GetSegment(key string) *ldmodel.Segment {
	if !w.has(segmentRef(key)) {
		return nil
	}
	model, _ := w[segmentRef(key)].Segment()
	return model
}

// detail returns what the evaluation of a flag should return.
func (w world) detail(key string, evalContext ldcontext.Context) ldreason.EvaluationDetail {
	model := w.GetFeatureFlag(key)
	if model == nil {
		return failed(ldreason.EvalErrorFlagNotFound)
	}
	return evaluation.NewEvaluator(w).Evaluate(model, evalContext, nil).Detail
}

// failed is the detail of an evaluation that returns the default value.
func failed(kind ldreason.EvalErrorKind) ldreason.EvaluationDetail {
	return ldreason.NewEvaluationDetailForError(kind, ldvalue.String(defaultValue))
}
