package caching_test

import (
	"context"
	goflag "flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// A data source updates flags at random, some together, and sends everything again when the status says Stale, while the database fails,
// hangs, is slow or loses data at random, and another writer changes items of its own. Readers of this process hold the wrapper
// to what it promises: a read returns what was written last, and nothing but that, and does not take longer than its deadlines;
// readers of another process, which has no data source, hold it to never going backwards. When the trouble has ended, database
// and memory hold what the data source said last, and the other process follows in its time. In the end the stores may be
// closed by another owner.
func TestCachingStoreWrapper_Model_RandomUpdatesAndFaults(t *testing.T) {
	for seed := *modelFirst; seed < *modelFirst+*modelSeeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newModel(t, seed).run() })
		})
	}
}

// A few hundred seeds are for every day; go test -run Model -args -model.seeds 50000 is for days on which the wrapper changes.
var (
	modelSeeds = goflag.Uint64("model.seeds", 200, "how many runs the random model makes")
	modelFirst = goflag.Uint64("model.first", 0, "the seed of the first one")
)

const (
	modelSteps   = 25
	modelReaders = 3                      // in each process
	modelTimeout = 300 * time.Millisecond // of every operation
	// modelReadLimit is how long a read may take: it is one read of the database and one look at its mark.
	modelReadLimit = 2 * (modelTimeout + maxLinger)
	// modelWriteLimit is how long an update may take.
	modelWriteLimit    = modelTimeout + maxLinger
	maxLinger          = 50 * time.Millisecond
	modelCheckInterval = time.Second
	// modelPatience is for how long the monitor looks at items that are missing, after a load has found out.
	modelPatience = 5 * time.Second
	// foreignKind is the kind of the items of another writer, which no Init of the data source touches.
	foreignKind core.DataKind = "foreign"
)

// modelKeys are those of the flags, and of the items of the other writer.
func modelKeys() []string { return []string{"a", "b", "c", "d", "e", "f"} }

type model struct {
	*modelProcess               // with the data source
	reader        *modelProcess // without one
	dice          *dice
	loses         bool // the database loses data now and then

	turn    chan struct{}         // holds a token while no update runs
	desired map[string]*core.Item // what the data source says; belongs to the holder
	last    int                   // version of the last update; belongs to the holder
	stale   chan struct{}         // holds a token if everything is to be sent again

	mu      sync.Mutex      // guards what follows
	written map[string]int  // what a read must find, -1 being nothing; keys that are being written are missing
	evicted map[string]bool // keys that were evicted since they were written, which a read need not find
	updates int             // how many began or ended, by which a reader knows whether one came in between
	fault   fault

	lastElsewhere int // version of the last item of the other writer
}

func newModel(t *testing.T, seed uint64) *model {
	d := &dice{rnd: rand.New(rand.NewPCG(seed, 1))}
	db := &memorystore.Database{}
	m := &model{
		modelProcess: newModelProcess(t, "writer", db, d, []int{0, 0, 2, 5}[d.below(4)]),
		reader:       newModelProcess(t, "reader", db, d, 0),
		dice:         d,
		turn:         make(chan struct{}, 1), stale: make(chan struct{}, 1),
		desired: map[string]*core.Item{}, written: map[string]int{}, evicted: map[string]bool{},
	}
	// What is not kept in memory goes with the database.
	m.loses = d.oneIn(2) && m.capacity == 0 && m.caches()
	m.turn <- struct{}{}
	return m
}

func (m *model) run() {
	defer m.wrapper.AddListener(m.noticeStale)()
	served, endService := context.WithCancel(context.Background())
	var source sync.WaitGroup
	source.Go(func() { m.serve(served) })
	defer source.Wait()
	defer endService()
	m.whileRead(50*time.Millisecond, m.makeTrouble)
	m.whileRead(time.Second, m.calm)
	if m.dice.oneIn(3) {
		m.requireLifeAfterClose()
		m.reader.requireLifeAfterClose()
	}
}

