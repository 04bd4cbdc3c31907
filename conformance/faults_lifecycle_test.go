package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cleatdev/cleat/core"
)

func TestSuite_InitializedFaults_FailWhereMeant(t *testing.T) {
	runFaults(t, []fault{
		{
			name: "an error means false",
			inject: func(f *faulty, _ *faultState) {
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					return err == nil && initialized, nil
				}
			},
			must: []string{
				"Context/NilIsRefused", "Context/CancelledBefore", "Context/DeadlineExceededBefore",
				"Close/EveryMethodReturnsErrClosedAfterwards",
			},
			may: []string{"Close/WhileInUse"},
		},
		{
			name: "remembers false",
			inject: func(f *faulty, _ *faultState) {
				var asked atomic.Bool
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					if err == nil && !initialized {
						asked.Store(true)
					}
					return initialized && !asked.Load(), err
				}
			},
			must: []string{"Initialized/LooksAtTheDatabaseEachTime"},
			may: []string{
				"Initialized/FalseUntilInit", "Initialized/FalseAfterWipe", "Init/StoresEverythingGiven",
				"Init/RefusedDataChangesNothing", "Upsert/DoesNotInitialize", "Keys/NamesOfTheLayoutAreOrdinaryKeys",
				"Model/RandomOperationsMatchTheModel",
			},
		},
		{
			name: "remembers true",
			inject: func(f *faulty, _ *faultState) {
				var known atomic.Bool
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					if initialized {
						known.Store(true)
					}
					return known.Load() && err == nil, err
				}
			},
			must: []string{"Initialized/FalseAfterWipe"},
		},
		{
			name: "knows of its own Init only",
			inject: func(f *faulty, _ *faultState) {
				var own atomic.Bool
				initThen(f, func([]core.SerializedCollection) { own.Store(true) })
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					return initialized && own.Load(), err
				}
			},
			must: []string{"Initialized/LooksAtTheDatabaseEachTime", "Initialized/SurvivesReopening"},
			may: []string{
				"InitObserved/InitializedNeverTurnsFalse", "Concurrency/InitAndUpsert", "Close/LeavesOtherStoresAlone",
				"Size/TooLargeItemStopsNothingElseInInit", "Model/RandomOperationsMatchTheModel",
				"Context/EndedDuringInitLeavesTheMark",
			},
		},
		{
			name: "goes by whether there are flags",
			inject: func(f *faulty, _ *faultState) {
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					all, _ := f.memory.GetAll(ctx, core.Flags)
					return err == nil && (initialized || len(all) > 0), err
				}
			},
			must: []string{"Initialized/FalseUntilInit", "Upsert/DoesNotInitialize"},
			may: []string{
				"Context/NilIsRefused", "Context/CancelledBefore", "Context/DeadlineExceededBefore",
				"Init/RefusedDataChangesNothing", "Keys/NamesOfTheLayoutAreOrdinaryKeys", "Corrupt/DoesNotDisturbOtherKeys",
				"Close/EveryMethodReturnsErrClosedAfterwards", "Model/RandomOperationsMatchTheModel",
			},
		},
	})
}

