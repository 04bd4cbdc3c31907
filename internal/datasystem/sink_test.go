package datasystem

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

// recordingStore keeps the order in which Init is given items, and fails if it is told to.
type recordingStore struct {
	*MemoryStore
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
	return s.MemoryStore.Init(ctx, data)
}

func (s *recordingStore) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	return s.MemoryStore.Upsert(ctx, kind, key, item)
}

func newRecordingSink() (*Sink, *recordingStore) {
	store := &recordingStore{MemoryStore: NewMemoryStore()}
	return NewSink(store, slog.New(slog.DiscardHandler)), store
}

func TestSink_Init_OrdersTheData(t *testing.T) {
	sink, store := newRecordingSink()
	rules := `{"key":%q,"version":1,"rules":[{"clauses":[{"op":"segmentMatch","values":[%q]}]}]}`
	data := flagtest.Items(t,
		"base", flagtest.OnFlag("base", 1, "1"), "dependent", `{"key":"dependent","version":1,"prerequisites":[{"key":"base"}]}`,
		"alone", fmt.Sprintf(rules, "alone", "segment-outer"),
		"segment-outer", fmt.Sprintf(rules, "segment-outer", "segment-inner"), "segment-inner", `{"key":"segment-inner"}`,
	)
	require.NoError(t, sink.Init(t.Context(), data))
	require.Equal(t, []string{"segment-inner", "segment-outer", "alone", "base", "dependent"}, store.order)
}

func TestSink_StoreRefuses_IsReportedAsStoreError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, store := newRecordingSink()
		sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
		var changes flagtest.Collector[core.FlagChange]
		sink.changes.Add(changes.Listen)
		store.err = fmt.Errorf("%w: disk full", core.ErrUnavailable)
		data := flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "1"))
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
			require.Empty(t, flagtest.TakeKeys(&changes), name)
		}
		store.err = nil
		require.NoError(t, sink.Init(t.Context(), data))
		require.Equal(t, []string{"a"}, flagtest.TakeKeys(&changes))
		sink.Close()
	})
}

func TestSink_Init_ItemsThatDoNotFitAreNoFailure(t *testing.T) {
	store, err := caching.NewCachingStoreWrapper(memorystore.New(nil, &memorystore.Options{MaxItemSize: 200}), nil)
	require.NoError(t, err)
	sink := NewSink(store, slog.New(slog.DiscardHandler))
	defer sink.Close()
	defer func() { require.NoError(t, store.Close()) }()
	sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
	big := fmt.Sprintf(`"%0300d"`, 1)
	require.NoError(t, sink.Init(t.Context(), flagtest.Items(t, "big", flagtest.OnFlag("big", 1, big), "a", flagtest.OnFlag("a", 1, "1"))))
	status := sink.status.Status()
	require.Equal(t, core.DataSourceValid, status.State)
	require.Equal(t, core.DataSourceErrorStore, status.LastError.Kind)
	require.Contains(t, status.LastError.Message, "big")
	_, found, err := store.Get(t.Context(), core.Flags, "a")
	require.NoError(t, err)
	require.True(t, found)
}

func TestSink_InvalidArguments(t *testing.T) {
	sink, _ := newRecordingSink()
	item := core.NewTombstone(core.Flags, "a", 1)
	require.ErrorIs(t, sink.Init(nil, nil), core.ErrInvalid)
	require.ErrorIs(t, sink.Upsert(t.Context(), core.Flags, "a", nil), core.ErrInvalid)
	require.ErrorIs(t, sink.Upsert(t.Context(), core.Flags, "", item), core.ErrInvalid)
	require.ErrorIs(t, sink.Upsert(t.Context(), "no kind", "a", item), core.ErrInvalid)
	require.ErrorIs(t, sink.Init(t.Context(), []core.Collection{{Kind: core.Flags, Items: []core.KeyedItem{{Key: "a"}}}}), core.ErrInvalid)
	require.Equal(t, core.DataSourceErrorInvalidData, sink.status.Status().LastError.Kind, "that is not the store's fault")
}

