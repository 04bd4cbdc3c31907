package memorystore

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

// maxUnseen is how many changes wait for a watch before they are replaced by one that says that anything may have
// changed.
const maxUnseen = 1000

// watch is one call of Watch. The database's lock guards unseen.
type watch struct {
	prefix string
	unseen []core.Change
	signal chan struct{} // holds a token if there is something in unseen
}

// Watch implements [core.Watcher]. Changes by the store itself are reported too.
func (s *Store) Watch(ctx context.Context, changed func(core.Change)) error {
	if err := s.admit(ctx); err != nil {
		return err
	}
	w := &watch{prefix: s.options.Prefix, signal: make(chan struct{}, 1)}
	w.add(core.Change{})
	s.db.add(w)
	defer s.db.remove(w)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return fmt.Errorf("memorystore: %w", core.ErrClosed)
		case <-w.signal:
		}
		for _, change := range s.db.take(w) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			changed(change)
		}
	}
}

func (db *Database) add(w *watch) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.watches == nil {
		db.watches = make(map[*watch]struct{})
	}
	db.watches[w] = struct{}{}
}

func (db *Database) remove(w *watch) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.watches, w)
}

func (db *Database) take(w *watch) []core.Change {
	db.mu.Lock()
	defer db.mu.Unlock()
	changes := w.unseen
	w.unseen = nil
	return changes
}

// tell tells of a change under the prefix. The caller holds the lock for writing.
func (db *Database) tell(prefix string, change core.Change) {
	for w := range db.watches {
		if w.prefix == prefix {
			w.add(change)
		}
	}
}

// tellAll tells everybody that anything may have changed. The caller holds the lock for writing.
func (db *Database) tellAll() {
	for w := range db.watches {
		w.add(core.Change{})
	}
}

func (w *watch) add(change core.Change) {
	if len(w.unseen) == maxUnseen {
		w.unseen = []core.Change{{}}
	} else {
		w.unseen = append(w.unseen, change)
	}
	select {
	case w.signal <- struct{}{}:
	default:
	}
}
