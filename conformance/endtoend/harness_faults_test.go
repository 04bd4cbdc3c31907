package endtoend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// TestSuite_StoreWithoutFault_Passes shows that what the faults below are made of is none.
func TestSuite_StoreWithoutFault_Passes(t *testing.T) {
	t.Parallel()
	runFaults(t, []fault{{
		name: "not atomic", modes: []string{"Off", "Forever"}, notAtomic: true,
		inject: func(f *faulty) { f.stepwise(f.write(core.Segments), f.write(core.Flags), f.remove, f.mark) },
	}})
}

// TestSuite_StoreWithoutAbilities_Passes runs it on the least that an adapter can be.
func TestSuite_StoreWithoutAbilities_Passes(t *testing.T) {
	t.Parallel()
	db := new(memorystore.Database)
	h := memoryHarness(db)
	h.Capabilities, h.OpenBigSegments = conformance.Capabilities{AtomicInit: true}, nil
	h.Open = func(_ testing.TB, prefix string) core.FeatureStoreCore {
		return struct{ core.FeatureStoreCore }{memorystore.New(db, &memorystore.Options{Prefix: prefix})}
	}
	o := testrun.Record(t, nil, func(t tester) { run(t, h, fault{}.tinySizes()) })
	o.RequireFailures(t, nil, nil)
	require.Contains(t, o.Ran, "Forever/Outage/UpdatesDuringAnOutageArrive")
	require.NotContains(t, o.Ran, "TTLWatched")
	require.NotContains(t, o.Ran, "TTL/BigSegments")
}

func TestSuite_ChangeSetFaults_FailWhereMeant(t *testing.T) {
	t.Parallel()
	runFaults(t, []fault{
		{
			name: "applies a change set in parts",
			inject: func(f *faulty) {
				f.onChangeSet = func(ctx context.Context, changes []core.KindAndKeyedItem) (results []core.UpsertResult, err error) {
					for half := range slices.Chunk(changes, (len(changes)+1)/2) {
						part, err := f.Store.ApplyChangeSet(ctx, half)
						if err == nil {
							err = lull(ctx)
						}
						if err != nil {
							return nil, err
						}
						results = append(results, part...)
					}
					return results, nil
				}
			},
			must: []string{"ChangeSet/OtherProcessesSeeAllOrNothing"},
		},
		{
			name: "goes back to what it read before",
			inject: func(f *faulty) {
				var first atomic.Pointer[[]core.KeyedSerializedItem]
				var reads atomic.Int64
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					items, err := f.Store.GetAll(ctx, kind)
					if len(items) > 0 && !first.CompareAndSwap(nil, &items) && reads.Add(1)%10 == 0 {
						return *first.Load(), nil
					}
					return items, err
				}
			},
			wide: true,
			must: []string{"ChangeSet/OtherProcessesSeeAllOrNothing"},
		},
	})
}

