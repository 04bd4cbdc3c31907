package cleat

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

var serializedGarbage = core.SerializedItem{Version: 1, Data: []byte(`{"key":`)}

// recordingStore keeps the order in which Init is given items, and fails if it is told to.
type recordingStore struct {
	*memoryStore
	order []string
	err   error
}

func (s *recordingStore) Init(ctx context.Context, data []core.Collection) error {
	s.order = nil
	for _, collection := range data {
		for _, item := range collection.Items {
			s.order = append(s.order, item.Key)
		}
	}
	if s.err != nil {
		return s.err
	}
	return s.memoryStore.Init(ctx, data)
}

func (s *recordingStore) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	return s.memoryStore.Upsert(ctx, kind, key, item)
}

func newRecordingSink() (*updateSink, *recordingStore) {
	store := &recordingStore{memoryStore: newMemoryStore()}
	return newUpdateSink(store, slog.New(slog.DiscardHandler)), store
}

func TestUpdateSink_Init_OrdersTheData(t *testing.T) {
	sink, store := newRecordingSink()
	require.NoError(t, sink.Init(t.Context(), dependentData(t)))
	require.Equal(t, []string{"segment-inner", "segment-outer", "alone", "base", "dependent"}, store.order)
}

func TestUpdateSink_StoreRefuses_IsReportedAsStoreError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, store := newRecordingSink()
		sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
		var changes collector[core.FlagChange]
		sink.changes.Add(changes.listen)
		store.err = fmt.Errorf("%w: disk full", core.ErrUnavailable)
		data := items(t, "a", onFlag("a", 1, "1"))
		for name, update := range map[string]func() error{
			"init":   func() error { return sink.Init(t.Context(), data) },
			"upsert": func() error { return sink.Upsert(t.Context(), core.Flags, "a", data[0].Items[0].Item) },
			"delete": func() error { return sink.Delete(t.Context(), core.Flags, "a", 9) },
		} {
			sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
			require.ErrorIs(t, update(), core.ErrUnavailable, name)
			status := sink.status.Status()
			require.Equal(t, core.DataSourceInterrupted, status.State, name)
			require.Equal(t, core.DataSourceErrorStore, status.LastError.Kind, name)
			require.Contains(t, status.LastError.Message, "disk full", name)
			require.Empty(t, takeKeys(&changes), name)
		}
		store.err = nil
		require.NoError(t, sink.Init(t.Context(), data))
		require.Equal(t, []string{"a"}, takeKeys(&changes))
		sink.close()
	})
}

func TestUpdateSink_Init_ItemsThatDoNotFitAreNoFailure(t *testing.T) {
	store, err := caching.NewCachingStoreWrapper(memorystore.New(nil, &memorystore.Options{MaxItemSize: 200}), nil)
	require.NoError(t, err)
	sink := newUpdateSink(store, slog.New(slog.DiscardHandler))
	defer sink.close()
	defer func() { require.NoError(t, store.Close()) }()
	sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
	big := fmt.Sprintf(`"%0300d"`, 1)
	require.NoError(t, sink.Init(t.Context(), items(t, "big", onFlag("big", 1, big), "a", onFlag("a", 1, "1"))))
	status := sink.status.Status()
	require.Equal(t, core.DataSourceValid, status.State)
	require.Equal(t, core.DataSourceErrorStore, status.LastError.Kind)
	require.Contains(t, status.LastError.Message, "big")
	_, found, err := store.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.True(t, found)
}

func TestUpdateSink_InvalidArguments(t *testing.T) {
	sink, _ := newRecordingSink()
	item := core.NewTombstone(core.Flags, "a", 1)
	require.ErrorIs(t, sink.Init(nil, nil), core.ErrInvalid)
	require.ErrorIs(t, sink.Upsert(t.Context(), core.Flags, "a", nil), core.ErrInvalid)
	require.ErrorIs(t, sink.Upsert(t.Context(), core.Flags, "", item), core.ErrInvalid)
	require.ErrorIs(t, sink.Upsert(t.Context(), "no kind", "a", item), core.ErrInvalid)
	require.ErrorIs(t, sink.Init(t.Context(), []core.Collection{{Kind: core.Flags, Items: []core.KeyedItem{{Key: "a"}}}}), core.ErrInvalid)
	require.Equal(t, core.DataSourceErrorInvalidData, sink.status.Status().LastError.Kind, "that is not the store's fault")
}

