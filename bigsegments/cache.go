package bigsegments

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cleatdev/cleat/core"
)

// entry is what is known of one context. Times are of the cache's clock.
type entry struct {
	membership core.BigSegmentMembership
	usedUntil  time.Duration // until when the membership may be used; 0 if there is none
	askAfter   time.Duration // the store is not asked again before
	era        int64         // of the cache, when the store was asked
	failures   int           // how many queries have failed since the last one that succeeded
}

// cache keeps memberships. Expiry is a matter of the entries and not of the cache: an old entry is still of use while the
// store cannot be asked, and the size is limited anyway.
type cache struct {
	entries *otter.Cache[string, entry]
	clock   clock
	options *Options
	era     atomic.Int64 // grows when the store is back: what was known before is asked for again
}

func newCache(options *Options) (*cache, error) {
	entries, err := otter.New(&otter.Options[string, entry]{
		MaximumWeight: uint64(options.CacheSize) * shareWeight,
		Weigher:       options.weigh,
		// On the goroutine that uses the cache: on another one, it would make room a moment too late, come in the way of reads,
		// which then are not counted, and may outlive Close.
		Executor: func(maintain func()) { maintain() },
	})
	if err != nil {
		return nil, err
	}
	return &cache{entries: entries, clock: newClock(options.now), options: options}, nil
}

const (
	// shareWeight is the weight of an entry of CacheBytes/CacheSize bytes and of each smaller one: so that there is one limit for
	// both, which is CacheSize times as much.
	shareWeight = 1000
	// entryBytes is what an entry takes besides key and membership, with the cache's own part.
	entryBytes = 300
)

// weigh returns the weight of an entry.
func (o *Options) weigh(contextKey string, e entry) uint32 {
	bytes := float64(entryBytes + len(contextKey) + e.membership.Bytes())
	weight := math.Ceil(bytes * shareWeight * float64(o.CacheSize) / float64(o.CacheBytes))
	return uint32(min(max(weight, shareWeight), math.MaxUint32))
}

// get returns what is known of the context, and whether the store need not or should not be asked now.
func (c *cache) get(contextKey string) (e entry, settled bool) {
	e, known := c.entries.GetIfPresent(contextKey)
	return e, known && e.era == c.era.Load() && c.clock.now() < e.askAfter
}

func (c *cache) isUsable(e *entry) bool { return c.clock.now() < e.usedUntil }

// put keeps what the store, asked in the era, has answered.
func (c *cache) put(contextKey string, membership core.BigSegmentMembership, era int64) entry {
	freshUntil := c.clock.now() + c.options.CacheTime
	e := entry{
		membership: membership, usedUntil: freshUntil + c.options.ServeStaleFor, askAfter: freshUntil, era: era,
	}
	c.entries.Set(contextKey, e)
	return e
}

// putFailure notes that the store could not answer. The membership that was known before stays.
func (c *cache) putFailure(contextKey string, era int64, pause func(failures int) time.Duration) entry {
	e, _ := c.entries.GetIfPresent(contextKey)
	e.askAfter, e.era = c.clock.now()+pause(e.failures), era
	e.failures++
	c.entries.Set(contextKey, e)
	return e
}

// knowsSegmentsOf reports whether there is a membership of the context that may be used and is not empty.
func (c *cache) knowsSegmentsOf(contextKey string) bool {
	e, _ := c.entries.GetIfPresent(contextKey)
	return e.membership.Len() > 0 && c.isUsable(&e)
}

// renew makes everything be asked for again when it is next used.
func (c *cache) renew() { c.era.Add(1) }

func (c *cache) clear() { c.entries.InvalidateAll() }

// clock measures how much time has passed. The wall clock counts if it went further, because the process was frozen, and
// the monotonic one if the wall clock was set back.
type clock struct {
	exact func() time.Time
	start time.Time
}

func newClock(exact func() time.Time) clock { return clock{exact: exact, start: exact()} }

func (c clock) now() time.Duration {
	now := c.exact()
	return max(now.Sub(c.start), now.Round(0).Sub(c.start.Round(0)))
}
