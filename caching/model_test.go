package caching_test

import (
	"context"
	goflag "flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// A data source updates flags at random, and sends everything again when the status says Stale, while the database fails
// at random and readers hold the wrapper to what it promises: a read returns what was written last, and nothing but that,
// and does not take longer than its deadlines. When the trouble has ended, database and memory hold what the data source
// said last.
func TestCachingStoreWrapper_Model_RandomUpdatesAndFaults(t *testing.T) {
	for seed := *modelFirst; seed < *modelFirst+*modelSeeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newModel(t, seed).run() })
		})
	}
}

// A few hundred seeds are for every day; go test -run Model -args -model.seeds 50000 is for days on which the wrapper changes.
var (
	modelSeeds = goflag.Uint64("model.seeds", 300, "how many runs the random model makes")
	modelFirst = goflag.Uint64("model.first", 0, "the seed of the first one")
)

const (
	modelSteps   = 25
	modelReaders = 3
	modelTimeout = 300 * time.Millisecond // of every operation
	// modelReadLimit is how long a read may take: it is one read of the database and one look at its mark.
	modelReadLimit = 2 * (modelTimeout + maxLinger)
	maxLinger      = 60 * time.Millisecond
)

func modelKeys() []string { return []string{"a", "b", "c", "d", "e", "f"} }

// dice is a source of randomness for several goroutines.
type dice struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.IntN(n)
}

func (d *dice) share() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.Float64()
}

func (d *dice) upTo(limit time.Duration) time.Duration { return time.Duration(d.below(int(limit))) }

type model struct {
	*rig
	dice     *dice
	mode     caching.Mode
	capacity int
	wipes    bool // the database is emptied now and then

	turn    chan struct{}         // holds a token while nobody updates
	desired map[string]*core.Item // what the data source says; belongs to the holder
	last    int                   // version of the last update; belongs to the holder
	stale   chan struct{}         // holds a token if everything is to be sent again

	mu      sync.Mutex     // guards what follows
	written map[string]int // what a read must find, -1 being nothing; keys that are being written are missing
	updates int            // how many began or ended, by which a reader knows whether one came in between
	fault   int
}

func newModel(t *testing.T, seed uint64) *model {
	d := &dice{rnd: rand.New(rand.NewPCG(seed, 1))}
	modes := []caching.Mode{
		caching.TTL(200 * time.Millisecond), caching.TTL(time.Second), caching.TTL(0), caching.Forever(), caching.Off(),
	}
	m := &model{
		dice: d, mode: modes[d.below(len(modes))], capacity: []int{0, 0, 2, 5}[d.below(4)],
		turn: make(chan struct{}, 1), stale: make(chan struct{}, 1),
		desired: map[string]*core.Item{}, written: map[string]int{},
	}
	// What is not kept in memory goes with the database.
	m.wipes = d.below(2) == 0 && m.capacity == 0 && m.mode != caching.Off()
	m.rig = newRig(t, caching.Options{
		Mode: m.mode, Capacity: m.capacity, CheckInterval: time.Second, MaxRetryDelay: time.Second, Random: d.share,
		ReadTimeout: modelTimeout, ReadAllTimeout: modelTimeout, WriteTimeout: modelTimeout, InitTimeout: modelTimeout,
	})
	m.turn <- struct{}{}
	return m
}

func (m *model) String() string {
	return fmt.Sprintf("mode %v, capacity %d, wipes %t, status %+v", m.mode, m.capacity, m.wipes, m.wrapper.Status())
}

func (m *model) run() {
	defer m.wrapper.AddListener(m.noticeStale)()
	m.store.set(m.trouble)
	m.store.setAfter(func(string) { time.Sleep(m.dice.upTo(maxLinger)) })
	troubled, endTrouble := context.WithCancel(context.Background())
	var readers, source sync.WaitGroup
	readers.Go(func() { m.changeFaults(troubled) })
	for range modelReaders {
		readers.Go(func() { m.readUntil(troubled) })
	}
	served, endService := context.WithCancel(context.Background())
	source.Go(func() { m.serve(served) })
	m.send()
	endTrouble()
	readers.Wait()
	m.store.set(nil)
	m.store.setAfter(nil)
	time.Sleep(10 * time.Second)
	endService()
	source.Wait()
	m.requireAgreement()
}

func (m *model) noticeStale(status core.DataStoreStatus) {
	if status.Stale {
		select {
		case m.stale <- struct{}{}:
		default:
		}
	}
}

// serve sends everything again whenever that is asked for.
func (m *model) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.stale:
			m.sendAll()
		}
	}
}

func (m *model) send() {
	m.sendAll()
	for range modelSteps {
		time.Sleep(m.dice.upTo(400 * time.Millisecond))
		if m.dice.below(12) == 0 {
			m.sendAll()
		} else {
			m.sendOne()
		}
	}
}

