//go:build !race

// The explorer runs without goroutines, so that the race detector would find nothing and only slow it down.

package caching

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// The explorer runs every order of the steps of three things that happen at once to two keys: reads, writes, Inits, and what
// others do to the database, on the code that decides what counts, without goroutines and without time. After each step it
// holds memory to never going backwards; at the end, when everything that is pending has been written and what is in doubt has
// been looked at, to being what the database has, which must have every update that was delivered.

// mutant is a version of the code with one fault in it. The zero value has none.
type mutant struct {
	judge          func(known, loaded *value, begin, forgotten uint64, believe bool) verdict
	next           func(dbState, event) dbState
	finding        func(known, absent, older, stored int) finding
	looks          int  // how many looks have to agree
	keepsLoser     bool // an Upsert that the database refused as old counts
	restoresBlind  bool // a database that comes back is rewritten without a look at what it has
	forgetsPending bool // what could not be written is not written later
}

func (m mutant) complete() mutant {
	if m.judge == nil {
		m.judge = judgeLoad
	}
	if m.next == nil {
		m.next = dbState.next
	}
	if m.finding == nil {
		m.finding = judgeLook
	}
	if m.looks == 0 {
		m.looks = 2
	}
	return m
}

// world is memory, the database, and what must be true of them.
type world struct {
	mutant
	w    *CachingStoreWrapper // for lifetimes
	k    *kind                // the current one
	own  bool
	due  bool // an Init of k is to be written
	db   map[string]int
	mark bool

	state    dbState
	lost     bool           // the database was emptied, and neither this process nor another has filled it since
	replaced bool           // another process has replaced everything
	outage   bool           // the connection was lost and is back
	seen     map[string]int // the greatest version that memory showed of each key
	owed     map[string]int // the last version that was delivered of each key
	excused  bool           // the step may make memory go backwards
	forgot   bool           // there was no room for a, so that of it only what the database has counts
	problem  string
}

func explorerItem(key string, version int) *core.Item {
	item, err := core.ParseItem(fmt.Appendf(nil, `{"key":%q,"version":%d}`, key, version))
	if err != nil {
		panic(err)
	}
	return item
}

var explorerItems = map[string][]*core.Item{
	"a": {nil, explorerItem("a", 1), explorerItem("a", 2), explorerItem("a", 3)},
	"b": {nil, explorerItem("b", 1), explorerItem("b", 2), explorerItem("b", 3)},
}

var explorerWrapper = &CachingStoreWrapper{
	life: newLifetimes(TTL(time.Hour), func() float64 { return 0 }), clock: newCoarseClock(time.Now),
}

func newWorld(m mutant, own bool) *world {
	x := &world{
		mutant: m.complete(), w: explorerWrapper, own: own, db: map[string]int{"a": 1, "b": 1}, mark: true,
		seen: map[string]int{}, owed: map[string]int{},
	}
	x.replace(map[string]int{"a": 1, "b": 1}, own)
	return x
}

// replace makes a new kind the current one.
func (x *world) replace(versions map[string]int, own bool) {
	var items []core.KeyedItem
	for key, version := range versions {
		items = append(items, core.KeyedItem{Key: key, Item: explorerItems[key][version]})
	}
	x.k, _ = newOwnKind(core.Flags, items)
	x.k.renew(x.w.life, x.w.clock.now())
	x.k.judge, x.k.own = x.judge, own
}

func (x *world) fail(format string, args ...any) {
	if x.problem == "" {
		x.problem = fmt.Sprintf(format, args...)
	}
}

// check holds memory to never going backwards.
func (x *world) check() {
	if x.forgot {
		x.seen["a"] = min(x.seen["a"], x.db["a"])
	}
	for _, key := range []string{"a", "b"} {
		v := x.k.lookup(key)
		if v == nil || x.forgot && v.held() {
			continue // not known, so that the database would be asked; or delivered when it was not known
		}
		version := 0
		if v.isLive() {
			version = v.version()
		}
		if version < x.seen[key] && !x.excused {
			x.fail("%s went from v%d to v%d", key, x.seen[key], version)
		}
		x.seen[key] = version
	}
	x.excused = false
}

func loadedValue(key string, version int) *value {
	return (&value{item: explorerItems[key][version]}).lasting(never, never)
}

func (x *world) loadedAll() map[string]*value {
	all := map[string]*value{}
	for key, version := range x.db {
		all[key] = loadedValue(key, version)
	}
	return all
}

