package dynamostore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

const (
	// markInterval is how long a store waits between two writes of the change marker, and longestMarkPause how long if that fails.
	markInterval, longestMarkPause = time.Second, 8 * time.Second
	// markTime is how long a request about the marker may take, and lastMarkTime how long Close waits for the last one.
	markTime, lastMarkTime = 2 * time.Second, time.Second
	// maxMarkerSize is how many bytes the marker may have: what one eventually consistent read of half a unit covers.
	maxMarkerSize = 4 << 10
	// maxMarked is how many changes are named at most. It is more than the marker has room for.
	maxMarked = 1000
)

// marker is the change marker of a prefix, an item like any other in its form: the version is the sequence number, which grows
// with every write, and the JSON is this. The zero value stands for a marker that is not there.
type marker struct {
	// ID is that of the history to which the sequence number belongs, which begins when the marker is created.
	ID string `json:"id"`
	// Since is the sequence number after which every change is listed.
	Since int `json:"since"`
	// Changes are the keys that have changed, by sequence number and kind.
	Changes map[int]map[core.DataKind][]string `json:"changes"`

	sequence int
}

// parseMarker returns the zero value for a marker that cannot be read.
func parseMarker(stored attributes) marker {
	var m marker
	item, hasVersion := unmarshalItem(stored)
	if err := json.Unmarshal(item.Data, &m); err != nil || !hasVersion {
		return marker{}
	}
	m.sequence = item.Version
	return m
}

// next returns the marker that follows this one and names the changes, of which the empty one stands for all. The oldest are
// dropped if there is no room.
func (m marker) next(changes map[core.Change]struct{}, room int) (core.SerializedItem, error) {
	now := m.sequence + 1
	next := marker{ID: cmp.Or(m.ID, rand.Text()), Since: m.Since, Changes: maps.Clone(m.Changes)}
	if _, everything := changes[core.Change{}]; everything {
		next.Since, next.Changes = now, nil
	} else if len(changes) > 0 {
		keys := make(map[core.DataKind][]string)
		for c := range changes {
			keys[c.Kind] = append(keys[c.Kind], c.Key)
		}
		if next.Changes == nil {
			next.Changes = make(map[int]map[core.DataKind][]string)
		}
		next.Changes[now] = keys
	}
	for {
		data, err := json.Marshal(next)
		if err != nil || len(data) <= room || len(next.Changes) == 0 {
			return core.SerializedItem{Version: now, Data: data}, err
		}
		next.Since = slices.Min(slices.Collect(maps.Keys(next.Changes)))
		delete(next.Changes, next.Since)
	}
}

// after returns what has changed since another marker was seen, and the one that is to be compared with next time. An
// eventually consistent read may bring a marker that is older than the one seen.
func (m marker) after(seen marker) (changes []core.Change, latest marker) {
	switch {
	case m.ID == seen.ID && m.sequence <= seen.sequence:
		return nil, seen
	case m.ID != seen.ID || m.Since > seen.sequence:
		return []core.Change{{}}, m
	}
	told := make(map[core.Change]struct{})
	for sequence, kinds := range m.Changes {
		for kind, keys := range kinds {
			for _, key := range keys {
				if sequence > seen.sequence {
					told[core.Change{Kind: kind, Key: key}] = struct{}{}
				}
			}
		}
	}
	return slices.Collect(maps.Keys(told)), m
}

// marking writes the change marker for a store, on one goroutine that belongs to the store: it begins with the first change
// and ends with Close. So a marker that cannot be written neither delays an upsert nor makes it fail.
type marking struct {
	*session
	closing context.Context //nolint:containedctx // ends when Close begins
	close   context.CancelFunc
	wake    chan struct{} // has a token if there is something to do
	ended   chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex // guards what follows
	running bool
	pending map[core.Change]struct{}

	stored attributes // the marker as it was last seen; belongs to the goroutine
}

func newMarking(s *session) *marking {
	m := &marking{session: s, wake: make(chan struct{}, 1), ended: make(chan struct{}), pending: make(map[core.Change]struct{})}
	m.closing, m.close = context.WithCancel(context.Background())
	return m
}

