package datasystem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
	"github.com/cleatdev/cleat/internal/dataorder"
)

// Sink is where the data source delivers. It writes to the store, and tells of the status of the data source and of the flags
// that change. Make one with [NewSink]; it is safe for concurrent use, and Close ends it.
type Sink struct {
	store   core.FeatureStore
	status  *SourceStatus
	changes *broadcast.Broadcaster[core.FlagChange]
	logger  *slog.Logger
	filled  chan struct{} // see Filled

	inMemory bool // the store has all items in memory, where they take effect at once

	environment atomic.Pointer[string] // the environment's identifier; nil before it is known

	turn     chan struct{} // holds a token while no update runs
	graph    *graph        // belongs to the holder of the token
	isFilled bool          // filled is closed; belongs to the holder too
	learned  bool          // graph is what is in the store; belongs to the holder too

	refusing atomic.Bool // the database did not take the last update, which has been logged

	closing    sync.Mutex // guards what follows, and keeps background from growing once closed is set
	closed     bool
	unfollow   func()         // ends the listening to changes of the store; nil before it began
	background sync.WaitGroup // goroutines of followStore and follow
}

var (
	_ core.DataSourceUpdateSink = (*Sink)(nil)
	_ core.EnvironmentIDSink    = (*Sink)(nil)
)

// NewSink makes the sink of a client. It never closes the store.
func NewSink(store core.FeatureStore, logger *slog.Logger) *Sink {
	s := &Sink{
		store:    store,
		status:   newSourceStatus(logger),
		changes:  broadcast.New[core.FlagChange](logger),
		logger:   logger,
		filled:   make(chan struct{}),
		turn:     make(chan struct{}, 1),
		inMemory: isInMemory(store),
	}
	s.graph = newGraph(s.inMemory)
	s.turn <- struct{}{}
	return s
}

// beginner is a store of which an update is in memory before it is in the database.
type beginner interface {
	BeginInit(ctx context.Context, data []core.Collection) (wait func(context.Context) error, err error)
	BeginUpsert(
		ctx context.Context, kind core.DataKind, key string, item *core.Item,
	) (wait func(context.Context) (updated bool, err error), err error)
}

// Init implements [core.DataSourceUpdateSink]. If single items do not fit into the store and everything else does, that
// is reported, and not returned: the data source has nothing left to do. The same goes for the trouble of a database if the data
// is in memory, which the database then follows.
func (s *Sink) Init(ctx context.Context, data []core.Collection) error {
	if !s.inMemory {
		data = dataorder.Sort(data)
	}
	b, ok := s.store.(beginner)
	if !ok {
		return s.initAtOnce(ctx, data)
	}
	wait, err := s.beginInit(ctx, b, data)
	if err != nil {
		return err
	}
	return s.follow(ctx, wait)
}

// beginInit is the part of Init that has its turn.
func (s *Sink) beginInit(
	ctx context.Context, b beginner, data []core.Collection,
) (wait func(context.Context) error, err error) {
	if err := s.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer s.passTurn()
	if wait, err = b.BeginInit(ctx, data); err != nil {
		return nil, s.reportInvalid(ctx, err)
	}
	s.noticeFilled()
	next := s.graph.successor(data)
	s.announce(next, s.graph.differences(next))
	s.learned, s.graph = true, next
	return wait, nil
}

// initAtOnce is Init of a store that has the data when its Init returns.
func (s *Sink) initAtOnce(ctx context.Context, data []core.Collection) error {
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.passTurn()
	if err := s.store.Init(ctx, data); err != nil && !consistsOfItems(err) {
		return s.reportInvalid(ctx, err)
	}
	s.noticeFilled()
	next := s.graph.successor(data)
	s.announce(next, s.graph.differences(next))
	s.learned, s.graph = true, next
	return nil
}

// noticeFilled notes that evaluations read what an Init has brought. The caller has the turn.
func (s *Sink) noticeFilled() {
	if !s.isFilled {
		s.isFilled = true
		close(s.filled)
	}
}

// Upsert implements [core.DataSourceUpdateSink]. As of Init, the trouble of a database is reported and not returned.
func (s *Sink) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) error {
	wait, err := s.beginUpsert(ctx, kind, key, item)
	if err != nil || wait == nil {
		return err
	}
	return s.follow(ctx, func(ctx context.Context) error {
		_, err := wait(ctx)
		return err
	})
}

// beginUpsert is the part of Upsert that has its turn.
func (s *Sink) beginUpsert(
	ctx context.Context, kind core.DataKind, key string, item *core.Item,
) (wait func(context.Context) (bool, error), err error) {
	if err := s.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer s.passTurn()
	var updated bool
	if b, ok := s.store.(beginner); ok {
		wait, err = b.BeginUpsert(ctx, kind, key, item)
		updated = wait != nil
	} else {
		updated, err = s.store.Upsert(ctx, kind, key, item)
	}
	if err != nil || !updated {
		return nil, s.reportInvalid(ctx, err)
	}
	ref := dataorder.Ref{Kind: kind, Key: key}
	s.graph.set(ref, item)
	s.announce(s.graph, []dataorder.Ref{ref})
	return wait, nil
}

// Delete implements [core.DataSourceUpdateSink].
func (s *Sink) Delete(ctx context.Context, kind core.DataKind, key string, version int) error {
	return s.Upsert(ctx, kind, key, core.NewTombstone(kind, key, version))
}

