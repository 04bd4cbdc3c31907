package consulstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// LaunchDarkly's writers delete every key that begins with their prefix when they fill a store. Big segments survive that,
// by default, and flags of others too if their prefix does not begin with that one.
func TestBigSegments_InitOfAnotherWriter_LeavesThemAlone(t *testing.T) {
	ctx, b := t.Context(), newBare(t, containers.Consul(t))
	segments, err := OpenBigSegments(ctx, &Options{Address: containers.Consul(t)})
	require.NoError(t, err)
	defer func() { require.NoError(t, segments.Close()) }()
	defer b.wipe(t)
	flagsStore := openStore(t, Options{Address: containers.Consul(t)})
	require.NoError(t, flagsStore.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 1, 100)}))

	hash := core.BigSegmentContextHash("ana")
	applied, err := segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{hash}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	require.NoError(t, segments.SetLastUpToDate(ctx, 1234))

	_, err = b.KV().DeleteTree(DefaultPrefix, nil) // what their Init does
	require.NoError(t, err)
	initialized, err := flagsStore.Initialized(ctx)
	require.NoError(t, err)
	require.False(t, initialized, "flags are theirs")

	membership, err := segments.Membership(ctx, hash)
	require.NoError(t, err)
	require.True(t, core.NewBigSegmentMembership([]string{"s.g1"}, nil).Equal(membership))
	metadata, err := segments.Metadata(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1234, metadata.LastUpToDate)
	cursor, err := segments.Cursor(ctx)
	require.NoError(t, err)
	require.Equal(t, "1", cursor)
	require.Len(t, b.keysUnder(t, "cleat-big-segments/"), 3)
}

func TestNewBigSegments_PrefixThatOtherWritersDelete_IsRefused(t *testing.T) {
	for _, prefix := range []string{"launchdarkly", "launchdarkly-segments", "launchdarkly/segments"} {
		_, err := NewBigSegments(t.Context(), unconnected(t), &Options{Prefix: prefix})
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, `leave it out for "cleat-big-segments"`)
		_, err = OpenBigSegments(t.Context(), &Options{Prefix: prefix})
		require.ErrorIs(t, err, core.ErrInvalid)
	}
}
