package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestSuite_InitFaults_FailWhereMeant(t *testing.T) {
	runFaults(t, []fault{
		{
			name: "merges",
			inject: func(f *faulty, _ *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					if ctx == nil || ctx.Err() != nil || core.ValidateInit(data) != nil || tooLarge(data) {
						return f.memory.Init(ctx, data)
					}
					for _, kind := range core.BuiltInKinds() {
						all, err := f.memory.GetAll(ctx, kind)
						if err != nil {
							return err
						}
						for _, item := range all {
							if !slices.ContainsFunc(data, func(c core.SerializedCollection) bool {
								return c.Kind == kind && slices.ContainsFunc(c.Items, func(i core.KeyedSerializedItem) bool { return i.Key == item.Key })
							}) {
								data = append(data, collection(kind, item))
							}
						}
					}
					return f.memory.Init(ctx, data)
				}
			},
			wide: true,
			must: []string{
				"Init/ReplacesItemsNotGiven", "Init/EmptiesBuiltInKindsNotGiven", "Init/SameKindInSeveralCollections",
				"Init/RemovesCorruptItems",
			},
		},
		{
			name: "compares versions",
			inject: func(f *faulty, _ *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					if ctx == nil || ctx.Err() != nil || core.ValidateInit(data) != nil {
						return f.memory.Init(ctx, data)
					}
					newest := slices.Clone(data)
					for i, c := range newest {
						newest[i].Items = slices.Clone(c.Items)
						for j, item := range c.Items {
							if v, found := f.versionOf(c.Kind, item.Key); found && v > item.Item.Version {
								newest[i].Items[j].Item, _, _ = f.memory.Get(ctx, c.Kind, item.Key)
							}
						}
					}
					return f.memory.Init(ctx, newest)
				}
			},
			must: []string{"Init/IgnoresVersions", "Keys/AnyCharacterRoundTrips", "Size/LargestItem"},
			may: []string{
				"Concurrency/InitAndUpsert", "Linearizability/OfGetUpsertAndInit", "Model/RandomOperationsMatchTheModel",
			},
		},
		{
			name: "keeps built-in kinds that are not given",
			inject: func(f *faulty, _ *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					segments, err := f.memory.GetAll(ctx, core.Segments)
					given := slices.ContainsFunc(data, func(c core.SerializedCollection) bool { return c.Kind == core.Segments })
					if err == nil && !given {
						data = append(data, collection(core.Segments, segments...))
					}
					return f.memory.Init(ctx, data)
				}
			},
			wide: true,
			must: []string{"Init/EmptiesBuiltInKindsNotGiven"},
		},
		{
			name: "deletes kinds that are not given",
			inject: func(f *faulty, _ *faultState) {
				initThen(f, func(data []core.SerializedCollection) {
					for _, kind := range []core.DataKind{otherKind, spareKind} {
						if slices.ContainsFunc(data, func(c core.SerializedCollection) bool { return c.Kind == kind }) {
							continue
						}
						all, _ := f.memory.GetAll(context.Background(), kind)
						for _, item := range all {
							f.db.DeleteRaw(f.prefix, kind, item.Key)
						}
					}
				})
			},
			must: []string{"Init/KeepsOtherKindsNotGiven"},
			may:  []string{"Model/RandomOperationsMatchTheModel"},
		},
		{
			name: "keeps the first collection of a kind only",
			inject: func(f *faulty, _ *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					seen := make(map[core.DataKind]bool)
					if core.ValidateInit(data) == nil {
						data = slices.DeleteFunc(slices.Clone(data), func(c core.SerializedCollection) bool {
							again := seen[c.Kind]
							seen[c.Kind] = true
							return again
						})
					}
					return f.memory.Init(ctx, data)
				}
			},
			must: []string{"Init/SameKindInSeveralCollections"},
		},
		{
			name: "deletes under longer prefixes",
			inject: func(f *faulty, state *faultState) {
				initThen(f, func([]core.SerializedCollection) {
					for _, other := range state.prefixes {
						if other != f.prefix && strings.HasPrefix(other, f.prefix) {
							empty(f.db, other)
						}
					}
				})
			},
			must: []string{"Prefixes/SameBeginning", "Prefixes/Nested", "Prefixes/Empty"},
			may:  []string{"Prefixes/AwkwardCharacters"},
		},
		{
			name: "deletes under nested prefixes",
			inject: func(f *faulty, state *faultState) {
				initThen(f, func([]core.SerializedCollection) {
					for _, other := range state.prefixes {
						if strings.HasPrefix(other, f.prefix+"/") || strings.HasPrefix(other, f.prefix+":") {
							empty(f.db, other)
						}
					}
				})
			},
			must: []string{"Prefixes/Nested"},
		},
		{
			name: "takes prefixes for patterns",
			inject: func(f *faulty, state *faultState) {
				initThen(f, func([]core.SerializedCollection) {
					start, end, found := strings.Cut(f.prefix, "%")
					for _, other := range state.prefixes {
						if found && other != f.prefix && strings.HasPrefix(other, start) && strings.HasSuffix(other, end) {
							empty(f.db, other)
						}
					}
				})
			},
			must: []string{"Prefixes/Wildcards"},
		},
		{
			name: "deletes under prefixes in another case",
			inject: func(f *faulty, state *faultState) {
				initThen(f, func([]core.SerializedCollection) {
					for _, other := range state.prefixes {
						if other != f.prefix && strings.EqualFold(other, f.prefix) {
							empty(f.db, other)
						}
					}
				})
			},
			must: []string{"Prefixes/Case"},
		},
		{
			name: "deletes big segments",
			inject: func(f *faulty, _ *faultState) {
				initThen(f, func([]core.SerializedCollection) {
					segments := memorystore.NewBigSegments(f.db, &memorystore.Options{Prefix: f.prefix})
					_ = segments.SetLastUpToDate(context.Background(), 0)
				})
			},
			must: []string{"Init/KeepsBigSegments"},
		},
		{
			name: "sets the mark though it failed",
			inject: func(f *faulty, state *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					err := f.memory.Init(ctx, data)
					if err != nil && !errors.Is(err, core.ErrClosed) {
						state.set(f.prefix, true)
					}
					return err
				}
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					return initialized || state.get(f.prefix), err
				}
			},
			must: []string{
				"Init/RefusedDataChangesNothing", "Context/NilIsRefused", "Context/CancelledBefore", "Context/DeadlineExceededBefore",
			},
			may: []string{"Context/EndedDuringInitLeavesTheMark"},
		},
		{
			name: "does not set the mark for empty data",
			inject: func(f *faulty, state *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					err := f.memory.Init(ctx, data)
					if len(data) > 0 {
						state.set(f.prefix, true)
					}
					return err
				}
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					return initialized && state.get(f.prefix), err
				}
			},
			must: []string{"Init/EmptyMarksInitialized"},
			may: []string{
				"Initialized/FalseUntilInit", "Initialized/LooksAtTheDatabaseEachTime", "Initialized/IsPerPrefix",
				"Initialized/SurvivesReopening", "Upsert/DoesNotInitialize", "Keys/NamesOfTheLayoutAreOrdinaryKeys",
				"Model/RandomOperationsMatchTheModel",
			},
		},
		{
			name: "gives up because of one item that is too large",
			inject: func(f *faulty, _ *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					if tooLarge(data) {
						return &core.ItemError{Kind: core.Flags, Key: "big", Size: 2 * faultyMaxItemSize, Err: core.ErrTooLarge}
					}
					return f.memory.Init(ctx, data)
				}
			},
			must: []string{"Size/TooLargeItemStopsNothingElseInInit"},
		},
		{
			name: "says nothing about an item that is too large",
			inject: func(f *faulty, _ *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					err := f.memory.Init(ctx, data)
					if errors.Is(err, core.ErrTooLarge) {
						return nil
					}
					return err
				}
			},
			must: []string{"Size/TooLargeItemStopsNothingElseInInit"},
		},
		{
			name: "does not say which item is too large",
			inject: func(f *faulty, _ *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					err := f.memory.Init(ctx, data)
					if errors.Is(err, core.ErrTooLarge) {
						return core.ErrTooLarge
					}
					return err
				}
			},
			must: []string{"Size/TooLargeItemStopsNothingElseInInit"},
		},
		{
			name: "accepts a key twice",
			inject: func(f *faulty, _ *faultState) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					if core.ValidateInit(data) == nil {
						return f.memory.Init(ctx, data)
					}
					return nil
				}
			},
			must: []string{"Init/RefusedDataChangesNothing"},
		},
		{
			name:   "is declared atomic and is not",
			inject: func(f *faulty, _ *faultState) { slowly(f, f.write(core.Segments), f.write(core.Flags)) },
			must:   []string{"InitObserved/AtomicInitShowsOneSetOnly"},
			may:    []string{"Linearizability/OfGetUpsertAndInit", "Context/EndedDuringAtomicInitChangesAllOrNothing"},
		},
		{
			name:    "is not atomic, and not declared to be",
			inject:  func(f *faulty, _ *faultState) { slowly(f, f.write(core.Segments), f.write(core.Flags)) },
			declare: notAtomic,
			may:     []string{"Linearizability/OfGetUpsertAndInit"},
		},
		{
			name:    "deletes everything first",
			inject:  func(f *faulty, _ *faultState) { slowly(f, f.remove(true)) },
			declare: notAtomic,
			must:    []string{"InitObserved/KeptItemsNeverVanish"},
			may: []string{
				"InitObserved/CollectionsAppearInOrder", "InitObserved/LeftoversGoLast", "Concurrency/InitAndUpsert",
				"Linearizability/OfGetUpsertAndInit",
			},
		},
		{
			name: "writes flags before segments",
			inject: func(f *faulty, _ *faultState) {
				slowly(f, f.write(core.Flags), f.remove(false), f.write(core.Segments))
			},
			declare: notAtomic,
			must:    []string{"InitObserved/CollectionsAppearInOrder"},
			may:     []string{"InitObserved/LeftoversGoLast", "Concurrency/InitAndUpsert", "Linearizability/OfGetUpsertAndInit"},
		},
		{
			name:    "deletes leftovers first",
			inject:  func(f *faulty, _ *faultState) { slowly(f, f.remove(false)) },
			declare: notAtomic,
			must:    []string{"InitObserved/LeftoversGoLast"},
			may:     []string{"Concurrency/InitAndUpsert", "Linearizability/OfGetUpsertAndInit"},
		},
		{
			name: "takes the mark away while it works",
			inject: func(f *faulty, state *faultState) {
				during := func(on bool) func(_, _ []core.SerializedCollection) {
					return func(_, _ []core.SerializedCollection) { state.set(f.prefix, on) }
				}
				slowly(f, during(true), f.remove(false), during(false))
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					return initialized && !state.get(f.prefix), err
				}
			},
			declare: notAtomic,
			must:    []string{"InitObserved/InitializedNeverTurnsFalse"},
			may:     []string{"InitObserved/LeftoversGoLast", "Concurrency/InitAndUpsert", "Linearizability/OfGetUpsertAndInit"},
		},
	})
}