func TestSuite_VersionFaults_FailWhereMeant(t *testing.T) {
	t.Parallel()
	runFaults(t, []fault{
		{
			name: "writes whatever the version",
			inject: func(f *faulty) {
				f.onUpsert = func(_ context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					return f.written(kind, key, item)
				}
			},
			wide: true,
			must: []string{
				"Versions/OlderUpdatesAreRefused", "Versions/SameVersionIsRefused", "Versions/DeletedItemsStayDeleted",
				"Sharing/WinnerOfAnotherClientIsAdopted", "FlagTracker/ChangesThroughTheDataSource",
			},
		},
		{
			name: "writes the same version again",
			inject: func(f *faulty) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if version, found := f.versionOf(ctx, kind, key); found && version == item.Version {
						return f.written(kind, key, item)
					}
					return f.Store.Upsert(ctx, kind, key, item)
				}
			},
			wide: true,
			must: []string{"Versions/SameVersionIsRefused"},
		},
		{
			name: "deletes without a tombstone",
			inject: func(f *faulty) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					result, err := f.Store.Upsert(ctx, kind, key, item)
					if result.Written && item.Deleted {
						f.db.DeleteRaw(f.prefix, kind, key)
					}
					return result, err
				}
			},
			wide: true,
			must: []string{
				"Versions/DeletedItemsStayDeleted", "Versions/DeletionOfUnknownItemIsRemembered",
				"Versions/DeletedSegmentContainsNobody", "Start/DeletedItemsStayDeletedAfterARestart",
			},
		},
		{
			name: "leaves out properties of deleted items",
			inject: func(f *faulty) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if item.Deleted {
						item.Data = fmt.Appendf(nil, `{"key":%q,"version":%d,"deleted":true}`, key, item.Version)
					}
					return f.Store.Upsert(ctx, kind, key, item)
				}
			},
			wide: true,
			must: []string{"Whole/ItemsFromATestSource", "Whole/ShortTombstonesThatArrive", "Versions/DeletedItemsStayDeleted"},
		},
		{
			name: "does not re-create",
			inject: func(f *faulty) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if stored, found, err := f.Store.Get(ctx, kind, key); found && isTombstone(stored.Data) {
						return core.UpsertResult{Item: stored}, err
					}
					return f.Store.Upsert(ctx, kind, key, item)
				}
			},
			wide: true,
			must: []string{"Versions/RecreatedItemsComeBack", "FlagTracker/ChangesThroughTheDataSource"},
		},
		{
			name: "compares versions at Init",
			inject: func(f *faulty) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					for i, c := range data {
						data[i].Items = slices.Clone(c.Items)
						for j, item := range c.Items {
							if version, found := f.versionOf(ctx, c.Kind, item.Key); found && version > item.Item.Version {
								data[i].Items[j].Item, _, _ = f.Store.Get(ctx, c.Kind, item.Key)
							}
						}
					}
					return f.Store.Init(ctx, data)
				}
			},
			must: []string{"Versions/InitCountsWhateverTheVersions", "Start/FilledStoreIsBroughtUpToDate"},
			may:  []string{"Versions/RandomUpdates", "Sharing/DaemonSeesUpdates"},
		},
		{
			name: "merges at Init",
			inject: func(f *faulty) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					before, err := f.all(ctx)
					if err != nil {
						return err
					}
					for _, c := range before {
						c.Items = slices.DeleteFunc(c.Items, func(old core.KeyedSerializedItem) bool {
							return slices.ContainsFunc(data, func(now core.SerializedCollection) bool {
								return now.Kind == c.Kind && slices.ContainsFunc(now.Items, func(i core.KeyedSerializedItem) bool { return i.Key == old.Key })
							})
						})
						data = append(data, c)
					}
					return f.Store.Init(ctx, data)
				}
			},
			wide: true,
			must: []string{"Versions/InitCountsWhateverTheVersions", "Start/FilledStoreIsBroughtUpToDate", "Outage/AllDataDuringAnOutageArrives"},
		},
		{
			name: "changes the JSON",
			inject: func(f *faulty) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					for i, c := range data {
						data[i].Items = slices.Clone(c.Items)
						for j, item := range c.Items {
							data[i].Items[j].Item.Data = bytes.Replace(item.Item.Data, []byte(","), []byte(", "), 1)
						}
					}
					return f.Store.Init(ctx, data)
				}
			},
			wide: true,
			must: []string{"Versions/InitFillsDatabaseAndClient"},
		},
	})
}

func TestSuite_SharingFaults_FailWhereMeant(t *testing.T) {
	t.Parallel()
	runFaults(t, []fault{
		{
			name: "names the loser as the winner", modes: []string{"Forever"},
			inject: func(f *faulty) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					result, err := f.Store.Upsert(ctx, kind, key, item)
					result.Item = item
					return result, err
				}
			},
			wide: true,
			must: []string{"Sharing/WinnerOfAnotherClientIsAdopted"},
		},
		{
			name: "caches",
			inject: func(f *faulty) {
				var mu sync.Mutex
				cache := map[ref]core.SerializedItem{}
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					mu.Lock()
					defer mu.Unlock()
					if item, found := cache[ref{kind, key}]; found {
						return item, true, nil
					}
					item, found, err := f.Store.Get(ctx, kind, key)
					if found {
						cache[ref{kind, key}] = item
					}
					return item, found, err
				}
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					mu.Lock()
					defer mu.Unlock()
					delete(cache, ref{kind, key})
					return f.Store.Upsert(ctx, kind, key, item)
				}
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					mu.Lock()
					defer mu.Unlock()
					clear(cache)
					return f.Store.Init(ctx, data)
				}
			},
			wide: true,
			must: []string{"Sharing/UpdatesByAnotherClient", "Sharing/DaemonSeesUpdates", "Sharing/EditsWithTheBareDriver"},
		},
		{
			name: "hides all items because of a damaged one",
			inject: func(f *faulty) {
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					items, err := f.Store.GetAll(ctx, kind)
					for _, item := range items {
						if _, parseErr := item.Item.Parse(kind, item.Key); parseErr != nil {
							return nil, parseErr
						}
					}
					return items, err
				}
			},
			must: []string{"Sharing/DamagedItemIsOneDamagedItem"},
		},
		{
			name: "does not overwrite a damaged item",
			inject: func(f *faulty) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if stored, found, err := f.Store.Get(ctx, kind, key); err == nil && found {
						if _, err := stored.Parse(kind, key); err != nil {
							return core.UpsertResult{}, err
						}
					}
					return f.Store.Upsert(ctx, kind, key, item)
				}
			},
			must: []string{"Sharing/DamagedItemIsOneDamagedItem"},
		},
		{
			name: "watches and reports nothing", modes: []string{"TTLWatched"},
			inject: func(f *faulty) {
				f.onWatch = func(ctx context.Context, changed func(core.Change)) error {
					return f.Store.Watch(ctx, func(c core.Change) {
						if c == (core.Change{}) {
							changed(c)
						}
					})
				}
			},
			wide: true,
			must: []string{
				"Sharing/UpdatesByAnotherClient", "Sharing/DaemonSeesUpdates", "FlagTracker/ChangesByAnotherClient",
				"FlagTracker/ValueChangesByAnotherClient",
			},
		},
		{
			name: "reports flags and no segments", modes: []string{"OffWatched"},
			inject: func(f *faulty) {
				f.onWatch = func(ctx context.Context, changed func(core.Change)) error {
					return f.Store.Watch(ctx, func(c core.Change) {
						if c.Kind != core.Segments {
							changed(c)
						}
					})
				}
			},
			wide: true,
			must: []string{"FlagTracker/ChangesByAnotherClient"},
		},
	})
}

