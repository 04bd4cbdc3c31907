package conformance

import (
	"context"
	"slices"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// initThen does something else after an Init that succeeded.
func initThen(f *faulty, more func(data []core.SerializedCollection)) {
	f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
		err := f.memory.Init(ctx, data)
		if err == nil {
			more(data)
		}
		return err
	}
}

// empty deletes every item under the prefix.
func empty(db *memorystore.Database, prefix string) {
	s := memorystore.New(db, &memorystore.Options{Prefix: prefix})
	for _, kind := range allKinds() {
		all, _ := s.GetAll(context.Background(), kind)
		for _, item := range all {
			db.DeleteRaw(prefix, kind, item.Key)
		}
	}
}

// slowly replaces Init by one that calls the steps in turn, and lets readers in between. Each step is given what was
// there and what shall be.
func slowly(f *faulty, steps ...func(before, data []core.SerializedCollection)) {
	f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
		if ctx == nil || ctx.Err() != nil || core.ValidateInit(data) != nil || tooLarge(data) {
			return f.memory.Init(ctx, data)
		}
		var before []core.SerializedCollection
		for _, kind := range core.BuiltInKinds() {
			all, err := f.memory.GetAll(ctx, kind)
			if err != nil {
				return err
			}
			before = append(before, collection(kind, all...))
		}
		for _, step := range steps {
			step(before, data)
		}
		return f.memory.Init(ctx, data)
	}
}

func tooLarge(data []core.SerializedCollection) bool {
	return slices.ContainsFunc(data, func(c core.SerializedCollection) bool {
		return slices.ContainsFunc(c.Items, func(i core.KeyedSerializedItem) bool { return len(i.Item.Data) > faultyMaxItemSize })
	})
}

// write writes the collections of the kinds, one item after the other.
func (f *faulty) write(kinds ...core.DataKind) func(before, data []core.SerializedCollection) {
	return func(_, data []core.SerializedCollection) {
		for _, c := range data {
			for i, item := range c.Items {
				if slices.Contains(kinds, c.Kind) {
					f.db.WriteRaw(f.prefix, c.Kind, item.Key, item.Item.Data)
				}
				if i%8 == 4 {
					f.state.awaitReads()
				}
			}
		}
	}
}

// remove deletes what was there before and, unless all is true, is not in the new data.
func (f *faulty) remove(all bool) func(before, data []core.SerializedCollection) {
	return func(before, data []core.SerializedCollection) {
		kept := make(map[core.DataKind]map[string]bool)
		for _, c := range data {
			if kept[c.Kind] == nil {
				kept[c.Kind] = make(map[string]bool)
			}
			for _, item := range c.Items {
				kept[c.Kind][item.Key] = true
			}
		}
		for _, c := range before {
			for _, item := range c.Items {
				if all || !kept[c.Kind][item.Key] {
					f.db.DeleteRaw(f.prefix, c.Kind, item.Key)
				}
			}
		}
		f.state.awaitReads()
	}
}

func notAtomic(c *Capabilities) { c.AtomicInit = false }
