package certification

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/internal/storetest"
)

// consulServer is a Consul server of its own, behind one that may answer in its place.
type consulServer struct {
	*server

	container *containers.ConsulServer
	bare      *api.KV
	front     *front
}

func (c *consulServer) before() *front { return c.front }

func startConsul(t testing.TB) *consulServer {
	t.Helper()
	c := &consulServer{container: containers.StartConsul(t)}
	transport := &http.Transport{IdleConnTimeout: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: c.container.Address, HttpClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatalf("a client of Consul: %v", err)
	}
	c.bare, c.front = client.KV(), startFront(t, c.container.Address)
	token := "secret-" + rand.Text()
	c.server = &server{
		proxy: storetest.StartProxy(t, c.front.address), address: c.container.Address, secrets: []string{token},
		open: func(t testing.TB, address, prefix string, logger *slog.Logger) adapter {
			store, err := consulstore.Open(t.Context(), &consulstore.Options{Address: address, Prefix: prefix, Token: token, Logger: logger})
			if err != nil {
				t.Fatalf("opening a store: %v", err)
			}
			return store
		},
		read: func(ctx context.Context, prefix string) (map[string]string, error) {
			directory := prefix + "/features/"
			pairs, _, err := c.bare.List(directory, (&api.QueryOptions{}).WithContext(ctx))
			flags := make(map[string]string, len(pairs))
			for _, pair := range pairs {
				flags[strings.TrimPrefix(pair.Key, directory)] = string(pair.Value)
			}
			return flags, err
		},
		write: func(ctx context.Context, prefix, key, data string) error {
			pair := &api.KVPair{Key: prefix + "/features/" + key, Value: []byte(data)}
			_, err := c.bare.Put(pair, (&api.WriteOptions{}).WithContext(ctx))
			return err
		},
	}
	return c
}

// consulInjections are all injections of a Consul server.
func consulInjections() []injection {
	start := func(t testing.TB) (*consulServer, *server) { c := startConsul(t); return c, c.server }
	page := fmt.Sprintf("<html>%s</html>", strings.Repeat("garbage ", 100))
	return slices.Concat(
		injections("consul", []fault[*consulServer]{
			{
				"killed, back empty", outage, Expectations{Lost: true},
				func(t testing.TB, c *consulServer) { c.container.Stop(t) }, func(t testing.TB, c *consulServer) { c.container.Start(t) },
			},
			{
				"SIGSTOP", 20 * time.Second, Expectations{},
				func(t testing.TB, c *consulServer) { c.container.Pause(t) }, func(t testing.TB, c *consulServer) { c.container.Unpause(t) },
			},
			answers[*consulServer]("429", outage, Expectations{}, answer{status: http.StatusTooManyRequests, body: "rate limit exceeded"}),
			answers[*consulServer]("500", outage, Expectations{}, answer{status: http.StatusInternalServerError, body: "rpc error"}),
			answers[*consulServer]("garbage with 200", outage, Expectations{}, answer{status: http.StatusOK, body: page}),
			{
				"all deleted", outage, Expectations{Lost: true, Answers: true},
				func(t testing.TB, c *consulServer) {
					if _, err := c.bare.DeleteTree("", nil); err != nil {
						t.Fatalf("deleting everything: %v", err)
					}
				}, func(testing.TB, *consulServer) {},
			},
		}, start),
		injections("consul", networkFaults(), func(t testing.TB) (*server, *server) { c := startConsul(t); return c.server, c.server }),
	)
}
