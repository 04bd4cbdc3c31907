package datasystem

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
)

// SourceStatus keeps the status of the data source and tells of it. It is safe for concurrent use.
type SourceStatus struct {
	listeners *broadcast.Broadcaster[core.DataSourceStatus]
	hopeless  chan struct{} // see Hopeless

	mu      sync.Mutex // guards what follows
	current core.DataSourceStatus
	isGiven bool // hopeless is closed
	several bool // see HopeUntilOff
	// entered has a channel for each state that is waited for; it is closed when that state begins.
	entered map[core.DataSourceState]chan struct{}
}

var _ core.DataSourceStatusProvider = (*SourceStatus)(nil)

func newSourceStatus(logger *slog.Logger) *SourceStatus {
	return &SourceStatus{
		listeners: broadcast.New[core.DataSourceStatus](logger),
		hopeless:  make(chan struct{}),
		current:   core.DataSourceStatus{State: core.DataSourceInitializing, StateSince: time.Now()},
		entered:   map[core.DataSourceState]chan struct{}{},
	}
}

// Hopeless returns a channel that is closed when it is clear that there will be no data soon: the data source has given up before
// it was valid, or the flag service has refused the SDK key.
func (s *SourceStatus) Hopeless() <-chan struct{} { return s.hopeless }

// HopeUntilOff says that one source of several may refuse what another one accepts, so that there is hope until all have given up.
func (s *SourceStatus) HopeUntilOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.several = true
}

// Status implements [core.DataSourceStatusProvider].
func (s *SourceStatus) Status() core.DataSourceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// AddListener implements [core.DataSourceStatusProvider].
func (s *SourceStatus) AddListener(listener func(core.DataSourceStatus)) (remove func()) {
	return s.listeners.Add(listener)
}

// update applies the rules of [core.DataSourceUpdateSink] and announces what has changed.
func (s *SourceStatus) update(state core.DataSourceState, err core.DataSourceErrorInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(state, err)
}

// use says which of several sources is in use.
func (s *SourceStatus) use(source string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Source == source || s.current.State == core.DataSourceOff {
		return
	}
	s.current.Source, s.current.SourceSince = source, time.Now()
	s.listeners.Publish(s.current)
}

// fail records an error and leaves the state as it is.
func (s *SourceStatus) fail(err core.DataSourceErrorInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(s.current.State, err)
}

// change is called with the lock held, so that listeners get statuses in the order in which they came about.
func (s *SourceStatus) change(state core.DataSourceState, err core.DataSourceErrorInfo) {
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
		s.current.State, s.current.StateSince = state, now
		if entered := s.entered[state]; entered != nil {
			close(entered)
			delete(s.entered, state)
		}
	}
	if err != (core.DataSourceErrorInfo{}) {
		if err.Time.IsZero() {
			err.Time = now
		}
		s.current.LastError = err
	}
	if !s.isGiven && (state == core.DataSourceOff || refuses(err) && !s.several) {
		s.isGiven = true
		close(s.hopeless)
	}
	s.listeners.Publish(s.current)
}

// whenIn returns a channel that is closed once the state has begun, however short it lasts, or is the current one.
func (s *SourceStatus) whenIn(state core.DataSourceState) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	entered := s.entered[state]
	if entered == nil {
		entered = make(chan struct{})
		if s.current.State == state {
			close(entered)
		} else {
			s.entered[state] = entered
		}
	}
	return entered
}

// WaitFor returns nil once the state has begun, and an error when ctx ends or the data source is off.
func (s *SourceStatus) WaitFor(ctx context.Context, state core.DataSourceState) error {
	entered, off := s.whenIn(state), s.whenIn(core.DataSourceOff)
	select {
	case <-entered:
	case <-off:
	case <-ctx.Done():
	}
	select {
	case <-entered: // whatever else has happened
		return nil
	default:
	}
	status := s.Status()
	lastError := cmp.Or(status.LastError.String(), "none")
	if status.State == core.DataSourceOff {
		return fmt.Errorf("cleat: the data source is off and will not be %s, last error: %s", state, lastError)
	}
	return fmt.Errorf("cleat: the data source is %s and not %s, last error: %s: %w", status.State, state, lastError, ctx.Err())
}

// refuses reports whether the error says that the flag service knows no such SDK key, that it is of another kind, or that there
// is no flag service at the address. The data source goes on trying, but that takes longer than a start is worth waiting for.
func refuses(err core.DataSourceErrorInfo) bool {
	if err.Kind != core.DataSourceErrorResponse {
		return false
	}
	switch err.HTTPStatus {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return true
	default:
		return false
	}
}

func (s *SourceStatus) close() {
	s.update(core.DataSourceOff, core.DataSourceErrorInfo{})
	s.listeners.Close()
}
