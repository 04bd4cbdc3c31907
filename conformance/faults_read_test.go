package conformance

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cleatdev/cleat/core"
)

// keep makes GetAll return only what f says.
func keep(f *faulty, wanted func(kind core.DataKind, item core.KeyedSerializedItem) bool) {
	f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
		all, err := f.memory.GetAll(ctx, kind)
		return slices.DeleteFunc(all, func(item core.KeyedSerializedItem) bool { return !wanted(kind, item) }), err
	}
}

func decodable(kind core.DataKind, item core.KeyedSerializedItem) bool {
	_, err := item.Item.Parse(kind, item.Key)
	return err == nil
}

func TestSuite_ReadFaults_FailWhereMeant(t *testing.T) {
	runFaults(t, []fault{
		{
			name: "Get hides tombstones",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					if item.Deleted {
						return core.SerializedItem{}, false, err
					}
					return item, found, err
				}
			},
			must: []string{"Get/ReturnsTombstones", "Upsert/TombstoneReplacesLiveItem", "Init/StoresEverythingGiven"},
			may: []string{
				"Upsert/OlderThanTombstoneIsRefused", "Sharing/UpsertIsSeenByOthers", "Corrupt/UpsertHeals",
				"Fidelity/UpsertKeepsEveryByte", "Model/RandomOperationsMatchTheModel",
			},
		},
		{
			name: "GetAll hides tombstones",
			inject: func(f *faulty, _ *faultState) {
				keep(f, func(_ core.DataKind, item core.KeyedSerializedItem) bool { return !item.Item.Deleted })
			},
			must: []string{"Get/AllReturnsEverythingTombstonesIncluded", "Init/StoresEverythingGiven"},
			may: []string{
				"Upsert/TombstoneReplacesLiveItem", "Upsert/ChangesNoOtherKey", "Init/RepeatedChangesNothing",
				"Init/KeepsOtherKindsNotGiven", "Sharing/UpsertIsSeenByOthers", "Sharing/DataOutlivesTheStore",
				"Fidelity/InitKeepsEveryByte", "Corrupt/GetAllHidesNothing", "ChangeSet/ResultsAreInOrder",
				"Model/RandomOperationsMatchTheModel",
			},
		},
		{
			name: "Get returns a buffer that it uses again",
			inject: func(f *faulty, _ *faultState) {
				var buffer []byte
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					if strings.HasPrefix(key, "returned-") { // which no other subtest reads, some of which read at once
						buffer = append(buffer[:0], item.Data...)
						item.Data = buffer
					}
					return item, found, err
				}
			},
			must: []string{"Fidelity/ReturnedBytesStayAsTheyAre"},
		},
		{
			name: "GetAll fails because of one bad item",
			inject: func(f *faulty, _ *faultState) {
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					all, err := f.memory.GetAll(ctx, kind)
					for _, item := range all {
						if !decodable(kind, item) {
							return nil, core.ErrCorrupt
						}
					}
					return all, err
				}
			},
			must: []string{"Corrupt/GetAllHidesNothing"},
			may:  []string{"Model/RandomOperationsMatchTheModel"},
		},
		{
			name:   "GetAll leaves bad items out",
			inject: func(f *faulty, _ *faultState) { keep(f, decodable) },
			must:   []string{"Corrupt/GetAllHidesNothing"},
			may:    []string{"Model/RandomOperationsMatchTheModel"},
		},
		{
			name: "Get fails because of a bad item",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					if found && !decodable(kind, core.KeyedSerializedItem{Key: key, Item: item}) {
						return core.SerializedItem{}, false, core.ErrCorrupt
					}
					return item, found, err
				}
			},
			must: []string{"Corrupt/GetReturnsItAsItIs"},
			may:  []string{"Model/RandomOperationsMatchTheModel"},
		},
		{
			name: "Get says that a missing key is an error",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					if err == nil && !found {
						err = core.ErrUnavailable
					}
					return item, found, err
				}
			},
			wide: true,
			must: []string{"Get/MissingKeyIsNoError"},
		},
		{
			name: "Get finds what is not there",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, _, err := f.memory.Get(ctx, kind, key)
					return item, err == nil, err
				}
			},
			wide: true,
			must: []string{"Get/MissingKeyIsNoError"},
		},
		{
			name: "Get returns an item beside not found",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					if err == nil && !found {
						item.Version = -1
					}
					return item, found, err
				}
			},
			wide: true,
			must: []string{"Get/MissingKeyIsNoError"},
		},
		{
			name: "Get reads any kind",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					if err == nil && !found && kind == core.Segments {
						return f.memory.Get(ctx, core.Flags, key)
					}
					return item, found, err
				}
			},
			must: []string{"Keys/NamesOfTheLayoutAreOrdinaryKeys"},
			may: []string{
				"InitObserved/LeftoversGoLast", "InitObserved/AtomicInitShowsOneSetOnly",
				"Model/RandomOperationsMatchTheModel",
			},
		},
		{
			name: "caches reads",
			inject: func(f *faulty, _ *faultState) {
				cache := make(map[string]core.SerializedItem)
				var mu sync.Mutex
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					mu.Lock()
					defer mu.Unlock()
					id := string(kind) + "/" + key
					if cached, known := cache[id]; known && err == nil {
						return cached, true, nil
					}
					if found {
						cache[id] = item
					}
					return item, found, err
				}
			},
			wide: true,
			must: []string{"Sharing/NothingIsCached", "Sharing/InitIsSeenByOthers"},
		},
		{
			name: "says another version than the JSON",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					if found && item.Version > 0 {
						item.Version++
					}
					return item, found, err
				}
			},
			wide: true,
			must: []string{"Get/ReturnsWhatWasStored", "Get/ReturnsTombstones", "Get/KindsAreSeparate"},
		},
		{
			name: "says deleted of live items",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					item.Deleted = found
					return item, found, err
				}
			},
			wide: true,
			must: []string{"Get/ReturnsWhatWasStored", "Get/KindsAreSeparate"},
		},
		{
			name: "GetAll returns an item twice",
			inject: func(f *faulty, _ *faultState) {
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					all, err := f.memory.GetAll(ctx, kind)
					return append(all, all[:min(len(all), 1)]...), err
				}
			},
			wide: true,
			must: []string{"Get/AllReturnsEverythingTombstonesIncluded", "Get/KindsAreSeparate"},
		},
		{
			name: "GetAll stops after a page",
			inject: func(f *faulty, _ *faultState) {
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					const page = 150
					all, err := f.memory.GetAll(ctx, kind)
					return all[:min(len(all), page)], err
				}
			},
			must: []string{"Size/ManyItems"},
		},
		{
			name: "reads rewrite the JSON",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					item.Data = bytes.ReplaceAll(item.Data, []byte(`\u00e9`), []byte("é"))
					return item, found, err
				}
			},
			must: []string{"Fidelity/ReadsKeepEveryByte"},
			may:  []string{"Fidelity/UpsertKeepsEveryByte", "Upsert/VersionWrittenByAnotherWriterCounts"},
		},
		{
			name: "cuts large items",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					const limit = 64 << 10
					item, found, err := f.memory.Get(ctx, kind, key)
					item.Data = item.Data[:min(len(item.Data), limit)]
					return item, found, err
				}
			},
			must: []string{"Size/LargestItem"},
		},
		{
			name: "refuses kinds it does not know",
			inject: func(f *faulty, _ *faultState) {
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					if !slices.Contains(allKinds(), kind) && kind != spareKind {
						return nil, core.ErrInvalid
					}
					return f.memory.GetAll(ctx, kind)
				}
			},
			must: []string{"Kinds/AnyValidNameIsAKind", "Kinds/SimilarNamesAreDifferent"},
		},
		{
			name: "accepts invalid kinds",
			inject: func(f *faulty, _ *faultState) {
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					if kind.Validate() == nil {
						return f.memory.GetAll(ctx, kind)
					}
					return nil, nil
				}
			},
			must: []string{"Kinds/InvalidNamesAreRefused"},
		},
	})
}
