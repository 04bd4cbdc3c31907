package sqlitestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cleatdev/cleat/core"
)

// handle is the open file. It notices when the connections it has are not those that the file needs, because somebody
// removed or replaced it, or, of a file that is only read, changed it; and then opens it anew.
type handle struct {
	path string
	// connect opens the file as it is now.
	connect func(context.Context) (*connections, error)

	mu      sync.RWMutex // held for reading during operations, for writing while opening anew
	current *connections // nil if opening anew failed
}

// connections are the open connections to a file.
type connections struct {
	readers *pool
	writer  *pool // nil if the file is only read
	state   fileState
}

// openHandle opens the file for the first time.
func openHandle(
	ctx context.Context, path string, connect func(context.Context) (*connections, error),
) (*handle, error) {
	h := &handle{path: path, connect: connect}
	if err := h.reopen(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// attempts is how often an operation is repeated because the file has changed under it. Only somebody who keeps changing
// it during every attempt can use them up.
const attempts = 10

var errUnstable = errors.New("the file changed during the operation")

// use calls fn with the connections, and again if the file turns out to have changed meanwhile.
func (h *handle) use(ctx context.Context, fn func(*connections) error) error {
	for range attempts {
		err := h.try(fn)
		if !errors.Is(err, errUnstable) {
			return err
		}
		if err := h.reopen(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %w, %d times in a row", core.ErrUnavailable, errUnstable, attempts)
}

// try returns errUnstable if the connections are not those for the file's state before and after fn.
func (h *handle) try(fn func(*connections) error) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if !h.upToDate() {
		return errUnstable
	}
	err := fn(h.current)
	if !h.upToDate() {
		return errUnstable
	}
	return err
}

func (h *handle) upToDate() bool {
	if h.current == nil {
		return false
	}
	now, err := readFileState(h.path)
	return err == nil && h.current.covers(now)
}

// covers reports whether the connections are right for a file in state now. A file that they write, or that has a
// write-ahead log, SQLite itself keeps an eye on, and the log cannot go away as long as they are open.
func (c *connections) covers(now fileState) bool {
	return c.state.sameFile(now) && (c.writer != nil || c.state.hasLog || c.state.unchanged(now))
}

func (h *handle) reopen(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.upToDate() {
		return nil
	}
	if err := h.release(); err != nil {
		return err
	}
	opened, err := h.connect(ctx)
	if err != nil {
		return err
	}
	h.current = opened
	return nil
}

func (h *handle) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.release()
}

// release closes the connections. The readers go first, so that the writer is the one that copies the write-ahead log
// back into the file and removes it.
func (h *handle) release() error {
	if h.current == nil {
		return nil
	}
	err := h.current.readers.close()
	if h.current.writer != nil {
		err = cmp.Or(err, h.current.writer.close())
	}
	h.current = nil
	return err
}
