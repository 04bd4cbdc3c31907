package consulstore

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/hashicorp/consul/api"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

const (
	// soon is what a call may take to notice that it is not wanted any more, on a busy machine.
	soon         = 2 * time.Second
	pollInterval = 10 * time.Millisecond
)

// calls are all methods that take a context.
func calls(store *Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Get":         func(ctx context.Context) error { _, _, err := store.Get(ctx, core.Flags, "k"); return err },
		"Get awkward": func(ctx context.Context) error { _, _, err := store.Get(ctx, core.Flags, "\n"); return err },
		"GetItems":    func(ctx context.Context) error { _, err := store.GetItems(ctx, core.Flags, []string{"k"}); return err },
		"GetAll":      func(ctx context.Context) error { _, err := store.GetAll(ctx, core.Flags); return err },
		"Upsert": func(ctx context.Context) error {
			_, err := store.Upsert(ctx, core.Flags, "k", item("k", 1))
			return err
		},
		"Init":              func(ctx context.Context) error { return store.Init(ctx, []core.SerializedCollection{flags(1, 1, 9)}) },
		"Init of nothing":   func(ctx context.Context) error { return store.Init(ctx, nil) },
		"Initialized":       func(ctx context.Context) error { _, err := store.Initialized(ctx); return err },
		"CheckAvailability": func(ctx context.Context) error { return store.CheckAvailability(ctx) },
	}
}

// storesAt makes a store with a client of its own and one with a client of the caller's.
func storesAt(t *testing.T, address string, opts Options) map[string]*Store {
	t.Helper()
	callers, err := New(t.Context(), newBare(t, address).Client, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, callers.Close()) })
	opts.Address = address
	return map[string]*Store{"own client": openStore(t, opts), "caller's client": callers}
}

// A context that ends, ends the call, with its error as it is.
func TestStore_MuteServer_ContextEnds(t *testing.T) {
	for name, store := range storesAt(t, muteServer(t), Options{}) {
		for method, run := range calls(store) {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			err := run(ctx)
			require.Equal(t, ctx.Err(), err, "%s of %s", method, name)
			cancel()

			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
			require.Equal(t, context.Canceled, run(ctx), "%s of %s", method, name)
			require.Less(t, time.Since(begin), soon, "%s of %s", method, name)
		}
	}
}

// Close waits for no call in flight, each of which ends with its context; what dials ends at once. A second Close does nothing.
func TestStore_Close_CallsInFlight_EndWithTheirContexts(t *testing.T) {
	for name, store := range storesAt(t, muteServer(t), Options{}) {
		ctx, cancel := context.WithCancel(t.Context())
		outcomes, begun := map[string]chan error{}, make(chan struct{}, 100)
		for method, run := range calls(store) {
			outcome := make(chan error, 1)
			outcomes[method] = outcome
			go func() {
				begun <- struct{}{}
				outcome <- run(ctx)
			}()
		}
		for range outcomes {
			<-begun
		}
		begin := time.Now()
		require.NoError(t, store.Close())
		require.NoError(t, store.Close())
		require.Less(t, time.Since(begin), soon, name)
		cancel()
		for method, outcome := range outcomes {
			if err := <-outcome; !errors.Is(err, core.ErrClosed) { // It had not quite begun.
				require.Equal(t, context.Canceled, err, "%s of %s", method, name)
			}
		}
		for method, run := range calls(store) {
			require.ErrorIs(t, run(t.Context()), core.ErrClosed, "%s of %s", method, name)
		}
	}
}

// Close leaves a client of the caller's usable.
func TestStore_Close_LeavesTheCallersClientOpen(t *testing.T) {
	b := newBare(t, containers.Consul(t))
	store, err := New(t.Context(), b.Client, nil)
	require.NoError(t, err)
	segments, err := NewBigSegments(t.Context(), b.Client, nil)
	require.NoError(t, err)
	require.NoError(t, store.CheckAvailability(t.Context()))
	require.NoError(t, store.Close())
	require.NoError(t, segments.Close())
	_, _, err = b.KV().Get("k", nil)
	require.NoError(t, err)
	_, err = segments.Metadata(t.Context())
	require.ErrorIs(t, err, core.ErrClosed)
}

