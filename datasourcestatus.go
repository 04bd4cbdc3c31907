package cleat

import (
	"log/slog"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
)

// dataSourceStatus keeps the status of the data source and tells of it.
type dataSourceStatus struct {
	listeners *broadcast.Broadcaster[core.DataSourceStatus]
	settled   chan struct{} // closed when the state is first neither initializing nor interrupted

	mu      sync.Mutex
	current core.DataSourceStatus
}

var _ core.DataSourceStatusProvider = (*dataSourceStatus)(nil)

func newDataSourceStatus(logger *slog.Logger) *dataSourceStatus {
	return &dataSourceStatus{
		listeners: broadcast.New[core.DataSourceStatus](logger),
		settled:   make(chan struct{}),
		current:   core.DataSourceStatus{State: core.DataSourceInitializing, StateSince: time.Now()},
	}
}

func (s *dataSourceStatus) Status() core.DataSourceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

func (s *dataSourceStatus) AddListener(listener func(core.DataSourceStatus)) (remove func()) {
	return s.listeners.Add(listener)
}

// update applies the rules of [core.DataSourceUpdateSink] and announces what has changed.
func (s *dataSourceStatus) update(state core.DataSourceState, err core.DataSourceErrorInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(state, err)
}

// fail records an error and leaves the state as it is.
func (s *dataSourceStatus) fail(err core.DataSourceErrorInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(s.current.State, err)
}

// change is called with the lock held, so that listeners get statuses in the order in which they came about.
func (s *dataSourceStatus) change(state core.DataSourceState, err core.DataSourceErrorInfo) {
	if s.current.State == core.DataSourceOff {
		return
	}
	if state == core.DataSourceInterrupted && s.current.State == core.DataSourceInitializing {
		state = core.DataSourceInitializing
	}
	if state == s.current.State && err == (core.DataSourceErrorInfo{}) {
		return
	}
	now := time.Now()
	if state != s.current.State {
		s.settle(state)
		s.current.State, s.current.StateSince = state, now
	}
	if err != (core.DataSourceErrorInfo{}) {
		if err.Time.IsZero() {
			err.Time = now
		}
		s.current.LastError = err
	}
	s.listeners.Publish(s.current)
}

func (s *dataSourceStatus) settle(next core.DataSourceState) {
	if s.current.State == core.DataSourceInitializing && next != core.DataSourceInitializing {
		close(s.settled)
	}
}

func (s *dataSourceStatus) close() {
	s.update(core.DataSourceOff, core.DataSourceErrorInfo{})
	s.listeners.Close()
}
