package ldbridge

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldlogtest"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// troubled is a store whose every call does what trouble does, and then what the store does.
type troubled struct {
	*memorystore.Store
	trouble func(ctx context.Context) error
}

func (s *troubled) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := s.trouble(ctx); err != nil {
		return err
	}
	return s.Store.Init(ctx, data)
}

func (s *troubled) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if err := s.trouble(ctx); err != nil {
		return core.SerializedItem{}, false, err
	}
	return s.Store.Get(ctx, kind, key)
}

func (s *troubled) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := s.trouble(ctx); err != nil {
		return nil, err
	}
	return s.Store.GetAll(ctx, kind)
}

func (s *troubled) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	if err := s.trouble(ctx); err != nil {
		return core.UpsertResult{}, err
	}
	return s.Store.Upsert(ctx, kind, key, item)
}

func (s *troubled) Initialized(ctx context.Context) (bool, error) {
	if err := s.trouble(ctx); err != nil {
		return false, err
	}
	return s.Store.Initialized(ctx)
}

func (s *troubled) CheckAvailability(ctx context.Context) error { return s.trouble(ctx) }

func (s *troubled) Close() error {
	return errors.Join(s.trouble(context.Background()), s.Store.Close())
}

// newTroubled returns a bridge to a troubled store, and its log.
func newTroubled(
	t *testing.T, trouble func(context.Context) error, opts *Options,
) (subsystems.PersistentDataStore, *ldlogtest.MockLog) {
	t.Helper()
	log := ldlogtest.NewMockLog()
	store, err := DataStore(func(context.Context) (*troubled, error) {
		return &troubled{memorystore.New(nil, &memorystore.Options{MaxItemSize: 500}), trouble}, nil
	}, opts).Build(subsystems.BasicClientContext{Logging: subsystems.LoggingConfiguration{Loggers: log.Loggers}})
	require.NoError(t, err)
	return store, log
}

func well(context.Context) error { return nil }

// deletedFlag is a tombstone as the SDK makes it.
func deletedFlag(version int) ldstoretypes.SerializedItemDescriptor {
	flag := ldstoretypes.ItemDescriptor{Version: version}
	return ldstoretypes.SerializedItemDescriptor{
		Version: version, Deleted: true, SerializedItem: ldstoreimpl.Features().Serialize(flag),
	}
}

func flagsOf(items ...ldstoretypes.KeyedSerializedItemDescriptor) []ldstoretypes.SerializedCollection {
	return []ldstoretypes.SerializedCollection{{Kind: ldstoreimpl.Features(), Items: items}}
}

// calls are all calls with which the SDK waits for the store.
func calls(store subsystems.PersistentDataStore) map[string]func() error {
	unless := func(ok bool) error {
		if ok {
			return nil
		}
		return core.ErrUnavailable
	}
	return map[string]func() error{
		"Init":             func() error { return store.Init(flagsOf()) },
		"Get":              func() error { _, err := store.Get(ldstoreimpl.Features(), "a"); return err },
		"GetAll":           func() error { _, err := store.GetAll(ldstoreimpl.Features()); return err },
		"Upsert":           func() error { _, err := store.Upsert(ldstoreimpl.Features(), "a", deletedFlag(1)); return err },
		"IsInitialized":    func() error { return unless(store.IsInitialized()) },
		"IsStoreAvailable": func() error { return unless(store.IsStoreAvailable()) },
	}
}

// A store that does not answer is waited for as long as the options say.
func TestDataStore_HangingStore_IsWaitedForAsLongAsTheOptionsSay(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, test := range []struct {
		opts *Options
		want Options
	}{
		{nil, Options{
			ReadTimeout: 2 * time.Second, ReadAllTimeout: 10 * time.Second,
			WriteTimeout: 5 * time.Second, InitTimeout: time.Minute,
		}},
		{
			&Options{ReadTimeout: 1, ReadAllTimeout: 2, WriteTimeout: 3, InitTimeout: 4},
			Options{ReadTimeout: 1, ReadAllTimeout: 2, WriteTimeout: 3, InitTimeout: 4},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			store, _ := newTroubled(t, hang, test.opts)
			limits := map[string]time.Duration{
				"Init": test.want.InitTimeout, "GetAll": test.want.ReadAllTimeout, "Upsert": test.want.WriteTimeout,
			}
			for name, call := range calls(store) {
				limit, found := limits[name]
				if !found {
					limit = test.want.ReadTimeout
				}
				began := time.Now()
				require.ErrorIs(t, call(), core.ErrUnavailable, name)
				require.Equal(t, limit, time.Since(began), name)
			}
		})
	}
}

// A panic of a store becomes an error: the application goes on.
func TestDataStore_PanickingStore_IsUnavailable(t *testing.T) {
	store, _ := newTroubled(t, func(context.Context) error { panic("a bug") }, nil)
	for name, call := range calls(store) {
		require.ErrorIs(t, call(), core.ErrUnavailable, name)
	}
	require.ErrorContains(t, store.Close(), "a bug")

	_, err := DataStore(func(context.Context) (*memorystore.Store, error) { panic("a bug") }, nil).
		Build(subsystems.BasicClientContext{})
	require.ErrorContains(t, err, "a bug")
}

// After Close, which may be called twice, every call fails with ErrClosed, and the store counts as not available.
func TestDataStore_Close_EndsEverything(t *testing.T) {
	store, _ := newTroubled(t, well, nil)
	require.NoError(t, store.Close())
	require.NoError(t, store.Close())
	require.False(t, store.IsInitialized())
	for _, name := range []string{"Init", "Get", "GetAll", "Upsert"} {
		require.ErrorIs(t, calls(store)[name](), core.ErrClosed, name)
	}
	closed := build(t, closedStore(func(context.Context) (core.FeatureStoreCore, error) {
		return struct{ core.FeatureStoreCore }{memorystore.New(nil, nil)}, nil // it cannot check its availability
	}))
	require.False(t, closed.IsStoreAvailable())
}

