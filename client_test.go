package cleat

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

func errorKind(t testing.TB, client *Client, key string) ldreason.EvalErrorKind {
	t.Helper()
	_, detail := client.BoolVariationDetail(context.Background(), key, user, false)
	return detail.Reason.GetErrorKind()
}

func TestNew_DataSourceSilent_ReturnsAClientThatGoesOnTrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &manualSource{}
		start := time.Now()
		client, err := New(t.Context(), Config{DataSource: source.factory, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.Equal(t, DefaultStartWait, time.Since(start))
		require.False(t, client.Initialized(t.Context()))
		require.Equal(t, ldreason.EvalErrorClientNotReady, errorKind(t, client, "a"))

		source.deliver(t.Context(), flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")))
		require.True(t, client.Initialized(t.Context()))
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		require.NoError(t, client.Close())
	})
}

func TestNew_StartWait_NegativeDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		client, err := New(t.Context(), Config{DataSource: (&manualSource{}).factory, StartWait: -1})
		require.NoError(t, err)
		require.Zero(t, time.Since(start))
		require.NoError(t, client.Close())
	})
}

func TestNew_ContextEnds_ReturnsAClientThatGoesOnTrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		source := &manualSource{}
		start := time.Now()
		client, err := New(ctx, Config{DataSource: source.factory, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(start))
		source.deliver(t.Context(), flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")))
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		require.NoError(t, client.Close())
	})
}

func TestNew_ContextHasEnded_DataThatIsThereCounts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		client, err := New(ctx, Config{DataSource: (&manualSource{first: flagtest.Items(t)}).factory})
		require.NoError(t, err)
		require.NoError(t, client.Close())
	}
}

func TestNew_DataSourceGivesUp_ReturnsAtOnce(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.json")
	client, err := New(t.Context(), Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{missing}}),
		StartWait:  time.Hour,
		Logger:     slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	require.Equal(t, core.DataSourceOff, client.DataSourceStatus().Status().State)
	require.Contains(t, client.DataSourceStatus().Status().LastError.Message, missing)
	require.NoError(t, client.Close())
}

func TestNew_FileAndMemory_Evaluates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flags.yaml")
	require.NoError(t, os.WriteFile(path, []byte("flagValues:\n  a: true\n"), 0o600))
	client, err := New(t.Context(), Config{DataSource: filedata.Source(filedata.Options{Paths: []string{path}, Reload: true})})
	require.NoError(t, err)
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
	require.True(t, client.DataStoreStatus().Status().SameState(core.DataStoreStatus{Available: true}))
	require.False(t, client.DataStoreStatus().MonitoringEnabled())
	client.DataStoreStatus().AddListener(func(core.DataStoreStatus) {})()
	eventually(t, func() bool { return client.DataSourceStatus().Status().State == core.DataSourceValid }, "valid")

	changed := make(chan core.FlagValueChange, 1)
	client.FlagTracker().AddFlagValueChangeListener("a", user, anyDefault, func(c core.FlagValueChange) { changed <- c })
	require.NoError(t, os.WriteFile(path, []byte("flagValues:\n  a: false\n"), 0o600))
	require.False(t, (<-changed).NewValue.BoolValue())
	require.NoError(t, client.Close())
}

