package redisstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

// proxy is a faulty way to a server.
type proxy struct {
	*toxiproxy.Proxy
	t *testing.T
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	upstream, err := redis.ParseURL(containers.Redis(t))
	require.NoError(t, err)
	return startProxyTo(t, upstream.Addr)
}

func startProxyTo(t *testing.T, address string) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", address), t}
	require.NoError(t, p.Start())
	t.Cleanup(p.Stop)
	return p
}

func (p *proxy) url() string { return "redis://" + p.Listen }

// infect adds a fault, described as toxiproxy's API does; heal removes all.
func (p *proxy) infect(toxic string) {
	p.t.Helper()
	_, err := p.Toxics.AddToxicJson(strings.NewReader(toxic))
	require.NoError(p.t, err)
}

func (p *proxy) heal() { p.Toxics.ResetToxics(context.Background()) }

// storesThrough opens a store with a client of its own and one with a client of the caller's.
func storesThrough(t *testing.T, p *proxy, opts Options) map[string]*Store {
	t.Helper()
	own, err := Open(t.Context(), p.url(), &opts)
	require.NoError(t, err)
	callers, err := New(t.Context(), clientFor(t, p.url()), &opts)
	require.NoError(t, err)
	for _, store := range []*Store{own, callers} {
		t.Cleanup(func() { require.NoError(t, store.Close()) })
	}
	return map[string]*Store{"own client": own, "caller's client": callers}
}

// Whatever happens on the way, a call ends with its context at the latest, and when the fault is gone the store works.
func TestStore_Faults_AreUnavailableAndHeal(t *testing.T) {
	const timeout = 200 * time.Millisecond
	for name, toxic := range map[string]string{
		"hang":               `{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`,
		"hang of requests":   `{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
		"reset":              `{"type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`,
		"cut in the answer":  `{"type":"limit_data","stream":"downstream","attributes":{"bytes":1}}`,
		"cut in the request": `{"type":"limit_data","stream":"upstream","attributes":{"bytes":20}}`,
		"latency":            `{"type":"latency","stream":"downstream","attributes":{"latency":5000}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProxy(t)
			opts := Options{Prefix: freshPrefix()}
			for owner, store := range storesThrough(t, p, opts) {
				require.Eventually(t, func() bool {
					return store.CheckAvailability(t.Context()) == nil
				}, 10*time.Second, 10*time.Millisecond, "healthy at first")
				p.infect(toxic)
				for method, run := range calls(store) {
					begin := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), timeout)
					err := run(ctx)
					cancel()
					if err != context.DeadlineExceeded { //nolint:errorlint // it is returned as it is
						require.ErrorIs(t, err, core.ErrUnavailable, "%s of %s", method, owner)
					}
					require.Less(t, time.Since(begin), soon, "%s of %s", method, owner)
				}
				p.heal()
				require.Eventually(t, func() bool {
					_, err := store.Upsert(t.Context(), core.Flags, "k", item("k", 1))
					return err == nil
				}, 10*time.Second, 10*time.Millisecond, "healed")
			}
		})
	}
}

// An Init on a slow line takes as long as it needs within its time-out, and an answer cut off in the middle is an error.
func TestStore_SlowLine_InitSucceeds(t *testing.T) {
	p := startProxy(t)
	p.infect(`{"type":"bandwidth","stream":"upstream","attributes":{"rate":4000}}`)
	stores := storesThrough(t, p, Options{Prefix: freshPrefix()})
	for owner, store := range stores {
		require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{flags(1000, 1, 4000)}), owner)
		items, err := store.GetAll(t.Context(), core.Flags)
		require.NoError(t, err, owner)
		require.Len(t, items, 1000, owner)
	}
	p.infect(`{"type":"limit_data","stream":"downstream","attributes":{"bytes":100000}}`)
	for owner, store := range stores {
		require.Eventually(t, func() bool {
			_, err := store.GetAll(t.Context(), core.Flags)
			return errors.Is(err, core.ErrUnavailable)
		}, 10*time.Second, 10*time.Millisecond, owner)
	}
}
