package redisstore

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

// harnessOf makes a harness of a way to open stores and of a bare client of the same servers.
func harnessOf(
	client redis.UniversalClient, open func(context.Context, *Options) (core.FeatureStoreCore, error),
	openBig func(context.Context, *Options) (*BigSegments, error), options func(prefix string) *Options,
	capabilities conformance.Capabilities,
) conformance.Harness {
	hashOf := func(prefix string, kind core.DataKind) string { return keys{options(prefix).Prefix}.items(kind) }
	return conformance.Harness{
		Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
			store, err := open(t.Context(), options(prefix))
			require.NoError(t, err)
			return store
		},
		WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			require.NoError(t, client.HSet(t.Context(), hashOf(prefix, kind), key, data).Err())
		},
		ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
			value, err := client.HGet(t.Context(), hashOf(prefix, kind), key).Bytes()
			if err == redis.Nil { //nolint:errorlint // the driver returns it as it is
				return nil, false
			}
			require.NoError(t, err)
			return value, true
		},
		Wipe: func(t testing.TB) { require.NoError(t, flush(context.Background(), client)) },
		OpenBigSegments: func(t testing.TB, prefix string) core.BigSegmentStore {
			store, err := openBig(t.Context(), options(prefix))
			require.NoError(t, err)
			return store
		},
		Capabilities: capabilities,
	}
}

func flush(ctx context.Context, client redis.UniversalClient) error {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return node.FlushAll(ctx).Err() })
	}
	return client.FlushAll(ctx).Err()
}

// inOneSlot puts the suite's prefixes behind a hash tag, so that they differ as before.
func inOneSlot(prefix string) *Options { return &Options{Prefix: "{suite}" + prefix} }

func capabilitiesInOneSlot() conformance.Capabilities {
	return conformance.Capabilities{
		AtomicInit: true, AvailabilityChecker: true, ChangeSetApplier: true, ItemsGetter: true, DiagnosticDescription: true, Watcher: true,
	}
}

func openerFor(url string) func(context.Context, *Options) (core.FeatureStoreCore, error) {
	return func(ctx context.Context, opts *Options) (core.FeatureStoreCore, error) { return Open(ctx, url, opts) }
}

func bigOpenerFor(url string) func(context.Context, *Options) (*BigSegments, error) {
	return func(ctx context.Context, opts *Options) (*BigSegments, error) { return OpenBigSegments(ctx, url, opts) }
}

func clusterInOneSlotHarness(t *testing.T) conformance.Harness {
	url := containers.RedisCluster(t)
	return harnessOf(clusterClient(t), openerFor(url), bigOpenerFor(url), inOneSlot, capabilitiesInOneSlot())
}

func sentinelHarness(t *testing.T) conformance.Harness {
	url := containers.RedisSentinel(t)
	return harnessOf(sentinelClient(t, url), openerFor(url), bigOpenerFor(url), optionsFor, capabilitiesInOneSlot())
}

// runConformance runs all suites, one after the other, because each may empty the servers.
func runConformance(t *testing.T, h conformance.Harness) {
	t.Run("FeatureStore", func(t *testing.T) { conformance.RunFeatureStore(t, h) })
	t.Run("Wrapped", func(t *testing.T) { conformance.RunWrapped(t, h) })
	t.Run("BigSegments", func(t *testing.T) {
		conformance.RunBigSegments(t, conformance.BigSegmentsHarness{Open: h.OpenBigSegments, Writer: true})
	})
}

// Under a prefix without a hash tag, big segments are spread over a Cluster.
func TestConformance_BigSegmentsOnCluster(t *testing.T) {
	open := bigOpenerFor(containers.RedisCluster(t))
	conformance.RunBigSegments(t, conformance.BigSegmentsHarness{Writer: true, Open: func(t testing.TB, prefix string) core.BigSegmentStore {
		store, err := open(t.Context(), optionsFor(prefix))
		require.NoError(t, err)
		return store
	}})
}

func TestConformance_ClusterInOneSlot(t *testing.T) { runConformance(t, clusterInOneSlotHarness(t)) }

func TestConformance_Sentinel(t *testing.T) { runConformance(t, sentinelHarness(t)) }

// Over TLS it is a user with the documented permissions.
func TestConformance_TLSAndUser(t *testing.T) { runConformance(t, tlsHarness(t)) }
