package endtoend

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/redisstore"
)

func redisHarness(t *testing.T) Harness {
	parsed, err := redis.ParseURL(containers.Redis(t))
	require.NoError(t, err)
	bare := redis.NewClient(parsed)
	t.Cleanup(func() { require.NoError(t, bare.Close()) })
	return Harness{
		Harness: conformance.Harness{
			Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
				s, err := redisstore.Open(t.Context(), containers.Redis(t), &redisstore.Options{Prefix: prefix})
				require.NoError(t, err)
				return s
			},
			OpenBigSegments: func(t testing.TB, prefix string) core.BigSegmentStore {
				s, err := redisstore.OpenBigSegments(t.Context(), containers.Redis(t), &redisstore.Options{Prefix: prefix})
				require.NoError(t, err)
				return s
			},
			WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
				require.NoError(t, bare.HSet(t.Context(), prefix+":"+string(kind), key, data).Err())
			},
			ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
				data, err := bare.HGet(t.Context(), prefix+":"+string(kind), key).Bytes()
				require.True(t, err == nil || errors.Is(err, redis.Nil), err)
				return data, err == nil
			},
			Wipe:         func(t testing.TB) { require.NoError(t, bare.FlushAll(context.Background()).Err()) },
			Capabilities: conformance.Capabilities{AtomicInit: true, Watcher: true, ChangeSetApplier: true},
		},
		ReadBigSegments: func(t testing.TB, prefix, hash string) (included, excluded []string) {
			included, err := bare.SMembers(t.Context(), prefix+":big_segment_include:"+hash).Result()
			require.NoError(t, err)
			excluded, err = bare.SMembers(t.Context(), prefix+":big_segment_exclude:"+hash).Result()
			require.NoError(t, err)
			return included, excluded
		},
	}
}

func TestRun_RedisStore_Passes(t *testing.T) {
	t.Parallel()
	Run(t, redisHarness(t))
}

func TestRunRecovery_RedisStore_Passes(t *testing.T) {
	t.Parallel()
	RunRecovery(t, conformance.FaultsHarness{
		Server: containers.StartRedis(t).Address, // one that no other test wipes
		Open: map[string]func(testing.TB, string, string) core.FeatureStoreCore{
			"OwnClient": func(t testing.TB, address, prefix string) core.FeatureStoreCore {
				store, err := redisstore.Open(t.Context(), "redis://"+address, &redisstore.Options{Prefix: prefix})
				require.NoError(t, err)
				return store
			},
		},
	})
}