func always() bool { return true }

// reads reports whether the database is read: not while memory alone counts.
func (x *world) reads() bool { return !x.due && x.state != wiped }

// happening is something that happens in steps between which other things can happen.
type happening struct {
	name  string
	steps func(x *world) []func()
}

func get(key string) happening {
	return happening{"Get " + key, func(x *world) []func() {
		var k *kind
		var begin uint64
		var loaded *value
		return []func(){
			func() {
				if x.reads() {
					k, begin = x.k, x.k.begin()
				}
			},
			func() { loaded = loadedValue(key, x.db[key]) },
			func() {
				if k != nil {
					k.load(key, loaded, begin, false, always)
				}
			},
		}
	}}
}

func getAll() happening {
	return happening{"GetAll", func(x *world) []func() {
		var k *kind
		var begin uint64
		var loaded map[string]*value
		return []func(){
			func() {
				if x.reads() {
					k, begin = x.k, x.k.begin()
				}
			},
			func() { loaded = x.loadedAll() },
			func() {
				if k != nil {
					k.loadAll(loaded, begin, false, true, x.w.life, 0)
				}
			},
		}
	}}
}

// upsert delivers a version. The answer of the database may be that it failed, or get lost although it did not.
func upsert(key string, version int, fails, answers bool) happening {
	return happening{fmt.Sprintf("Upsert %s v%d fails %t answers %t", key, version, fails, answers), func(x *world) []func() {
		var k *kind
		var v *value
		winner := 0
		return []func(){
			func() {
				if k = x.k; k.write(key, explorerItems[key][version]) != nil {
					v, x.owed[key] = k.lookup(key), version
				}
			},
			func() {
				if v != nil && !fails && k == x.k && k.lookup(key) == v && !x.due {
					winner = x.put(key, version)
				}
			},
			func() {
				if v != nil && winner > 0 {
					v.write.tried = !answers
					if answers {
						x.settle(k, key, v, winner)
					}
				}
			},
		}
	}}
}

// put upserts into the database, and returns the version that it has then.
func (x *world) put(key string, version int) int {
	x.db[key] = max(x.db[key], version)
	return x.db[key]
}

func (x *world) settle(k *kind, key string, v *value, winner int) {
	item := explorerItems[key][winner]
	if winner == v.version() || x.keepsLoser {
		item = v.item
	}
	k.settle(key, v, item, nil, x.w)
}

func initialise(versions map[string]int) happening {
	return happening{fmt.Sprint("Init ", versions), func(x *world) []func() {
		var k *kind
		var contents map[string]int
		var waiting map[string]*value
		return []func(){
			func() {
				x.replace(versions, true)
				k, x.own, x.due, x.excused = x.k, true, true, true
				x.owed, x.seen = maps.Clone(versions), map[string]int{}
			},
			func() {
				if contents, waiting = x.contents(k); k == x.k {
					x.fill(contents)
				}
			},
			func() {
				if k == x.k {
					x.initialised(k, waiting)
				}
			},
		}
	}}
}

// contents returns what an Init of a kind writes, and the values in it that wait to be written.
func (x *world) contents(k *kind) (versions map[string]int, waiting map[string]*value) {
	versions, waiting = map[string]int{}, map[string]*value{}
	for key, s := range k.slots.All() {
		v := s.value.Load()
		if v.item != nil {
			versions[key] = v.version()
		}
		if v.write != nil {
			waiting[key] = v
		}
	}
	return versions, waiting
}

func (x *world) fill(versions map[string]int) {
	x.db, x.mark, x.lost = maps.Clone(versions), true, false
}

func (x *world) initialised(k *kind, waiting map[string]*value) {
	for key, v := range waiting {
		k.settle(key, v, v.item, nil, x.w)
	}
	x.due = false
	x.state = x.next(x.state, tookInit)
}

// looks is the monitor's looking at what is in doubt, twice or until the mark is found missing.
func looksTwice() happening {
	return happening{"looks", func(x *world) []func() {
		var first *look
		return []func(){
			func() { first = x.look(nil) },
			func() { x.look(first) },
		}
	}}
}

