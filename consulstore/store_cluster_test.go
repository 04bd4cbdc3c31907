package consulstore

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
	"github.com/cleatdev/cleat/internal/storetest"
)

const recoveryPatience = 30 * time.Second

// followerOf returns a server that is not the leader.
func followerOf(servers []*containers.ConsulServer, leader *containers.ConsulServer) *containers.ConsulServer {
	return servers[(slices.Index(servers, leader)+1)%len(servers)]
}

// openBounded opens a store whose calls are bounded in the way of package caching.
func openBounded(t *testing.T, opts Options, limits lifecycle.Limits) *lifecycle.Store {
	t.Helper()
	group := lifecycle.New("test", slog.Default())
	return lifecycle.Bound(group, openStore(t, opts), limits)
}

// A cluster that loses its leader takes writes again after the election; in between they fail with ErrUnavailable, and what was
// acknowledged is never lost.
func TestStore_ClusterLosesItsLeader_FailsOver(t *testing.T) {
	ctx, servers := t.Context(), containers.StartConsulCluster(t, 3)
	leader := containers.ConsulLeader(t, servers, servers[0])
	follower := followerOf(servers, leader)
	store := openBounded(t, Options{Address: follower.Address}, lifecycle.Limits{
		Read: 300 * time.Millisecond, Write: 300 * time.Millisecond,
	})
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(500, 1, 1000)}))

	version, acknowledged, failures := 1, 0, 0
	upsert := func() error {
		version++
		result, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", version))
		switch {
		case err == nil && !result.Written:
			return errors.New("a newer version was found not to be newer")
		case err == nil:
			acknowledged = version
		case !errors.Is(err, core.ErrUnavailable):
			return err
		default:
			failures++
		}
		return nil
	}
	require.NoError(t, upsert())
	require.Zero(t, failures)
	leader.Stop(t)
	lost := time.Now()
	for deadline := lost.Add(recoveryPatience); time.Now().Before(deadline); {
		require.NoError(t, upsert())
		if acknowledged == version && failures > 0 {
			break
		}
	}
	require.Positive(t, failures, "a write without a leader fails")
	require.Equal(t, version, acknowledged, "writes go on after the election")
	t.Logf("%d writes failed in %v", failures, time.Since(lost).Round(time.Millisecond))
	require.NotEqual(t, leader, containers.ConsulLeader(t, servers, follower))

	got, _, err := store.Get(ctx, core.Flags, "k")
	require.NoError(t, err)
	require.Equal(t, storetest.Item("k", acknowledged).Data, got.Data)
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(500, 2, 1000)}))
	items, err := store.GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Equal(t, map[int]int{2: 500}, versions(t, items))
}

// Without a majority nothing can be written, and the leader's data not be read; only stale reads go on. When the servers are
// back, everything does.
func TestStore_ClusterWithoutMajority_ServesStaleReadsOnly(t *testing.T) {
	ctx, servers := t.Context(), containers.StartConsulCluster(t, 3)
	limits := lifecycle.Limits{Read: 500 * time.Millisecond, Write: 500 * time.Millisecond, Init: 500 * time.Millisecond}
	store := openBounded(t, Options{Address: servers[0].Address}, limits)
	stale := openBounded(t, Options{Address: servers[0].Address, Consistency: ConsistencyStale}, limits)
	data := []core.SerializedCollection{storetest.Flags(5, 1, 100)}
	require.Eventually(t, func() bool { return store.Init(ctx, data) == nil }, recoveryPatience, pollInterval)
	require.Eventually(t, func() bool {
		items, err := stale.GetAll(ctx, core.Flags)
		return err == nil && len(items) == 5
	}, recoveryPatience, pollInterval)

	servers[1].Stop(t)
	servers[2].Stop(t)
	require.Eventually(t, func() bool {
		return errors.Is(store.CheckAvailability(ctx), core.ErrUnavailable)
	}, recoveryPatience, pollInterval)
	for name, s := range map[string]*lifecycle.Store{"default": store, "stale": stale} {
		_, err := s.Upsert(ctx, core.Flags, "k", storetest.Item("k", 1))
		require.ErrorIs(t, err, core.ErrUnavailable, name)
		require.ErrorIs(t, s.Init(ctx, nil), core.ErrUnavailable, name)
		require.ErrorIs(t, s.CheckAvailability(ctx), core.ErrUnavailable, name)
	}
	_, _, err := store.Get(ctx, core.Flags, "flag-00001")
	require.ErrorIs(t, err, core.ErrUnavailable)
	items, err := stale.GetAll(ctx, core.Flags)
	require.NoError(t, err)
	require.Len(t, items, 5)
	_, found, err := stale.Get(ctx, core.Flags, "flag-00001")
	require.NoError(t, err)
	require.True(t, found)

	servers[1].Start(t)
	require.Eventually(t, func() bool {
		_, err := store.Upsert(ctx, core.Flags, "k", storetest.Item("k", 2))
		return err == nil
	}, recoveryPatience, pollInterval)
}
