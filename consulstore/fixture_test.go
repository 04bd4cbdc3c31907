package consulstore

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

const (
	// soon is what a call may take to notice that it is not wanted any more, on a busy machine.
	soon         = 2 * time.Second
	pollInterval = 10 * time.Millisecond
)

// bare is the driver alone. It uses transactions, which know no forbidden keys.
type bare struct {
	*api.Client
	transport *http.Transport
	delay     atomic.Int64 // how much longer each request takes, in nanoseconds
}

func newBare(t testing.TB, address string) *bare {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	b := &bare{transport: transport}
	var err error
	b.Client, err = api.NewClient(&api.Config{Address: address, HttpClient: &http.Client{Transport: b}})
	require.NoError(t, err)
	return b
}

func (b *bare) RoundTrip(request *http.Request) (*http.Response, error) {
	if delay := b.delay.Load(); delay > 0 {
		<-time.After(time.Duration(delay))
	}
	return b.transport.RoundTrip(request)
}

func (b *bare) write(t testing.TB, key string, data []byte) {
	t.Helper()
	ok, _, _, err := b.Txn().Txn(api.TxnOps{{KV: &api.KVTxnOp{Verb: api.KVSet, Key: key, Value: data}}}, nil)
	require.NoError(t, err)
	require.True(t, ok)
}

func (b *bare) read(t testing.TB, key string) (data []byte, found bool) {
	t.Helper()
	ok, response, _, err := b.Txn().Txn(api.TxnOps{{KV: &api.KVTxnOp{Verb: api.KVGet, Key: key}}}, nil)
	require.NoError(t, err)
	if !ok {
		return nil, false
	}
	return response.Results[0].KV.Value, true
}

func (b *bare) wipe(t testing.TB) {
	t.Helper()
	_, err := b.KV().DeleteTree("", nil)
	require.NoError(t, err)
}

// keysUnder lists keys with the bare driver.
func (b *bare) keysUnder(t testing.TB, prefix string) []string {
	t.Helper()
	keys, _, err := b.KV().Keys(prefix, "", nil)
	require.NoError(t, err)
	return keys
}

func optionsFor(t testing.TB, prefix string) *Options {
	return &Options{Address: containers.Consul(t), Prefix: prefix, NoPrefix: prefix == ""}
}

// openStore opens a store of its own, on the shared server unless the options say another address.
func openStore(t testing.TB, opts Options) *Store {
	t.Helper()
	if opts.Address == "" {
		opts.Address = containers.Consul(t)
	}
	store, err := Open(t.Context(), &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// versions counts the versions of items.
func versions(t testing.TB, items []core.KeyedSerializedItem) map[int]int {
	t.Helper()
	counts := map[int]int{}
	for _, item := range items {
		parsed, err := item.Item.Parse(core.Flags, item.Key)
		require.NoError(t, err)
		counts[parsed.Version()]++
	}
	return counts
}

// recorder is a round tripper that notes the requests, and answers some by itself.
type recorder struct {
	next   http.RoundTripper
	answer func(*http.Request) *http.Response // may be nil, and return nil

	mu       sync.Mutex
	requests []string
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.requests = append(r.requests, request.Method+" "+request.URL.Path)
	r.mu.Unlock()
	if r.answer != nil {
		if response := r.answer(request); response != nil {
			return response, nil
		}
	}
	return r.next.RoundTrip(request)
}

// take returns the requests since the last take.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := r.requests
	r.requests = nil
	return requests
}

// recordedStore makes a store on a client of the test's whose requests are noted.
func recordedStore(t testing.TB, opts *Options) (*Store, *recorder) {
	t.Helper()
	b := newBare(t, containers.Consul(t))
	r := &recorder{next: b.transport}
	client, err := api.NewClient(&api.Config{Address: containers.Consul(t), HttpClient: &http.Client{Transport: r}})
	require.NoError(t, err)
	store, err := New(t.Context(), client, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store, r
}

// encodedSize is how long a transaction is on its way.
func encodedSize(t testing.TB, ops []txnOp) int {
	t.Helper()
	var buffer bytes.Buffer
	require.NoError(t, json.NewEncoder(&buffer).Encode(ops))
	return buffer.Len()
}