// partialApplier is a store in which the items of a change set take effect at once, whatever their versions.
type partialApplier interface {
	ApplyPartial(ctx context.Context, data []core.Collection) error
}

// Apply makes a change set take effect, and announces each flag that it concerns once. In memory all of it takes effect at once,
// whatever the versions of the items, unless it says otherwise. What is said of errors of Init holds.
func (s *Sink) Apply(ctx context.Context, changes *core.ChangeSet) error {
	switch changes.Type {
	case core.ChangeSetNone:
		return nil
	case core.ChangeSetFull:
		return s.Init(ctx, changes.Data)
	case core.ChangeSetPartial:
		if changes.OnlyNewer {
			return s.upsertAll(ctx, changes.Data)
		}
	}
	applier, able := s.store.(partialApplier)
	if !able {
		return fmt.Errorf("cleat: %w: a %T takes no change sets", core.ErrInvalid, s.store)
	}
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.passTurn()
	if err := applier.ApplyPartial(ctx, changes.Data); err != nil {
		return s.reportInvalid(ctx, err)
	}
	s.noticeFilled()
	s.announce(s.graph, s.graph.apply(changes.Data))
	return nil
}

// upsertAll upserts items one after the other.
func (s *Sink) upsertAll(ctx context.Context, data []core.Collection) error {
	for _, collection := range data {
		for _, it := range collection.Items {
			if err := s.Upsert(ctx, collection.Kind, it.Key, it.Item); err != nil {
				return err
			}
		}
	}
	return nil
}

// Status tells of the status of the data source.
func (s *Sink) Status() *SourceStatus { return s.status }

// Filled returns a channel that is closed once an Init is what evaluations read, be it from the database or from memory.
func (s *Sink) Filled() <-chan struct{} { return s.filled }

// UpdateStatus implements [core.DataSourceUpdateSink].
func (s *Sink) UpdateStatus(state core.DataSourceState, err core.DataSourceErrorInfo) {
	s.status.update(state, err)
}

// UseSource says which of several sources is in use.
func (s *Sink) UseSource(name string) { s.status.use(name) }

// DataStoreStatus implements [core.DataSourceUpdateSink].
func (s *Sink) DataStoreStatus() core.DataStoreStatusProvider { return StoreStatus(s.store) }

// SetEnvironmentID implements [core.EnvironmentIDSink].
func (s *Sink) SetEnvironmentID(id string) { s.environment.Store(&id) }

// EnvironmentID returns the identifier of the environment whose flags were delivered.
func (s *Sink) EnvironmentID() ldvalue.OptionalString {
	return ldvalue.NewOptionalStringFromPointer(s.environment.Load())
}

// takeTurn makes updates wait for each other, so that changes are announced in the order in which they are stored.
func (s *Sink) takeTurn(ctx context.Context) error {
	if ctx == nil {
		return fmt.Errorf("%w: the context is nil", core.ErrInvalid)
	}
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Sink) passTurn() { s.turn <- struct{}{} }

// announce tells listeners of the flags that the changed items concern.
func (s *Sink) announce(g *graph, changed []dataorder.Ref) {
	if len(changed) == 0 || !s.changes.HasListeners() {
		return
	}
	for _, key := range g.flagsConcerned(changed) {
		s.changes.Publish(core.FlagChange{Key: key})
	}
}

// databasePatience is for how long an update waits for the database. The data source's next update is hidden meanwhile.
const databasePatience = 50 * time.Millisecond

// follow waits until the database has what memory has. If that takes long, the data source goes on, and what comes of it is
// reported later.
func (s *Sink) follow(ctx context.Context, wait func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	err := wait(limited)
	if limited.Err() == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return s.reportFollowing(ctx, err)
	}
	s.closing.Lock()
	defer s.closing.Unlock()
	if !s.closed {
		detached := context.WithoutCancel(ctx) // the store bounds the wait
		s.background.Go(func() { _ = s.reportFollowing(detached, wait(detached)) })
	}
	return nil
}

// reportFollowing tells of an error because of which the database does not follow memory. It returns only one that says that
// the client is closed or the caller has left.
func (s *Sink) reportFollowing(ctx context.Context, err error) error {
	switch {
	case err == nil:
		s.refusing.Store(false)
		return nil
	case isWanted(ctx, err):
		return err
	case consistsOfItems(err):
		s.logger.ErrorContext(ctx, "cleat: the store cannot hold some items; all others are stored", "error", err)
	case !s.refusing.Swap(true):
		s.logger.ErrorContext(ctx, "cleat: an update is in memory, and not in the data store yet; "+
			"further ones are not logged until the store accepts one", "error", err)
	}
	s.status.fail(errorInfo(err))
	return nil
}

// reportInvalid tells of an error because of which an update is not even in memory, and returns it.
func (s *Sink) reportInvalid(ctx context.Context, err error) error {
	if err != nil && !isWanted(ctx, err) {
		s.logger.ErrorContext(ctx, "cleat: an update was refused", "error", err)
		s.status.update(core.DataSourceInterrupted, errorInfo(err))
	}
	return err
}

// isWanted reports whether an error says that the client was closed or the caller has left.
func isWanted(ctx context.Context, err error) bool {
	return errors.Is(err, core.ErrClosed) || ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// Close ends all listening. It waits for what runs in the background, which ends with the context it was given or when the store is closed.
func (s *Sink) Close() {
	s.closing.Lock()
	s.closed = true
	if s.unfollow != nil {
		s.unfollow()
	}
	s.closing.Unlock()
	s.background.Wait()
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
