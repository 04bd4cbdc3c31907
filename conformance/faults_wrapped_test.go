package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// faultyWrapper is a wrapper that is right but for the methods that are replaced.
type faultyWrapper struct {
	*caching.CachingStoreWrapper
	onGet         func(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error)
	onAll         func(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error)
	onUpsert      func(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error)
	onInitialized func(ctx context.Context) (bool, error)
	onStatus      func() core.DataStoreStatus
	onClose       func() error
}

func (f *faultyWrapper) Get(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
	if f.onGet != nil {
		return f.onGet(ctx, kind, key)
	}
	return f.CachingStoreWrapper.Get(ctx, kind, key)
}

func (f *faultyWrapper) All(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
	if f.onAll != nil {
		return f.onAll(ctx, kind)
	}
	return f.CachingStoreWrapper.All(ctx, kind)
}

func (f *faultyWrapper) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error) {
	if f.onUpsert != nil {
		return f.onUpsert(ctx, kind, key, item)
	}
	return f.CachingStoreWrapper.Upsert(ctx, kind, key, item)
}

func (f *faultyWrapper) Initialized(ctx context.Context) (bool, error) {
	if f.onInitialized != nil {
		return f.onInitialized(ctx)
	}
	return f.CachingStoreWrapper.Initialized(ctx)
}

func (f *faultyWrapper) Status() core.DataStoreStatus {
	if f.onStatus != nil {
		return f.onStatus()
	}
	return f.CachingStoreWrapper.Status()
}

func (f *faultyWrapper) Close() error {
	if f.onClose != nil {
		return f.onClose()
	}
	return f.CachingStoreWrapper.Close()
}

// everyMode returns the names of the subtest in all modes.
func everyMode(names ...string) []string {
	var all []string
	for _, mode := range cacheModes() {
		for _, name := range names {
			all = append(all, mode.name+"/"+name)
		}
	}
	return all
}

func TestSuite_WrapperFaults_FailWhereMeant(t *testing.T) {
	for _, ft := range []struct {
		name string
		// mode, if set, is the mode in which the wrapper works whatever it is asked for.
		mode      func(asked caching.Mode) caching.Mode
		inject    func(f *faultyWrapper)
		bare      bool // whether the wrapper hides everything but core.FeatureStore
		must, may []string
	}{
		{
			name: "caches although it is off",
			mode: func(asked caching.Mode) caching.Mode {
				if asked == caching.Off() {
					return caching.TTL(shortTTL)
				}
				return asked
			},
			must: []string{"Off/WritesOfOthersAreSeenAtOnce", "Off/WipedDatabaseMakesItStale"},
		},
		{
			name: "does not cache",
			mode: func(caching.Mode) caching.Mode { return caching.Off() },
			must: []string{"Forever/WritesOfOthersStayUnseen", "Forever/WipedDatabaseIsRewritten", "TTL/WipedDatabaseIsRewritten"},
		},
		{
			name: "never expires",
			mode: func(asked caching.Mode) caching.Mode {
				if asked == caching.TTL(shortTTL) {
					return caching.Forever()
				}
				return asked
			},
			must: []string{"TTL/WritesOfOthersAreSeenAfterTheTTL"},
		},
		{
			name: "shows deleted items",
			inject: func(f *faultyWrapper) {
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
					item, found, err := f.CachingStoreWrapper.Get(ctx, kind, key)
					if err == nil && !found {
						return core.NewTombstone(core.Flags, key, 1), true, nil
					}
					return item, found, err
				}
			},
			must: everyMode("DeletedItemsAreHidden", "MissingKeyIsNoError"),
			may: append(
				everyMode("InitReplacesEverything", "ReadsWhatIsThereAlready", "TombstonesOfAnyShapeAreHidden", "StatusIsAvailable"),
				"Off/WritesOfOthersAreSeenAtOnce"),
		},
		{
			name: "hides everything because of a bad item",
			inject: func(f *faultyWrapper) {
				f.onAll = func(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
					all, err := f.CachingStoreWrapper.All(ctx, kind)
					if err != nil {
						all = nil
					}
					return all, err
				}
			},
			must: everyMode("CorruptItemIsOneBadItem"),
		},
		{
			name: "does not name the bad items",
			inject: func(f *faultyWrapper) {
				f.onAll = func(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
					all, err := f.CachingStoreWrapper.All(ctx, kind)
					if errors.Is(err, core.ErrCorrupt) {
						err = fmt.Errorf("some item: %w", core.ErrCorrupt)
					}
					return all, err
				}
			},
			must: everyMode("CorruptItemIsOneBadItem"),
		},
		{
			name: "says nothing of bad items",
			inject: func(f *faultyWrapper) {
				f.onAll = func(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
					all, err := f.CachingStoreWrapper.All(ctx, kind)
					if errors.Is(err, core.ErrCorrupt) {
						err = nil
					}
					return all, err
				}
				f.onGet = func(ctx context.Context, kind core.DataKind, key string) (*core.Item, bool, error) {
					item, found, err := f.CachingStoreWrapper.Get(ctx, kind, key)
					if errors.Is(err, core.ErrCorrupt) {
						err = nil
					}
					return item, found, err
				}
			},
			must: everyMode("CorruptItemIsOneBadItem", "UpsertHealsCorruptItem"),
		},
		{
			name: "says updated though it lost",
			inject: func(f *faultyWrapper) {
				f.onUpsert = func(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error) {
					_, err := f.CachingStoreWrapper.Upsert(ctx, kind, key, item)
					return err == nil, err
				}
			},
			must: everyMode("VersionsDecide", "WinnerOfAnotherWriterIsAdopted"),
			may: append(
				everyMode("DeletedItemsAreHidden", "TombstonesOfAnyShapeAreHidden", "ReadsWhatIsThereAlready", "StatusIsAvailable",
					"ConcurrentUseEndsAtTheGreatest"),
				"Forever/WritesOfOthersStayUnseen"),
		},
		{
			name: "panics on a nil context",
			inject: func(f *faultyWrapper) {
				f.onInitialized = func(ctx context.Context) (bool, error) {
					if err := ctx.Err(); err != nil {
						return false, err
					}
					return f.CachingStoreWrapper.Initialized(ctx)
				}
			},
			must: everyMode("InvalidArgumentsAreRefused"),
		},
		{
			name: "wraps the context's error",
			inject: func(f *faultyWrapper) {
				f.onAll = func(ctx context.Context, kind core.DataKind) (map[string]*core.Item, error) {
					all, err := f.CachingStoreWrapper.All(ctx, kind)
					if ctx != nil && ctx.Err() != nil {
						err = fmt.Errorf("all: %w", err)
					}
					return all, err
				}
			},
			must: everyMode("EndedContextIsReported"),
		},
		{
			name: "says unavailable",
			inject: func(f *faultyWrapper) {
				f.onStatus = func() core.DataStoreStatus { return core.DataStoreStatus{} }
			},
			must: append(everyMode("StatusIsAvailable"), "Forever/WipedDatabaseIsRewritten", "TTL/WipedDatabaseIsRewritten"),
			may:  []string{"Off/WipedDatabaseMakesItStale"},
		},
		{
			name: "has no status",
			bare: true,
			must: everyMode("StatusIsAvailable"),
			may:  []string{"Off/WipedDatabaseMakesItStale", "TTL/WipedDatabaseIsRewritten", "Forever/WipedDatabaseIsRewritten"},
		},
		{
			name: "fails when closed twice",
			inject: func(f *faultyWrapper) {
				f.onClose = func() error {
					if _, err := f.CachingStoreWrapper.Initialized(context.Background()); errors.Is(err, core.ErrClosed) {
						return err
					}
					return f.CachingStoreWrapper.Close()
				}
			},
			must: everyMode("CloseClosesTheStore"),
		},
		{
			name: "works after Close",
			inject: func(f *faultyWrapper) {
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.CachingStoreWrapper.Initialized(ctx)
					if errors.Is(err, core.ErrClosed) {
						err = nil
					}
					return initialized, err
				}
			},
			must: everyMode("CloseClosesTheStore"),
		},
	} {
		t.Run(ft.name, func(t *testing.T) {
			s := tinySizes()
			s.wait = 2 * shortTTL
			h := memoryHarness(new(memorystore.Database))
			o := testrun.Record(t, nil, func(t tester) {
				runWrapped(t, h, s, func(c core.FeatureStoreCore, mode caching.Mode) (core.FeatureStore, error) {
					if ft.mode != nil {
						mode = ft.mode(mode)
					}
					store, err := wrap(c, mode)
					if err != nil || ft.inject == nil && !ft.bare {
						return store, err
					}
					if ft.bare {
						return struct{ core.FeatureStore }{store}, nil
					}
					f := &faultyWrapper{CachingStoreWrapper: store.(*caching.CachingStoreWrapper)}
					ft.inject(f)
					return f, nil
				})
			})
			o.RequireFailures(t, ft.must, ft.may)
		})
	}
}