// look looks at what is in doubt, and believes what enough looks have found.
func (x *world) look(before *look) *look {
	if !x.reads() || !x.k.doubtful.Load() {
		return nil
	}
	if !x.mark {
		x.lose()
		return nil
	}
	begin, loaded := x.k.begin(), x.loadedAll()
	l := x.k.compare(loaded)
	known, absent := 0, 0
	for _, s := range x.k.slots.All() {
		if v := s.value.Load(); v.isLive() && !v.held() {
			known++
		}
	}
	for _, version := range l.gone {
		absent += count(version == math.MinInt)
	}
	l.finding = x.finding(known, absent, len(l.gone)-absent, len(loaded))
	if x.looks > 1 && (before == nil || !l.confirms(before)) {
		return l
	}
	x.k.doubtful.Store(false)
	switch l.finding {
	case togetherGone:
		x.lose()
	case aloneGone, mostGone, someGone:
		if x.own {
			x.outage = true // the database is compared with memory
			return l
		}
		if l.finding == aloneGone || l.finding == mostGone && x.lost && x.looks > 1 {
			return l // a process that has everything fills the database before the second look
		}
		if x.lost {
			x.fail("a database that lost its data is believed")
		}
		x.excused = true
		for key := range l.gone {
			x.k.load(key, loadedValue(key, x.db[key]), begin, true, always)
		}
	case nothingGone:
	}
	return l
}

func (x *world) lose() { x.state = x.next(x.state, lostData) }

func others(name string, do func(x *world)) happening {
	return happening{name, func(x *world) []func() { return []func(){func() { do(x) }} }}
}

func happenings() []happening {
	return []happening{
		{"nothing", func(*world) []func() { return nil }}, // so that pairs come first
		get("a"), getAll(),
		upsert("a", 2, false, true), upsert("a", 2, true, false), upsert("a", 2, false, false), upsert("a", 3, false, true),
		initialise(map[string]int{"a": 1, "b": 2}), initialise(map[string]int{"b": 2}),
		looksTwice(),
		others("another writes a v2", func(x *world) { x.put("a", 2) }),
		others("another replaces all by b v2", func(x *world) { x.fill(map[string]int{"b": 2}); x.replaced = true }),
		others("wipe", func(x *world) { x.db, x.mark, x.lost = map[string]int{}, false, true }),
		others("refill", func(x *world) { x.fill(map[string]int{"a": 1, "b": 1}); x.replaced = true }),
		others("eviction", func(x *world) { x.db, x.lost = map[string]int{}, true }),
		others("outage", func(x *world) { x.outage = true }),
		others("no room for a", func(x *world) {
			if v := x.k.lookup("a"); v != nil && !v.held() && !x.k.own {
				x.k.drop("a")
				x.forgot = true
			}
		}),
	}
}

// end lets everything come to rest, and compares memory with the database.
func (x *world) end() {
	for range 4 {
		x.write()
		if !x.mark {
			x.lose()
		}
		if x.outage || x.state == wiped {
			x.restore()
		}
		if x.state == wiped {
			return // this process only reads; another one has to fill the database
		}
		for range 2 {
			begin := x.k.begin()
			x.k.loadAll(x.loadedAll(), begin, false, true, x.w.life, 0)
			x.check()
			x.look(x.look(nil))
			x.check()
		}
	}
	if x.lost && !x.own {
		return // likewise
	}
	for _, key := range []string{"a", "b"} {
		version := 0
		if v := x.k.lookup(key); v.isLive() {
			version = v.version()
		}
		if version != x.db[key] {
			x.fail("memory has v%d of %s, and the database v%d", version, key, x.db[key])
		}
		if x.db[key] < x.owed[key] && !x.replaced && (x.own || !x.lost) {
			x.fail("v%d of %s was delivered, and the database has v%d", x.owed[key], key, x.db[key])
		}
	}
}

// write is the writer: whatever waits is written, unless the database has lost its data.
func (x *world) write() {
	if x.forgetsPending {
		return
	}
	if contents, waiting := x.contents(x.k); x.due {
		x.fill(contents)
		x.initialised(x.k, waiting)
	} else if x.state != wiped {
		for key, v := range waiting {
			x.settle(x.k, key, v, x.put(key, v.version()))
		}
	}
}

// restore compares a database that comes back, or has lost its data, with what an Init of this process brought.
func (x *world) restore() {
	x.outage = false
	if !x.own {
		return
	}
	before := maps.Clone(x.db)
	if !x.restoresBlind {
		begin := x.k.begin()
		for key, version := range x.db {
			if known := x.k.lookup(key); known != nil && known.item != nil && version > known.version() {
				x.k.load(key, loadedValue(key, version), begin, false, always)
			}
		}
	}
	contents, waiting := x.contents(x.k)
	x.fill(contents)
	x.initialised(x.k, waiting)
	for key, version := range before {
		if x.db[key] < version && x.db[key] > 0 {
			x.fail("v%d of %s, which another process wrote, is overwritten with v%d", version, key, x.db[key])
		}
	}
	x.check()
}

