package certification

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/fdv2"
	"github.com/cleatdev/cleat/datasource/testsource"
)

const (
	knownKey     = "known"
	unknownKey   = "unknown"
	defaultValue = -1

	callers        = 50
	betweenCalls   = 200 * time.Millisecond
	betweenUpdates = 500 * time.Millisecond
	otherFlags     = 20
	flagSize       = 2 << 10
)

var user = ldcontext.New("user")

// knownFlag has its version as its value.
func knownFlag(version int) ldmodel.FeatureFlag {
	return ldbuilders.NewFlagBuilder(knownKey).On(true).FallthroughVariation(0).Version(version).
		Variations(ldvalue.Int(version)).Build()
}

// newFlags returns a data source with the known flag and some that never change.
func newFlags() *testsource.Source {
	flags := testsource.New()
	padding := ldvalue.String(string(bytes.Repeat([]byte("x"), flagSize)))
	for i := range otherFlags {
		flags.UsePreconfiguredFlag(ldbuilders.NewFlagBuilder(fmt.Sprint("other-", i)).Version(1).Variations(padding).Build())
	}
	flags.UsePreconfiguredFlag(knownFlag(1))
	return flags
}

// trial is a client on trial, and what has been seen of it.
type trial struct {
	Cell

	prefix string
	store  *counted           // nil if flags are kept in memory
	flags  *testsource.Source // nil in daemon mode
	client *cleat.Client
	ctx    context.Context
	stop   context.CancelFunc
	work   sync.WaitGroup // callers and updater

	sent   atomic.Int64 // the version that was delivered last
	newest atomic.Int64 // the newest version that was seen
	counts atomic.Bool  // whether what happens is part of the result
	began  time.Time    // when that began; set before counts

	mu             sync.Mutex // guards what follows and the Cell
	known          []time.Duration
	unknown        []time.Duration
	status         core.DataStoreStatus
	callsAt        int64 // calls of the store when it was found to be down
	healed         bool
	availableAgain time.Time
}

// newTrial starts a client of the cell's kind on a store under a prefix; nil is for one that keeps flags in memory.
func newTrial(t testing.TB, cell Cell, mode caching.Mode, store adapter, prefix string, logger *slog.Logger) *trial {
	t.Helper()
	c := &trial{Cell: cell, prefix: prefix}
	c.ctx, c.stop = context.WithCancel(t.Context())
	config := cleat.Config{Cache: caching.Options{Mode: mode}, Logger: logger}
	if store != nil {
		c.store = &counted{adapter: store}
		config.Store = c.store
	}
	if c.Generation != Daemon {
		c.flags = newFlags()
	}
	switch c.Generation {
	case First, filler:
		config.DataSource = c.flags.Factory()
	case Second:
		config.DataSystem = &core.DataSystem{Synchronizers: []core.SynchronizerFactory{fdv2.ClassicSynchronizer(c.flags.Factory())}}
	case Daemon:
		config.Daemon = true
	}
	c.sent.Store(1)
	var err error
	if c.client, err = cleat.New(t.Context(), config); err != nil {
		t.Fatalf("starting %s: %v", c.Name(), err)
	}
	c.status = c.client.DataStoreStatus().Status()
	c.client.DataStoreStatus().AddListener(c.listen)
	for range callers {
		c.work.Go(c.call)
	}
	if c.Generation != Daemon {
		c.work.Go(c.update)
	}
	return c
}

// call evaluates the known flag again and again, and now and then the unknown one.
func (c *trial) call() {
	ticker := time.NewTicker(betweenCalls)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ticker.C:
		case <-c.ctx.Done():
			return
		}
		c.evaluateKnown()
		if i%10 == 0 {
			begin := time.Now()
			_ = c.client.IntVariation(context.Background(), unknownKey, user, defaultValue)
			c.note(func() { c.unknown = append(c.unknown, time.Since(begin)) })
		}
	}
}

// count has what happens from now on be part of the result.
func (c *trial) count(began time.Time) {
	c.began = began
	c.counts.Store(true)
}

// note records something, if it counts.
func (c *trial) note(record func()) {
	if c.counts.Load() {
		c.mu.Lock()
		defer c.mu.Unlock()
		record()
	}
}

func (c *trial) evaluateKnown() (version int) {
	seen, begin := c.newest.Load(), time.Now()
	version = c.client.IntVariation(context.Background(), knownKey, user, defaultValue)
	took := time.Since(begin)
	for last := c.newest.Load(); int64(version) > last && !c.newest.CompareAndSwap(last, int64(version)); {
		last = c.newest.Load()
	}
	c.note(func() {
		c.Evaluations++
		c.known = append(c.known, took)
		switch {
		case version == defaultValue:
			c.Defaults++
		case int64(version) < seen:
			c.Backwards++
		}
	})
	return version
}

// update delivers a new version of the known flag again and again, and sees when it arrives.
func (c *trial) update() {
	ticker := time.NewTicker(betweenUpdates)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-c.ctx.Done():
			return
		}
		version, begin := int(c.sent.Load())+1, time.Now()
		delivered := make(chan struct{})
		go func() {
			defer close(delivered)
			c.flags.UsePreconfiguredFlag(knownFlag(version))
		}()
		for c.client.IntVariation(context.Background(), knownKey, user, defaultValue) != version && time.Since(begin) < time.Minute {
			time.Sleep(time.Millisecond)
		}
		took := time.Since(begin)
		c.note(func() { c.Visible = max(c.Visible, took) })
		c.sent.Store(int64(version))
		<-delivered
	}
}

// listen is a listener of the store's status.
func (c *trial) listen(status core.DataStoreStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.status
	c.status = status
	if c.counts.Load() {
		c.Transitions = append(c.Transitions, Transition{time.Since(c.began), status.Available, status.Stale})
	}
	if c.store == nil {
		return
	}
	switch {
	case was.Available && !status.Available:
		c.callsAt = c.store.calls.Load()
	case !was.Available && status.Available:
		c.countCallsLocked()
	}
	if status.Available && !status.Stale && c.healed && c.availableAgain.IsZero() {
		c.availableAgain = time.Now()
	}
}

// countCallsLocked ends a time in which the store was known to be down.
func (c *trial) countCallsLocked() {
	c.CallsWhileDown = max(c.CallsWhileDown, int(c.store.calls.Load()-c.callsAt))
}

// heal notes that the server is well again. Calls from then on are no longer those of a database that is down.
func (c *trial) heal(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.healed = true
	if c.store != nil && !c.status.Available {
		c.countCallsLocked()
		c.callsAt = 1 << 60 // what follows is recovery
	}
	if c.status.Available && !c.status.Stale {
		c.availableAgain = now
	}
}

// available returns since when the store has been available and not stale after the server's recovery.
func (c *trial) available() (since time.Time, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.availableAgain, !c.availableAgain.IsZero() && c.status.Available && !c.status.Stale
}

// rest stops callers and updates.
func (c *trial) rest() {
	c.stop()
	c.work.Wait()
}

// finish closes the client, whose callers and updates rest.
func (c *trial) finish(t testing.TB) {
	t.Helper()
	c.rest()
	if err := c.client.Close(); err != nil {
		t.Errorf("closing %s: %v", c.Name(), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Longest, c.Usual = longestOf(c.known)
	c.Unknown, _ = longestOf(c.unknown)
}

func randomPrefix() string { return "certify-" + rand.Text() }
