package caching

import (
	"fmt"
	"time"
)

// DefaultTTL is the time to live of the zero [Mode].
const DefaultTTL = 15 * time.Second

// Mode says how long a [CachingStoreWrapper] answers from memory. The zero value is TTL([DefaultTTL]).
type Mode struct {
	kind modeKind
	ttl  time.Duration
}

type modeKind int

const (
	modeTTL modeKind = iota
	modeOff
	modeForever
)

// Off is the mode in which every read asks the database and nothing is kept, not even for an outage.
func Off() Mode { return Mode{kind: modeOff} }

// TTL is the mode in which what was read is used for at most d, and longer only while the database is unavailable. A d
// of 0 means [DefaultTTL]; a negative one is refused by [NewCachingStoreWrapper].
func TTL(d time.Duration) Mode { return Mode{kind: modeTTL, ttl: d} }

// Forever is the mode in which what was read or written once is never read again: memory counts, the database is a
// copy of it, and after an outage it is rewritten from memory. What was read before it was known that the database is
// initialised is read once more, after [Options].CheckInterval, because another process may have been filling it.
func Forever() Mode { return Mode{kind: modeForever} }

// String returns "off", "forever" or the time to live.
func (m Mode) String() string {
	switch m.kind {
	case modeOff:
		return "off"
	case modeForever:
		return "forever"
	default:
		return m.timeToLive().String()
	}
}

func (m Mode) timeToLive() time.Duration {
	if m.ttl == 0 {
		return DefaultTTL
	}
	return m.ttl
}

func (m Mode) validate() error {
	if m.ttl < 0 {
		return fmt.Errorf("time to live %v is negative", m.ttl)
	}
	return nil
}
