package endtoend

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
	"github.com/cleatdev/cleat/internal/storetest"
)

// RunRecovery shows that the database of a client with a [core.DataSystem] has exactly what its memory has, ten seconds after an
// outage at the latest, as subtests of t. They are those that LaunchDarkly's contract tests call persistent-data-store-recovery:
// a TCP proxy stands between the client and a real server, and fails. Of the harness, big segments are not used.
func RunRecovery(t *testing.T, h conformance.FaultsHarness) {
	t.Helper()
	for client, open := range h.Open {
		t.Run(client, func(t *testing.T) {
			for name, test := range map[string]struct {
				cache caching.Mode
				run   func(r *recovery)
			}{
				"UpdatesAreServedFromMemory":    {caching.Off(), (*recovery).testServed},
				"WritesBackOff":                 {caching.Off(), (*recovery).testWriteBack},
				"WritesBackTTL":                 {caching.TTL(time.Second), (*recovery).testWriteBack},
				"WritesBackForever":             {caching.Forever(), (*recovery).testWriteBack},
				"WritesBackAfterAnotherFailure": {caching.TTL(time.Second), (*recovery).testCut},
				"WritesBackTwice":               {caching.TTL(time.Second), (*recovery).testTwice},
			} {
				t.Run(name, func(t *testing.T) { test.run(newRecovery(t, h.Server, open, test.cache)) })
			}
		})
	}
}

// recovery is a client whose store is reached through a proxy, and the database as another process sees it.
type recovery struct {
	testing.TB
	proxy    *storetest.Proxy
	from     *service
	client   *cleat.Client
	database core.FeatureStoreCore
	memory   map[string]*core.Item // what was delivered
}

const (
	// recoveryWithin is how soon after an outage the database must be as it should.
	recoveryWithin = 10 * time.Second
	// outageLasts is how long the store is away after the updates.
	outageLasts = time.Second
)

func newRecovery(
	t *testing.T, server string, open func(t testing.TB, address, prefix string) core.FeatureStoreCore, cache caching.Mode,
) *recovery {
	t.Helper()
	prefix := randomPrefix()
	r := &recovery{
		TB: t, proxy: storetest.StartProxy(t, server), from: newService(), database: open(t, server, prefix), memory: map[string]*core.Item{},
	}
	t.Cleanup(func() { _ = r.database.Close() })
	var err error
	r.client, err = cleat.New(t.Context(), cleat.Config{
		Store: open(t, r.proxy.Address(), prefix), Cache: caching.Options{Mode: cache}, DataSystem: r.from.system(), StartWait: -1,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("starting a client: %v", err)
	}
	t.Cleanup(func() {
		if err := r.client.Close(); err != nil {
			t.Errorf("closing a client: %v", err)
		}
	})
	r.push(core.ChangeSetFull, flagOf("a", 1, "x"), flagOf("b", 1, "x"))
	r.await("filled")
	return r
}

// flagOf is a flag whose one value begins with the given one.
func flagOf(key string, version int, value string) update {
	return newFlag(ldbuilders.NewFlagBuilder(key).On(true).FallthroughVariation(0), version, value)
}

func (r *recovery) push(sort core.ChangeSetType, updates ...update) {
	collection := core.Collection{Kind: core.Flags}
	for _, u := range updates {
		r.memory[u.key] = u.item
		collection.Items = append(collection.Items, core.KeyedItem{Key: u.key, Item: u.item})
	}
	r.from.push(core.ChangeSet{Type: sort, Data: []core.Collection{collection}})
}

// outage cuts the store off, delivers updates, and has another process write a flag that the client does not know.
func (r *recovery) outage(ghost string, updates ...update) {
	r.Helper()
	r.proxy.Stop()
	before := r.stored()
	r.push(core.ChangeSetPartial, updates...)
	g := flagOf(ghost, 1, "x")
	if _, err := r.database.Upsert(r.Context(), core.Flags, ghost, g.item.Serialized(core.Flags, ghost)); err != nil {
		r.Fatalf("an upsert by another process: %v", err)
	}
	before[ghost] = string(g.item.Serialized(core.Flags, ghost).Data)
	_ = pause.For(r.Context(), outageLasts)
	if problem := itemsDiffer(r.stored(), before); problem != "" {
		r.Fatalf("in the outage, the database is not as it was: %s", problem)
	}
}

// stored returns the JSON of all flags in the database.
func (r *recovery) stored() map[string]string {
	r.Helper()
	items, err := r.database.GetAll(context.WithoutCancel(r.Context()), core.Flags)
	if err != nil {
		r.Fatalf("reading the database: %v", err)
	}
	all := make(map[string]string, len(items))
	for _, it := range items {
		all[it.Key] = string(it.Item.Data)
	}
	return all
}

// await waits until the database has exactly what was delivered, tombstones included.
func (r *recovery) await(what string) {
	r.Helper()
	want := make(map[string]string, len(r.memory))
	for key, item := range r.memory {
		want[key] = string(item.Serialized(core.Flags, key).Data)
	}
	testrun.Eventually(r, recoveryWithin, "the database, "+what, func() string { return itemsDiffer(r.stored(), want) })
}

// testServed: what is delivered in an outage is what evaluations see at once.
func (r *recovery) testServed() {
	r.outage("ghost", flagOf("a", 2, "new"), deleted(flagRef("b"), 2))
	for key, want := range map[string]string{"a": "new-2", "b": defaultValue, "ghost": defaultValue} {
		if got := r.client.StringVariation(r.Context(), key, member(), defaultValue); got != want {
			r.Errorf("in the outage, flag %s is %q, want %q", key, got, want)
		}
	}
}

func (r *recovery) testWriteBack() {
	r.outage("ghost", flagOf("a", 2, "new"), deleted(flagRef("b"), 2))
	r.proxy.Start()
	r.await("after an outage")
}

// testCut: what is written back is cut half-way, and written back again.
func (r *recovery) testCut() {
	const (
		size     = 128 << 10
		patience = 2 * time.Second // for an attempt, which has to come by itself
		cut      = `{"type":"limit_data","stream":"upstream","attributes":{"bytes":65536}}`
	)
	r.outage("ghost", flagOf("a", 2, strings.Repeat("x", size)), deleted(flagRef("b"), 2))
	r.proxy.Infect(cut)
	r.proxy.Start()
	_ = pause.For(r.Context(), patience)
	if stored := r.stored()["a"]; len(stored) >= size {
		r.Fatalf("an item of %d bytes went through a connection that is cut after half of them", size)
	}
	r.proxy.Heal()
	r.await("after an outage and a cut")
}

func (r *recovery) testTwice() {
	r.outage("ghost", flagOf("a", 2, "new"), deleted(flagRef("b"), 2))
	r.proxy.Start()
	r.await("after the first outage")
	r.outage("another-ghost", flagOf("a", 3, "newer"))
	r.proxy.Start()
	r.await("after the second outage")
}

// itemsDiffer returns how items differ by their keys and JSON, "" if they do not.
func itemsDiffer(got, want map[string]string) string {
	for key := range want {
		if got[key] != want[key] {
			return fmt.Sprintf("flag %s is %.200q, want %.200q", key, got[key], want[key])
		}
	}
	for key := range got {
		if _, wanted := want[key]; !wanted {
			return fmt.Sprintf("flag %s is there and should not be", key)
		}
	}
	return ""
}
