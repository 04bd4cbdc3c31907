package caching

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
)

// dbState is the state of the database as far as the wrapper knows.
type dbState int

const (
	healthy  dbState = iota
	readOnly         // it answers, and does not take what is to be written
	down             // it does not answer; only the monitor asks it
	wiped            // it answers and has lost its data; reads come from memory
	closed           // another owner has closed the core; final
)

func (s dbState) String() string {
	return [...]string{"healthy", "read-only", "down", "wiped", "closed"}[s]
}

// event is what is found out about the database.
type event int

const (
	answers       event = iota // checks succeeded
	answersBehind              // checks succeeded after an outage, and something waits to be written
	silent                     // checks failed
	refuses                    // a write failed twice although checks succeeded
	lostData                   // the mark that was there is gone, or known items are gone together
	hasData                    // a wiped database has its mark and known items again
	tookAll                    // everything that waited to be written is there
	tookInit                   // an Init was written
	isClosed                   // the core answers ErrClosed
)

// next returns the state after an event. It is the whole of the state machine.
func (s dbState) next(e event) dbState {
	switch {
	case s == closed || e == isClosed:
		return closed
	case e == silent:
		return down
	case e == lostData:
		return wiped
	case s == down && e == answers, s == wiped && e == hasData, s == readOnly && e == tookAll, s != down && e == tookInit:
		return healthy
	case s == down && e == answersBehind, s == healthy && e == refuses:
		return readOnly
	default:
		return s
	}
}

// situation is a state and what goes with it. It is immutable but for left.
type situation struct {
	state dbState
	cause error // why the state is not healthy
	// since is when that which listeners are told began, and lastError is the last cause, also of an earlier situation.
	since     time.Time
	lastError string
	// resend is true if the database lacks data that only the data source can send again.
	resend bool
	left   chan struct{} // closed when another situation takes its place
	// writing ends when the database is known not to answer, or the wrapper is closed: a write that goes on would only keep it
	// from being repeated elsewhere.
	writing   context.Context //nolint:containedctx // see above
	endWrites context.CancelFunc
}

// readable reports whether the database may be read.
func (s *situation) readable() bool { return s.state == healthy || s.state == readOnly }

// answering reports whether the database may be asked or told anything.
func (s *situation) answering() bool { return s.state != down && s.state != closed }

// status is what listeners are told. Stale asks the data source for everything, which is needless while memory has it.
func (s *situation) status() core.DataStoreStatus {
	return core.DataStoreStatus{
		Available: s.state == healthy || s.state == wiped && s.resend, Stale: s.resend, Since: s.since, LastError: s.lastError,
	}
}

// err is what callers get who needed the database.
func (s *situation) err() error {
	if errors.Is(s.cause, core.ErrUnavailable) || s.state == readOnly {
		return fmt.Errorf("caching: not asked again until the database recovers: %w", s.cause)
	}
	return fmt.Errorf("caching: not asked again until the database recovers: %w: %w", core.ErrUnavailable, s.cause)
}

// database knows the situation and tells listeners of its status.
type database struct {
	logger   *slog.Logger
	statuses *statuses
	run      context.Context //nolint:containedctx // ends when the wrapper is closed
	current  atomic.Pointer[situation]
	mu       sync.Mutex // is held while current changes, and orders what listeners are told
}

// statuses tells listeners of the status. Updates are made one at a time.
type statuses struct {
	*broadcast.Broadcaster[core.DataStoreStatus]
	last core.DataStoreStatus
}

var _ core.DataStoreUpdateSink = (*statuses)(nil)

// UpdateStatus implements [core.DataStoreUpdateSink].
func (s *statuses) UpdateStatus(status core.DataStoreStatus) {
	if !status.SameState(s.last) {
		s.last = status
		s.Publish(status)
	}
}

func newDatabase(run context.Context, logger *slog.Logger) *database {
	d := &database{logger: logger, run: run}
	first := &situation{since: time.Now(), left: make(chan struct{})}
	first.writing, first.endWrites = context.WithCancel(run)
	d.current.Store(first)
	d.statuses = &statuses{Broadcaster: broadcast.New[core.DataStoreStatus](logger), last: first.status()}
	return d
}

// now returns the situation.
func (d *database) now() *situation { return d.current.Load() }

// note changes the situation as the event says, with the cause of what is not well.
func (d *database) note(e event, cause error) { d.noteLoss(e, cause, false) }

// noteLoss is note; resend says that the database lacks data that memory cannot restore.
func (d *database) noteLoss(e event, cause error, resend bool) {
	before, after := d.change(e, cause, resend)
	switch { // not with the lock held: the handler may evaluate a flag
	case after.state == before.state:
	case after.state == healthy:
		d.logger.Info("caching: data store is available again")
	case after.state == closed:
		d.logger.Error("caching: the data store was closed by another owner; flags come from memory from now on")
	case before.state == healthy || after.state == wiped:
		d.logger.Warn("caching: data store failed; answering from memory until it recovers",
			"state", after.state.String(), "error", after.cause)
	}
}

func (d *database) change(e event, cause error, resend bool) (before, after *situation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before = d.current.Load()
	resend = resend || before.resend && e != tookInit && e != hasData
	state := before.state.next(e)
	if state == before.state && resend == before.resend {
		return before, before
	}
	after = &situation{
		state: state, cause: cause, resend: resend, since: before.since, lastError: before.lastError,
		left: make(chan struct{}), writing: before.writing, endWrites: before.endWrites,
	}
	if cause != nil && e != answersBehind { // which is no error of its own
		after.lastError = cause.Error()
	}
	if !after.status().SameState(before.status()) {
		after.since = time.Now()
	}
	if !after.answering() {
		after.endWrites()
	} else if !before.answering() {
		after.writing, after.endWrites = context.WithCancel(d.run)
	}
	d.current.Store(after)
	close(before.left)
	d.statuses.UpdateStatus(after.status())
	return before, after
}
