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

func optionsFor(prefix string) *Options { return &Options{Prefix: prefix, NoPrefix: prefix == ""} }

func openBigSegments(t testing.TB, prefix string) core.BigSegmentStore {
	store, err := OpenBigSegments(t.Context(), containers.Redis(t), optionsFor(prefix))
	require.NoError(t, err)
	return store
}

func harness(t *testing.T) conformance.Harness {
	client := bareClient(t)
	return conformance.Harness{
		Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
			store, err := Open(t.Context(), containers.Redis(t), optionsFor(prefix))
			require.NoError(t, err)
			return store
		},
		WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			require.NoError(t, client.HSet(t.Context(), keys{prefix}.items(kind), key, data).Err())
		},
		ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
			data, err := client.HGetAll(t.Context(), keys{prefix}.items(kind)).Result()
			require.NoError(t, err)
			value, found := data[key]
			return []byte(value), found
		},
		Wipe:            func(t testing.TB) { require.NoError(t, client.FlushAll(context.Background()).Err()) },
		OpenBigSegments: openBigSegments,
		Capabilities: conformance.Capabilities{
			AtomicInit: true, AvailabilityChecker: true, ChangeSetApplier: true, ItemsGetter: true, DiagnosticDescription: true, Watcher: true,
		},
	}
}

// clients are the ways to make a store's client: one of its own, and one of the caller's with the retries that New advises,
// and of which nothing but contexts ends a call.
func clients() map[string]func(t testing.TB, address string, opts Options) *Store {
	return map[string]func(testing.TB, string, Options) *Store{
		"OwnClient": func(t testing.TB, address string, opts Options) *Store {
			store, err := Open(t.Context(), "redis://"+address, &opts)
			require.NoError(t, err)
			return store
		},
		"CallersClient": func(t testing.TB, address string, opts Options) *Store {
			client := redis.NewClient(&redis.Options{
				Addr: address, ContextTimeoutEnabled: true, MaxRetries: 1, DialerRetries: 1, ReadTimeout: -1, WriteTimeout: -1,
			})
			t.Cleanup(func() { require.NoError(t, client.Close()) })
			store, err := New(t.Context(), client, &opts)
			require.NoError(t, err)
			return store
		},
	}
}

// serverAddress is the host:port of the shared server.
func serverAddress(t testing.TB) string {
	parsed, err := redis.ParseURL(containers.Redis(t))
	require.NoError(t, err)
	return parsed.Addr
}

func TestConformance_Faults(t *testing.T) {
	h := conformance.FaultsHarness{
		Server: serverAddress(t),
		Open:   map[string]func(testing.TB, string, string) core.FeatureStoreCore{},
		OpenBigSegments: func(t testing.TB, address, prefix string) core.BigSegmentStore {
			store, err := OpenBigSegments(t.Context(), "redis://"+address, optionsFor(prefix))
			require.NoError(t, err)
			return store
		},
	}
	for name, open := range clients() {
		h.Open[name] = func(t testing.TB, address, prefix string) core.FeatureStoreCore {
			return open(t, address, *optionsFor(prefix))
		}
	}
	conformance.RunFaults(t, h)
}

func TestConformance_FeatureStore(t *testing.T) { conformance.RunFeatureStore(t, harness(t)) }

func TestConformance_Wrapped(t *testing.T) { conformance.RunWrapped(t, harness(t)) }

func TestConformance_BigSegments(t *testing.T) {
	conformance.RunBigSegments(t, conformance.BigSegmentsHarness{Open: openBigSegments, Writer: true})
}
