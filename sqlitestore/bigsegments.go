package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

// BigSegments keeps big segments in a file, which may be that of a [Store] too. Make one with [NewBigSegments]; the zero
// value is not usable.
//
// It implements [core.BigSegmentStore] and [core.BigSegmentWriter], and is safe for concurrent use.
type BigSegments struct {
	db *database
}

var (
	_ core.BigSegmentStore  = (*BigSegments)(nil)
	_ core.BigSegmentWriter = (*BigSegments)(nil)
)

// NewBigSegments opens or creates the database in the file path, in the way of [New].
func NewBigSegments(ctx context.Context, path string, opts *Options) (*BigSegments, error) {
	db, err := open(ctx, path, opts,
		[]string{selectMetadata, selectMembership},
		[]string{selectMetadata, setMetadata, addMembership, removeMembership})
	if err != nil {
		return nil, err
	}
	return &BigSegments{db: db}, nil
}

// Values of the column relation.
const (
	include = "include"
	exclude = "exclude"
)

const (
	selectMembership = `SELECT relation, segment_ref FROM big_segments WHERE prefix = ? AND context_hash = ?`
	addMembership    = `INSERT INTO big_segments (prefix, context_hash, relation, segment_ref) VALUES (?, ?, ?, ?)
		ON CONFLICT DO NOTHING`
	removeMembership = `DELETE FROM big_segments
		WHERE prefix = ? AND context_hash = ? AND relation = ? AND segment_ref = ?`
)

// Metadata implements [core.BigSegmentStore].
func (s *BigSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	value, err := s.metadata(ctx, "metadata", lastUpToDateName)
	if value == "" || err != nil {
		return core.BigSegmentMetadata{}, err
	}
	ms, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return core.BigSegmentMetadata{}, fmt.Errorf("sqlitestore: metadata in %s: %w: %s of prefix %q is no time: %w",
			s.db.path, core.ErrCorrupt, lastUpToDateName, s.db.options.Prefix, err)
	}
	return core.BigSegmentMetadata{LastUpToDate: ldtime.UnixMillisecondTime(ms)}, nil
}

// Membership implements [core.BigSegmentStore].
func (s *BigSegments) Membership(ctx context.Context, contextHash string) (core.BigSegmentMembership, error) {
	var included, excluded []string
	err := s.db.read(ctx, "membership", func(ctx context.Context, p *pool) error {
		included, excluded = nil, nil
		return p.each(ctx, func(row *sql.Rows) error {
			var relation, ref string
			err := row.Scan(&relation, &ref)
			if relation == include {
				included = append(included, ref)
			} else {
				excluded = append(excluded, ref)
			}
			return err
		}, selectMembership, s.db.options.Prefix, contextHash)
	})
	if err != nil {
		return core.BigSegmentMembership{}, err
	}
	return core.NewBigSegmentMembership(included, excluded), nil
}

// Cursor implements [core.BigSegmentWriter].
func (s *BigSegments) Cursor(ctx context.Context) (string, error) {
	return s.metadata(ctx, "cursor", segmentCursorName)
}

func (s *BigSegments) metadata(ctx context.Context, operation, name string) (value string, err error) {
	err = s.db.read(ctx, operation, func(ctx context.Context, p *pool) error {
		value, _, err = p.metadata(ctx, s.db.options.Prefix, name)
		return err
	})
	return value, err
}

// maxChanges bounds how many changes of a patch are one transaction, so that other writers of the file get their turn.
const maxChanges = 50_000

// ApplyPatch implements [core.BigSegmentWriter] with one transaction for each 50,000 changes.
func (s *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (applied bool, err error) {
	for step := range patch.Steps(maxChanges) {
		if applied, err = s.applyStep(ctx, step); err != nil || !applied {
			return false, err
		}
	}
	return true, nil
}

// applyStep is one transaction.
func (s *BigSegments) applyStep(ctx context.Context, patch core.BigSegmentPatch) (applied bool, err error) {
	err = s.db.write(ctx, "apply patch", func(ctx context.Context, tx transaction) error {
		applied = false
		cursor, _, err := scanMetadata(tx.queryRow(ctx, selectMetadata, s.db.options.Prefix, segmentCursorName))
		if err != nil || cursor != patch.PreviousVersion {
			return err
		}
		if err := s.change(ctx, tx, patch); err != nil {
			return err
		}
		applied = true
		if patch.Version == cursor {
			return nil
		}
		return s.setMetadata(ctx, tx, segmentCursorName, patch.Version)
	})
	return applied && err == nil, err
}

// change adds and removes memberships. It goes through each list in the order of the table, so that each page is changed
// once.
func (s *BigSegments) change(ctx context.Context, tx transaction, patch core.BigSegmentPatch) error {
	for _, step := range []struct {
		statement, relation string
		hashes              []string
	}{
		{addMembership, include, patch.Included.Add},
		{removeMembership, include, patch.Included.Remove},
		{addMembership, exclude, patch.Excluded.Add},
		{removeMembership, exclude, patch.Excluded.Remove},
	} {
		for _, hash := range slices.Sorted(slices.Values(step.hashes)) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if _, err := tx.exec(ctx, step.statement, s.db.options.Prefix, hash, step.relation, patch.SegmentRef); err != nil {
				return err
			}
		}
	}
	return nil
}

// SetLastUpToDate implements [core.BigSegmentWriter].
func (s *BigSegments) SetLastUpToDate(ctx context.Context, at ldtime.UnixMillisecondTime) error {
	return s.db.write(ctx, "set last up to date", func(ctx context.Context, tx transaction) error {
		return s.setMetadata(ctx, tx, lastUpToDateName, strconv.FormatUint(uint64(at), 10))
	})
}

func (s *BigSegments) setMetadata(ctx context.Context, tx transaction, name, value string) error {
	_, err := tx.exec(ctx, setMetadata, s.db.options.Prefix, name, value, s.db.options.now().UnixMilli())
	return err
}

// Close implements [core.BigSegmentStore].
func (s *BigSegments) Close() error { return s.db.close() }