// TestSuite_StoreLeftOpen_FailsWhereMeant wraps a store that the wrapper cannot close.
func TestSuite_StoreLeftOpen_FailsWhereMeant(t *testing.T) {
	h := memoryHarness(new(memorystore.Database))
	o := testrun.Record(t, nil, func(t tester) {
		runWrapped(t, h, tinySizes(), func(c core.FeatureStoreCore, mode caching.Mode) (core.FeatureStore, error) {
			return wrap(unclosable{c}, mode)
		})
	})
	o.RequireFailures(t, everyMode("CloseClosesTheStore"), nil)
}

type unclosable struct{ core.FeatureStoreCore }

func (unclosable) Close() error { return nil }

func TestSuite_WrapperThatCannotBeMade_FailsEverywhere(t *testing.T) {
	h := memoryHarness(new(memorystore.Database))
	o := testrun.Record(t, nil, func(t tester) {
		runWrapped(t, h, tinySizes(), func(core.FeatureStoreCore, caching.Mode) (core.FeatureStore, error) {
			return nil, core.ErrInvalid
		})
	})
	require.Subset(t, o.Ran, everyMode("MissingKeyIsNoError", "CloseClosesTheStore"))
	requireAllFail(t, o)
}

// TestSuite_ShortTombstones_FailWhereMeant wraps a store so that what a wrapper writes for a deletion is short.
func TestSuite_ShortTombstones_FailWhereMeant(t *testing.T) {
	h := memoryHarness(new(memorystore.Database))
	o := testrun.Record(t, nil, func(t tester) {
		runWrapped(t, h, tinySizes(), func(c core.FeatureStoreCore, mode caching.Mode) (core.FeatureStore, error) {
			return wrap(shortening{c}, mode)
		})
	})
	o.RequireFailures(t, everyMode("TombstonesAreWrittenWhole", "WritesReachTheDatabase"), nil)
}

// shortening is a store that leaves properties of tombstones out.
type shortening struct{ core.FeatureStoreCore }

func (s shortening) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	if item.Deleted {
		item.Data = fmt.Appendf(nil, `{"key":%q,"version":%d,"deleted":true}`, key, item.Version)
	}
	return s.FeatureStoreCore.Upsert(ctx, kind, key, item)
}
