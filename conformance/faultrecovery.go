package conformance

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
	"github.com/cleatdev/cleat/internal/storetest"
)

// recoveryTests hold the store, behind a wrapper that is told to update it, to what LaunchDarkly's contract tests call
// persistent-data-store-recovery: after an outage of a second the database has exactly what memory has.
func recoveryTests() group[*faultFixture] {
	g := group[*faultFixture]{Name: "Recovery"}
	for _, mode := range cacheModes() {
		g.Tests = append(g.Tests, subtest[*faultFixture]{"WritesBack" + mode.name, func(f *faultFixture) { f.testWriteBack(mode.mode) }})
	}
	g.Tests = append(g.Tests,
		subtest[*faultFixture]{"WritesBackAfterAnotherFailure", testWriteBackCut},
		subtest[*faultFixture]{"WritesBackTwice", testWriteBackTwice},
	)
	return g
}

// recovery is a wrapper with a data source, whose store is reached through a proxy, and the database as another process sees it.
type recovery struct {
	*faultFixture
	proxy    *storetest.Proxy
	wrapper  *caching.CachingStoreWrapper
	database core.FeatureStoreCore

	mu   sync.Mutex // guards data, and is held while it is sent
	data map[string]core.KeyedSerializedItem
}

// recoveryWithin is how soon after an outage the database must be as it should.
const recoveryWithin = 10 * time.Second

func (f *faultFixture) newRecovery(mode caching.Mode) *recovery {
	f.Helper()
	r := &recovery{
		faultFixture: f, proxy: storetest.StartProxy(f.tester, f.server), database: f.open(f.server),
		data: map[string]core.KeyedSerializedItem{},
	}
	var err error
	r.wrapper, err = caching.NewCachingStoreWrapper(f.openUnmanaged(r.proxy.Address()), &caching.Options{
		Mode: mode, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.Fatalf("wrapping the store: %v", err)
	}
	f.Cleanup(func() { _ = f.Do("Close", r.wrapper.Close) })
	f.Cleanup(r.wrapper.AddListener(func(status core.DataStoreStatus) {
		if status.Available && status.Stale {
			r.send(nil)
		}
	}))
	r.send(func() { r.note(live("a", 1), live("b", 1)) })
	r.await("filled", r.wait)
	return r
}

// send changes what the data source knows and sends all of it, tombstones included. What the store does not take, it gets again.
func (r *recovery) send(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if change != nil {
		change()
	}
	all := core.Collection{Kind: core.Flags}
	for key, item := range r.data {
		all.Items = append(all.Items, core.KeyedItem{Key: key, Item: r.parse(item)})
	}
	_ = r.wrapper.Init(r.Context(), []core.Collection{all})
}

// update sends one item, which the data source knows from then on.
func (r *recovery) update(item core.KeyedSerializedItem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(item)
	_, _ = r.wrapper.Upsert(r.Context(), core.Flags, item.Key, r.parse(item))
}

func (r *recovery) note(items ...core.KeyedSerializedItem) {
	for _, item := range items {
		r.data[item.Key] = item
	}
}

func (r *recovery) parse(item core.KeyedSerializedItem) *core.Item {
	parsed, err := item.Item.Parse(core.Flags, item.Key)
	if err != nil {
		r.Errorf("the suite's own item: %v", err)
	}
	return parsed
}

// outage cuts the store off, sends the updates, and has another process write a flag that the data source does not know. It
// lasts a second longer than that.
func (r *recovery) outage(ghost string, updates ...core.KeyedSerializedItem) {
	r.Helper()
	const lasts = time.Second
	r.proxy.Stop()
	for _, item := range updates {
		r.update(item)
	}
	if _, err := r.database.Upsert(r.Context(), core.Flags, ghost, live(ghost, 1).Item); err != nil {
		r.Fatalf("Upsert by another process: %v", err)
	}
	_ = pause.For(r.Context(), lasts)
	for _, item := range updates {
		if got, _, err := r.database.Get(r.Context(), core.Flags, item.Key); err != nil || differs(got, item.Item) == "" {
			r.Fatalf("the database has %s in the outage, error %v", brief(got.Data), err)
		}
	}
}

// await waits until the database has exactly what the data source knows.
func (r *recovery) await(what string, within time.Duration) {
	r.Helper()
	r.mu.Lock()
	want := make([]core.KeyedSerializedItem, 0, len(r.data))
	for _, item := range r.data {
		want = append(want, item)
	}
	r.mu.Unlock()
	testrun.Eventually(r, within, "the database, "+what, func() string {
		got, err := r.database.GetAll(r.Context(), core.Flags)
		if err != nil {
			return err.Error()
		}
		return differsInAll(got, want)
	})
}

func (f *faultFixture) testWriteBack(mode caching.Mode) {
	r := f.newRecovery(mode)
	r.outage("ghost", live("a", 2), tombstone("b", 2))
	r.proxy.Start()
	r.await("after an outage", recoveryWithin)
}

// testWriteBackCut: what is written back is cut half-way, and written back again.
func testWriteBackCut(f *faultFixture) {
	const (
		size     = 128 << 10
		patience = 2 * time.Second // for an attempt, which has to come by itself
		cut      = `{"type":"limit_data","stream":"upstream","attributes":{"bytes":65536}}`
	)
	r := f.newRecovery(caching.TTL(time.Second))
	big := tagged("a", 2, strings.Repeat("x", size))
	r.outage("ghost", big, tombstone("b", 2))
	r.proxy.Infect(cut)
	r.proxy.Start()
	_ = pause.For(f.Context(), patience)
	if got, _, err := r.database.Get(f.Context(), core.Flags, "a"); err != nil || differs(got, big.Item) == "" {
		f.Fatalf("an item of %d bytes went through a connection that is cut after half of them; error %v", size, err)
	}
	r.proxy.Heal()
	r.await("after an outage and a cut", recoveryWithin)
}

func testWriteBackTwice(f *faultFixture) {
	r := f.newRecovery(caching.TTL(time.Second))
	r.outage("ghost", live("a", 2), tombstone("b", 2))
	r.proxy.Start()
	r.await("after the first outage", recoveryWithin)
	r.outage("another ghost", live("a", 3))
	r.proxy.Start()
	r.await("after the second outage", recoveryWithin)
}
