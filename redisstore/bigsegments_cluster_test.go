package redisstore

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
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
	ctx, client, prefix := t.Context(), clusterClient(t), storetest.Prefix()
	segments := openClusterSegments(t, Options{Prefix: prefix})
	var many []string
	for i := range maxSpreadHashes + 1 {
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
	found := slices.DeleteFunc(clusterKeys(t, client, prefix), func(key string) bool {
		return strings.HasPrefix(key, prefix+":big_segments_fence:") || strings.HasPrefix(key, prefix+":big_segments_epoch:")
	})
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
	prefix := storetest.Prefix()
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

// late is a writer that has been given its epoch and then comes to a halt.
type late struct {
	segments *BigSegments
	patch    core.BigSegmentPatch
	epoch    any
}

func newLate(t *testing.T, prefix string, patch core.BigSegmentPatch) *late {
	t.Helper()
	l := &late{segments: openClusterSegments(t, Options{Prefix: prefix}), patch: patch}
	cursor := l.segments.cursor()
	var err error
	l.epoch, err = runScript(t.Context(), l.segments.client, epochScript,
		[]string{cursor, l.segments.epoch()}, patch.PreviousVersion)
	require.NoError(t, err)
	require.NotEqual(t, int64(0), l.epoch)
	return l
}

// write goes on.
func (l *late) write(t *testing.T) (inTime bool) {
	t.Helper()
	inTime, err := changeSlots(
		t.Context(), l.segments.client, l.segments.slotPatches(l.patch), l.epoch, l.patch.SegmentRef)
	require.NoError(t, err)
	return inTime
}

func members(t *testing.T, segments *BigSegments, hashes ...string) (found []string) {
	t.Helper()
	for _, hash := range hashes {
		membership, err := segments.Membership(t.Context(), hash)
		require.NoError(t, err)
		if membership.Len() > 0 {
			found = append(found, hash)
		}
	}
	return found
}

// What a writer sends late does not undo what belongs to a later version.
func TestBigSegments_Cluster_LateWrite_IsRefused(t *testing.T) {
	prefix := storetest.Prefix()
	segments := openClusterSegments(t, Options{Prefix: prefix})
	l := newLate(t, prefix, include("", "1", "a", "b"))
	for _, patch := range []core.BigSegmentPatch{
		include("", "1", "a", "b"),
		{SegmentRef: "s.g1", PreviousVersion: "1", Version: "2", Included: core.BigSegmentChanges{Remove: []string{"a"}}},
	} {
		applied, err := segments.ApplyPatch(t.Context(), patch)
		require.NoError(t, err)
		require.True(t, applied)
	}
	require.False(t, l.write(t))
	require.Equal(t, []string{"b"}, members(t, segments, "a", "b"))
}

// Writers at one cursor write the same, so that none of them has to give way.
func TestBigSegments_Cluster_WritersAtOneCursor_AreAllAccepted(t *testing.T) {
	prefix := storetest.Prefix()
	first := newLate(t, prefix, include("", "", "a", "b"))
	second := newLate(t, prefix, include("", "", "a", "b"))
	require.True(t, second.write(t))
	require.True(t, first.write(t))
	require.Equal(t, []string{"a", "b"}, members(t, first.segments, "a", "b"))
}

// A Cluster that lost the cursor, and so the number of its epoch, is filled again.
func TestBigSegments_Cluster_CursorIsLost_BeginsAgain(t *testing.T) {
	ctx, client, prefix := t.Context(), clusterClient(t), storetest.Prefix()
	segments := openClusterSegments(t, Options{Prefix: prefix})
	for i := range 3 {
		previous := strings.Repeat("v", i)
		applied, err := segments.ApplyPatch(ctx, include(previous, previous+"v", "a"))
		require.NoError(t, err)
		require.True(t, applied)
	}
	cursor := segments.cursor()
	require.NoError(t, client.Del(ctx, cursor, segments.epoch()).Err())
	applied, err := segments.ApplyPatch(ctx, include("", "v", "a", "b"))
	require.NoError(t, err)
	require.True(t, applied)
	require.Equal(t, []string{"a", "b"}, members(t, segments, "a", "b"))
}

// A patch that stops half way has not moved the cursor, and applies again when what stopped it is gone.
func TestBigSegments_Cluster_PatchStopsHalfWay_AppliesAgain(t *testing.T) {
	ctx, client, prefix := t.Context(), clusterClient(t), storetest.Prefix()
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
