package bigsegments

import (
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cleatdev/cleat/core"
)

// cached is what is known of one context. Times are of the cache's clock.
type cached struct {
	membership core.BigSegmentMembership
	freshUntil time.Duration // the store need not be asked before
	usedUntil  time.Duration // what to use while the store cannot be asked
	damaged    bool          // what the store holds cannot be read; there is no membership
}

// cache keeps memberships. Expiry is a matter of the entries and not of the cache: an old entry is still of use during an
// outage, and the size is limited anyway.
type cache struct {
	entries *otter.Cache[string, cached]
	clock   clock
	options *Options
}

func newCache(options *Options) (*cache, error) {
	entries, err := otter.New(&otter.Options[string, cached]{
		MaximumSize: options.CacheSize,
		// On the goroutine that uses the cache: on another one, it would make room a moment too late, come in the way of reads,
		// which then are not counted, and may outlive Close.
		Executor: func(maintain func()) { maintain() },
	})
	if err != nil {
		return nil, err
	}
	return &cache{entries: entries, clock: newClock(options.Now), options: options}, nil
}

func (c *cache) get(contextKey string) (entry cached, known bool) {
	return c.entries.GetIfPresent(contextKey)
}

func (c *cache) isFresh(entry *cached) bool { return c.clock.now() < entry.freshUntil }

func (c *cache) isUsable(entry *cached) bool { return c.clock.now() < entry.usedUntil }

func (c *cache) put(contextKey string, membership core.BigSegmentMembership) cached {
	freshUntil := c.clock.now() + c.options.CacheTime
	entry := cached{membership: membership, freshUntil: freshUntil, usedUntil: freshUntil + c.options.ServeStaleFor}
	c.entries.Set(contextKey, entry)
	return entry
}

// damagedLifetime is for how long a membership that cannot be read is not read again.
const damagedLifetime = 5 * time.Second

func (c *cache) putDamaged(contextKey string) cached {
	entry := cached{damaged: true, freshUntil: c.clock.now() + damagedLifetime}
	c.entries.Set(contextKey, entry)
	return entry
}

func (c *cache) clear() { c.entries.InvalidateAll() }

// clock measures how much time has passed. The wall clock counts if it went further, because the process was frozen, and
// the monotonic one if somebody set the wall clock back.
type clock struct {
	exact func() time.Time
	start time.Time
}

func newClock(exact func() time.Time) clock { return clock{exact: exact, start: exact()} }

func (c clock) now() time.Duration {
	now := c.exact()
	return max(now.Sub(c.start), now.Round(0).Sub(c.start.Round(0)))
}
