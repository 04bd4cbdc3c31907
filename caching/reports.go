package caching

import (
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// reports is what a watch of the database reported and was not read again yet. What is reported several times counts once.
type reports struct {
	signal chan struct{} // holds a token if there is something new
	begun  bool          // the first report, which only says that the watch has begun, was read; belongs to refresh
	// kinds is when kinds are read again because of reports; belongs to refresh.
	kinds   map[core.DataKind]*schedule
	period  time.Duration // within which everything in use may be read once because of reports
	refused sync.Once     // logs that something was reported that can be no change

	mu    sync.Mutex // guards what follows
	fresh map[core.Change]struct{}
}

// schedule says when a kind is read again because of reports.
type schedule struct {
	due   time.Time // zero if there is no report
	quiet bool      // the report only says that the watch has begun
	whole budget    // of reads of everything in use
	items budget    // of reads of items that were reported by name
}

// of returns the schedule of a kind.
func (r *reports) of(k *kind) *schedule {
	s := r.kinds[k.name]
	if s == nil {
		s = &schedule{
			whole: budget{most: smallRead, period: r.period}, items: budget{most: itemsAtOnce, period: itemsPeriod},
		}
		r.kinds[k.name] = s
	}
	return s
}

func newReports(period time.Duration) *reports {
	return &reports{
		period: period, signal: make(chan struct{}, 1), kinds: make(map[core.DataKind]*schedule), fresh: make(map[core.Change]struct{}),
	}
}

const (
	// maxReports is how many changes of single items wait to be read before everything counts as changed instead.
	maxReports = 100
	// maxReportedKey is how many bytes a key may have that is remembered because it was reported.
	maxReportedKey = 1 << 10
)

func (r *reports) add(change core.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.fresh) >= maxReports {
		change = core.Change{}
	}
	if change == (core.Change{}) {
		clear(r.fresh)
	}
	r.fresh[change] = struct{}{}
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// take returns what has accumulated; a change of everything stands for all others.
func (r *reports) take() []core.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := make([]core.Change, 0, len(r.fresh))
	for change := range r.fresh {
		taken = append(taken, change)
	}
	if _, everything := r.fresh[core.Change{}]; everything {
		taken = []core.Change{{}}
	}
	clear(r.fresh)
	return taken
}

const (
	// smallRead is how many bytes may be read at once, whatever other processes do.
	smallRead = 64 << 10
	// itemsAtOnce is how many bytes of items that were reported by name may be read at once, and itemsPeriod is how long it takes
	// to regain that: 64 KB a second. Such a report costs each process one item.
	itemsAtOnce = 512 << 10
	itemsPeriod = 8 * time.Second
	// leastRead and leastItem are as how many bytes each read of everything in use, or of one item, counts at least, also of what is
	// not there: a request has a price of its own.
	leastRead = 512
	leastItem = 2 << 10
	// What is larger is read after a random time, so that the processes together read no more than so many bytes a second each:
	// changeRate after a change, and reconnectRate after a loss of connection or a restart, which all processes notice at once.
	changeRate    = 400 << 10
	reconnectRate = 25 << 10
	// restoreRate is the same for comparing a database that has lost data with memory.
	restoreRate = 1 << 20
)

// budget bounds what is read because of reports: to so many bytes a period, or one read a period of what is larger. It belongs to
// the goroutine of refresh.
type budget struct {
	most   int // bytes
	period time.Duration
	spent  time.Time // when it will be full again
}

// share returns the part of the period that a read of so many bytes costs.
func (b *budget) share(bytes int) time.Duration {
	return time.Duration(float64(b.period) * min(1, float64(max(bytes, leastRead))/float64(b.most)))
}

// free returns when so many bytes may be read.
func (b *budget) free(bytes int) time.Time { return b.spent.Add(b.share(bytes) - b.period) }

func (b *budget) spend(bytes int) {
	if now := time.Now(); b.spent.Before(now) {
		b.spent = now
	}
	b.spent = b.spent.Add(b.share(bytes))
}

// affordsItem reports whether a changed item may be read at once, and counts it if so.
func (s *schedule) affordsItem(k *kind, key string) bool {
	bytes := leastItem
	if v := k.lookup(key); v != nil && v.item != nil {
		bytes = max(bytes, len(v.item.JSON()))
	}
	if s.items.free(bytes).After(time.Now()) {
		return false
	}
	s.items.spend(bytes)
	return true
}
