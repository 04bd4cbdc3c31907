package redisstore

import (
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// A Cluster that lost one of three masters goes on answering for the contexts whose keys the others have.
func TestBigSegments_Cluster_LosesAMaster_OthersGoOn(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	ctx, prefix := t.Context(), storetest.Prefix()
	servers := containers.StartRedisCluster(t, false, "--cluster-require-full-coverage", "no")
	segments, err := OpenBigSegments(ctx, servers.URL, &Options{Prefix: prefix})
	require.NoError(t, err)
	const contexts = 30
	hashes := make([]string, contexts)
	for i := range hashes {
		hashes[i] = core.BigSegmentContextHash(strconv.Itoa(i))
	}
	// Nodes of a new Cluster that serve what they have, although not everything is served, may not know all slots yet.
	require.Eventually(t, func() bool {
		applied, err := segments.ApplyPatch(ctx, include("", "1", hashes...))
		return err == nil && applied
	}, 30*time.Second, 100*time.Millisecond)
	require.NoError(t, segments.SetLastUpToDate(ctx, ldtime.UnixMillisNow()))

	names := keys{prefix}
	primaryOf := func(key string) *containers.RedisServer {
		return servers.PrimaryOf(t, servers.Primaries[0], int(slotOf(key)))
	}
	hasMetadata := primaryOf(names.synchronizedOn())
	var lost *containers.RedisServer
	for _, server := range servers.Primaries {
		if server != hasMetadata {
			lost = server
		}
	}
	living := make([]bool, contexts)
	for i, hash := range hashes {
		living[i] = primaryOf(names.include(hash)) != lost && primaryOf(names.exclude(hash)) != lost
	}
	require.Contains(t, living, true)
	require.Contains(t, living, false)

	manager, err := bigsegments.NewManager(segments, &bigsegments.Options{
		CacheTime: time.Millisecond, QueryTimeout: 20 * time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, manager.Close()) })
	var changes atomic.Int64
	manager.AddListener(func(core.BigSegmentStoreStatus) { changes.Add(1) })
	lost.Stop(t)
	for range 3 {
		for i := range contexts {
			membership, status := manager.Membership(ctx, strconv.Itoa(i))
			if !living[i] {
				require.Equal(t, ldreason.BigSegmentsStoreError, status, i)
				continue
			}
			require.Equal(t, ldreason.BigSegmentsHealthy, status, i)
			require.True(t, membership.CheckMembership("s.g1").BoolValue(), i)
		}
	}
	require.Zero(t, changes.Load(), "the status stays as it is")
}

// The manager takes for stale what is corrupt, and for an outage everything else.
func TestBigSegments_Metadata_NotATime_IsCorrupt(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	segments := openSegments(t, prefix)
	key := prefix + ":big_segments_synchronized_on"
	for _, value := range []string{"soon", "-5", "1.5", "99999999999999999999", "{}"} {
		require.NoError(t, client.Set(ctx, key, value, 0).Err())
		_, err := segments.Metadata(ctx)
		require.ErrorIs(t, err, core.ErrCorrupt, value)
	}
	require.NoError(t, client.Del(ctx, key).Err())
	require.NoError(t, client.SAdd(ctx, key, "1").Err())
	_, err := segments.Metadata(ctx)
	require.ErrorIs(t, err, core.ErrCorrupt)
}
