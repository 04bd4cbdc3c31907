package cleat

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// manualSource is a data source that delivers what the test tells it to.
type manualSource struct {
	sink    core.DataSourceUpdateSink
	first   []core.Collection // delivered by Start unless nil
	ended   chan struct{}     // made by the factory
	filled  atomic.Bool
	stopped atomic.Int32
	// endless keeps it alive after Stop.
	endless bool
}

func (s *manualSource) factory(_ core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
	s.sink = sink
	s.ended = make(chan struct{})
	return s, nil
}

func (s *manualSource) Start(ctx context.Context) {
	if s.first != nil {
		s.deliver(ctx, s.first)
	}
}

func (s *manualSource) deliver(ctx context.Context, data []core.Collection) {
	if s.sink.Init(ctx, data) == nil {
		s.filled.Store(true)
		s.sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
	}
}

func (s *manualSource) Stop() {
	if s.stopped.Add(1) == 1 && !s.endless {
		close(s.ended)
	}
}

func (s *manualSource) Done() <-chan struct{} { return s.ended }

func (s *manualSource) Initialized() bool { return s.filled.Load() }

// closeCounter counts how often a store is closed.
type closeCounter struct {
	core.FeatureStoreCore
	closed atomic.Int32
}

func (s *closeCounter) Close() error {
	s.closed.Add(1)
	return errors.Join(s.FeatureStoreCore.Close(), errClosing)
}

var errClosing = errors.New("closing failed")

// newTestClient returns a client in memory whose data source has delivered the data.
func newTestClient(t testing.TB, data []core.Collection) (*Client, *manualSource) {
	t.Helper()
	return newTestClientWith(t, data, Config{})
}

func newTestClientWith(t testing.TB, data []core.Collection, config Config) (*Client, *manualSource) {
	t.Helper()
	source := &manualSource{first: data}
	config.DataSource = source.factory
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := New(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client, source
}

// filledStore returns a database that another process has filled.
func filledStore(t testing.TB, data []core.Collection) *memorystore.Store {
	t.Helper()
	store := memorystore.New(nil, nil)
	fill(t, store, data)
	return store
}

func fill(t testing.TB, store core.FeatureStoreCore, data []core.Collection) {
	t.Helper()
	var serialized []core.SerializedCollection
	for _, collection := range data {
		out := core.SerializedCollection{Kind: collection.Kind}
		for _, item := range collection.Items {
			out.Items = append(out.Items, core.KeyedSerializedItem{Key: item.Key, Item: item.Item.Serialized(collection.Kind, item.Key)})
		}
		serialized = append(serialized, out)
	}
	require.NoError(t, store.Init(context.Background(), serialized))
}

var user = ldcontext.New("someone")

const deadline = 10 * time.Second

func eventually(t testing.TB, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, deadline, time.Millisecond, message)
}