// whileRead does something while both processes read.
func (m *model) whileRead(rest time.Duration, do func()) {
	ctx, end := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	defer readers.Wait()
	defer end()
	for range modelReaders {
		readers.Go(func() { m.readUntil(ctx, m.dice, rest, m.read) })
		readers.Go(func() {
			m.reader.readUntil(ctx, m.dice, rest, func(ctx context.Context, of core.Change) { _, _ = m.reader.look(ctx, of, m.loses) })
		})
	}
	do()
}

func (m *model) makeTrouble() {
	for _, p := range []*modelProcess{m.modelProcess, m.reader} {
		p.store.set(m.begin)
		p.store.setAfter(m.end)
		defer p.store.set(nil)
		defer p.store.setAfter(nil)
	}
	troubled, end := context.WithCancel(context.Background())
	var others sync.WaitGroup
	defer others.Wait()
	defer end()
	others.Go(func() { m.changeFaults(troubled) })
	others.Go(func() { m.writeElsewhere(troubled) })
	m.send()
}

// calm is the time after the trouble, in which everything becomes as it should be.
func (m *model) calm() {
	time.Sleep(10 * time.Second)
	m.requireAgreement()
	if m.loses {
		m.sendAll()
		m.deleteFlags(modelKeys()...) // which is noticed if nothing is written meanwhile
		time.Sleep(10 * time.Second)
		m.requireAgreement()
	}
	for _, p := range []*modelProcess{m.modelProcess, m.reader} {
		if !m.loses && p.status() == available {
			p.requireFollowed(foreignKind) // also what was reported during an outage
		}
	}
	// A process that only reads does not believe that everything it knew is gone; when all is there, it has no reason not to.
	for _, key := range modelKeys() {
		m.sendItem(key, false)
		m.writeItemElsewhere(key, false)
	}
	m.requireFollowed(core.Flags, foreignKind)
	m.reader.requireFollowed(core.Flags, foreignKind)
	m.forgetSome()
	m.requireFollowed(core.Flags, foreignKind)
	m.reader.requireFollowed(core.Flags, foreignKind)
	m.requireAgreement()
}

// writeElsewhere is another process that writes items of a kind of its own.
func (m *model) writeElsewhere(ctx context.Context) {
	for pause(ctx, m.dice.upTo(500*time.Millisecond)) == nil {
		m.writeItemElsewhere(m.someKey(), m.dice.oneIn(4))
	}
}

func (m *model) writeItemElsewhere(key string, deleted bool) {
	item := newVersion(&m.lastElsewhere, foreignKind, key, deleted)
	_, err := m.other.Upsert(context.Background(), foreignKind, key, item.Serialized(foreignKind, key))
	if err != nil {
		m.t.Error(err)
	}
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
	asked := m.dice.oneIn(2) // everything is sent only when it is asked for
	for range modelSteps {
		time.Sleep(m.dice.upTo(400 * time.Millisecond))
		switch {
		case !asked && m.dice.oneIn(12):
			m.sendAll()
		case m.dice.oneIn(4):
			m.sendChangeSet(m.someKey(), m.someKey(), m.someKey())
		default:
			m.sendItem(m.someKey(), m.dice.oneIn(4))
		}
	}
}

func (m *model) sendAll() {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	m.sendDesired()
}

// sendDesired sends everything that the data source says. The caller holds the turn.
func (m *model) sendDesired() {
	items := make([]core.KeyedItem, 0, len(m.desired))
	for key, item := range m.desired {
		if !item.Deleted() {
			items = append(items, core.KeyedItem{Key: key, Item: item})
		}
	}
	var err error
	m.requireSoon(func() {
		err = m.wrapper.Init(context.Background(), []core.Collection{{Kind: core.Flags, Items: items}})
	})
	if m.holds(err) {
		m.noteWritten(modelKeys()...)
	}
}

