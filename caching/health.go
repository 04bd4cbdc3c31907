package caching

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
)

// outage is the time between a failure and the end of its recovery.
type outage struct {
	cause error
	// readsWork is true if only writing failed, so that the database is still read.
	readsWork bool
}

// err is what callers get who needed the database.
func (o *outage) err() error {
	if errors.Is(o.cause, core.ErrUnavailable) {
		return fmt.Errorf("caching: not asked again until the database recovers: %w", o.cause)
	}
	return fmt.Errorf("caching: not asked again until the database recovers: %w: %w", core.ErrUnavailable, o.cause)
}

// health knows whether there is an outage, and the status that listeners see.
type health struct {
	logger *slog.Logger
	// current is the outage; nil while all is well. Read without a lock.
	current atomic.Pointer[outage]
	// emptied is set while the database is there but has lost everything, so that what it lacks says nothing.
	emptied   atomic.Pointer[outage]
	listeners *broadcast.Broadcaster[core.DataStoreStatus]

	mu         sync.Mutex // guards what follows, the changes of current, and the order of what listeners are told
	status     core.DataStoreStatus
	readsEnd   chan struct{} // closed while the database must not be read
	recoveries uint64
}

func newHealth(logger *slog.Logger) *health {
	return &health{
		logger:    logger,
		listeners: broadcast.New[core.DataStoreStatus](logger),
		status:    core.DataStoreStatus{Available: true},
		readsEnd:  make(chan struct{}),
	}
}

// reading returns a channel that is closed as soon as an outage keeps the database from being read.
func (h *health) reading() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.readsEnd
}

// mark returns what trip needs to know about the beginning of an operation.
func (h *health) mark() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.recoveries
}

// trip begins an outage, or makes one that only concerns writing a full one. A failure of an operation that began before
// the last recovery says nothing about now and is ignored. It reports whether anything began.
func (h *health) trip(mark uint64, o *outage) bool {
	began, tripped := h.begin(mark, o)
	if began { // not with the lock held: the handler may evaluate a flag
		h.logger.Warn("caching: data store failed; answering from memory until it recovers",
			"error", o.cause, "readable", o.readsWork)
	}
	return tripped
}

func (h *health) begin(mark uint64, o *outage) (began, tripped bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.current.Load()
	if mark != h.recoveries || old != nil && (!old.readsWork || o.readsWork) {
		return false, false
	}
	h.current.Store(o)
	if !o.readsWork {
		close(h.readsEnd)
	}
	h.announce(core.DataStoreStatus{Available: false, Stale: h.status.Stale})
	return old == nil, true
}

// narrow makes an outage one that only concerns writing, because the database can be read again.
func (h *health) narrow(o *outage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.current.Load(); old != nil && !old.readsWork {
		h.readsEnd = make(chan struct{})
		h.current.Store(o)
		h.recoveries++
	}
}

// recovered ends the outage.
func (h *health) recovered(stale bool) {
	if h.end(stale) {
		h.logger.Info("caching: data store is available again", "stale", stale)
	}
}

func (h *health) end(stale bool) (ended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o := h.current.Load(); o != nil {
		ended = true
		if !o.readsWork {
			h.readsEnd = make(chan struct{})
		}
		h.current.Store(nil)
		h.recoveries++
	}
	h.announce(core.DataStoreStatus{Available: true, Stale: stale})
	return ended
}

// refreshed says that the database holds everything again. An outage that began meanwhile goes on.
func (h *health) refreshed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.announce(core.DataStoreStatus{Available: h.status.Available, Stale: false})
}

func (h *health) currentStatus() core.DataStoreStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

func (h *health) announce(status core.DataStoreStatus) {
	if status != h.status {
		h.status = status
		h.listeners.Publish(status)
	}
}

// unreadable returns the outage if it keeps the database from being read, else nil.
func (h *health) unreadable() *outage {
	if o := h.current.Load(); o != nil && !o.readsWork {
		return o
	}
	return h.emptied.Load()
}
