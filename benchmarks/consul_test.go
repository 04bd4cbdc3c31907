package benchmarks

import (
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"
	ldconsul "github.com/launchdarkly/go-server-sdk-consul/v3"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/core"
)

// consulClient is a client whose requests are counted.
type consulClient struct {
	*api.Client
	config   *api.Config
	requests *httpRequests
}

func newConsulClient(b *bench, address string, delay time.Duration) *consulClient {
	b.Helper()
	c := &consulClient{requests: newHTTPRequests(b, delay)}
	c.config = &api.Config{Address: address, HttpClient: &http.Client{Transport: c.requests}}
	var err error
	c.Client, err = api.NewClient(c.config)
	require.NoError(b, err)
	return c
}

// prefix is one that no other workload uses and that is empty at the end.
func (c *consulClient) prefix(b *bench) string {
	b.Helper()
	prefix := freshPrefix()
	b.cleanup(func() error { return c.empty(prefix) })
	return prefix
}

func (c *consulClient) empty(prefix string) error {
	_, err := c.KV().DeleteTree(prefix, nil)
	return err
}

func (c *consulClient) ours(b *bench, prefix string) *consulstore.Store {
	b.Helper()
	store, err := consulstore.New(b.ctx(), c.Client, &consulstore.Options{Prefix: prefix})
	require.NoError(b, err)
	b.cleanup(store.Close)
	return store
}

func (c *consulClient) theirs(b *bench, prefix string) subsystems.PersistentDataStore {
	b.Helper()
	store := buildLD(b, ldconsul.DataStore().Config(*c.config).Prefix(prefix))
	b.cleanup(store.Close)
	return store
}

// writeTransactions writes the flags in transactions of the greatest size that there is.
func (c *consulClient) writeTransactions(prefix string, flags []flagJSON) error {
	const most = 128
	var group errgroup.Group
	group.SetLimit(4)
	for some := range slices.Chunk(flags, most) {
		group.Go(func() error {
			operations := make(api.KVTxnOps, len(some))
			for i, flag := range some {
				operations[i] = &api.KVTxnOp{Verb: api.KVSet, Key: prefix + "/features/" + flag.key, Value: flag.data}
			}
			done, _, _, err := c.KV().Txn(operations, nil)
			if err == nil && !done {
				err = errWrong
			}
			return err
		})
	}
	return group.Wait()
}

func consulInit() workload {
	w := consulFirstInit("consul/init", 0)
	w.title = "Consul Init of 10,000 (bare: Txn of 128, 4 at once)"
	w.note = "The server runs on the same cores as the client. Bare is as fast as it gets."
	return w
}

func consulInitFar() workload {
	w := consulFirstInit("consul/init-far", networkDelay)
	w.title = "Consul Init of 10,000 with 5 ms of network for each request"
	return w
}

func consulFirstInit(name string, delay time.Duration) workload {
	return workload{
		name: name, metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1.0/2, measure.Theirs)},
		setup: func(b *bench) sides {
			address := containers.Consul(b)
			client, clientLD := newConsulClient(b, address, delay), newConsulClient(b, address, delay)
			flags := flagsOf(b.many(10_000), ruleFlag)
			data, dataLD := serialized(flags, firstVersion), serializedLD(flags, firstVersion)
			prefix, prefixLD := client.prefix(b), clientLD.prefix(b)
			var store core.FeatureStoreCore
			storeLD := clientLD.theirs(b, prefixLD)
			bare := newConsulClient(b, address, delay)
			prefixBare := bare.prefix(b)
			return sides{
				bare: measure.Op{
					N: 1, Counters: bare.requests.counters(),
					Before: func(int) error { return bare.empty(prefixBare) },
					Run:    func(int) error { return bare.writeTransactions(prefixBare, flags) },
				},
				ours: measure.Op{
					N: 1, Counters: client.requests.counters(),
					Before: func(int) error {
						store = client.ours(b, prefix) // one that remembers nothing
						return client.empty(prefix)
					},
					Run: func(int) error { return store.Init(b.ctx(), data) },
				},
				theirs: measure.Op{
					N: 1, Counters: clientLD.requests.counters(),
					Before: func(int) error { return clientLD.empty(prefixLD) },
					Run:    func(int) error { return storeLD.Init(dataLD) },
				},
			}
		},
	}
}

func consulUpsert() workload {
	return workload{
		name: "consul/upsert", title: "Consul Upsert, 2 KB (bare: PUT)", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1.5, measure.Bare), measure.AtMost(measure.Requests, 1)},
		setup: func(b *bench) sides {
			address := containers.Consul(b)
			client, clientLD, bare := newConsulClient(b, address, 0), newConsulClient(b, address, 0), newConsulClient(b, address, 0)
			flag, key := ruleFlag(1), bare.prefix(b)+"/bare"
			version := firstVersion
			return sides{
				ours:   ownUpsert(b.ctx(), client.ours(b, client.prefix(b)), flag, client.requests.counters()),
				theirs: theirUpsert(clientLD.theirs(b, clientLD.prefix(b)), flag, clientLD.requests.counters()),
				bare: measure.Op{Counters: bare.requests.counters(), Run: func(n int) error {
					for range n {
						version++
						if _, err := bare.KV().Put(&api.KVPair{Key: key, Value: flag.withVersion(version)}, nil); err != nil {
							return err
						}
					}
					return nil
				}},
			}
		},
	}
}
