package filedata_test

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/internal/broadcast"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const deadline = 10 * time.Second

// sink records what a data source delivers, and plays a store.
type sink struct {
	mu       sync.Mutex
	inits    [][]core.Collection
	statuses []report
	initErr  error
	store    core.DataStoreStatus
	stores   *broadcast.Broadcaster[core.DataStoreStatus]
}

type report struct {
	state core.DataSourceState
	err   core.DataSourceErrorInfo
}

func newSink() *sink {
	return &sink{
		store:  core.DataStoreStatus{Available: true},
		stores: broadcast.New[core.DataStoreStatus](nil),
	}
}

func (s *sink) Init(ctx context.Context, data []core.Collection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	s.inits = append(s.inits, data)
	return s.initErr
}

func (s *sink) Upsert(context.Context, core.DataKind, string, *core.Item) error {
	panic("a file source replaces everything")
}

func (s *sink) Delete(context.Context, core.DataKind, string, int) error {
	panic("a file source replaces everything")
}

func (s *sink) UpdateStatus(state core.DataSourceState, err core.DataSourceErrorInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses = append(s.statuses, report{state, err})
}

func (s *sink) DataStoreStatus() core.DataStoreStatusProvider { return storeStatus{s} }

type storeStatus struct{ *sink }

func (s storeStatus) Status() core.DataStoreStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store
}

func (s storeStatus) MonitoringEnabled() bool { return true }

func (s storeStatus) AddListener(listener func(core.DataStoreStatus)) func() {
	return s.stores.Add(listener)
}

// setStore changes the status of the store and what its Init returns.
func (s *sink) setStore(status core.DataStoreStatus, initErr error) {
	s.mu.Lock()
	s.store, s.initErr = status, initErr
	s.mu.Unlock()
	s.stores.Publish(status)
}

func (s *sink) initCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inits)
}

// items returns the JSON of the last Init by kind and key.
func (s *sink) items() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inits) == 0 {
		return nil
	}
	items := map[string]string{}
	for _, collection := range s.inits[len(s.inits)-1] {
		for _, item := range collection.Items {
			items[string(collection.Kind)+"/"+item.Key] = string(item.Item.JSON())
		}
	}
	return items
}

func (s *sink) last() report {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.statuses) == 0 {
		return report{}
	}
	return s.statuses[len(s.statuses)-1]
}

func (s *sink) waitForState(t *testing.T, state core.DataSourceState) {
	t.Helper()
	eventually(t, func() bool { return s.last().state == state }, "state %s", state)
}

func (s *sink) waitForFlag(t *testing.T, key, json string) {
	t.Helper()
	want := parse(t, map[string]string{"": json})
	eventually(t, func() bool {
		text, found := s.items()["features/"+key]
		return found && reflect.DeepEqual(want, parse(t, map[string]string{"": text}))
	}, "flag %s", json)
}

// waitForError waits until the source is interrupted with a message that contains all the texts.
func (s *sink) waitForError(t *testing.T, kind core.DataSourceErrorKind, texts ...string) {
	t.Helper()
	s.waitForState(t, core.DataSourceInterrupted)
	require.Equal(t, kind, s.last().err.Kind)
	for _, text := range texts {
		require.Contains(t, s.last().err.Message, text)
	}
}

// eventually polls a condition that another goroutine or the operating system brings about.
func eventually(t *testing.T, condition func() bool, message string, args ...any) {
	t.Helper()
	require.Eventuallyf(t, condition, deadline, 2*time.Millisecond, message, args...)
}

// start makes and starts a source that is stopped, and waited for, when the test ends.
func start(t *testing.T, s *sink, options filedata.Options) core.UpdateProcessor {
	t.Helper()
	source, err := filedata.Source(options)(core.ClientSettings{Logger: slog.New(slog.DiscardHandler)}, s)
	require.NoError(t, err)
	source.Start(t.Context())
	t.Cleanup(func() {
		source.Stop()
		eventually(t, func() bool { return ended(source) }, "the source ends")
	})
	return source
}

// watching returns options with which a change is noticed only if the file system tells of it.
func watching(paths ...string) filedata.Options {
	return filedata.Options{Paths: paths, Reload: true, Debounce: time.Millisecond, PollInterval: time.Hour}
}

// ended reports whether the source has ended.
func ended(source core.UpdateProcessor) bool {
	select {
	case <-source.Done():
		return true
	default:
		return false
	}
}
