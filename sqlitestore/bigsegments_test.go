package sqlitestore_test

import (
	"context"
	"math"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func openBigSegments(t testing.TB, path string, opts *sqlitestore.Options) *sqlitestore.BigSegments {
	t.Helper()
	s, err := sqlitestore.NewBigSegments(t.Context(), path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestBigSegments_OfANewStore_AreEmpty(t *testing.T) {
	s := openBigSegments(t, tempPath(t), nil)
	metadata, err := s.Metadata(t.Context())
	require.NoError(t, err)
	require.Zero(t, metadata)
	membership, err := s.Membership(t.Context(), "h")
	require.NoError(t, err)
	require.Zero(t, membership.Len())
	cursor, err := s.Cursor(t.Context())
	require.NoError(t, err)
	require.Empty(t, cursor)
}

func TestBigSegments_ApplyPatch_ChangesBothSetsAndMovesTheCursor(t *testing.T) {
	s := openBigSegments(t, tempPath(t), nil)
	add, remove := core.BigSegmentChanges{Add: []string{"h", "h2"}}, core.BigSegmentChanges{Remove: []string{"h"}}
	for i, step := range []struct {
		patch   core.BigSegmentPatch
		applied bool
		want    core.BigSegmentMembership
	}{
		{core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1", Included: add, Excluded: add}, true,
			core.NewBigSegmentMembership([]string{"s.g1"}, nil)},
		{core.BigSegmentPatch{SegmentRef: "s.g1", Version: "2", Included: remove}, false,
			core.NewBigSegmentMembership([]string{"s.g1"}, nil)},
		{core.BigSegmentPatch{SegmentRef: "s.g1", PreviousVersion: "1", Version: "2", Included: remove}, true,
			core.NewBigSegmentMembership(nil, []string{"s.g1"})},
		{core.BigSegmentPatch{SegmentRef: "t.g1", PreviousVersion: "2", Version: "2", Included: add}, true,
			core.NewBigSegmentMembership([]string{"t.g1"}, []string{"s.g1"})},
		{core.BigSegmentPatch{SegmentRef: "s.g1", PreviousVersion: "2", Version: "3", Excluded: remove}, true,
			core.NewBigSegmentMembership([]string{"t.g1"}, nil)},
	} {
		applied, err := s.ApplyPatch(t.Context(), step.patch)
		require.NoError(t, err)
		require.Equal(t, step.applied, applied, i)
		membership, err := s.Membership(t.Context(), "h")
		require.NoError(t, err)
		require.True(t, step.want.Equal(membership), "%d: %v", i, membership)
	}
	cursor, err := s.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, "3", cursor)
	other, err := s.Membership(t.Context(), "h2")
	require.NoError(t, err)
	require.True(t, core.NewBigSegmentMembership([]string{"s.g1", "t.g1"}, nil).Equal(other))
}

func TestBigSegments_ApplyPatch_CancelledHalfWay_ChangesNothing(t *testing.T) {
	path := tempPath(t)
	s := openBigSegments(t, path, nil)
	bare(t, path, `CREATE TRIGGER fail BEFORE INSERT ON big_segments WHEN new.context_hash = 'bad'
		BEGIN SELECT RAISE(ROLLBACK, 'refused'); END`)
	patch := core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"h", "bad"}}}
	applied, err := s.ApplyPatch(t.Context(), patch)
	require.ErrorIs(t, err, core.ErrCorrupt)
	require.False(t, applied)
	membership, err := s.Membership(t.Context(), "h")
	require.NoError(t, err)
	require.Zero(t, membership.Len())
	bare(t, path, "DROP TRIGGER fail")
	applied, err = s.ApplyPatch(t.Context(), patch)
	require.NoError(t, err, "the connection is usable, although the transaction ended by itself")
	require.True(t, applied)
}

func TestBigSegments_SetLastUpToDate_IsWhatMetadataReturns(t *testing.T) {
	path := tempPath(t)
	s, other := openBigSegments(t, path, nil), openBigSegments(t, path, &sqlitestore.Options{Prefix: "other"})
	for _, at := range []ldtime.UnixMillisecondTime{1, 1_700_000_000_000, 5, math.MaxUint64} {
		require.NoError(t, s.SetLastUpToDate(t.Context(), at))
		metadata, err := s.Metadata(t.Context())
		require.NoError(t, err)
		require.Equal(t, at, metadata.LastUpToDate)
	}
	metadata, err := other.Metadata(t.Context())
	require.NoError(t, err)
	require.Zero(t, metadata)
	bare(t, path, "UPDATE metadata SET value = 'yesterday'")
	_, err = s.Metadata(t.Context())
	require.ErrorIs(t, err, core.ErrCorrupt)
}

func TestBigSegments_Methods_RefuseBadContextsAndEndWithClose(t *testing.T) {
	s, err := sqlitestore.NewBigSegments(t.Context(), tempPath(t), nil)
	require.NoError(t, err)
	methods := map[string]func(context.Context) error{
		"Metadata":        func(ctx context.Context) error { _, err := s.Metadata(ctx); return err },
		"Membership":      func(ctx context.Context) error { _, err := s.Membership(ctx, "h"); return err },
		"Cursor":          func(ctx context.Context) error { _, err := s.Cursor(ctx); return err },
		"ApplyPatch":      func(ctx context.Context) error { _, err := s.ApplyPatch(ctx, core.BigSegmentPatch{}); return err },
		"SetLastUpToDate": func(ctx context.Context) error { return s.SetLastUpToDate(ctx, 1) },
	}
	var none context.Context
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, method := range methods {
		require.ErrorIs(t, method(none), core.ErrInvalid, name)
		err := method(cancelled)
		require.Equal(t, context.Canceled, err, name)
		require.NoError(t, method(t.Context()), name)
	}
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	for name, method := range methods {
		require.ErrorIs(t, method(t.Context()), core.ErrClosed, name)
	}
}