func (m *model) sendAll() {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	items := make([]core.KeyedItem, 0, len(m.desired))
	for key, item := range m.desired {
		if !item.Deleted() {
			items = append(items, core.KeyedItem{Key: key, Item: item})
		}
	}
	err := m.wrapper.Init(context.Background(), []core.Collection{{Kind: core.Flags, Items: items}})
	if m.holds(err) {
		m.noteWritten(modelKeys()...)
	}
}

func (m *model) sendOne() {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	m.last++
	key := modelKeys()[m.dice.below(len(modelKeys()))]
	item := flag(key, m.last)
	if m.dice.below(4) == 0 {
		item = core.NewTombstone(core.Flags, key, m.last)
	}
	m.desired[key] = item
	m.noteWriting(key)
	updated, err := m.wrapper.Upsert(context.Background(), core.Flags, key, item)
	if err == nil && !updated {
		m.t.Errorf("%v: v%d of %s was refused as old", m, m.last, key)
	}
	if m.holds(err) {
		m.noteWritten(key)
	}
}

// holds reports whether reads return what an update with this outcome brought.
func (m *model) holds(err error) bool { return err == nil || m.mode != caching.Off() }

func (m *model) noteWriting(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updates++
	delete(m.written, key)
}

func (m *model) noteWritten(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updates++
	for _, key := range keys {
		m.written[key] = m.desiredVersion(key)
	}
}

func (m *model) desiredVersion(key string) int { return liveVersion(m.desired[key]) }

func liveVersion(item *core.Item) int {
	if item == nil || item.Deleted() {
		return -1
	}
	return item.Version()
}

func (m *model) expectation() (written map[string]int, updates int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.written), m.updates
}

func (m *model) readUntil(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(m.dice.upTo(50 * time.Millisecond))
		limited, cancel := context.Background(), context.CancelFunc(func() {})
		if m.dice.below(4) == 0 {
			limited, cancel = context.WithTimeout(limited, m.dice.upTo(30*time.Millisecond))
		}
		if took := elapsed(func() { m.read(limited) }); took > modelReadLimit {
			m.t.Errorf("%v: a read took %v", m, took)
		}
		cancel()
	}
}

// read compares what a read returns with what was written before it, unless something was written meanwhile.
func (m *model) read(ctx context.Context) {
	written, updates := m.expectation()
	found := map[string]*core.Item{}
	keys := modelKeys()
	var err error
	if m.dice.below(3) == 0 {
		found, err = m.wrapper.All(ctx, core.Flags)
	} else {
		keys = keys[m.dice.below(len(keys)):][:1]
		found[keys[0]], _, err = m.wrapper.Get(ctx, core.Flags, keys[0])
	}
	if _, now := m.expectation(); err != nil || now != updates {
		return
	}
	for _, key := range keys {
		if want, known := written[key]; known && liveVersion(found[key]) != want {
			m.t.Errorf("%v: read v%d of %s, but v%d was written", m, liveVersion(found[key]), key, want)
		}
	}
}

const (
	noFault = iota
	someFail
	allFail
	allHang
	readOnly
	someConflict
	initStopsHalfWay
	faults
)

func (m *model) changeFaults(ctx context.Context) {
	for ctx.Err() == nil {
		m.mu.Lock()
		m.fault = m.dice.below(faults)
		m.mu.Unlock()
		if m.wipes && m.dice.below(4) == 0 {
			m.db.Wipe()
		}
		time.Sleep(m.dice.upTo(2 * time.Second))
	}
}

// trouble is what the database does at the beginning of every operation.
func (m *model) trouble(ctx context.Context, operation string) error {
	m.mu.Lock()
	fault := m.fault
	m.mu.Unlock()
	time.Sleep(m.dice.upTo(40 * time.Millisecond))
	writes := operation == "Init" || operation == "Upsert"
	switch {
	case fault == allFail, fault == someFail && m.dice.below(3) == 0:
		return core.ErrUnavailable
	case fault == allHang:
		<-ctx.Done()
		return ctx.Err()
	case fault == readOnly && writes:
		return core.ErrReadOnly
	case fault == someConflict && operation == "Upsert" && m.dice.below(2) == 0:
		return core.ErrConflict
	case fault == initStopsHalfWay && operation == "Init":
		return &core.PartialInitError{Written: 1, Total: 2, Err: core.ErrUnavailable}
	}
	return nil
}

func (m *model) requireAgreement() {
	m.t.Helper()
	require.Equal(m.t, available, m.wrapper.Status(), m.String())
	for _, key := range modelKeys() {
		want := m.desiredVersion(key)
		require.Equal(m.t, want, m.version(key), "in memory: %s, %v", key, m)
		require.Equal(m.t, want, m.stored(key), "in the database: %s, %v", key, m)
	}
}

// stored returns the version of the live flag in the database; -1 if there is none.
func (m *model) stored(key string) int {
	m.t.Helper()
	serialized, found, err := m.other.Get(context.Background(), core.Flags, key)
	require.NoError(m.t, err)
	if !found {
		return -1
	}
	item, err := serialized.Parse(core.Flags, key)
	require.NoError(m.t, err)
	return liveVersion(item)
}