func TestSuite_ContextFaults_FailWhereMeant(t *testing.T) {
	ended := []string{"Context/CancelledBefore", "Context/DeadlineExceededBefore"}
	runFaults(t, []fault{
		{
			name: "ignores contexts",
			inject: func(f *faulty, _ *faultState) {
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					if ctx != nil {
						ctx = context.WithoutCancel(ctx)
					}
					return f.memory.GetAll(ctx, kind)
				}
			},
			must: ended,
		},
		{
			name: "wraps the context's error",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					item, found, err := f.memory.Get(ctx, kind, key)
					if err != nil {
						err = fmt.Errorf("get: %w", err)
					}
					return item, found, err
				}
			},
			must: ended,
		},
		{
			name: "returns what it has when the context ends",
			inject: func(f *faulty, _ *faultState) {
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					all, err := f.memory.GetAll(ctx, kind)
					if err == nil && interrupted(ctx) {
						all = all[:len(all)/2]
					}
					return all, err
				}
			},
			must: []string{"Context/EndedDuringReads"},
		},
		{
			name: "calls an upsert written that the context interrupted",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if _, _, err := f.memory.Get(ctx, kind, key); err == nil && interrupted(ctx) {
						return core.UpsertResult{Item: item, Written: true}, nil
					}
					return f.memory.Upsert(ctx, kind, key, item)
				}
			},
			must: []string{"Context/EndedDuringUpsert"},
			may:  []string{"Close/WhileInUse"},
		},
		{
			name: "returns the context's cause",
			inject: func(f *faulty, _ *faultState) {
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					if ctx != nil && err == ctx.Err() { //nolint:errorlint // the fault needs the very error
						err = context.Cause(ctx)
					}
					return initialized, err
				}
			},
			must: []string{"Context/CancelledBefore"},
		},
		{
			name: "panics on a nil context",
			inject: func(f *faulty, _ *faultState) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					if err := ctx.Err(); err != nil {
						return core.SerializedItem{}, false, err
					}
					return f.memory.Get(ctx, kind, key)
				}
			},
			must: []string{"Context/NilIsRefused"},
		},
		{
			name: "takes a nil context for any",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if ctx == nil {
						ctx = context.Background()
					}
					return f.memory.Upsert(ctx, kind, key, item)
				}
			},
			must: []string{"Context/NilIsRefused"},
		},
		{
			name: "writes although the context has ended",
			inject: func(f *faulty, _ *faultState) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
					if ctx != nil && ctx.Err() != nil {
						f.db.WriteRaw(f.prefix, kind, key, item.Data)
					}
					return f.memory.Upsert(ctx, kind, key, item)
				}
			},
			must: ended,
		},
		{
			name: "calls an ended context unavailable",
			inject: func(f *faulty, _ *faultState) {
				unavailable := func(ctx context.Context, err error) error {
					if ctx != nil && err != nil && ctx.Err() != nil {
						return core.ErrUnavailable
					}
					return err
				}
				f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
					return unavailable(ctx, f.memory.Init(ctx, data))
				}
			},
			must: ended,
		},
	})
}

// interrupted reports whether the deadline of the context is a moment away or past, without waiting for it: what a store
// answers after the deadline, the bound may discard.
func interrupted(ctx context.Context) bool {
	const moment = 500 * time.Microsecond
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < moment
}

func TestSuite_CloseFaults_FailWhereMeant(t *testing.T) {
	runFaults(t, []fault{
		{
			name: "fails when closed twice",
			inject: func(f *faulty, _ *faultState) {
				var closed atomic.Bool
				f.onClose = func() error {
					if closed.Swap(true) {
						return core.ErrClosed
					}
					return f.memory.Close()
				}
			},
			must: []string{"Close/IsIdempotent", "Close/ConcurrentCallsAllSucceed"},
		},
		{
			name:   "works after Close",
			inject: func(f *faulty, _ *faultState) { f.onClose = func() error { return nil } },
			must:   []string{"Close/EveryMethodReturnsErrClosedAfterwards"},
		},
		{
			name: "calls itself unavailable after Close",
			inject: func(f *faulty, _ *faultState) {
				f.onGetAll = func(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
					all, err := f.memory.GetAll(ctx, kind)
					if errors.Is(err, core.ErrClosed) {
						err = core.ErrUnavailable
					}
					return all, err
				}
			},
			must: []string{"Close/EveryMethodReturnsErrClosedAfterwards"},
			may:  []string{"Close/WhileInUse"},
		},
		{
			name: "leaks a goroutine",
			inject: func(_ *faulty, state *faultState) {
				end := make(chan struct{})
				go func() { <-end }()
				state.t.Cleanup(func() { close(end) })
			},
			must: []string{"Close/LeavesNoGoroutine"},
		},
		{
			name: "closes other stores too",
			inject: func(f *faulty, state *faultState) {
				state.set(f.prefix, false)
				f.onClose = func() error {
					state.set(f.prefix, true)
					return f.memory.Close()
				}
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
					if state.get(f.prefix) {
						return core.SerializedItem{}, false, core.ErrClosed
					}
					return f.memory.Get(ctx, kind, key)
				}
			},
			must: []string{"Close/LeavesOtherStoresAlone"},
			may:  []string{"Model/RandomOperationsMatchTheModel"},
		},
		{
			name: "deletes the data on Close",
			inject: func(f *faulty, _ *faultState) {
				f.onClose = func() error {
					empty(f.db, f.prefix)
					return f.memory.Close()
				}
			},
			must: []string{"Sharing/DataOutlivesTheStore", "Close/WhileInUse"},
			may: []string{
				"Close/EveryMethodReturnsErrClosedAfterwards", "Close/LeavesOtherStoresAlone", "Context/EndedDuringUpsert",
				"Context/EndedDuringInitLeavesTheMark", "Context/EndedDuringAtomicInitChangesAllOrNothing",
				"Model/RandomOperationsMatchTheModel",
			},
		},
	})
}
