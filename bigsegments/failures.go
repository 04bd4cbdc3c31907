package bigsegments

import (
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// outageRow is of how many different contexts the queries have to fail in a row to raise the suspicion that those of all do.
const outageRow = 3

// row is the failing queries since the last one that succeeded. The zero value is an empty one.
type row struct {
	mu       sync.Mutex
	contexts map[string]struct{} // hashes, outageRow at most
	last     error
}

func (r *row) fail(hash string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = err
	if len(r.contexts) < outageRow {
		if r.contexts == nil {
			r.contexts = make(map[string]struct{}, outageRow)
		}
		r.contexts[hash] = struct{}{}
	}
}

func (r *row) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.contexts, func(string, struct{}) bool { return true })
	r.last = nil
}

// suspicious returns the last failure if so many different contexts failed in a row that it may be all that do; nil if not.
func (r *row) suspicious() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.contexts) < outageRow {
		return nil
	}
	return r.last
}

// errWiped says that the store has lost everything, and with it what was known of a context.
var errWiped = errors.New("the store holds nothing any more, although the context was in big segments before")

// isAnswer reports whether an error says nothing about the store's ability to answer.
func isAnswer(err error) bool {
	return err == nil || errors.Is(err, core.ErrCorrupt) || errors.Is(err, core.ErrInvalid) || errors.Is(err, errWiped)
}

// failureLogInterval is the least time between two log messages about contexts whose membership cannot be read.
const failureLogInterval = time.Minute

// failureLog keeps a store with many such contexts from flooding the log.
type failureLog struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (l *failureLog) log(logger *slog.Logger, now time.Time, hash string, err error) {
	l.mu.Lock()
	since := now.Sub(l.last)
	if since >= 0 && since < failureLogInterval {
		l.skipped++
		l.mu.Unlock()
		return
	}
	skipped := l.skipped
	l.last, l.skipped = now, 0
	l.mu.Unlock()
	logger.Warn("cleat: the big segments of a context cannot be read",
		"context_hash", hash, "error", err, "not_logged", skipped)
}
