package redisstore

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

func openClusterSegments(t testing.TB, opts Options) *BigSegments {
	t.Helper()
	segments, err := OpenBigSegments(t.Context(), containers.RedisCluster(t), &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, segments.Close()) })
	return segments
}

func include(previous, version string, hashes ...string) core.BigSegmentPatch {
	return core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: previous, Version: version, Included: core.BigSegmentChanges{Add: hashes},
	}
}

// What is written is where the layout says, whatever slots that is in, and no lock is left behind.
func TestBigSegments_Cluster_MatchesGoldenKeys(t *testing.T) {
	ctx, client, prefix := t.Context(), clusterClient(t), freshPrefix()
	segments := openClusterSegments(t, Options{Prefix: prefix})
	var many []string
	for i := range maxPipelined + 1 {
		many = append(many, strconv.Itoa(i))
	}
	applied, err := segments.ApplyPatch(ctx, include("", "1", many...))
	require.NoError(t, err)
	require.True(t, applied)
	applied, err = segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: "1", Version: "2",
		Included: core.BigSegmentChanges{Remove: many[2:]}, Excluded: core.BigSegmentChanges{Add: []string{"0", "c/+"}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	require.NoError(t, segments.SetLastUpToDate(ctx, 12))
	found := clusterKeys(t, client, prefix)
	slices.Sort(found)
	require.Equal(t, []string{
		prefix + ":big_segment_exclude:0", prefix + ":big_segment_exclude:c/+",
		prefix + ":big_segment_include:0", prefix + ":big_segment_include:1",
		prefix + ":big_segments_cursor", prefix + ":big_segments_synchronized_on",
	}, found)
	require.Equal(t, []string{"s.g1"}, client.SMembers(ctx, prefix+":big_segment_exclude:c/+").Val())
	require.Equal(t, "2", client.Get(ctx, prefix+":big_segments_cursor").Val())
}

// Of writers that apply the same patch at once, one does, and none of them fails.
func TestBigSegments_Cluster_ConcurrentPatches_OneIsApplied(t *testing.T) {
	prefix := freshPrefix()
	var applied atomic.Int32
	var writers sync.WaitGroup
	for range 8 {
		segments := openClusterSegments(t, Options{Prefix: prefix})
		writers.Go(func() {
			ok, err := segments.ApplyPatch(t.Context(), include("", "1", "a", "b", "c"))
			if err != nil {
				t.Error(err)
			}
			if ok {
				applied.Add(1)
			}
		})
	}
	writers.Wait()
	require.EqualValues(t, 1, applied.Load())
}

// A writer waits for another one, not for ever, and not for what others leave in the lock.
func TestBigSegments_Cluster_Lock_IsWaitedFor(t *testing.T) {
	ctx, client, prefix := t.Context(), clusterClient(t), freshPrefix()
	lock := prefix + ":big_segments_lock"
	segments := openClusterSegments(t, Options{Prefix: prefix, WriteTimeout: 300 * time.Millisecond})
	require.NoError(t, client.Set(ctx, lock, "", 0).Err())
	applied, err := segments.ApplyPatch(ctx, include("", "1", "a"))
	require.NoError(t, err)
	require.True(t, applied)

	require.NoError(t, client.Set(ctx, lock, "somebody else", 0).Err())
	applied, err = segments.ApplyPatch(ctx, include("1", "2", "b"))
	require.ErrorIs(t, err, core.ErrConflict)
	require.ErrorContains(t, err, lock)
	require.False(t, applied)
	require.Equal(t, "somebody else", client.Get(ctx, lock).Val())
	require.Zero(t, client.Exists(ctx, prefix+":big_segment_include:b").Val())

	require.NoError(t, client.PExpire(ctx, lock, 50*time.Millisecond).Err())
	applied, err = segments.ApplyPatch(ctx, include("1", "2", "b"))
	require.NoError(t, err)
	require.True(t, applied)
}

// A patch that stops half way has not moved the cursor, and applies again when what stopped it is gone.
func TestBigSegments_Cluster_PatchStopsHalfWay_AppliesAgain(t *testing.T) {
	ctx, client, prefix := t.Context(), clusterClient(t), freshPrefix()
	segments := openClusterSegments(t, Options{Prefix: prefix})
	require.NoError(t, client.Set(ctx, prefix+":big_segment_include:b", "not a set", 0).Err())
	applied, err := segments.ApplyPatch(ctx, include("", "1", "a", "b", "c"))
	require.ErrorIs(t, err, core.ErrCorrupt)
	require.False(t, applied)
	require.Zero(t, client.Exists(ctx, prefix+":big_segments_cursor", prefix+":big_segments_lock").Val())
	require.NoError(t, client.Del(ctx, prefix+":big_segment_include:b").Err())
	applied, err = segments.ApplyPatch(ctx, include("", "1", "a", "b", "c"))
	require.NoError(t, err)
	require.True(t, applied)
	for _, hash := range []string{"a", "b", "c"} {
		membership, err := segments.Membership(ctx, hash)
		require.NoError(t, err)
		require.Equal(t, 1, membership.Len())
	}
}