func TestClient_Offline_ReturnsDefaults(t *testing.T) {
	source := &manualSource{}
	store := &closeCounter{FeatureStoreCore: filledStore(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")))}
	client, err := New(t.Context(), Config{Offline: true, DataSource: source.factory, Store: store})
	require.NoError(t, err)
	require.False(t, client.Initialized(t.Context()))
	require.Equal(t, ldreason.EvalErrorClientNotReady, errorKind(t, client, "a"))
	require.False(t, client.AllFlagsState(t.Context(), user).Valid())
	require.Nil(t, source.sink)
	require.ErrorIs(t, client.Close(), errClosing)
	require.EqualValues(t, 1, store.closed.Load())
}

func TestClient_DaemonMode_ReadsWhatOthersWrite(t *testing.T) {
	client, err := New(t.Context(), Config{Daemon: true, Store: filledStore(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")))})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	require.True(t, client.Initialized(t.Context()))
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
	require.Equal(t, ldreason.EvalErrorFlagNotFound, errorKind(t, client, "b"))
	require.Equal(t, core.DataSourceValid, client.DataSourceStatus().Status().State)
	require.True(t, client.DataStoreStatus().MonitoringEnabled())
}

func TestClient_DaemonMode_StoreNotMarkedAsFilled(t *testing.T) {
	store := memorystore.New(nil, nil)
	_, err := store.Upsert(t.Context(), core.Flags, "a", flagtest.Keyed(t, "a", flagtest.OnFlag("a", 1, "true")).Item.Serialized(core.Flags, "a"))
	require.NoError(t, err)
	client, err := New(t.Context(), Config{Daemon: true, Store: store})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
	require.False(t, client.Initialized(t.Context()))
	require.Equal(t, ldreason.EvalErrorFlagNotFound, errorKind(t, client, "b"))
}

func TestClient_EarlierRun_IsUsedUntilTheDataSourceDelivers(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Hour), caching.Forever()} {
		for _, storeMode := range []core.DataStoreMode{core.DataStoreModeReadWrite, core.DataStoreModeReadOnly} {
			t.Run(mode.String()+", "+storeMode.String(), func(t *testing.T) {
				source := &manualSource{}
				db := &memorystore.Database{}
				fill := memorystore.New(db, nil)
				item := flagtest.Keyed(t, "a", flagtest.OnFlag("a", 1, `"old"`)).Item.Serialized(core.Flags, "a")
				require.NoError(t, fill.Init(t.Context(), []core.SerializedCollection{{
					Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "a", Item: item}},
				}}))
				client, err := New(t.Context(), Config{
					DataSource: source.factory, Store: memorystore.New(db, nil), StoreMode: storeMode,
					Cache: caching.Options{Mode: mode}, StartWait: -1,
				})
				require.NoError(t, err)
				defer func() { require.NoError(t, client.Close()) }()
				require.True(t, client.Initialized(t.Context()))
				require.Equal(t, "old", client.StringVariation(t.Context(), "a", user, "default"))
				require.Len(t, client.AllFlagsState(t.Context(), user).Values(), 1)

				source.deliver(t.Context(), flagtest.Items(t, "a", flagtest.OnFlag("a", 2, `"new"`), "b", flagtest.OnFlag("b", 1, "1")))
				require.Equal(t, "new", client.StringVariation(t.Context(), "a", user, "default"))
				require.NoError(t, source.sink.Delete(t.Context(), core.Flags, "b", 2))
				require.Equal(t, ldreason.EvalErrorFlagNotFound, errorKind(t, client, "b"))

				stored, _, err := fill.Get(t.Context(), core.Flags, "a")
				require.NoError(t, err)
				written := bytes.Contains(stored.Data, []byte("new"))
				require.Equal(t, storeMode == core.DataStoreModeReadWrite, written)
				require.True(t, client.DataStoreStatus().Status().Available)
				client.DataStoreStatus().AddListener(func(core.DataStoreStatus) {})()
				require.True(t, client.DataStoreStatus().MonitoringEnabled())
			})
		}
	}
}

// With the database down from the start, what the data source says is used from memory.
func TestClient_StoreDownFromTheStart_EvaluatesWhatWasDelivered(t *testing.T) {
	store := &flagtest.Faulty{Store: memorystore.New(nil, nil)}
	store.Fail(core.ErrUnavailable)
	source := &manualSource{first: flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true"))}
	client, err := New(t.Context(), Config{
		Store: store, DataSource: source.factory, StartWait: deadline, Logger: slog.New(slog.DiscardHandler),
		Cache: caching.Options{MinRetryDelay: time.Millisecond, MaxRetryDelay: time.Millisecond},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
	require.Equal(t, core.DataSourceErrorStore, client.DataSourceStatus().Status().LastError.Kind)
	eventually(t, func() bool { return !client.DataStoreStatus().Status().Available }, "the store is known to be down")

	store.Fail(nil)
	eventually(t, func() bool {
		return client.DataStoreStatus().Status().SameState(core.DataStoreStatus{Available: true})
	}, "the store is well again")
	require.Equal(t, core.DataSourceValid, client.DataSourceStatus().Status().State)
	written, err := store.Store.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, written, "without the data source having sent anything again")
}

func TestClient_Close_IsIdempotentAndFinal(t *testing.T) {
	source := &manualSource{first: flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true"))}
	store := &closeCounter{FeatureStoreCore: memorystore.New(nil, nil)}
	client, err := New(t.Context(), Config{DataSource: source.factory, Store: store})
	require.NoError(t, err)
	require.True(t, client.BoolVariation(t.Context(), "a", user, false))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := client.Close(); !errors.Is(err, errClosing) {
				t.Errorf("Close returned %v", err)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, store.closed.Load())
	require.EqualValues(t, 1, source.stopped.Load())
	require.False(t, client.Initialized(t.Context()))
	require.Equal(t, ldreason.EvalErrorClientNotReady, errorKind(t, client, "a"))
	require.False(t, client.AllFlagsState(t.Context(), user).Valid())
	require.Equal(t, core.DataSourceOff, client.DataSourceStatus().Status().State)
	require.ErrorIs(t, source.sink.Init(t.Context(), nil), core.ErrClosed)
	source.sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
	require.Equal(t, core.DataSourceOff, client.DataSourceStatus().Status().State)
}

func TestClient_Close_LeavesADataSourceBehindThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &manualSource{first: flagtest.Items(t), endless: true}
		client, err := New(t.Context(), Config{DataSource: source.factory, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		start := time.Now()
		require.NoError(t, client.Close())
		require.InDelta(t, stopLimit, time.Since(start), float64(time.Second))
	})
}

func TestClient_Close_WhileInUse(t *testing.T) {
	client, source := newTestClientWith(t, flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "true")), Config{Store: memorystore.New(nil, nil)})
	var group sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					client.BoolVariation(context.Background(), "a", user, false)
					client.AllFlagsState(context.Background(), user)
				}
			}
		})
	}
	group.Go(func() {
		for version := 2; ; version++ {
			item := flagtest.Keyed(t, "a", flagtest.OnFlag("a", version, "true")).Item
			if source.sink.Upsert(context.Background(), core.Flags, "a", item) != nil {
				return
			}
		}
	})
	require.NoError(t, client.Close())
	close(stop)
	group.Wait()
}

