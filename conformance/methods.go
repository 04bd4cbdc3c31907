package conformance

import (
	"context"

	"github.com/cleatdev/cleat/core"
)

// method is a method that takes a context, called with arguments that it accepts.
type method struct {
	name string
	call func(ctx context.Context) error
}

// methods returns every method of the store that takes a context, those of declared optional abilities included. Those
// that write, write version 9 of key "written".
func (f *fixture) methods(s *store) []method {
	item := live("written", 9)
	methods := []method{
		{"Init", func(ctx context.Context) error {
			return s.Init(ctx, []core.SerializedCollection{collection(core.Flags, item)})
		}},
		{"Get", func(ctx context.Context) error { _, _, err := s.Get(ctx, core.Flags, "a"); return err }},
		{"GetAll", func(ctx context.Context) error { _, err := s.GetAll(ctx, core.Flags); return err }},
		{"Upsert", func(ctx context.Context) error { _, err := s.Upsert(ctx, core.Flags, item.Key, item.Item); return err }},
		{"Initialized", func(ctx context.Context) error { _, err := s.Initialized(ctx); return err }},
	}
	if checker, ok := s.core.(core.AvailabilityChecker); ok && f.h.Capabilities.AvailabilityChecker {
		methods = append(methods, method{"CheckAvailability", func(ctx context.Context) error {
			return s.Do("CheckAvailability", func() error { return checker.CheckAvailability(ctx) })
		}})
	}
	if f.h.Capabilities.ChangeSetApplier {
		methods = append(methods, method{"ApplyChangeSet", func(ctx context.Context) error {
			_, err := s.applyChangeSet(ctx, change(core.Flags, item))
			return err
		}})
	}
	if f.h.Capabilities.ItemsGetter {
		methods = append(methods, method{"GetItems", func(ctx context.Context) error {
			_, err := s.getItems(ctx, core.Flags, []string{"a", "b"})
			return err
		}})
	}
	if watcher, ok := s.core.(core.Watcher); ok && f.h.Capabilities.Watcher {
		methods = append(methods, method{"Watch", func(ctx context.Context) error {
			return s.Do("Watch", func() error { return watcher.Watch(ctx, func(core.Change) {}) })
		}})
	}
	return methods
}