func TestSuite_InitializedFaults_FailWhereMeant(t *testing.T) {
	t.Parallel()
	runFaults(t, []fault{
		{
			name: "knows only its own Init",
			inject: func(f *faulty) {
				own := false
				var mu sync.Mutex
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					mu.Lock()
					defer mu.Unlock()
					own = true
					return f.Store.Init(ctx, data)
				}
				f.onInitialized = func(context.Context) (bool, error) {
					mu.Lock()
					defer mu.Unlock()
					return own, nil
				}
			},
			wide: true,
			must: []string{
				"Start/FilledStoreWithoutDataSource", "Start/DeletedItemsStayDeletedAfterARestart", "Interruption/OfAReplacingInit",
				"Outage/WipedStoreIsFilledAgain",
			},
		},
		{
			name: "goes by whether there are flags",
			inject: func(f *faulty) {
				f.onInitialized = func(ctx context.Context) (bool, error) {
					flags, err := f.GetAll(ctx, core.Flags)
					return len(flags) > 0, err
				}
			},
			must: []string{"Start/EmptyStoreIsNotReady"},
			may:  []string{"Versions/InitCountsWhateverTheVersions", "Versions/RandomUpdates"},
		},
		{
			name: "fails although it has written",
			inject: func(f *faulty) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					if err := f.Store.Init(ctx, data); err != nil {
						return err
					}
					return errors.New("failed after the data was written")
				}
			},
			wide: true,
			must: []string{"Versions/InitFillsDatabaseAndClient"},
		},
	})
}

func TestSuite_InitFaults_FailWhereMeant(t *testing.T) {
	t.Parallel()
	runFaults(t, []fault{
		{
			name:   "says that it is atomic",
			inject: func(f *faulty) { f.stepwise(f.write(core.Segments), f.write(core.Flags), f.remove, f.mark) },
			must:   []string{"Interruption/OfTheFirstInit", "Interruption/OfAReplacingInit"},
		},
		{
			name: "sets the mark first", notAtomic: true,
			inject: func(f *faulty) { f.stepwise(f.mark, f.write(core.Segments), f.write(core.Flags), f.remove) },
			must:   []string{"Interruption/OfTheFirstInit"},
		},
		{
			name: "writes flags before segments", notAtomic: true,
			inject: func(f *faulty) { f.stepwise(f.write(core.Flags), f.write(core.Segments), f.remove, f.mark) },
			must:   []string{"Interruption/OfAReplacingInit"},
			// These have only the time in which the last segments are written.
			may: []string{"Interruption/OfTheFirstInit", "FlagTracker/ChangesThroughTheDataSource"},
		},
		{
			name: "removes leftovers first", notAtomic: true,
			inject: func(f *faulty) { f.stepwise(f.remove, f.write(core.Segments), f.write(core.Flags), f.mark) },
			must:   []string{"Interruption/OfAReplacingInit"},
		},
		{
			name: "removes everything first", notAtomic: true,
			inject: func(f *faulty) {
				f.stepwise(func(ctx context.Context, before, _ []core.SerializedCollection) error {
					return f.remove(ctx, before, nil)
				}, f.write(core.Segments), f.write(core.Flags), f.mark)
			},
			wide: true,
			must: []string{"Interruption/OfAReplacingInit"},
		},
		{
			name: "does not write what it has written before", modes: []string{"Forever"},
			inject: func(f *faulty) {
				written := false
				var mu sync.Mutex
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					mu.Lock()
					defer mu.Unlock()
					if written && ctx.Err() == nil {
						if now, err := f.all(ctx); err != nil || len(now[0].Items)+len(now[1].Items) == 0 {
							return f.Store.Init(ctx, nil) // it believes that all is there
						}
					}
					written = true
					return f.Store.Init(ctx, data)
				}
			},
			wide: true,
			must: []string{"Outage/WipedStoreIsFilledAgain"},
		},
		{
			name: "loses big segments",
			inject: func(f *faulty) {
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					f.db.Wipe()
					return f.Store.Init(ctx, data)
				}
			},
			wide: true,
			must: []string{"BigSegments/UpdatesOfFlagsKeepMemberships", "BigSegments/MembershipDecides"},
		},
	})
}
