package storetest

import (
	"context"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// Proxy is a TCP proxy on loopback in front of a server. The test decides what goes wrong on the way.
type Proxy struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

// StartProxy starts a proxy to the server at host:port. It is stopped at the end of the test.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	control := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := &Proxy{t, toxiproxy.NewProxy(control, t.Name(), "127.0.0.1:0", server)}
	p.Start()
	t.Cleanup(p.Stop)
	return p
}

// Address is the host:port where clients connect. It stays the same after [Proxy.Stop] and [Proxy.Start].
func (p *Proxy) Address() string { return p.proxy.Listen }

// Stop closes all connections and refuses new ones. A second Stop does nothing.
func (p *Proxy) Stop() { p.proxy.Stop() }

// Start accepts connections again.
func (p *Proxy) Start() {
	p.t.Helper()
	if err := p.proxy.Start(); err != nil {
		p.t.Fatalf("starting a proxy: %v", err)
	}
}

// Infect adds a fault, one of the constants of this package or another toxic in the JSON of toxiproxy's API, to all
// connections, those that are open included.
func (p *Proxy) Infect(toxic string) {
	p.t.Helper()
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		p.t.Fatalf("adding the toxic %s: %v", toxic, err)
	}
}

// Heal removes all faults.
func (p *Proxy) Heal() { p.proxy.Toxics.ResetToxics(context.Background()) }

// Faults for [Proxy.Infect].
const (
	Hang          = `{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`       // answers never arrive
	HangUpstream  = `{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`         // requests never arrive
	Reset         = `{"type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`    // connections are reset
	CutDownstream = `{"type":"limit_data","stream":"downstream","attributes":{"bytes":1}}`      // answers end after a byte
	CutUpstream   = `{"type":"limit_data","stream":"upstream","attributes":{"bytes":20}}`       // requests end after 20 bytes
	Latency       = `{"type":"latency","stream":"downstream","attributes":{"latency":5000}}`    // answers take 5 s
	SlowUpstream  = `{"type":"bandwidth","stream":"upstream","attributes":{"rate":4000}}`       // requests travel at 4 MB/s
	CutLater      = `{"type":"limit_data","stream":"downstream","attributes":{"bytes":100000}}` // answers end after 100 KB
)

// IgnoreProxies are the goroutines that proxies leave blocked when they drop data.
func IgnoreProxies() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
	}
}