// proxy is a faulty way to the shared server.
type proxy struct {
	*toxiproxy.Proxy
	t *testing.T
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := &proxy{toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", containers.Consul(t)), t}
	require.NoError(t, p.Start())
	t.Cleanup(p.Stop)
	return p
}

// infect adds a fault, described as toxiproxy's API does; heal removes all.
func (p *proxy) infect(toxic string) {
	p.t.Helper()
	_, err := p.Toxics.AddToxicJson(strings.NewReader(toxic))
	require.NoError(p.t, err)
}

func (p *proxy) heal() { p.Toxics.ResetToxics(context.Background()) }

// Whatever happens on the way, a call ends in time, with ErrUnavailable or its context's error, and when the fault is gone the store works.
func TestStore_Faults_EndInTimeAndHeal(t *testing.T) {
	const timeout = 200 * time.Millisecond
	for name, toxic := range map[string]string{
		"hang":               `{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`,
		"hang of requests":   `{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
		"reset":              `{"type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`,
		"cut in the answer":  `{"type":"limit_data","stream":"downstream","attributes":{"bytes":100}}`,
		"cut in the request": `{"type":"limit_data","stream":"upstream","attributes":{"bytes":20}}`,
		"latency":            `{"type":"latency","stream":"downstream","attributes":{"latency":5000}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := startProxy(t)
			for owner, store := range storesAt(t, p.Listen, Options{Prefix: freshPrefix()}) {
				require.Eventually(t, func() bool {
					return store.CheckAvailability(t.Context()) == nil
				}, soon*5, pollInterval, "healthy at first")
				p.infect(toxic)
				for method, run := range calls(store) {
					begin := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), timeout)
					if err := run(ctx); !errors.Is(err, core.ErrUnavailable) {
						require.Equal(t, context.DeadlineExceeded, err, "%s of %s", method, owner)
					}
					cancel()
					require.Less(t, time.Since(begin), soon, "%s of %s", method, owner)
				}
				p.heal()
				require.Eventually(t, func() bool {
					_, err := store.Upsert(t.Context(), core.Flags, "k", item("k", 1))
					return err == nil
				}, soon*5, pollInterval, "healed")
			}
		})
	}
}

// An Init on a slow line takes as long as it needs.
func TestStore_SlowLine_InitSucceeds(t *testing.T) {
	p := startProxy(t)
	p.infect(`{"type":"bandwidth","stream":"upstream","attributes":{"rate":4000}}`)
	for owner, store := range storesAt(t, p.Listen, Options{Prefix: freshPrefix()}) {
		require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{flags(1000, 1, 4000)}), owner)
		items, err := store.GetAll(t.Context(), core.Flags)
		require.NoError(t, err, owner)
		require.Len(t, items, 1000, owner)
		require.NoError(t, store.Init(t.Context(), nil), owner)
	}
}

// A server that is not one of Consul, and an address where nothing listens, are outages.
func TestStore_NoConsulThere_IsUnavailable(t *testing.T) {
	p := startProxy(t)
	address := p.Listen
	p.Stop()
	for name, opts := range map[string]Options{
		"nothing": {Address: address}, "no such host": {Address: "host.invalid:8500"},
		"another path": {Address: "http://" + containers.Consul(t) + "/v1/status"},
	} {
		store := openStore(t, opts)
		_, err := store.Upsert(t.Context(), core.Flags, "k", item("k", 1))
		require.ErrorIs(t, err, core.ErrUnavailable, name)
		require.NotContains(t, err.Error(), "/v1/kv", "%s: no URLs", name)
	}
}

// A datacenter or namespace that is not there is an error, and nothing is written elsewhere.
func TestStore_WrongPlace_IsUnavailable(t *testing.T) {
	for name, opts := range map[string]Options{
		"datacenter": {Datacenter: "nowhere"}, "namespace": {Namespace: "nobody"}, "partition": {Partition: "nothing"},
	} {
		opts.Prefix = freshPrefix()
		store := openStore(t, opts)
		for method, run := range calls(store) {
			require.ErrorIs(t, run(t.Context()), core.ErrUnavailable, "%s of %s", method, name)
		}
		segments, err := NewBigSegments(t.Context(), store.kv.client, &Options{
			Prefix: opts.Prefix, Datacenter: opts.Datacenter, Namespace: opts.Namespace, Partition: opts.Partition,
		})
		require.NoError(t, err)
		_, err = segments.ApplyPatch(t.Context(), core.BigSegmentPatch{
			SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: hashes(3)},
		})
		require.ErrorIs(t, err, core.ErrUnavailable, name)
		require.NoError(t, segments.Close())
		require.Empty(t, newBare(t, containers.Consul(t)).keysUnder(t, opts.Prefix))
	}
}

// The status of an answer decides.
func TestTranslate_ByStatus(t *testing.T) {
	for status, want := range map[int]error{
		http.StatusForbidden: core.ErrUnavailable, http.StatusRequestEntityTooLarge: core.ErrTooLarge,
		http.StatusTooManyRequests: core.ErrUnavailable, http.StatusInternalServerError: core.ErrUnavailable,
		http.StatusBadRequest: core.ErrUnavailable, http.StatusNotFound: core.ErrUnavailable,
	} {
		err := translate("reading x", api.StatusError{Code: status, Body: strings.Repeat("b", 1000)}, false)
		require.ErrorIs(t, err, want)
		var cause api.StatusError
		require.ErrorAs(t, err, &cause)
		require.Equal(t, status, cause.Code)
		require.Less(t, len(err.Error()), 500)
	}
	require.ErrorIs(t, translate("", api.StatusError{Code: http.StatusForbidden}, true), core.ErrReadOnly)
}