func TestUpdateSink_ContextEndsWhileAnotherUpdateRuns(t *testing.T) {
	sink, _ := newRecordingSink()
	require.NoError(t, sink.takeTurn(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, context.Canceled, sink.Init(ctx, nil))
	require.Equal(t, context.Canceled, sink.Delete(ctx, core.Flags, "a", 1))
	sink.passTurn()
	require.NoError(t, sink.Init(t.Context(), nil))
}

func TestUpdateSink_ContextEndsInTheStore_IsNotReported(t *testing.T) {
	sink, store := newRecordingSink()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	store.err = context.Canceled
	require.Equal(t, context.Canceled, sink.Upsert(t.Context(), core.Flags, "a", core.NewTombstone(core.Flags, "a", 1)))
	require.Equal(t, core.DataSourceErrorStore, sink.status.Status().LastError.Kind, "of another context")

	sink, store = newRecordingSink()
	cancel()
	store.err = context.Canceled
	require.Equal(t, context.Canceled, sink.reportInvalid(ctx, store.err))
	require.Zero(t, sink.status.Status().LastError)
}

func TestDataSourceStatus_Rules(t *testing.T) {
	broken := core.DataSourceErrorInfo{Kind: core.DataSourceErrorNetwork, Message: "reset"}
	synctest.Test(t, func(t *testing.T) {
		s := newDataSourceStatus(nil)
		var statuses collector[core.DataSourceStatus]
		s.AddListener(statuses.listen)
		began := time.Now()
		require.Equal(t, core.DataSourceStatus{State: core.DataSourceInitializing, StateSince: began}, s.Status())

		time.Sleep(time.Second)
		s.update(core.DataSourceInterrupted, broken)
		withError := broken
		withError.Time = time.Now()
		require.Equal(t, []core.DataSourceStatus{{State: core.DataSourceInitializing, StateSince: began, LastError: withError}}, statuses.take())
		s.update(core.DataSourceInitializing, core.DataSourceErrorInfo{})
		require.Empty(t, statuses.take(), "nothing has changed")

		time.Sleep(time.Second)
		s.update(core.DataSourceValid, core.DataSourceErrorInfo{})
		want := core.DataSourceStatus{State: core.DataSourceValid, StateSince: time.Now(), LastError: withError}
		require.Equal(t, []core.DataSourceStatus{want}, statuses.take())
		s.update(core.DataSourceValid, core.DataSourceErrorInfo{})
		require.Empty(t, statuses.take())

		time.Sleep(time.Second)
		s.update(core.DataSourceInterrupted, core.DataSourceErrorInfo{})
		want = core.DataSourceStatus{State: core.DataSourceInterrupted, StateSince: time.Now(), LastError: withError}
		require.Equal(t, []core.DataSourceStatus{want}, statuses.take())
		time.Sleep(time.Second)
		again := core.DataSourceErrorInfo{Kind: core.DataSourceErrorResponse, HTTPStatus: 503, Time: began}
		s.update(core.DataSourceInterrupted, again)
		want.LastError = again
		require.Equal(t, []core.DataSourceStatus{want}, statuses.take())

		s.update(core.DataSourceOff, core.DataSourceErrorInfo{})
		require.Len(t, statuses.take(), 1)
		s.update(core.DataSourceValid, broken)
		s.fail(broken)
		require.Empty(t, statuses.take(), "off is final")
		require.Equal(t, core.DataSourceOff, s.Status().State)
		s.close()
	})
}
