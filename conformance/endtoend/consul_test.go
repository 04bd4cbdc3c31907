package endtoend

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/core"
)

func consulHarness(t *testing.T) Harness {
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: containers.Consul(t), HttpClient: &http.Client{Transport: transport}})
	require.NoError(t, err)
	bare := client.KV()
	options := func(t testing.TB, prefix string) *consulstore.Options {
		return &consulstore.Options{Address: containers.Consul(t), Prefix: prefix}
	}
	read := func(t testing.TB, key string) (data []byte, found bool) {
		pair, _, err := bare.Get(key, nil)
		require.NoError(t, err)
		if pair == nil {
			return nil, false
		}
		return pair.Value, true
	}
	return Harness{
		Harness: conformance.Harness{
			Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
				s, err := consulstore.Open(t.Context(), options(t, prefix))
				require.NoError(t, err)
				return s
			},
			OpenBigSegments: func(t testing.TB, prefix string) core.BigSegmentStore {
				s, err := consulstore.OpenBigSegments(t.Context(), options(t, prefix))
				require.NoError(t, err)
				return s
			},
			WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
				_, err := bare.Put(&api.KVPair{Key: prefix + "/" + string(kind) + "/" + key, Value: data}, nil)
				require.NoError(t, err)
			},
			ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) ([]byte, bool) {
				return read(t, prefix+"/"+string(kind)+"/"+key)
			},
			Wipe: func(t testing.TB) {
				_, err := bare.DeleteTree("", nil)
				require.NoError(t, err)
			},
			Capabilities: conformance.Capabilities{Watcher: true},
		},
		ReadBigSegments: func(t testing.TB, prefix, hash string) (included, excluded []string) {
			urlSafe := strings.NewReplacer("+", "-", "/", "_").Replace(hash)
			data, found := read(t, prefix+"/big_segments_user/"+urlSafe)
			if !found {
				return nil, nil
			}
			var stored struct{ Included, Excluded []string }
			require.NoError(t, json.Unmarshal(data, &stored))
			return stored.Included, stored.Excluded
		},
	}
}

func TestRun_ConsulStore_Passes(t *testing.T) {
	t.Parallel()
	Run(t, consulHarness(t))
}

func TestRunRecovery_ConsulStore_Passes(t *testing.T) {
	t.Parallel()
	RunRecovery(t, conformance.FaultsHarness{
		Server: containers.StartConsul(t).Address, // one that no other test wipes
		Open: map[string]func(testing.TB, string, string) core.FeatureStoreCore{
			"OwnClient": func(t testing.TB, address, prefix string) core.FeatureStoreCore {
				store, err := consulstore.Open(t.Context(), &consulstore.Options{Address: address, Prefix: prefix})
				require.NoError(t, err)
				return store
			},
		},
	})
}
