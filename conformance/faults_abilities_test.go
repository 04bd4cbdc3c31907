package conformance

import (
	"context"
	"slices"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

func TestSuite_AbilityFaults_FailWhereMeant(t *testing.T) {
	bare := func(s core.FeatureStoreCore) core.FeatureStoreCore { return struct{ core.FeatureStoreCore }{s} }
	runFaults(t, []fault{
		{
			name: "has abilities that are not declared",
			declare: func(c *Capabilities) {
				c.AvailabilityChecker, c.ChangeSetApplier, c.DiagnosticDescription = false, false, false
			},
			must: []string{
				"Abilities/AvailabilityCheckerIsAsDeclared", "Abilities/ChangeSetApplierIsAsDeclared",
				"Abilities/DiagnosticDescriptionIsAsDeclared",
			},
		},
		{
			name:    "lacks abilities that are declared",
			wrap:    bare,
			declare: func(c *Capabilities) { c.Watcher = true },
			must: []string{
				"Abilities/AvailabilityCheckerIsAsDeclared", "Abilities/WatcherIsAsDeclared", "Abilities/ChangeSetApplierIsAsDeclared",
				"Abilities/ItemsGetterIsAsDeclared", "GetItems/ReturnsWhatIsThere",
				"Abilities/DiagnosticDescriptionIsAsDeclared", "Abilities/CheckAvailabilitySucceeds",
				"Abilities/DescriptionNamesTheTypeAndNoSecrets", "Watch/EndsWithClose", "ChangeSet/ResultsAreInOrder",
			},
			may: []string{
				"Watch/ReportsItsBeginning", "Watch/ReportsUpsertsByOthers", "Watch/ReportsInitByOthers",
				"Watch/CallsOneAtATimeAndNotAfterItsEnd", "Watch/EndsWithTheContext", "ChangeSet/EmptyChangesNothing",
				"ChangeSet/InvalidChangeUndoesAll", "ChangeSet/HealsCorruptItems", "ChangeSet/ReadersSeeAllOrNothing",
				"ChangeSet/TooLargeItemUndoesAll", "GetItems/NoKeysAreNoItems", "GetItems/ManyKeys",
				"GetItems/AnyCharacterRoundTrips", "GetItems/DamagedItemsAreReturnedAsTheyAre", "Context/NilIsRefused",
				"Context/CancelledBefore", "Context/DeadlineExceededBefore", "Close/EveryMethodReturnsErrClosedAfterwards",
				"Close/LeavesNoGoroutine",
			},
		},
		{
			name: "is unavailable until it is initialised",
			wrap: func(s core.FeatureStoreCore) core.FeatureStoreCore { return uninitialisedUnavailable{s.(*faulty)} },
			must: []string{"Abilities/CheckAvailabilitySucceeds"},
		},
		{
			name: "describes itself by its prefix",
			wrap: func(s core.FeatureStoreCore) core.FeatureStoreCore {
				return described{s.(*faulty), ldvalue.String("memory at " + s.(*faulty).prefix)}
			},
			must: []string{"Abilities/DescriptionNamesTheTypeAndNoSecrets"},
		},
		{
			name: "does not describe itself",
			wrap: func(s core.FeatureStoreCore) core.FeatureStoreCore { return described{s.(*faulty), ldvalue.Null()} },
			must: []string{"Abilities/DescriptionNamesTheTypeAndNoSecrets"},
		},
		{
			name: "applies change sets one by one",
			inject: func(f *faulty, _ *faultState) {
				f.onChangeSet = func(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
					var results []core.UpsertResult
					for _, c := range changes {
						result, err := f.memory.Upsert(ctx, c.Kind, c.Key, c.Item)
						if err != nil {
							return nil, err
						}
						results = append(results, result)
						f.state.awaitReads()
					}
					return results, ctx.Err()
				}
			},
			must: []string{"ChangeSet/InvalidChangeUndoesAll", "ChangeSet/TooLargeItemUndoesAll", "ChangeSet/ReadersSeeAllOrNothing"},
		},
		{
			name: "answers change sets in another order",
			inject: func(f *faulty, _ *faultState) {
				f.onChangeSet = func(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
					results, err := f.memory.ApplyChangeSet(ctx, changes)
					slices.Reverse(results)
					return results, err
				}
			},
			must: []string{"ChangeSet/ResultsAreInOrder"},
		},
		{
			name: "initialises by change sets",
			inject: func(f *faulty, _ *faultState) {
				f.onChangeSet = func(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
					if len(changes) == 0 {
						return nil, f.memory.Init(ctx, nil)
					}
					return f.memory.ApplyChangeSet(ctx, changes)
				}
			},
			must: []string{"ChangeSet/EmptyChangesNothing"},
		},
		{
			name: "does not heal by change sets",
			inject: func(f *faulty, _ *faultState) {
				f.onChangeSet = func(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
					for _, c := range changes {
						if _, known := f.versionOf(c.Kind, c.Key); !known && c.Key == "corrupt-0" {
							return []core.UpsertResult{{}}, nil
						}
					}
					return f.memory.ApplyChangeSet(ctx, changes)
				}
			},
			must: []string{"ChangeSet/HealsCorruptItems"},
		},
	})
}

type uninitialisedUnavailable struct{ *faulty }

func (s uninitialisedUnavailable) CheckAvailability(ctx context.Context) error {
	if initialized, err := s.Initialized(ctx); err != nil || initialized {
		return err
	}
	return core.ErrUnavailable
}

type described struct {
	*faulty
	value ldvalue.Value
}

func (s described) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value { return s.value }
