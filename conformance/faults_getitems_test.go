package conformance

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cleatdev/cleat/core"
)

func TestSuite_GetItemsFaults_FailWhereMeant(t *testing.T) {
	// changed makes something else of what GetItems answers.
	changed := func(
		change func(f *faulty, kind core.DataKind, keys []string, items []core.KeyedSerializedItem) ([]core.KeyedSerializedItem, error),
	) func(*faulty, *faultState) {
		return func(f *faulty, _ *faultState) {
			f.onGetItems = func(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
				items, err := f.memory.GetItems(ctx, kind, keys)
				if err != nil {
					return nil, err
				}
				return change(f, kind, keys, items)
			}
		}
	}
	type items = []core.KeyedSerializedItem
	runFaults(t, []fault{
		{
			name: "leaves out tombstones",
			inject: changed(func(_ *faulty, _ core.DataKind, _ []string, is items) (items, error) {
				return slices.DeleteFunc(is, func(i core.KeyedSerializedItem) bool { return i.Item.Deleted }), nil
			}),
			must: []string{"GetItems/ReturnsWhatIsThere"},
		},
		{
			name: "takes no keys for all",
			inject: changed(func(f *faulty, kind core.DataKind, keys []string, is items) (items, error) {
				if len(keys) == 0 {
					return f.memory.GetAll(context.Background(), kind)
				}
				return is, nil
			}),
			must: []string{"GetItems/NoKeysAreNoItems"},
		},
		{
			name: "answers for the first hundred keys only",
			inject: changed(func(_ *faulty, _ core.DataKind, keys []string, is items) (items, error) {
				return slices.DeleteFunc(is, func(i core.KeyedSerializedItem) bool { return slices.Index(keys, i.Key) >= 100 }), nil
			}),
			must: []string{"GetItems/ManyKeys"},
		},
		{
			name: "does not find keys with a slash",
			inject: changed(func(_ *faulty, _ core.DataKind, _ []string, is items) (items, error) {
				return slices.DeleteFunc(is, func(i core.KeyedSerializedItem) bool { return i.Key == "with/slash" }), nil
			}),
			must: []string{"GetItems/AnyCharacterRoundTrips"},
		},
		{
			name: "fails for all because of a damaged item",
			inject: changed(func(_ *faulty, kind core.DataKind, _ []string, is items) (items, error) {
				for _, i := range is {
					if _, err := i.Item.Parse(kind, i.Key); err != nil {
						return nil, errors.New("damaged")
					}
				}
				return is, nil
			}),
			must: []string{"GetItems/DamagedItemsAreReturnedAsTheyAre"},
		},
		{
			name: "asks in spite of a context that has ended",
			inject: func(f *faulty, _ *faultState) {
				f.onGetItems = func(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
					return f.memory.GetItems(context.WithoutCancel(ctx), kind, keys)
				}
			},
			must: []string{"Context/NilIsRefused", "Context/CancelledBefore", "Context/DeadlineExceededBefore"},
		},
	})
}