// explore runs every order of the steps of every three happenings, and returns how many it ran and the first problem.
func explore(m mutant, stopAtFirst bool) (runs int, problem string) {
	all := happenings()
	for i := range all {
		for j := i; j < len(all); j++ {
			for l := j; l < len(all); l++ {
				trio := []happening{all[i], all[j], all[l]}
				for _, own := range []bool{true, false} {
					n, p := exploreTrio(m, own, trio)
					runs += n
					if problem == "" {
						problem = p
					}
					if p != "" && stopAtFirst {
						return runs, problem
					}
				}
			}
		}
	}
	return runs, problem
}

func exploreTrio(m mutant, own bool, trio []happening) (runs int, problem string) {
	lengths := make([]int, len(trio))
	for i, h := range trio {
		lengths[i] = len(h.steps(newWorld(m, own)))
	}
	var run func(order, left []int)
	run = func(order, left []int) {
		if problem != "" {
			return
		}
		last := true
		for i, n := range left {
			if n > 0 {
				last = false
				left[i]--
				run(append(order, i), left)
				left[i]++
			}
		}
		if last {
			runs++
			problem = runOrder(m, own, trio, order)
		}
	}
	run(nil, lengths)
	return runs, problem
}

func runOrder(m mutant, own bool, trio []happening, order []int) string {
	x := newWorld(m, own)
	steps := make([][]func(), len(trio))
	for i, h := range trio {
		steps[i] = h.steps(x)
	}
	x.check()
	for _, i := range order {
		steps[i][0]()
		steps[i] = steps[i][1:]
		x.check()
	}
	x.end()
	if x.problem == "" {
		return ""
	}
	return fmt.Sprintf("%s; own %t, %q, order %v", x.problem, own, []string{trio[0].name, trio[1].name, trio[2].name}, slices.Clone(order))
}

func TestExplorer_EveryOrder_KeepsThePromises(t *testing.T) {
	runs, problem := explore(mutant{}, true)
	t.Logf("%d orders", runs)
	require.Empty(t, problem)
	require.Greater(t, runs, 100_000)
}

// Each fault is found.
func TestExplorer_Mutants_AreFound(t *testing.T) {
	for name, m := range map[string]mutant{
		"W5: of two overlapping loads, the one that ends last counts": {judge: func(known, loaded *value, _, forgotten uint64, believe bool) verdict {
			return judgeLoad(known, loaded, math.MaxUint64, forgotten, believe)
		}},
		"W1: what a second read does not find is believed": {looks: 1},
		"what a read does not find is believed": {judge: func(known, loaded *value, begin, forgotten uint64, believe bool) verdict {
			return judgeLoad(known, loaded, begin, forgotten, believe || known != nil && loaded.isUnknown())
		}},
		"an older version is believed": {judge: func(known, loaded *value, begin, forgotten uint64, believe bool) verdict {
			return judgeLoad(known, loaded, begin, forgotten, believe || !loaded.isUnknown())
		}},
		"what waits to be written can be replaced by what is read": {judge: func(known, loaded *value, begin, forgotten uint64, believe bool) verdict {
			if known.held() {
				return storeLoaded
			}
			return judgeLoad(known, loaded, begin, forgotten, believe)
		}},
		"a load that began before a key was dropped is kept": {judge: func(known, loaded *value, begin, _ uint64, believe bool) verdict {
			return judgeLoad(known, loaded, begin, 0, believe)
		}},
		"W4: an evicted kind looks like a deletion": {finding: func(int, int, int, int) finding { return someGone }},
		"a deletion is never believed":              {finding: func(int, int, int, int) finding { return nothingGone }},
		"a wiped database is not noticed": {next: func(s dbState, e event) dbState {
			if e == lostData {
				return s
			}
			return s.next(e)
		}},
		"an update that lost counts":                           {keepsLoser: true},
		"a database that comes back is written without a look": {restoresBlind: true},
		"what could not be written is forgotten":               {forgetsPending: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, problem := explore(m, true)
			require.NotEmpty(t, problem)
			t.Log(problem)
		})
	}
}
