package conformance

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/cleatdev/cleat/core"
)

func TestSuite_UpsertFaults_FailWhereMeant(t *testing.T) {
	runFaults(t, []fault{
		{
			name: "ignores versions",
			inject: func(f *faulty, _ *faultState) {
				f.upsertAfter(func(kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					f.db.WriteRaw(f.prefix, kind, key, item.Data)
					return core.UpsertResult{Item: item, Written: true}, nil
				})
			},
			wide: true,
			must: []string{
				"Upsert/EqualIsRefusedAndTheWinnerReturned", "Upsert/OlderIsRefusedAndTheWinnerReturned",
				"Upsert/OutOfOrderEndsAtTheGreatest",
			},
		},
		{
			name: "writes an equal version",
			inject: func(f *faulty, _ *faultState) {
				f.upsertAfter(func(kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if v, found := f.versionOf(kind, key); found && v == item.Version {
						f.db.DeleteRaw(f.prefix, kind, key)
					}
					return f.memory.Upsert(context.Background(), kind, key, item)
				})
			},
			wide: true,
			must: []string{"Upsert/EqualIsRefusedAndTheWinnerReturned", "Concurrency/UpsertsOfOneVersionHaveOneWinner"},
		},
		{
			name: "compares versions as text",
			inject: func(f *faulty, _ *faultState) {
				f.upsertAfter(func(kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if v, found := f.versionOf(kind, key); found && strconv.Itoa(v) < strconv.Itoa(item.Version) {
						f.db.DeleteRaw(f.prefix, kind, key)
					} else if found {
						before, _, err := f.memory.Get(context.Background(), kind, key)
						return core.UpsertResult{Item: before}, err
					}
					return f.memory.Upsert(context.Background(), kind, key, item)
				})
			},
			wide: true,
			must: []string{"Upsert/VersionsAreNumbers", "Upsert/NegativeAndExtremeVersions"},
		},
		{
			name: "takes versions for 32 bits",
			inject: func(f *faulty, _ *faultState) {
				f.upsertAfter(func(kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if v, found := f.versionOf(kind, key); found && int32(v) >= int32(item.Version) {
						before, _, err := f.memory.Get(context.Background(), kind, key)
						return core.UpsertResult{Item: before}, err
					}
					return f.memory.Upsert(context.Background(), kind, key, item)
				})
			},
			wide: true,
			must: []string{"Upsert/NegativeAndExtremeVersions"},
		},
		{
			name: "loses tombstones",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					result, err := f.memory.Upsert(ctx, kind, key, item)
					if err == nil && result.Written && item.Deleted {
						f.db.DeleteRaw(f.prefix, kind, key)
					}
					return result, err
				}
			},
			must: []string{
				"Get/ReturnsTombstones", "Get/AllReturnsEverythingTombstonesIncluded", "Upsert/TombstoneReplacesLiveItem",
				"Upsert/OlderThanTombstoneIsRefused",
			},
			may: []string{
				"GetItems/ReturnsWhatIsThere", "Upsert/ChangesNoOtherKey", "Init/KeepsOtherKindsNotGiven",
				"Sharing/UpsertIsSeenByOthers", "Corrupt/UpsertHeals", "Fidelity/UpsertKeepsEveryByte",
				"Model/RandomOperationsMatchTheModel",
			},
		},
		{
			name: "answers with the given item though it lost",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					result, err := f.memory.Upsert(ctx, kind, key, item)
					if err == nil {
						result.Item = item
					}
					return result, err
				}
			},
			wide: true,
			must: []string{
				"Upsert/EqualIsRefusedAndTheWinnerReturned", "Upsert/OlderIsRefusedAndTheWinnerReturned",
				"Sharing/VersionsCountAcrossStores",
			},
		},
		{
			name: "says written though it lost",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					result, err := f.memory.Upsert(ctx, kind, key, item)
					result.Written = err == nil
					return result, err
				}
			},
			wide: true,
			must: []string{"Upsert/EqualIsRefusedAndTheWinnerReturned", "Upsert/OlderIsRefusedAndTheWinnerReturned"},
		},
		{
			name: "checks, then writes",
			inject: func(f *faulty, state *faultState) {
				f.upsertAfter(func(kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					before, found, err := f.memory.Get(context.Background(), kind, key)
					if err != nil {
						return core.UpsertResult{}, err
					}
					if version, known := f.versionOf(kind, key); found && known && version >= item.Version {
						return core.UpsertResult{Item: before}, nil
					}
					state.awaitAnother()
					f.db.WriteRaw(f.prefix, kind, key, item.Data)
					return core.UpsertResult{Item: item, Written: true}, nil
				})
			},
			must: []string{
				"Concurrency/UpsertsOfOneVersionHaveOneWinner", "Linearizability/OfGetAndUpsert", "Linearizability/OfGetUpsertAndInit",
			},
			may: []string{
				"Concurrency/UpsertsOfOneKeyEndAtTheGreatest", "Concurrency/ReadersNeverSeeAnOlderVersion",
				"Concurrency/InitAndUpsert", "Close/WhileInUse",
			},
		},
		{
			name: "does not heal",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if before, found, _ := f.memory.Get(ctx, kind, key); found {
						if _, err := before.Parse(kind, key); err != nil {
							return core.UpsertResult{}, err
						}
					}
					return f.memory.Upsert(ctx, kind, key, item)
				}
			},
			must: []string{"Corrupt/UpsertHeals"},
			may:  []string{"Model/RandomOperationsMatchTheModel"},
		},
		{
			name: "heals with version 1 or greater only",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					before, found, _ := f.memory.Get(ctx, kind, key)
					if found && item.Version <= 0 && !decodable(kind, core.KeyedSerializedItem{Key: key, Item: before}) {
						return core.UpsertResult{Item: before}, nil
					}
					return f.memory.Upsert(ctx, kind, key, item)
				}
			},
			must: []string{"Corrupt/UpsertHeals"},
			may:  []string{"Model/RandomOperationsMatchTheModel"},
		},
		{
			name: "sets the mark of Init",
			inject: func(f *faulty, state *faultState) {
				state.markAfterUpsert(f)
			},
			must: []string{"Upsert/DoesNotInitialize"},
			may: []string{
				"Context/NilIsRefused", "Context/CancelledBefore", "Context/DeadlineExceededBefore",
				"Init/RefusedDataChangesNothing", "Keys/NamesOfTheLayoutAreOrdinaryKeys",
				"Close/EveryMethodReturnsErrClosedAfterwards", "Corrupt/DoesNotDisturbOtherKeys",
				"Model/RandomOperationsMatchTheModel",
			},
		},
		{
			name: "rewrites the JSON",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					item.Data = bytes.ReplaceAll(item.Data, []byte(" "), nil)
					return f.memory.Upsert(ctx, kind, key, item)
				}
			},
			wide: true,
			must: []string{"Fidelity/UpsertKeepsEveryByte"},
		},
		{
			name: "drops unknown properties",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					item.Data = bytes.ReplaceAll(item.Data, []byte(`"fromTheFuture"`), []byte(`"x"`))
					return f.memory.Upsert(ctx, kind, key, item)
				}
			},
			must: []string{"Fidelity/UpsertKeepsEveryByte"},
		},
		{
			name: "trims keys",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if trimmed := strings.TrimSpace(key); trimmed != "" {
						key = trimmed
					}
					return f.memory.Upsert(ctx, kind, key, item)
				}
			},
			must: []string{"Keys/AnyCharacterRoundTrips", "Keys/SimilarKeysAreDifferent"},
		},
		{
			name: "takes upper case for lower case",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					if err == nil && !found {
						return f.memory.Get(ctx, kind, strings.ToLower(key))
					}
					return item, found, err
				}
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					return f.memory.Upsert(ctx, kind, strings.ToLower(key), item)
				}
			},
			must: []string{"Keys/SimilarKeysAreDifferent", "Keys/AnyCharacterRoundTrips"},
			may:  []string{"Model/RandomOperationsMatchTheModel"},
		},
		{
			name: "cuts long keys",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					const limit = 1024
					return f.memory.Upsert(ctx, kind, key[:min(len(key), limit)], item)
				}
			},
			must: []string{"Keys/LongKeyRoundTrips"},
		},
		{
			name: "accepts an empty key",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if key == "" {
						key = "empty"
					}
					return f.memory.Upsert(ctx, kind, key, item)
				}
			},
			must: []string{"Keys/EmptyKeyIsRefused"},
		},
	})
}

// versionOf returns the version of what is in the database; false if there is nothing or nothing that can be decoded.
func (f *faulty) versionOf(kind core.DataKind, key string) (int, bool) {
	data, found := f.db.ReadRaw(f.prefix, kind, key)
	if !found {
		return 0, false
	}
	item, err := core.ParseItem(data)
	if err != nil {
		return 0, false
	}
	return item.Version(), true
}

// markAfterUpsert makes stores say that they are initialised after an upsert under their prefix.
func (s *faultState) markAfterUpsert(f *faulty) {
	f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
		result, err := f.memory.Upsert(ctx, kind, key, item)
		if err == nil {
			s.set(f.prefix, true)
		}
		return result, err
	}
	f.onInitialized = func(ctx context.Context) (bool, error) {
		initialized, err := f.memory.Initialized(ctx)
		return initialized || s.get(f.prefix), err
	}
}