// note has the marker name the changes soon. Without any, it sees to it that there is a marker.
func (m *marking) note(changes ...core.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing.Err() != nil {
		return
	}
	if len(m.pending)+len(changes) > maxMarked {
		clear(m.pending)
		changes = []core.Change{{}}
	}
	for _, c := range changes {
		m.pending[c] = struct{}{}
	}
	if !m.running {
		m.running = true
		go m.run()
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// end writes what is pending and ends the goroutine.
func (m *marking) end() {
	m.mu.Lock()
	running := m.running
	m.close()
	m.mu.Unlock()
	if running {
		<-m.ended
	}
}

func (m *marking) run() {
	defer close(m.ended)
	for delay := markInterval; ; {
		select {
		case <-m.wake:
		case <-m.closing.Done():
			_ = m.write(context.Background(), lastMarkTime)
			return
		}
		if err := m.write(m.closing, markTime); err == nil {
			delay = markInterval
		} else if m.closing.Err() == nil {
			if delay == markInterval {
				m.options.Logger.Warn("dynamostore: the change marker of the table cannot be written; until it can be, other processes "+
					"see what this one has written when cached items expire", "table", m.table, "error", err)
			}
			delay = min(2*delay, longestMarkPause)
			m.note()
		}
		_ = pause.For(m.closing, delay)
	}
}

// write writes a marker that names what is pending, which stays so if that fails.
func (m *marking) write(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m.mu.Lock()
	changes := m.pending
	m.pending = make(map[core.Change]struct{})
	m.mu.Unlock()
	err := m.put(ctx, changes)
	if err != nil {
		m.mu.Lock()
		maps.Copy(m.pending, changes)
		m.mu.Unlock()
	}
	return err
}

// put lets the marker follow whatever other writers have made of it.
func (m *marking) put(ctx context.Context, changes map[core.Change]struct{}) error {
	key := m.keys.changes()
	room := maxMarkerSize - itemSize(key, core.SerializedItem{})
	for range maxUpsertAttempts {
		seen := parseMarker(m.stored)
		if len(changes) == 0 && seen.ID != "" {
			return nil
		}
		next, err := seen.next(changes, room)
		if err != nil {
			return err
		}
		written, stored, err := m.session.put(ctx, key, next, unchanged(m.stored))
		if err != nil {
			return err
		}
		if m.stored = stored; written {
			m.stored = marshalItem(key, next)
			return nil
		}
	}
	return m.errOvertaken(key.namespace)
}

// mayBeWritten reports whether a write that ended with the error may have taken effect, or may yet do so.
func mayBeWritten(err error) bool {
	return err == nil || errors.Is(err, core.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Watch implements [core.Watcher] by reading the change marker of the prefix every [Options.WatchInterval]: see the package
// documentation. It begins when the marker can be looked for, tells which items were written or deleted by a Store of this
// package, also by this one, and that anything may have changed if the marker does not name everything since the last look.
// While the marker cannot be read, nothing is lost but time. Only a table with other keys cannot be watched.
func (s *Store) Watch(ctx context.Context, changed func(core.Change)) error {
	if changed == nil {
		return fmt.Errorf("dynamostore: %w: there is no function to call", core.ErrInvalid)
	}
	var seen marker
	for begun, failures := false, 0; ; {
		if err := s.usable(ctx); err != nil {
			return err
		}
		now, err := s.lookAtMarker(ctx)
		changes := []core.Change{{}}
		switch {
		case errors.Is(err, core.ErrIncompatible):
			return err
		case s.usable(ctx) != nil:
			continue
		case err != nil:
			if failures++; failures == 1 {
				s.options.Logger.Warn("dynamostore: changes by others cannot be seen until the change marker of the table can be read",
					"table", s.table, "error", err)
			}
			changes = nil
		case !begun:
			s.options.Logger.Info("dynamostore: changes by cleat are seen soon; those by other programs, which write no change marker, "+
				"show when cached items expire, and never if they are kept forever", "table", s.table)
			begun, failures, seen = true, 0, now
		default:
			failures = 0
			changes, seen = now.after(seen)
		}
		for _, change := range changes {
			changed(change)
		}
		s.awaitNextLook(ctx, failures)
	}
}

// lookAtMarker reads the marker eventually consistently, whatever the options say.
func (s *Store) lookAtMarker(ctx context.Context) (marker, error) {
	ctx, cancel := context.WithTimeout(ctx, markTime)
	defer cancel()
	if err := s.begin(ctx); err != nil {
		return marker{}, err
	}
	stored, err := s.get(ctx, s.keys.changes(), false)
	return parseMarker(stored), err
}

// awaitNextLook waits a little less than the interval, so that processes that were started together do not look together, or
// longer after failures.
func (s *Store) awaitNextLook(ctx context.Context, failures int) {
	const spread, maxDoublings = 8, 3
	interval := s.options.WatchInterval << min(failures, maxDoublings)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	_ = pause.For(ctx, interval-mathrand.N(interval/spread+1))
}
