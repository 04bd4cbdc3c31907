package bigsegments

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
)

// state is what a lookup has to know of the store.
type state int32

const (
	stateUnknown state = iota // the store has not answered yet
	stateHealthy
	stateStale
	stateUnavailable
	stateClosed
)

// answers reports whether the store may be asked.
func (s state) answers() bool { return s == stateHealthy || s == stateStale }

func (s state) status() core.BigSegmentStoreStatus {
	return core.BigSegmentStoreStatus{Available: s.answers(), Stale: s == stateStale}
}

// reason is what an evaluation says that uses a membership.
func (s state) reason() ldreason.BigSegmentsStatus {
	if s == stateHealthy {
		return ldreason.BigSegmentsHealthy
	}
	return ldreason.BigSegmentsStale
}

// health knows whether the store works, and tells listeners when that changes.
type health struct {
	current   atomic.Int32  // a state
	known     chan struct{} // closed once the state is not unknown any more
	listeners *broadcast.Broadcaster[core.BigSegmentStoreStatus]
	logger    *slog.Logger

	mu      sync.Mutex // guards what follows and the order of changes
	stale   bool       // by the last metadata
	pollErr error      // why the last reading of the metadata failed
	failed  *failure   // a membership query that failed and has not been repeated with success
}

// failure is a query for the membership of a context hash that failed.
type failure struct {
	hash string
	err  error
}

func newHealth(logger *slog.Logger) *health {
	return &health{
		known:     make(chan struct{}),
		listeners: broadcast.New[core.BigSegmentStoreStatus](logger),
		logger:    logger,
	}
}

func (h *health) state() state { return state(h.current.Load()) }

// await returns the state as soon as it is known, or the unknown state if that takes too long.
func (h *health) await(ctx context.Context, limit time.Duration) state {
	if s := h.state(); s != stateUnknown {
		return s
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-h.known:
	case <-timer.C:
	case <-ctx.Done():
	}
	return h.state()
}

// poll is the outcome of reading the metadata.
type poll struct {
	err      error
	stale    bool
	repeated *failure // a failed query that was repeated with success; nil if there was none
}

func (h *health) polled(p poll) {
	h.update(func() {
		h.pollErr = p.err
		if p.err == nil {
			h.stale = p.stale
		}
		if h.failed == p.repeated {
			h.failed = nil
		}
	})
}

// queryFailed notes that a query for a membership failed.
func (h *health) queryFailed(f *failure) {
	h.update(func() {
		if h.failed == nil {
			h.failed = f
		}
	})
}

// pendingFailure returns the query that has to be repeated; nil if there is none.
func (h *health) pendingFailure() *failure {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed
}

// update changes what is known and tells whoever has to know.
func (h *health) update(change func()) {
	h.mu.Lock()
	change()
	before, after := h.state(), h.evaluate()
	cause := h.cause()
	if before == after || before == stateClosed {
		h.mu.Unlock()
		return
	}
	h.current.Store(int32(after))
	if before == stateUnknown {
		close(h.known)
		before = stateHealthy // what everybody expects
	}
	if before != after {
		h.listeners.Publish(after.status())
	}
	h.mu.Unlock()
	h.log(before, after, cause)
}

// evaluate returns the state that follows from what is known. A failed query says enough before the metadata was read.
func (h *health) evaluate() state {
	switch {
	case h.pollErr != nil || h.failed != nil:
		return stateUnavailable
	case h.stale:
		return stateStale
	default:
		return stateHealthy
	}
}

func (h *health) cause() error {
	if h.pollErr != nil {
		return h.pollErr
	}
	if h.failed != nil {
		return h.failed.err
	}
	return nil
}

func (h *health) log(before, after state, cause error) {
	if before == stateUnavailable {
		h.logger.Info("cleat: the big segment store is available again")
	}
	switch {
	case before == after:
	case after == stateUnavailable:
		h.logger.Error("cleat: the big segment store is unavailable; what is not known counts as not contained",
			"error", cause)
	case after == stateStale:
		h.logger.Warn("cleat: the big segment store is stale; check what synchronises it")
	case before == stateStale:
		h.logger.Info("cleat: the big segment store is up to date again")
	}
}

// close ends everything; nobody is told.
func (h *health) close() {
	h.listeners.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	if state(h.current.Swap(int32(stateClosed))) == stateUnknown {
		close(h.known)
	}
}

// concernsOne reports whether an error says nothing about the store as a whole.
func concernsOne(err error) bool {
	return errors.Is(err, core.ErrCorrupt) || errors.Is(err, core.ErrInvalid)
}
