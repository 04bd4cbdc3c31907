package bigsegments

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
)

// state is what a lookup has to know of the store. The monitor alone changes it, but for Close.
type state int32

// The states of a store that has been polled, from best to worst; and before and after.
const (
	stateUnknown state = iota
	stateHealthy
	stateStale
	stateUnavailable
	stateClosed
)

// answers reports whether the store may be asked.
func (s state) answers() bool { return s == stateHealthy || s == stateStale }

// betterThan reports whether the store can be relied on more than in the other state.
func (s state) betterThan(other state) bool { return s.answers() && s < other }

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

// health holds the state, and tells listeners when it changes.
type health struct {
	current   atomic.Int32  // a state
	known     chan struct{} // closed once the state is not unknown any more
	listeners *broadcast.Broadcaster[core.BigSegmentStoreStatus]
	logger    *slog.Logger

	mu sync.Mutex // guards the order of changes
}

func newHealth(logger *slog.Logger) *health {
	return &health{
		known:     make(chan struct{}),
		listeners: broadcast.New[core.BigSegmentStoreStatus](logger),
		logger:    logger,
	}
}

func (h *health) state() state { return state(h.current.Load()) }

// await returns the state as soon as it is known, or the unknown state if ctx ends or patience does before.
func (h *health) await(ctx context.Context, patience <-chan time.Time) state {
	if s := h.state(); s != stateUnknown {
		return s
	}
	select {
	case <-h.known:
	case <-patience:
	case <-ctx.Done():
	}
	return h.state()
}

// set makes after the state, because of cause, and returns the one before. It calls back, before listeners are told, if the
// store is back: if it can be relied on more than before.
func (h *health) set(after state, cause error, back func()) {
	h.mu.Lock()
	before := h.state()
	if before == after || before == stateClosed {
		h.mu.Unlock()
		return
	}
	if after.betterThan(before) {
		back()
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

func (h *health) log(before, after state, cause error) {
	if before == stateUnavailable {
		h.logger.Info("cleat: the big segment store is available again")
	}
	switch {
	case before == after:
	case after == stateUnavailable:
		h.logger.Error("cleat: the big segment store is unavailable; what is not known counts as not contained",
			"error", cause)
	case after == stateStale && cause != nil:
		h.logger.Warn("cleat: the big segment store does not say when it was up to date", "error", cause)
	case after == stateStale:
		h.logger.Warn("cleat: the big segment store is stale; check what synchronises it, and the clocks")
	case before == stateStale:
		h.logger.Info("cleat: the big segment store is up to date again")
	}
}

// close ends everything; listeners are not told.
func (h *health) close() {
	h.listeners.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	if state(h.current.Swap(int32(stateClosed))) == stateUnknown {
		close(h.known)
	}
}
