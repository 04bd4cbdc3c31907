package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func linearizabilityTests() group[*fixture] {
	return group[*fixture]{"Linearizability", []subtest[*fixture]{
		{"OfGetAndUpsert", func(f *fixture) { testLinearizable(f, 0) }},
		{"OfGetUpsertAndInit", func(f *fixture) { testLinearizable(f, 10) }},
	}}
}

const (
	historyStores  = 3
	historyClients = 6
	historyKeys    = 2
	historyCalls   = 30
	historyCheck   = 2 * time.Minute // for how long a history is checked, which takes milliseconds as a rule
)

// testLinearizable records what several clients of several stores do to a few keys at once, and checks whether some
// order of the calls explains every answer. Of a hundred calls, so many are an Init.
func testLinearizable(f *fixture, initPercent int) {
	for seed := range uint64(f.histories) {
		history := f.recordHistory(seed, initPercent)
		result, info := porcupine.CheckOperationsVerbose(keyModel(), history, historyCheck)
		switch result {
		case porcupine.Ok:
		case porcupine.Illegal:
			f.Fatalf("seed %d: no order of the calls explains all answers.\n%s", seed, describeOffence(history, info))
		case porcupine.Unknown:
			f.Fatalf("seed %d: undecided after %v", seed, historyCheck)
		}
	}
}

// recordHistory runs the clients, each on its own sequence of calls that the seed determines.
func (f *fixture) recordHistory(seed uint64, initPercent int) []porcupine.Operation {
	f.Helper()
	prefix := suite.RandomPrefix()
	stores := make([]*store, historyStores)
	for i := range stores {
		stores[i] = f.openUnmanaged(prefix)
	}
	clients := make([]*historyClient, historyClients)
	start := time.Now()
	for i := range clients {
		clients[i] = &historyClient{
			id: i, store: stores[i%historyStores], start: start, random: rand.New(rand.NewPCG(seed, uint64(i))),
			overtakes: !f.h.Capabilities.AtomicInit,
		}
	}
	suite.Concurrently(f, historyClients, func(i int) error { return clients[i].run(f.Context(), initPercent) })
	var history []porcupine.Operation
	for _, client := range clients {
		history = append(history, client.history...)
	}
	for _, s := range stores {
		f.close(s)
	}
	return history
}

// historyClient makes calls, one after the other, and records them.
type historyClient struct {
	id        int
	store     *store
	start     time.Time
	random    *rand.Rand
	overtakes bool // an Init may be overtaken by another one
	history   []porcupine.Operation
	writes    int
}

func (c *historyClient) run(ctx context.Context, initPercent int) error {
	for range historyCalls {
		if err := c.step(ctx, initPercent); err != nil {
			return err
		}
	}
	return nil
}

func (c *historyClient) step(ctx context.Context, initPercent int) error {
	key := historyKey(c.random.IntN(historyKeys))
	switch n := c.random.IntN(100); {
	case n < initPercent:
		return c.init(ctx)
	case n < 50:
		return c.upsert(ctx, key)
	case n < 60:
		return c.getAll(ctx)
	default:
		return c.get(ctx, key)
	}
}

func historyKey(n int) string { return fmt.Sprint("key-", n) }

// newItem makes an item that no other call writes.
func (c *historyClient) newItem(key string) core.KeyedSerializedItem {
	const versions = 20
	c.writes++
	return tagged(key, 1+c.random.IntN(versions), fmt.Sprintf("client %d write %d", c.id, c.writes))
}

func (c *historyClient) record(called int64, in keyCall, out keyAnswer) {
	c.history = append(c.history, porcupine.Operation{
		ClientId: c.id, Input: in, Call: called, Output: out, Return: c.now(),
	})
}

func (c *historyClient) now() int64 { return time.Since(c.start).Nanoseconds() }

func (c *historyClient) get(ctx context.Context, key string) error {
	called := c.now()
	item, found, err := c.store.Get(ctx, core.Flags, key)
	if err == nil {
		c.record(called, keyCall{method: "Get", key: key}, keyAnswer{state: stateOf(item, found)})
	}
	return err
}

// getAll counts as one read of each key: an answer that is not atomic over keys is allowed.
func (c *historyClient) getAll(ctx context.Context) error {
	called := c.now()
	all, err := c.store.GetAll(ctx, core.Flags)
	if err != nil {
		return err
	}
	states := make(map[string]keyState)
	for _, item := range all {
		states[item.Key] = stateOf(item.Item, true)
	}
	for n := range historyKeys {
		key := historyKey(n)
		c.record(called, keyCall{method: "GetAll", key: key}, keyAnswer{state: states[key]})
	}
	return nil
}

func (c *historyClient) upsert(ctx context.Context, key string) error {
	item := c.newItem(key)
	called := c.now()
	result, err := c.store.Upsert(ctx, core.Flags, key, item.Item)
	if err == nil {
		in := keyCall{method: "Upsert", key: key, given: stateOf(item.Item, true), version: item.Item.Version}
		c.record(called, in, keyAnswer{state: stateOf(result.Item, true), written: result.Written})
	}
	return err
}

// init counts as one write of each key, because atomicity over keys is tested elsewhere. It leaves some keys out.
func (c *historyClient) init(ctx context.Context) error {
	var items []core.KeyedSerializedItem
	given := make(map[string]keyState)
	for n := range historyKeys {
		if key := historyKey(n); c.random.IntN(4) > 0 {
			item := c.newItem(key)
			items = append(items, item)
			given[key] = stateOf(item.Item, true)
		}
	}
	called := c.now()
	err := c.store.Init(ctx, []core.SerializedCollection{collection(core.Flags, items...)})
	overtaken := c.overtakes && wasOvertaken(err)
	if err != nil && !overtaken {
		return err
	}
	for n := range historyKeys {
		key := historyKey(n)
		c.record(called, keyCall{method: "Init", key: key, given: given[key]}, keyAnswer{state: given[key]})
		if overtaken { // Until the other has ended, what either writes can show.
			c.history[len(c.history)-1].Return = math.MaxInt64
		}
	}
	return nil
}

// wasOvertaken reports whether an Init stopped half way because another one began, which a store whose Init is not atomic may
// do: what it had not written yet, the other writes.
func wasOvertaken(err error) bool {
	var partial *core.PartialInitError
	return errors.As(err, &partial) && errors.Is(err, core.ErrConflict)
}
