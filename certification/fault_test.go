package certification

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"

	"github.com/cleatdev/cleat/internal/storetest"
)

// server is a database on trial. Clients reach it through the proxy, if there is one, everything else directly.
type server struct {
	proxy *storetest.Proxy // nil for a database that is a file
	// open opens a store at an address, that of the proxy or of the server, under a prefix.
	open    func(t testing.TB, address, prefix string, logger *slog.Logger) adapter
	address string
	// secrets must appear in nothing that is logged.
	secrets []string
	// read returns the JSON of all flags under a prefix, by the bare driver.
	read func(ctx context.Context, prefix string) (map[string]string, error)
	// write writes the JSON of a flag as a foreign writer does.
	write func(ctx context.Context, prefix, key, data string) error
}

// way is the address that clients use.
func (s *server) way() string {
	if s.proxy == nil {
		return s.address
	}
	return s.proxy.Address()
}

// fault is one thing that goes wrong with a server of the type S, for a while.
type fault[S any] struct {
	name         string
	lasts        time.Duration
	want         Expectations
	inject, heal func(t testing.TB, s S)
}

// injection is a fault of a server that is started for it.
type injection struct {
	name  string // that of the server's kind, a slash, and that of the fault
	lasts time.Duration
	want  Expectations
	start func(t testing.TB) (s *server, inject, heal func())
}

// injections has faults happen to servers of a kind, each to one of its own.
func injections[S any](kind string, faults []fault[S], start func(t testing.TB) (S, *server)) []injection {
	all := make([]injection, 0, len(faults))
	for _, f := range faults {
		all = append(all, injection{kind + "/" + f.name, f.lasts, f.want, func(t testing.TB) (*server, func(), func()) {
			own, s := start(t)
			return s, func() { f.inject(t, own) }, func() { f.heal(t, own) }
		}})
	}
	return all
}

// toxic is a fault of the way to the server, for as long as an outage.
func toxic(name, json string) fault[*server] {
	return fault[*server]{
		name: name, lasts: outage,
		inject: func(_ testing.TB, s *server) { s.proxy.Infect(json) },
		heal:   func(_ testing.TB, s *server) { s.proxy.Heal() },
	}
}

// outage is how long a server is away.
const outage = 12 * time.Second

// partial is how long a server refuses a part of what it is asked.
const partial = time.Minute

// networkFaults are those that every server behind a proxy can have.
func networkFaults() []fault[*server] {
	share := func(name, json string, share float64) fault[*server] {
		f := toxic(name, json)
		f.want.Share, f.want.Answers = share, true
		return f
	}
	slow := toxic("0.9 s latency", `{"type":"latency","stream":"downstream","attributes":{"latency":900}}`)
	slow.want.Answers = true // within the time-out
	return []fault[*server]{
		toxic("accepts and never answers", storetest.Hang),
		toxic("reset", storetest.Reset),
		{
			name: "refused", lasts: outage,
			inject: func(_ testing.TB, s *server) { s.proxy.Stop() },
			heal:   func(_ testing.TB, s *server) { s.proxy.Start() },
		},
		{
			name: "cut in the middle of Init", lasts: partial,
			inject: func(_ testing.TB, s *server) {
				s.proxy.Stop()
				time.Sleep(time.Second) // so that updates are missed
				s.proxy.Infect(`{"type":"limit_data","stream":"upstream","attributes":{"bytes":20000}}`)
				s.proxy.Start()
			},
			heal: func(_ testing.TB, s *server) { s.proxy.Heal() },
			want: Expectations{WritesFailed: true},
		},
		toxic("2 s latency", `{"type":"latency","stream":"downstream","attributes":{"latency":2000}}`),
		slow,
		toxic("1 KB/s", `{"type":"bandwidth","stream":"downstream","attributes":{"rate":1}}`),
		share("1 % of requests fail", `{"type":"flaky","stream":"upstream","attributes":{"share":0.01}}`, 0.01),
		share("10 % of requests fail", `{"type":"flaky","stream":"upstream","attributes":{"share":0.1}}`, 0.1),
	}
}

// flaky is a toxic by which a share of requests breaks the connection. A request is what a client sends at once.
type flaky struct {
	Share float64 `json:"share"`
}

// Pipe implements [toxics.Toxic].
func (f *flaky) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil || rand.Float64() < f.Share { //nolint:gosec // nothing secret
				stub.Close()
				return
			}
			stub.Output <- chunk
		}
	}
}