// forgetSome sends everything but some flags that were there, fewer than half of them.
func (m *model) forgetSome() {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	forgotten := []string{m.someKey(), m.someKey()}
	m.noteWriting(forgotten...)
	for _, key := range forgotten {
		delete(m.desired, key)
	}
	m.sendDesired()
}

func (m *model) sendItem(key string, deleted bool) {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	item := newVersion(&m.last, core.Flags, key, deleted)
	m.desired[key] = item
	m.noteWriting(key)
	var updated bool
	var err error
	m.requireSoon(func() { updated, err = m.wrapper.Upsert(context.Background(), core.Flags, key, item) })
	if err == nil && !updated {
		m.t.Errorf("%v: v%d of %s was refused as old", m, m.last, key)
	}
	if m.holds(err) {
		m.noteWritten(key)
	}
}

// sendChangeSet sends new versions of some items together.
func (m *model) sendChangeSet(keys ...string) {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	slices.Sort(keys)
	keys = slices.Compact(keys)
	items := make([]core.KeyedItem, len(keys))
	for i, key := range keys {
		m.desired[key] = newVersion(&m.last, core.Flags, key, m.dice.oneIn(4))
		items[i] = core.KeyedItem{Key: key, Item: m.desired[key]}
	}
	m.noteWriting(keys...)
	var err error
	m.requireSoon(func() {
		err = m.wrapper.UpsertAll(context.Background(), []core.Collection{{Kind: core.Flags, Items: items}})
	})
	if m.holds(err) {
		m.noteWritten(keys...)
	}
}

func newVersion(last *int, kind core.DataKind, key string, deleted bool) *core.Item {
	*last++
	if deleted {
		return core.NewTombstone(kind, key, *last)
	}
	return flag(key, *last)
}

func (m *model) requireSoon(update func()) {
	if took := elapsed(update); took > modelWriteLimit {
		m.t.Errorf("%v: an update took %v", m, took)
	}
}

func (m *model) someKey() string { return modelKeys()[m.dice.below(len(modelKeys()))] }

// holds reports whether reads return what an update with this outcome brought.
func (m *model) holds(err error) bool { return err == nil || m.caches() }

func (m *model) noteWriting(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updates++
	for _, key := range keys {
		delete(m.written, key)
	}
}

func (m *model) noteWritten(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updates++
	for _, key := range keys {
		m.written[key] = m.desiredVersion(key)
		delete(m.evicted, key)
	}
}

func (m *model) noteEvicted(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updates++
	for _, key := range keys {
		m.evicted[key] = true
	}
}

// mayBe reports whether a read may return a version of a key of which another one was written.
func (m *model) mayBe(key string, version, written int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return version == written || version < 0 && m.evicted[key]
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

// read compares what a read returns with what was written before it, unless something was written meanwhile.
func (m *model) read(ctx context.Context, of core.Change) {
	written, updates := m.expectation()
	found, err := m.look(ctx, of, m.loses)
	if _, now := m.expectation(); err != nil || of.Kind != core.Flags || now != updates {
		return
	}
	for _, key := range modelKeys() {
		is := liveVersion(found[key])
		if want, known := written[key]; known && (of.Key == "" || of.Key == key) && !m.mayBe(key, is, want) {
			m.t.Errorf("%v: read v%d of %s, but v%d was written", m, is, key, want)
		}
	}
}

func (m *model) requireAgreement() {
	m.t.Helper()
	require.Equal(m.t, available, m.status(), m.String())
	memory, err := m.versionsOf(core.Flags)
	require.NoError(m.t, err, m.String())
	stored := m.storedVersions(core.Flags)
	for _, key := range modelKeys() {
		want := m.desiredVersion(key)
		for place, versions := range map[string]map[string]int{"memory": memory, "the database": stored} {
			version, found := versions[key]
			if !found {
				version = -1
			}
			require.True(m.t, m.mayBe(key, version, want), "v%d of %s in %s, but v%d was written; %v", version, key, place, want, m)
		}
	}
}
