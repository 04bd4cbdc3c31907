package redisstore

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

func openSegments(t testing.TB, prefix string) *BigSegments {
	t.Helper()
	segments, err := OpenBigSegments(t.Context(), containers.Redis(t), &Options{Prefix: prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, segments.Close()) })
	return segments
}

// What is written is where the layout says.
func TestBigSegments_Layout_MatchesGoldenKeys(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	segments := openSegments(t, prefix)
	applied, err := segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1",
		Included: core.BigSegmentChanges{Add: []string{"a=", "b="}},
		Excluded: core.BigSegmentChanges{Add: []string{"c/+"}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	require.NoError(t, segments.SetLastUpToDate(ctx, 1_700_000_000_123))
	require.Equal(t, []string{"s.g1"}, client.SMembers(ctx, prefix+":big_segment_include:a=").Val())
	require.Equal(t, []string{"s.g1"}, client.SMembers(ctx, prefix+":big_segment_include:b=").Val())
	require.Equal(t, []string{"s.g1"}, client.SMembers(ctx, prefix+":big_segment_exclude:c/+").Val())
	require.Equal(t, "1", client.Get(ctx, prefix+":big_segments_cursor").Val())
	require.Equal(t, "1700000000123", client.Get(ctx, prefix+":big_segments_synchronized_on").Val())

	applied, err = segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: "1", Version: "2",
		Included: core.BigSegmentChanges{Remove: []string{"a="}},
		Excluded: core.BigSegmentChanges{Add: []string{"b="}, Remove: []string{"c/+"}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	require.Zero(t, client.Exists(ctx, prefix+":big_segment_include:a=", prefix+":big_segment_exclude:c/+").Val())
	membership, err := segments.Membership(ctx, "b=")
	require.NoError(t, err)
	require.Equal(t, ldvalue.NewOptionalBool(true), membership.CheckMembership("s.g1"), "include beats exclude")
}

// What a bare driver wrote in the layout is read; what is not there is empty.
func TestBigSegments_ReadsWhatTheBareDriverWrote(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	segments := openSegments(t, prefix)
	metadata, err := segments.Metadata(ctx)
	require.NoError(t, err)
	require.Zero(t, metadata)
	membership, err := segments.Membership(ctx, "h")
	require.NoError(t, err)
	require.Zero(t, membership.Len())
	cursor, err := segments.Cursor(ctx)
	require.NoError(t, err)
	require.Empty(t, cursor)

	require.NoError(t, client.Set(ctx, prefix+":big_segments_synchronized_on", "12", 0).Err())
	require.NoError(t, client.Set(ctx, prefix+":big_segments_cursor", "c", 0).Err())
	require.NoError(t, client.SAdd(ctx, prefix+":big_segment_exclude:h", "x.g1").Err())
	metadata, err = segments.Metadata(ctx)
	require.NoError(t, err)
	require.Equal(t, ldtime.UnixMillisecondTime(12), metadata.LastUpToDate)
	membership, err = segments.Membership(ctx, "h")
	require.NoError(t, err)
	require.True(t, membership.Equal(core.NewBigSegmentMembership(nil, []string{"x.g1"})))
	cursor, err = segments.Cursor(ctx)
	require.NoError(t, err)
	require.Equal(t, "c", cursor)
}

// Damaged keys are reported by name, and a patch that meets one changes nothing.
func TestBigSegments_DamagedKeys_AreCorrupt(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	segments := openSegments(t, prefix)
	require.NoError(t, client.Set(ctx, prefix+":big_segments_synchronized_on", "soon", 0).Err())
	_, err := segments.Metadata(ctx)
	require.ErrorIs(t, err, core.ErrCorrupt)
	require.ErrorContains(t, err, prefix+":big_segments_synchronized_on")

	require.NoError(t, client.Set(ctx, prefix+":big_segment_exclude:h", "x", 0).Err())
	_, err = segments.Membership(ctx, "h")
	require.ErrorIs(t, err, core.ErrCorrupt)
	require.ErrorContains(t, err, prefix+":big_segment_exclude:h")
	applied, err := segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1",
		Included: core.BigSegmentChanges{Add: []string{"g"}}, Excluded: core.BigSegmentChanges{Add: []string{"h"}},
	})
	require.ErrorIs(t, err, core.ErrCorrupt)
	require.ErrorContains(t, err, prefix+":big_segment_exclude:h")
	require.False(t, applied)
	require.Zero(t, client.Exists(ctx, prefix+":big_segment_include:g", prefix+":big_segments_cursor").Val())

	require.NoError(t, client.SAdd(ctx, prefix+":big_segments_cursor", "x").Err())
	_, err = segments.Cursor(ctx)
	require.ErrorIs(t, err, core.ErrCorrupt)
	_, err = segments.ApplyPatch(ctx, core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1"})
	require.ErrorIs(t, err, core.ErrCorrupt)
}

// A writer that watches the lock, as Relay Proxy does, notices a patch.
func TestBigSegments_ApplyPatch_InterruptsWritersThatWatchTheLock(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	segments := openSegments(t, prefix)
	lock := prefix + ":big_segments_lock"
	watched := func(between core.BigSegmentPatch) error {
		return client.Watch(ctx, func(tx *redis.Tx) error {
			_, err := segments.ApplyPatch(ctx, between)
			require.NoError(t, err)
			_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
				return pipe.Set(ctx, prefix+":big_segments_cursor", "theirs", 0).Err()
			})
			return err
		}, lock)
	}
	require.ErrorIs(t, watched(core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1"}), redis.TxFailedErr)
	require.NoError(t, watched(core.BigSegmentPatch{SegmentRef: "s.g1", PreviousVersion: "other", Version: "2"}))
}

// Of writers that apply the same patch at once, one does.
func TestBigSegments_ApplyPatch_Concurrent_AppliesOnce(t *testing.T) {
	ctx, prefix := t.Context(), storetest.Prefix()
	var applied atomic.Int32
	var writers sync.WaitGroup
	for range 8 {
		segments := openSegments(t, prefix)
		writers.Go(func() {
			ok, err := segments.ApplyPatch(ctx, core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1"})
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

// A patch that changes memberships needs the segment that they are about.
func TestBigSegments_ApplyPatch_WithoutASegment_IsInvalid(t *testing.T) {
	patch := core.BigSegmentPatch{Version: "1", Included: core.BigSegmentChanges{Add: []string{"h"}}}
	_, err := openSegments(t, storetest.Prefix()).ApplyPatch(t.Context(), patch)
	require.ErrorIs(t, err, core.ErrInvalid)
}

// A patch for more contexts than one script takes is applied whole.
func TestBigSegments_ApplyPatch_ManyContexts(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	segments := openSegments(t, prefix)
	var all []string
	for i := range 2*maxPatchHashes + 1 {
		all = append(all, strconv.Itoa(i))
	}
	half := len(all) / 2
	apply := func(patch core.BigSegmentPatch) {
		t.Helper()
		applied, err := segments.ApplyPatch(ctx, patch)
		require.NoError(t, err)
		require.True(t, applied)
	}
	countOf := func(pattern string) (count int) {
		t.Helper()
		for scan := client.Scan(ctx, 0, prefix+pattern, 10_000).Iterator(); scan.Next(ctx); {
			count++
		}
		return count
	}
	apply(core.BigSegmentPatch{
		SegmentRef: "s.g1", Version: "1",
		Included: core.BigSegmentChanges{Add: all[:half]}, Excluded: core.BigSegmentChanges{Add: all[half:]},
	})
	require.Equal(t, half, countOf(":big_segment_include:*"))
	require.Equal(t, len(all)-half, countOf(":big_segment_exclude:*"))
	apply(core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: "1", Version: "2",
		Included: core.BigSegmentChanges{Add: []string{"one"}, Remove: all[:half]},
		Excluded: core.BigSegmentChanges{Remove: all[half:]},
	})
	require.Equal(t, 1, countOf(":big_segment_include:*"))
	require.Zero(t, countOf(":big_segment_exclude:*"))
	cursor, err := segments.Cursor(ctx)
	require.NoError(t, err)
	require.Equal(t, "2", cursor)
}
