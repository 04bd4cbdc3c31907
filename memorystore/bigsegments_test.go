package memorystore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestBigSegments_New_IsEmpty(t *testing.T) {
	s := memorystore.NewBigSegments(nil, nil)
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
	s := memorystore.NewBigSegments(nil, nil)
	for _, step := range []struct {
		patch   core.BigSegmentPatch
		applied bool
		want    core.BigSegmentMembership
	}{
		{core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"h"}},
			Excluded: core.BigSegmentChanges{Add: []string{"h"}}}, true, core.NewBigSegmentMembership([]string{"s.g1"}, nil)},
		{core.BigSegmentPatch{SegmentRef: "s.g1", Version: "2", Included: core.BigSegmentChanges{Remove: []string{"h"}}},
			false, core.NewBigSegmentMembership([]string{"s.g1"}, nil)},
		{core.BigSegmentPatch{SegmentRef: "s.g1", PreviousVersion: "1", Version: "2",
			Included: core.BigSegmentChanges{Remove: []string{"h"}}}, true, core.NewBigSegmentMembership(nil, []string{"s.g1"})},
		{core.BigSegmentPatch{SegmentRef: "s.g1", PreviousVersion: "2", Version: "2",
			Excluded: core.BigSegmentChanges{Remove: []string{"h"}}}, true, core.BigSegmentMembership{}},
	} {
		applied, err := s.ApplyPatch(t.Context(), step.patch)
		require.NoError(t, err)
		require.Equal(t, step.applied, applied)
		membership, err := s.Membership(t.Context(), "h")
		require.NoError(t, err)
		require.True(t, membership.Equal(step.want))
	}
	cursor, err := s.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2", cursor)
}

func TestBigSegments_Init_LeavesThemAlone(t *testing.T) {
	db := new(memorystore.Database)
	opts := &memorystore.Options{Prefix: "p"}
	segments, store := memorystore.NewBigSegments(db, opts), memorystore.New(db, opts)
	require.NoError(t, segments.SetLastUpToDate(t.Context(), 1234))
	require.NoError(t, store.Init(t.Context(), nil))
	metadata, err := memorystore.NewBigSegments(db, opts).Metadata(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1234, metadata.LastUpToDate)
}

func TestBigSegments_AnyMethod_RefusesCalls(t *testing.T) {
	s := memorystore.NewBigSegments(nil, nil)
	requireRefusals(t, map[string]func(context.Context) error{
		"Metadata":        func(ctx context.Context) error { _, err := s.Metadata(ctx); return err },
		"Membership":      func(ctx context.Context) error { _, err := s.Membership(ctx, "h"); return err },
		"Cursor":          func(ctx context.Context) error { _, err := s.Cursor(ctx); return err },
		"ApplyPatch":      func(ctx context.Context) error { _, err := s.ApplyPatch(ctx, core.BigSegmentPatch{}); return err },
		"SetLastUpToDate": func(ctx context.Context) error { return s.SetLastUpToDate(ctx, 1) },
	}, s.Close)
}