// Being initialised is asked for until it is seen, and an error is logged once.
func TestDataStore_IsInitialized_RemembersAndSaysWhyNot(t *testing.T) {
	var failure error
	asked := 0
	store, log := newTroubled(t, func(context.Context) error { asked++; return failure }, nil)
	require.False(t, store.IsInitialized())
	failure = core.ErrUnavailable
	require.False(t, store.IsInitialized())
	require.False(t, store.IsInitialized())
	require.Len(t, log.GetOutput(ldlog.Warn), 1)
	require.Contains(t, log.GetOutput(ldlog.Warn)[0], core.ErrUnavailable.Error())

	failure = nil
	require.NoError(t, store.Init(flagsOf()))
	failure, asked = core.ErrUnavailable, 0
	require.True(t, store.IsInitialized())
	require.Zero(t, asked)
}

// An item that the store cannot hold is logged and left out: an error would mean to the SDK that the database is away.
func TestDataStore_ItemThatDoesNotFit_IsLeftOutAndLogged(t *testing.T) {
	large := ldstoretypes.SerializedItemDescriptor{
		Version: 1, SerializedItem: []byte(`{"version":1,"padding":"` + strings.Repeat("x", 500) + `"}`),
	}
	store, log := newTroubled(t, well, nil)
	require.NoError(t, store.Init(flagsOf(
		ldstoretypes.KeyedSerializedItemDescriptor{Key: "large", Item: large},
		ldstoretypes.KeyedSerializedItemDescriptor{Key: "", Item: deletedFlag(1)},
		ldstoretypes.KeyedSerializedItemDescriptor{Key: "small", Item: deletedFlag(1)},
	)))
	require.True(t, store.IsInitialized())
	updated, err := store.Upsert(ldstoreimpl.Features(), "large too", large)
	require.NoError(t, err)
	require.False(t, updated)

	all, err := store.GetAll(ldstoreimpl.Features())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "small", all[0].Key)
	logged := strings.Join(log.GetOutput(ldlog.Error), "\n")
	for _, part := range []string{`"large" of kind "features"`, `"large too"`, "empty key"} {
		require.Contains(t, logged, part)
	}
	none, err := store.Get(ldstoreimpl.Features(), "")
	require.NoError(t, err)
	require.Equal(t, ldstoretypes.SerializedItemDescriptor{}.NotFound(), none)
}

// What a flag refers to is written before it, also by a store that writes the items of one collection in any order.
func TestDataStore_Init_KeepsTheOrderOfReferences(t *testing.T) {
	flags, segments := flagsAndSegments()
	data := []ldstoretypes.SerializedCollection{{Kind: ldstoreimpl.Features()}, {Kind: ldstoreimpl.Segments()}}
	add := func(to int, kind ldstoretypes.DataKind, key string, item any) {
		data[to].Items = append(data[to].Items, ldstoretypes.KeyedSerializedItemDescriptor{
			Key: key, Item: ldstoretypes.SerializedItemDescriptor{
				Version: 1, SerializedItem: kind.Serialize(ldstoretypes.ItemDescriptor{Version: 1, Item: item}),
			},
		})
	}
	for _, flag := range flags {
		add(0, ldstoreimpl.Features(), flag.Key, &flag)
	}
	for _, segment := range segments {
		add(1, ldstoreimpl.Segments(), segment.Key, &segment)
	}
	collections, err := new(dataStore).encodeAll(data)
	require.NoError(t, err)
	at := map[string]int{}
	for i, collection := range collections {
		for _, item := range collection.Items {
			at[item.Key] = i
		}
	}
	require.Len(t, at, len(flags)+len(segments))
	require.Less(t, at[countryFlag], at[dependsFlag])
	require.Less(t, at[crowdSegment], at[crowdFlag])
}

func TestDataStore_BadOptions_AreRefused(t *testing.T) {
	opened := false
	_, err := DataStore(func(context.Context) (*memorystore.Store, error) {
		opened = true
		return memorystore.New(nil, nil), nil
	}, &Options{ReadTimeout: -1, InitTimeout: -1}).Build(subsystems.BasicClientContext{})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "ReadTimeout")
	require.ErrorContains(t, err, "InitTimeout")
	require.False(t, opened)
}

// The SDK is told what kind of store it has, and nothing else of it.
func TestDataStore_DescribeConfiguration_NamesTheLibrary(t *testing.T) {
	configurer := ldcomponents.PersistentDataStore(DataStoreURL(all.Registry(), "redis://secret@secret/"))
	require.Equal(t, ldvalue.String("cleat"), configurer.DescribeConfiguration(subsystems.BasicClientContext{}))
	big := BigSegmentStoreURL(all.Registry(), "redis://secret@secret/").(subsystems.DiagnosticDescription)
	require.Equal(t, ldvalue.String("cleat"), big.DescribeConfiguration(subsystems.BasicClientContext{}))
}

// A store is opened within a minute or not at all.
func TestDataStore_Build_OpeningHangs_EndsAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := DataStore(func(ctx context.Context) (*memorystore.Store, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, nil).Build(subsystems.BasicClientContext{})
		require.ErrorIs(t, err, core.ErrUnavailable)
		require.Equal(t, time.Minute, time.Since(began))
	})
}