// What the data source has delivered needs no answer of the database.
func TestClient_Initialized_DataSourceHasDelivered_StoreIsNotAsked(t *testing.T) {
	store := &flagtest.Faulty{Store: memorystore.New(nil, nil)}
	client, _ := newTestClientWith(t, flagtest.Items(t), Config{Store: store, Cache: caching.Options{Mode: caching.Off()}})
	store.Fail(core.ErrUnavailable)
	require.True(t, client.Initialized(t.Context()))
}

func TestClient_SecureModeHash_KnownValue(t *testing.T) {
	client, err := New(t.Context(), Config{SDKKey: "secret", Offline: true})
	require.NoError(t, err)
	require.Equal(t, "aa747c502a898200f9e4fa21bac68136f886a0e27aec70ba06daf2e2a5cb5597",
		client.SecureModeHash(ldcontext.New("Message")))
	require.NoError(t, client.Close())
}

func TestClient_BigSegmentStoreStatus_NotConfigured(t *testing.T) {
	client, _ := newTestClient(t, flagtest.Items(t))
	require.Equal(t, core.BigSegmentStoreStatus{}, client.BigSegmentStoreStatus().Status())
	client.BigSegmentStoreStatus().AddListener(func(core.BigSegmentStoreStatus) {})()
}

func TestClient_SDKKey_IsNeverLogged(t *testing.T) {
	var log bytes.Buffer
	client, err := New(t.Context(), Config{
		SDKKey: "sdk-secret", Events: events.Off(), StartWait: time.Nanosecond, DataSource: (&manualSource{}).factory,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(t, err)
	client.BoolVariation(t.Context(), "a", user, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NotContains(t, client.WaitFor(ctx, core.DataSourceValid).Error(), "sdk-secret")
	require.NoError(t, client.Close())
	require.Contains(t, log.String(), "starting without data")
	require.NotContains(t, log.String(), "sdk-secret")
}

// A store that is emptied soon after the start takes no flag from a client that has used it.
func TestClient_DaemonMode_StoreIsWipedSoonAfterTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &memorystore.Database{}
		other := memorystore.New(db, nil)
		item := flagtest.Keyed(t, "a", flagtest.OnFlag("a", 1, "true")).Item.Serialized(core.Flags, "a")
		require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{{
			Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "a", Item: item}},
		}}))
		client, err := New(t.Context(), Config{Daemon: true, Store: memorystore.New(db, nil)})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		synctest.Wait() // the watch has begun; what was read before that would not be kept
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		synctest.Wait()
		db.Wipe()
		time.Sleep(time.Minute)
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		require.True(t, client.DataStoreStatus().Status().Stale)
	})
}

// askedStore counts everything it is asked but Close.
type askedStore struct {
	*memorystore.Store
	asked, closed atomic.Int64
}

func (s *askedStore) Initialized(ctx context.Context) (bool, error) {
	s.asked.Add(1)
	return s.Store.Initialized(ctx)
}

func (s *askedStore) CheckAvailability(ctx context.Context) error {
	s.asked.Add(1)
	return s.Store.CheckAvailability(ctx)
}

func (s *askedStore) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	s.asked.Add(1)
	return s.Store.Get(ctx, kind, key)
}

func (s *askedStore) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	s.asked.Add(1)
	return s.Store.GetAll(ctx, kind)
}

func (s *askedStore) Watch(ctx context.Context, changed func(core.Change)) error {
	s.asked.Add(1)
	return s.Store.Watch(ctx, changed)
}

func (s *askedStore) Close() error {
	s.closed.Add(1)
	return s.Store.Close()
}

func TestClient_Offline_LeavesItsStoreAloneAndClosesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &askedStore{Store: memorystore.New(nil, nil)}
		client, err := New(t.Context(), Config{Offline: true, Store: store})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		client.FlagTracker().AddFlagChangeListener(func(core.FlagChange) {})
		require.True(t, client.BoolVariation(t.Context(), "a", user, true))
		require.False(t, client.AllFlagsState(t.Context(), user).Valid())
		require.False(t, client.Initialized(t.Context()))
		time.Sleep(time.Hour)
		require.Zero(t, store.asked.Load())
		require.NoError(t, client.Close())
		require.Zero(t, store.asked.Load())
		require.EqualValues(t, 1, store.closed.Load())
	})
}
