package dynamostore

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

// soon is more than any call may take whose context ends after a few hundred milliseconds.
const soon = 3 * time.Second

// calls returns every call of a store that asks the server.
func calls(store *Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Get":    func(ctx context.Context) error { _, _, err := store.Get(ctx, core.Flags, "k"); return err },
		"GetAll": func(ctx context.Context) error { _, err := store.GetAll(ctx, core.Flags); return err },
		"Upsert": func(ctx context.Context) error {
			_, err := store.Upsert(ctx, core.Flags, "k", item("k", 1))
			return err
		},
		"ApplyChangeSet": func(ctx context.Context) error {
			_, err := store.ApplyChangeSet(ctx, []core.KindAndKeyedItem{{Kind: core.Flags, Key: "k", Item: item("k", 1)}})
			return err
		},
		"Init": func(ctx context.Context) error {
			return store.Init(ctx, []core.SerializedCollection{flags(3, 1, 100)})
		},
		"Initialized":       func(ctx context.Context) error { _, err := store.Initialized(ctx); return err },
		"CheckAvailability": store.CheckAvailability,
	}
}

func bigCalls(store *BigSegments) map[string]func(context.Context) error {
	patch := core.BigSegmentPatch{SegmentRef: "s.g1", Version: "1", Included: core.BigSegmentChanges{Add: []string{"h"}}}
	return map[string]func(context.Context) error{
		"Metadata":        func(ctx context.Context) error { _, err := store.Metadata(ctx); return err },
		"Membership":      func(ctx context.Context) error { _, err := store.Membership(ctx, "h"); return err },
		"Cursor":          func(ctx context.Context) error { _, err := store.Cursor(ctx); return err },
		"ApplyPatch":      func(ctx context.Context) error { _, err := store.ApplyPatch(ctx, patch); return err },
		"SetLastUpToDate": func(ctx context.Context) error { return store.SetLastUpToDate(ctx, 1) },
	}
}

// proxy is a faulty way to the shared server.
type proxy struct {
	*toxiproxy.Proxy
	t *testing.T
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	upstream, err := url.Parse(containers.DynamoDB(t))
	require.NoError(t, err)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := &proxy{toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", upstream.Host), t}
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

// storesThrough opens a store with a client of its own and one with a client of the caller's, as the SDK makes it.
func storesThrough(t *testing.T, endpoint, table string, opts Options) map[string]*Store {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: &endpoint, Credentials: testCredentials(), HTTPClient: &http.Client{Transport: transport},
	})
	stores := map[string]*Store{"caller's client": newStore(t, client, table, opts)}
	opts = *forOpen(t, opts)
	opts.Endpoint = endpoint
	own, err := Open(t.Context(), table, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, own.Close()) })
	stores["own client"] = own
	return stores
}