func TestSink_ContextEndsWhileAnotherUpdateRuns(t *testing.T) {
	sink, _ := newRecordingSink()
	require.NoError(t, sink.takeTurn(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, context.Canceled, sink.Init(ctx, nil))
	require.Equal(t, context.Canceled, sink.Delete(ctx, core.Flags, "a", 1))
	sink.passTurn()
	require.NoError(t, sink.Init(t.Context(), nil))
}

func TestSink_ContextEndsInTheStore_IsNotReported(t *testing.T) {
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

func TestSourceStatus_Rules(t *testing.T) {
	broken := core.DataSourceErrorInfo{Kind: core.DataSourceErrorNetwork, Message: "reset"}
	synctest.Test(t, func(t *testing.T) {
		s := newSourceStatus(nil)
		var statuses flagtest.Collector[core.DataSourceStatus]
		s.AddListener(statuses.Listen)
		began := time.Now()
		require.Equal(t, core.DataSourceStatus{State: core.DataSourceInitializing, StateSince: began}, s.Status())

		time.Sleep(time.Second)
		s.update(core.DataSourceInterrupted, broken)
		withError := broken
		withError.Time = time.Now()
		require.Equal(t, []core.DataSourceStatus{{State: core.DataSourceInitializing, StateSince: began, LastError: withError}}, statuses.Take())
		s.update(core.DataSourceInitializing, core.DataSourceErrorInfo{})
		require.Empty(t, statuses.Take(), "nothing has changed")

		time.Sleep(time.Second)
		s.update(core.DataSourceValid, core.DataSourceErrorInfo{})
		want := core.DataSourceStatus{State: core.DataSourceValid, StateSince: time.Now(), LastError: withError}
		require.Equal(t, []core.DataSourceStatus{want}, statuses.Take())
		s.update(core.DataSourceValid, core.DataSourceErrorInfo{})
		require.Empty(t, statuses.Take())

		time.Sleep(time.Second)
		s.update(core.DataSourceInterrupted, core.DataSourceErrorInfo{})
		want = core.DataSourceStatus{State: core.DataSourceInterrupted, StateSince: time.Now(), LastError: withError}
		require.Equal(t, []core.DataSourceStatus{want}, statuses.Take())
		time.Sleep(time.Second)
		again := core.DataSourceErrorInfo{Kind: core.DataSourceErrorResponse, HTTPStatus: 503, Time: began}
		s.update(core.DataSourceInterrupted, again)
		want.LastError = again
		require.Equal(t, []core.DataSourceStatus{want}, statuses.Take())

		s.update(core.DataSourceOff, core.DataSourceErrorInfo{})
		require.Len(t, statuses.Take(), 1)
		s.update(core.DataSourceValid, broken)
		s.fail(broken)
		require.Empty(t, statuses.Take(), "off is final")
		require.Equal(t, core.DataSourceOff, s.Status().State)
		s.close()
	})
}

// loggedMessages is a log handler that keeps the messages from a level on.
type loggedMessages struct {
	from     slog.Level
	mu       sync.Mutex
	messages []string
}

func (h *loggedMessages) Enabled(_ context.Context, level slog.Level) bool { return level >= h.from }

func (h *loggedMessages) Handle(_ context.Context, record slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, record.Message)
	return nil
}

func (h *loggedMessages) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *loggedMessages) WithGroup(string) slog.Handler { return h }

func (h *loggedMessages) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.messages
	h.messages = nil
	return taken
}

const refusal = "cleat: an update is in memory, and not in the data store yet; further ones are not logged until the store accepts one"

// An outage of hours with an update a second is a handful of lines, and so is the next one.
func TestSink_RefusedUpdates_AreLoggedOncePerOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged := &loggedMessages{from: slog.LevelError}
		store := &flagtest.Faulty{Store: memorystore.New(nil, nil)}
		wrapper, err := caching.NewCachingStoreWrapper(store, &caching.Options{Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		sink := NewSink(wrapper, slog.New(logged))
		defer sink.Close()
		defer func() { require.NoError(t, wrapper.Close()) }()
		version := 0
		update := func() error {
			version++
			return sink.Upsert(t.Context(), core.Flags, "a", flagtest.Keyed(t, "a", flagtest.OnFlag("a", version, "1")).Item)
		}
		require.NoError(t, sink.Init(t.Context(), flagtest.Items(t)))
		for range 2 {
			require.NoError(t, update())
			require.Empty(t, logged.take())
			store.Fail(core.ErrUnavailable)
			for range 1000 {
				require.NoError(t, update(), "memory has it")
				time.Sleep(time.Second)
			}
			require.NoError(t, sink.Init(t.Context(), flagtest.Items(t)))
			require.Equal(t, []string{refusal}, logged.take())
			store.Fail(nil)
			time.Sleep(time.Minute)
		}
	})
}
