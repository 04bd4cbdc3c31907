package cleat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
	"github.com/cleatdev/cleat/internal/dataorder"
)

// updateSink is where the data source delivers.
type updateSink struct {
	store   core.FeatureStore
	status  *dataSourceStatus
	changes *broadcast.Broadcaster[core.FlagChange]
	logger  *slog.Logger
	// filled is closed once an Init is what evaluations read, be it from the database or from memory.
	filled chan struct{}

	environment atomic.Pointer[string] // the environment's identifier; nil before it is known

	turn     chan struct{} // holds a token while nobody updates
	graph    *dataGraph    // belongs to the holder of the token
	refusing bool          // the last update was refused, which has been logged; belongs to the holder
	isFilled bool          // filled is closed; belongs to the holder too
	learned  bool          // graph is what is in the store; belongs to the holder too

	unfollow func() // ends the listening to changes of the store; nil if it tells of none

	closing  sync.Mutex // guards closed, and keeps learning from growing once it is set
	closed   bool
	learning sync.WaitGroup // goroutines of learnSoon
}

var (
	_ core.DataSourceUpdateSink = (*updateSink)(nil)
	_ core.EnvironmentIDSink    = (*updateSink)(nil)
)

func newUpdateSink(store core.FeatureStore, logger *slog.Logger) *updateSink {
	s := &updateSink{
		store:   store,
		status:  newDataSourceStatus(logger),
		changes: broadcast.New[core.FlagChange](logger),
		logger:  logger,
		filled:  make(chan struct{}),
		turn:    make(chan struct{}, 1),
		graph:   newDataGraph(),
	}
	s.turn <- struct{}{}
	return s
}

// Init implements [core.DataSourceUpdateSink]. If single items do not fit into the store and everything else does, that
// is reported, and not returned: the data source has nothing left to do.
func (s *updateSink) Init(ctx context.Context, data []core.Collection) error {
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.passTurn()
	data = dataorder.Sort(data)
	err := s.report(ctx, s.store.Init(ctx, data))
	if errors.Is(err, core.ErrClosed) || errors.Is(err, core.ErrInvalid) {
		return err
	}
	s.noticeFilled(ctx, err)
	next := s.graph.successor(data)
	s.announce(next, s.graph.differences(next))
	if err == nil {
		s.learned = true
		s.graph = next // otherwise the store may follow later, which is to be announced as well
	}
	return err
}

// noticeFilled asks the store after an Init that failed: it may use the data all the same.
func (s *updateSink) noticeFilled(ctx context.Context, err error) {
	if s.isFilled {
		return
	}
	if err != nil {
		if initialized, readErr := s.store.Initialized(ctx); readErr != nil || !initialized {
			return
		}
	}
	s.isFilled = true
	close(s.filled)
}

// Upsert implements [core.DataSourceUpdateSink].
func (s *updateSink) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) error {
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.passTurn()
	updated, err := s.store.Upsert(ctx, kind, key, item)
	if err != nil {
		s.reportRefusal(ctx, err)
	} else {
		s.refusing = false
	}
	if errors.Is(err, core.ErrClosed) || errors.Is(err, core.ErrInvalid) {
		return err
	}
	if err == nil && !updated {
		return nil
	}
	ref := dataorder.Ref{Kind: kind, Key: key}
	if err == nil {
		s.graph.set(ref, item)
	}
	s.announce(s.graph, []dataorder.Ref{ref})
	return err
}

// Delete implements [core.DataSourceUpdateSink].
func (s *updateSink) Delete(ctx context.Context, kind core.DataKind, key string, version int) error {
	return s.Upsert(ctx, kind, key, core.NewTombstone(kind, key, version))
}

// UpdateStatus implements [core.DataSourceUpdateSink].
func (s *updateSink) UpdateStatus(state core.DataSourceState, err core.DataSourceErrorInfo) {
	s.status.update(state, err)
}

// DataStoreStatus implements [core.DataSourceUpdateSink].
func (s *updateSink) DataStoreStatus() core.DataStoreStatusProvider { return storeStatus(s.store) }

// SetEnvironmentID implements [core.EnvironmentIDSink].
func (s *updateSink) SetEnvironmentID(id string) { s.environment.Store(&id) }

// environmentID returns the identifier of the environment whose flags were delivered.
func (s *updateSink) environmentID() ldvalue.OptionalString {
	return ldvalue.NewOptionalStringFromPointer(s.environment.Load())
}

// takeTurn makes updates wait for each other, so that changes are announced in the order in which they are stored.
func (s *updateSink) takeTurn(ctx context.Context) error {
	if ctx == nil {
		return fmt.Errorf("cleat: %w: the context is nil", core.ErrInvalid)
	}
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *updateSink) passTurn() { s.turn <- struct{}{} }

// announce tells listeners of the flags that the changed items concern.
func (s *updateSink) announce(graph *dataGraph, changed []dataorder.Ref) {
	if len(changed) == 0 || !s.changes.HasListeners() {
		return
	}
	for _, key := range graph.flagsConcerned(changed) {
		s.changes.Publish(core.FlagChange{Key: key})
	}
}

// report tells of an error of Init and returns it, unless it concerns nothing but single items.
func (s *updateSink) report(ctx context.Context, err error) error {
	switch {
	case err == nil:
		s.refusing = false
		return nil
	case consistsOfItems(err):
		s.logger.Error("cleat: the store cannot hold some items; all others are stored", "error", err)
		s.status.fail(errorInfo(err))
		return nil
	default:
		s.reportRefusal(ctx, err)
		return err
	}
}

func (s *updateSink) reportRefusal(ctx context.Context, err error) {
	if errors.Is(err, core.ErrClosed) || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return // somebody wanted that
	}
	level := slog.LevelDebug
	if !s.refusing {
		s.refusing, level = true, slog.LevelError
	}
	s.logger.Log(ctx, level, "cleat: the store refused an update; further ones are not logged until it accepts one", "error", err)
	s.status.update(core.DataSourceInterrupted, errorInfo(err))
}

// close waits for what runs in the background, which ends with the context it was given or when the store is closed.
func (s *updateSink) close() {
	if s.unfollow != nil {
		s.unfollow()
	}
	s.closing.Lock()
	s.closed = true
	s.closing.Unlock()
	s.learning.Wait()
	s.status.close()
	s.changes.Close()
}

// errorInfo describes an error of the store. What no store accepts is the fault of the data.
func errorInfo(err error) core.DataSourceErrorInfo {
	kind := core.DataSourceErrorStore
	if errors.Is(err, core.ErrInvalid) {
		kind = core.DataSourceErrorInvalidData
	}
	return core.DataSourceErrorInfo{Kind: kind, Message: err.Error()}
}

func consistsOfItems(err error) bool {
	_, only := core.ItemErrors(err)
	return only
}
