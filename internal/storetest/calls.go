package storetest

import (
	"context"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

// Call is a method of a store with arguments.
type Call struct {
	Name string
	Run  func(ctx context.Context) error
}

// Calls returns a call of each method of a store that asks the server, those of optional abilities that it has included.
func Calls(store core.FeatureStoreCore) []Call {
	item := Item("k", 1)
	data := []core.SerializedCollection{Flags(3, 1, 100)}
	calls := []Call{
		{"Get", func(ctx context.Context) error { _, _, err := store.Get(ctx, core.Flags, "k"); return err }},
		{"GetAll", func(ctx context.Context) error { _, err := store.GetAll(ctx, core.Flags); return err }},
		{"Upsert", func(ctx context.Context) error { _, err := store.Upsert(ctx, core.Flags, "k", item); return err }},
		{"Init", func(ctx context.Context) error { return store.Init(ctx, data) }},
		{"Initialized", func(ctx context.Context) error { _, err := store.Initialized(ctx); return err }},
	}
	if checker, ok := store.(core.AvailabilityChecker); ok {
		calls = append(calls, Call{"CheckAvailability", checker.CheckAvailability})
	}
	if getter, ok := store.(core.ItemsGetter); ok {
		calls = append(calls, Call{"GetItems", func(ctx context.Context) error {
			_, err := getter.GetItems(ctx, core.Flags, []string{"k", "l"})
			return err
		}})
	}
	if applier, ok := store.(core.ChangeSetApplier); ok {
		calls = append(calls, Call{"ApplyChangeSet", func(ctx context.Context) error {
			_, err := applier.ApplyChangeSet(ctx, []core.KindAndKeyedItem{{Kind: core.Flags, Key: "k", Item: item}})
			return err
		}})
	}
	return calls
}

// BigSegmentCalls does the same for big segments.
func BigSegmentCalls(store core.BigSegmentStore) []Call {
	read := []Call{
		{"Metadata", func(ctx context.Context) error { _, err := store.Metadata(ctx); return err }},
		{"Membership", func(ctx context.Context) error { _, err := store.Membership(ctx, "hash"); return err }},
	}
	writer, ok := store.(core.BigSegmentWriter)
	if !ok {
		return read
	}
	patch := core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"hash"}}}
	write := []Call{
		{"Cursor", func(ctx context.Context) error { _, err := writer.Cursor(ctx); return err }},
		{"ApplyPatch", func(ctx context.Context) error { _, err := writer.ApplyPatch(ctx, patch); return err }},
		{"SetLastUpToDate", func(ctx context.Context) error {
			return writer.SetLastUpToDate(ctx, ldtime.UnixMillisecondTime(1))
		}},
	}
	return slices.Concat(read, write)
}