// Whatever happens on the way, a call ends in time with ErrUnavailable or because its context has ended, and when the fault is
// gone the store works.
func TestStore_Faults_AreUnavailableAndHeal(t *testing.T) {
	for name, toxic := range map[string]string{
		"hang":               `{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`,
		"hang of requests":   `{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
		"reset":              `{"type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`,
		"cut in the answer":  `{"type":"limit_data","stream":"downstream","attributes":{"bytes":1}}`,
		"cut in the request": `{"type":"limit_data","stream":"upstream","attributes":{"bytes":20}}`,
		"latency":            `{"type":"latency","stream":"downstream","attributes":{"latency":5000}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := startProxy(t)
			for owner, store := range storesThrough(t, "http://"+p.Listen, freshTable(t), Options{}) {
				require.Eventually(t, func() bool {
					return store.CheckAvailability(t.Context()) == nil
				}, 10*time.Second, 10*time.Millisecond, "healthy at first")
				p.infect(toxic)
				for method, run := range calls(store) {
					begin := time.Now()
					if err := run(within(t, 200*time.Millisecond)); err != context.DeadlineExceeded { //nolint:errorlint // as it is
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

// muteServer accepts connections and never answers.
func muteServer(t testing.TB) (endpoint string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		<-done
	})
	return "http://" + listener.Addr().String()
}

// A context that ends while the server is silent ends the call, with its own error.
func TestStore_MuteServer_ContextEnds(t *testing.T) {
	endpoint := muteServer(t)
	for owner, store := range storesThrough(t, endpoint, "table", Options{}) {
		for method, run := range calls(store) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			begin := time.Now()
			require.Equal(t, context.DeadlineExceeded, run(ctx), "%s of %s", method, owner)
			require.Less(t, time.Since(begin), soon)
			cancel()
		}
	}
	opts := forOpen(t, Options{})
	opts.Endpoint = endpoint
	segments, err := OpenBigSegments(t.Context(), "table", opts)
	require.NoError(t, err)
	for method, run := range bigCalls(segments) {
		begin := time.Now()
		require.Equal(t, context.DeadlineExceeded, run(within(t, 50*time.Millisecond)), method)
		require.Less(t, time.Since(begin), soon, method)
	}
	require.NoError(t, segments.Close())
}

// An outage of a second is seen by the caller: what failed is not sent again for longer than half a second.
func TestStore_Outage_IsSeenWithinHalfASecond(t *testing.T) {
	p := startProxy(t)
	for owner, store := range storesThrough(t, "http://"+p.Listen, freshTable(t), Options{}) {
		require.NoError(t, store.CheckAvailability(t.Context()))
		p.Stop()
		for method, run := range calls(store) {
			begin := time.Now()
			require.ErrorIs(t, run(t.Context()), core.ErrUnavailable, "%s of %s", method, owner)
			require.Less(t, time.Since(begin), time.Second, "%s of %s", method, owner)
		}
		require.NoError(t, p.Start())
	}
}

// Close while calls are in flight lets them end, refuses those that have not begun, and leaves no connection open.
func TestStore_Close_CallsInFlight_LeaveNoConnection(t *testing.T) {
	p, table := startProxy(t), freshTable(t)
	opts := forOpen(t, Options{})
	opts.Endpoint = "http://" + p.Listen
	store, err := Open(t.Context(), table, opts)
	require.NoError(t, err)
	upsert(t, store, "k", item("k", 1))
	p.infect(`{"type":"latency","stream":"downstream","attributes":{"latency":50}}`)
	const workers = 8
	errs, answers := make(chan error), make(chan struct{}, workers)
	for range workers {
		go func() {
			for {
				_, found, err := store.Get(context.Background(), core.Flags, "k")
				if err != nil || !found {
					errs <- err
					return
				}
				select {
				case answers <- struct{}{}:
				default:
				}
			}
		}()
	}
	for range workers {
		<-answers
	}
	require.NoError(t, store.Close())
	require.NoError(t, store.Close())
	for range workers {
		require.ErrorIs(t, <-errs, core.ErrClosed)
	}
}

// A slow line gives an Init the time that it has.
func TestStore_SlowLine_InitSucceeds(t *testing.T) {
	p := startProxy(t)
	p.infect(`{"type":"bandwidth","stream":"upstream","attributes":{"rate":4000}}`)
	for owner, store := range storesThrough(t, "http://"+p.Listen, freshTable(t), Options{}) {
		require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{flags(1000, 1, 4000)}), owner)
		items, err := store.GetAll(t.Context(), core.Flags)
		require.NoError(t, err, owner)
		require.Len(t, items, 1000, owner)
	}
}

// Nobody listens.
func TestStore_NoServer_IsUnavailable(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	for owner, store := range storesThrough(t, "http://"+listener.Addr().String(), "table", Options{}) {
		for method, run := range calls(store) {
			begin := time.Now()
			require.ErrorIs(t, run(t.Context()), core.ErrUnavailable, "%s of %s", method, owner)
			require.Less(t, time.Since(begin), soon)
		}
	}
}

// Large answers arrive whole: with the SDK's own request bodies, some of these reads fail. Nothing is repeated here.
func TestStore_Get_Large_NeverLosesTheConnection(t *testing.T) {
	client, rec := recordingClient(t, nil)
	table := freshTable(t)
	big := sized(1, 400_000)
	upsert(t, newStore(t, client, table, Options{}), "big", big)
	rec.take()
	store := openStore(t, table, Options{})
	_, _, err := store.Get(t.Context(), core.Flags, "big")
	require.NoError(t, err)
	const workers, reads = 4, 50
	errs := make(chan error, workers)
	for range workers {
		go func() {
			for range reads {
				_, err := store.client.GetItem(t.Context(), &dynamodb.GetItemInput{
					TableName: &table, Key: primaryKey{"features", "big"}.attributes(),
				}, store.perRequest)
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range workers {
		require.NoError(t, <-errs)
	}
}
