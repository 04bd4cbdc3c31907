package endtoend

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
)

// fixture is what one subtest is given: a prefix that nothing else uses, and helpers that end the subtest when a client
// or its database is not as it should be.
type fixture struct {
	tester
	sizes
	h      Harness
	mode   mode
	prefix string
}

func newFixture(t tester, h Harness, m mode, s sizes) *fixture {
	return &fixture{tester: t, sizes: s, h: h, mode: m, prefix: randomPrefix()}
}

// randomPrefix returns a prefix that no other test uses, also in another process on the same database.
func randomPrefix() string { return fmt.Sprintf("endtoend-%016x", rand.Uint64()) }

// openStore returns a new store of the adapter.
func (f *fixture) openStore() core.FeatureStoreCore {
	f.Helper()
	s := f.h.Open(f.tester, f.prefix)
	if s == nil {
		f.Fatalf("Harness.Open returned nil")
	}
	return s
}

// client is a client under test, with its data source.
type client struct {
	*cleat.Client
	f      *fixture
	source *source // nil in daemon mode
	link   *link   // nil unless asked for
}

// how says how a client is made.
type how struct {
	daemon      bool
	linked      bool  // there is a link between the client and its store
	readOnly    bool  // the client must not write to its store
	bigSegments bool  // there is a big segment store
	first       world // is delivered at once, and New waits for it
	// from, if not nil, is the data source instead of the suite's own, and New waits for it.
	from core.UpdateProcessorFactory
	// system, if not nil, is a data system instead of a data source.
	system *core.DataSystem
}

// start makes a client. Unless said otherwise, its data source delivers nothing by itself. It is closed at the end of the
// subtest.
func (f *fixture) start(h how) *client {
	f.Helper()
	c := &client{f: f}
	config := cleat.Config{
		Store: f.openStore(), Daemon: h.daemon, StartWait: -1, Logger: slog.New(slog.DiscardHandler),
		Cache: f.caching(),
	}
	if h.linked {
		c.link, config.Store = newLink(config.Store)
	}
	if h.readOnly {
		config.StoreMode = core.DataStoreModeReadOnly
	}
	if h.bigSegments {
		f.configureBigSegments(&config)
	}
	switch {
	case h.system != nil:
		config.DataSystem = h.system
	case h.from != nil:
		config.DataSource, config.StartWait = h.from, f.wait
	case !h.daemon:
		c.source = newSource()
		c.source.first = h.first
		config.DataSource = c.source.factory
	}
	if h.first != nil {
		config.StartWait = f.wait
	}
	var err error
	if c.Client, err = cleat.New(f.Context(), config); err != nil {
		f.Fatalf("starting a client: %v", err)
	}
	f.Cleanup(c.close)
	if h.daemon {
		c.Initialized(f.Context()) // what is read before that is known is read again, in Forever mode too
	}
	return c
}

// patience is how long one evaluation may take.
const patience = 30 * time.Second

// caching returns options with which the client looks at the database often, so that subtests need not wait for long.
func (f *fixture) caching() caching.Options {
	return caching.Options{
		Mode:          f.mode.cache,
		DisableWatch:  !f.mode.watched,
		CheckInterval: 50 * time.Millisecond,
		MinRetryDelay: 10 * time.Millisecond,
		MaxRetryDelay: 100 * time.Millisecond,
		ReadTimeout:   patience, // an evaluation on a busy machine may take more than the default
	}
}

// staleAfter is how old big segments may be.
const staleAfter = time.Hour

// configureBigSegments has the client look often at the big segment store too.
func (f *fixture) configureBigSegments(config *cleat.Config) {
	const often = 20 * time.Millisecond
	config.BigSegmentStore = f.h.OpenBigSegments(f.tester, f.prefix)
	config.BigSegments.CacheTime, config.BigSegments.StatusPollInterval = often, often
	config.BigSegments.StaleAfter, config.BigSegments.QueryTimeout = staleAfter, f.wait
}

// close ends the client, as the end of its process would.
func (c *client) close() {
	c.f.Helper()
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			c.f.Errorf("closing a client: %v", err)
		}
	case <-time.After(patience):
		c.f.Errorf("closing a client takes longer than %v", patience)
	}
}

// startWith makes a client whose data source has delivered the updates, which the database has.
func (f *fixture) startWith(updates ...update) *client {
	f.Helper()
	c := f.start(how{})
	w := newWorld(updates...)
	c.deliver(w)
	f.wantStored(w)
	return c
}

// deliver has the data source send everything, which the store has to take.
func (c *client) deliver(w world) {
	c.f.Helper()
	if err := c.source.deliver(w); err != nil {
		c.f.Fatalf("delivering all data: %v", err)
	}
}

// send has the data source send updates, which the store has to take or find not newer.
func (c *client) send(updates ...update) {
	c.f.Helper()
	for _, u := range updates {
		if err := c.source.send(u); err != nil {
			c.f.Fatalf("delivering version %d of %v: %v", u.item.Version(), u.ref, err)
		}
	}
}

// eventually calls wrong again and again until it returns "", and fails the subtest if that takes too long.
func (f *fixture) eventually(what string, wrong func() string) {
	f.Helper()
	testrun.Eventually(f, f.wait, what, wrong)
}
