package caching

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// never is the expiry of what does not expire.
const never = math.MaxInt64

// longest is the longest time that can be added to a time without overflow, by far.
const longest = 100 * 365 * 24 * time.Hour

// coarseClock is the wall-clock time as of the last tick, in Unix nanoseconds. A cached read compares against it,
// because asking the operating system for the time costs several times as much as the rest of the read.
//
// The time is stripped of its monotonic reading, so that a process that was frozen sees the hours that passed.
type coarseClock struct {
	exact func() time.Time
	last  atomic.Int64

	mu   sync.Mutex
	seen time.Time // what exact returned last
}

func newCoarseClock(exact func() time.Time) *coarseClock {
	c := &coarseClock{exact: exact, seen: exact()}
	c.last.Store(c.seen.UnixNano())
	return c
}

func (c *coarseClock) tick() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.exact()
	// The wall clock counts if it went further (the process was frozen), and the monotonic one if it was set back.
	passed := max(now.Round(0).Sub(c.seen.Round(0)), now.Sub(c.seen), 0)
	c.seen = now
	return c.last.Add(int64(passed))
}

func (c *coarseClock) now() int64 { return c.last.Load() }

// exactNow asks the operating system.
func (c *coarseClock) exactNow() int64 { return c.tick() }

// lifetimes turns a mode into expiry times.
type lifetimes struct {
	forever bool
	ttl     time.Duration
	tick    time.Duration
	random  func() float64
}

const (
	minTick     = time.Millisecond
	maxTick     = 250 * time.Millisecond
	ticksPerTTL = 16
	ttlJitter   = 0.1  // an item lives for 90 to 100 % of its time to live
	refreshFrom = 0.85 // of that; later, an item that is in use is refreshed
	// errorLifetime is for how long an undecodable item is not read again.
	errorLifetime = 5 * time.Second
	// notInitializedLifetime is for how long a store that is not initialised is not asked again.
	notInitializedLifetime = time.Second
)

func newLifetimes(mode Mode, random func() float64) lifetimes {
	l := lifetimes{forever: mode.kind == modeForever, ttl: min(mode.timeToLive(), longest), tick: maxTick, random: random}
	if !l.forever {
		l.tick = min(max(l.ttl/ticksPerTTL, minTick), maxTick)
	}
	return l
}

// from returns when something that was read at the given time expires and when it should be read again. The coarse clock
// may lag by a tick, which is taken off, so that nothing outlives its time to live.
func (l lifetimes) from(now int64) (expires, refreshAt int64) {
	if l.forever {
		return never, never
	}
	life := time.Duration(float64(l.ttl) * (1 - ttlJitter*l.random()))
	expires = now + int64(max(life-l.tick, 0))
	return expires, now + int64(refreshFrom*float64(life))
}

// fromError returns when something that could not be decoded is to be read again.
func (l lifetimes) fromError(now int64) int64 {
	if l.forever {
		return now + int64(errorLifetime)
	}
	return now + int64(max(min(l.ttl, errorLifetime)-l.tick, 0))
}

// fromNotInitialized returns when a store that is not initialised is to be asked again for a caller.
func (l lifetimes) fromNotInitialized(now int64) int64 {
	if l.forever {
		return never
	}
	return now + int64(max(min(l.ttl, notInitializedLifetime)-l.tick, 0))
}
