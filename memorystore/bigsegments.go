package memorystore

import (
	"context"
	"maps"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

// BigSegments keeps big segments in a [Database]. It implements [core.BigSegmentStore] and [core.BigSegmentWriter], and is
// safe for concurrent use.
type BigSegments struct {
	lifecycle
	db     *Database
	prefix string
}

var (
	_ core.BigSegmentStore  = (*BigSegments)(nil)
	_ core.BigSegmentWriter = (*BigSegments)(nil)
)

// NewBigSegments makes a big segment store on db, or on a database of its own if db is nil. Nil options mean the
// defaults; of the options, only the prefix matters.
func NewBigSegments(db *Database, opts *Options) *BigSegments {
	db, options := withDefaults(db, opts)
	return &BigSegments{lifecycle: newLifecycle(), db: db, prefix: options.Prefix}
}

// Metadata implements [core.BigSegmentStore].
func (s *BigSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	if err := s.admit(ctx); err != nil {
		return core.BigSegmentMetadata{}, err
	}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	return core.BigSegmentMetadata{LastUpToDate: s.db.read(s.prefix).lastUpToDate}, nil
}

// Membership implements [core.BigSegmentStore].
func (s *BigSegments) Membership(ctx context.Context, contextHash string) (core.BigSegmentMembership, error) {
	if err := s.admit(ctx); err != nil {
		return core.BigSegmentMembership{}, err
	}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	ns := s.db.read(s.prefix)
	return core.NewBigSegmentMembership(ns.included.of(contextHash), ns.excluded.of(contextHash)), nil
}

// Cursor implements [core.BigSegmentWriter].
func (s *BigSegments) Cursor(ctx context.Context) (string, error) {
	if err := s.admit(ctx); err != nil {
		return "", err
	}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	return s.db.read(s.prefix).cursor, nil
}

// ApplyPatch implements [core.BigSegmentWriter]. It is atomic.
func (s *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if err := s.admit(ctx); err != nil {
		return false, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	ns := s.db.namespace(s.prefix)
	if ns.cursor != patch.PreviousVersion {
		return false, nil
	}
	ns.included.change(patch.SegmentRef, patch.Included)
	ns.excluded.change(patch.SegmentRef, patch.Excluded)
	ns.cursor = patch.Version
	return true, nil
}

// SetLastUpToDate implements [core.BigSegmentWriter].
func (s *BigSegments) SetLastUpToDate(ctx context.Context, at ldtime.UnixMillisecondTime) error {
	if err := s.admit(ctx); err != nil {
		return err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.namespace(s.prefix).lastUpToDate = at
	return nil
}

// Close implements [core.BigSegmentStore]. The database keeps its data.
func (s *BigSegments) Close() error { return s.close() }

// refsByHash holds the segment references of each context hash.
type refsByHash map[string]map[string]struct{}

func (r refsByHash) of(hash string) []string { return slices.Collect(maps.Keys(r[hash])) }

func (r refsByHash) change(ref string, changes core.BigSegmentChanges) {
	for _, hash := range changes.Add {
		if r[hash] == nil {
			r[hash] = make(map[string]struct{})
		}
		r[hash][ref] = struct{}{}
	}
	for _, hash := range changes.Remove {
		if delete(r[hash], ref); len(r[hash]) == 0 {
			delete(r, hash)
		}
	}
}
