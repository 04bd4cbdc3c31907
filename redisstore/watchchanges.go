package redisstore

import (
	"strings"
	"time"

	"github.com/cleatdev/cleat/core"
)

const (
	// gatherTime is how long changes of whole kinds are collected: an Init changes several at once, and other writers write
	// one item after the other.
	gatherTime = 10 * time.Millisecond

	// noticeTime is how long a message waits for the notice that comes right behind it, on a machine that may be busy.
	noticeTime = 200 * time.Millisecond

	// recheckSoon and recheckLate are how long after a write by cleat the whole kind is reported too, because what seemed to
	// tell of it may have told of a foreign write that came at the same moment: soon if there was a foreign write within
	// foreignMemory.
	recheckSoon   = 5 * time.Second
	recheckLate   = time.Minute
	foreignMemory = 10 * time.Minute

	// maxHeld is how many items of a kind are told one by one.
	maxHeld = 1000
)

// collector makes changes of what servers tell: notices, which say that somebody wrote a kind, and messages of cleat's own
// writers, which say which item. One write by cleat causes both. A collector is used by one goroutine.
//
// A connection that tracks keys gets the messages of a moment first and then one notice for each kind, however often it was
// written. Messages are held until then: the notice that follows them is thereby explained, one that follows none is about
// a foreign write. On a Cluster every server passes on the messages, but only that of the kind sends the notice, which makes
// its connection the kind's home; copies of the messages that come from elsewhere are left out.
//
// A keyspace event comes for each single write, and before its message. Which message belongs to it cannot be known: of those
// that come, some are copies from other servers of a Cluster, or about writes to another database, which have no event here.
type collector struct {
	report     func(core.Change)
	kindOf     map[string]core.DataKind // by the Redis key; the mark is no kind's
	kinds      map[core.DataKind]*kindNews
	everything time.Time // when it is to be reported that anything may have changed
}

// kindNews is what is known of a kind and not yet reported. A time that is zero stands for never.
type kindNews struct {
	home        *feed               // whose notices are about the kind
	held        map[string]struct{} // keys of messages whose notice is to come; "" for the whole kind
	heldUntil   time.Time
	unexplained int       // keyspace events without a message
	eventsDue   time.Time // when the whole kind is to be reported because of them
	due         time.Time // when the whole kind is to be reported
	foreign     time.Time // when the last foreign write was noticed
}

func newCollector(names keys, kinds []core.DataKind, report func(core.Change)) *collector {
	c := &collector{
		report: report,
		kindOf: map[string]core.DataKind{names.inited(): ""},
		kinds:  map[core.DataKind]*kindNews{},
	}
	for _, kind := range kinds {
		c.kindOf[names.items(kind)] = kind
		c.kinds[kind] = &kindNews{}
	}
	return c
}

// anything notes that anything may have changed.
func (c *collector) anything(now time.Time) { sooner(&c.everything, now.Add(gatherTime)) }

// lost notes that nothing comes from the feed any more.
func (c *collector) lost(f *feed) {
	for _, k := range c.kinds {
		if k.home == f {
			k.home = nil
		}
	}
}

// notice notes that somebody wrote a Redis key, or all that begin as it does.
func (c *collector) notice(now time.Time, f *feed, redisKey string) {
	kind, watched := c.kindOf[redisKey]
	if !watched {
		return
	}
	k := c.kinds[kind]
	switch {
	case kind == "":
		c.anything(now)
	case !f.tracking:
		k.unexplained++
		sooner(&k.eventsDue, now.Add(gatherTime))
	case !c.everything.IsZero():
		k.home, k.held = f, nil
	case len(k.held) > 0:
		k.home = f
		if c.reportHeld(now, kind, k) {
			sooner(&k.due, now.Add(k.recheckDelay(now)))
		}
	default:
		k.home, k.foreign = f, now
		sooner(&k.due, now.Add(gatherTime))
	}
}

func (k *kindNews) recheckDelay(now time.Time) time.Duration {
	if k.foreign.IsZero() || now.Sub(k.foreign) > foreignMemory {
		return recheckLate
	}
	return recheckSoon
}

// message notes what a writer of cleat's wrote.
func (c *collector) message(now time.Time, f *feed, payload string) {
	name, key, ours := strings.Cut(payload, ":")
	kind := core.DataKind(name)
	if !ours {
		return
	}
	k := c.kinds[kind]
	switch {
	case kind == "":
		c.anything(now)
	case k == nil:
		c.reportNow(core.Change{Kind: kind, Key: key})
	case f.tracking:
		if k.home == nil || k.home == f {
			k.hold(now, key)
		}
	default:
		if k.unexplained > 0 {
			// It may have been the event of a foreign write.
			if k.unexplained--; k.unexplained == 0 {
				k.eventsDue = time.Time{}
				sooner(&k.due, now.Add(k.recheckDelay(now)))
			}
		}
		c.reportItem(now, kind, k, key)
	}
}

func (k *kindNews) hold(now time.Time, key string) {
	if len(k.held) == 0 {
		k.held, k.heldUntil = map[string]struct{}{}, now.Add(noticeTime)
	}
	if len(k.held) >= maxHeld {
		key = ""
	}
	k.held[key] = struct{}{}
}

// reportHeld reports the items that are held and whether it did so one by one.
func (c *collector) reportHeld(now time.Time, kind core.DataKind, k *kindNews) (singly bool) {
	_, whole := k.held[""]
	if whole {
		clear(k.held)
		k.held[""] = struct{}{}
	}
	for key := range k.held {
		c.reportItem(now, kind, k, key)
	}
	k.held = nil
	return !whole
}

func (c *collector) reportItem(now time.Time, kind core.DataKind, k *kindNews, key string) {
	if key == "" {
		sooner(&k.due, now.Add(gatherTime))
		return
	}
	c.reportNow(core.Change{Kind: kind, Key: key})
}

// reportNow reports a change, unless it is about to be reported that anything may have changed.
func (c *collector) reportNow(change core.Change) {
	if c.everything.IsZero() {
		c.report(change)
	}
}

// flush reports what is due.
func (c *collector) flush(now time.Time) {
	if !c.everything.IsZero() {
		if now.Before(c.everything) {
			return
		}
		c.everything = time.Time{}
		for _, k := range c.kinds {
			k.due, k.eventsDue, k.unexplained = time.Time{}, time.Time{}, 0
		}
		c.report(core.Change{})
		return
	}
	for kind, k := range c.kinds {
		if len(k.held) > 0 && !now.Before(k.heldUntil) {
			c.reportHeld(now, kind, k) // the notice does not come
		}
		if !k.eventsDue.IsZero() && !now.Before(k.eventsDue) {
			k.foreign, k.due = now, now
		}
		if !k.due.IsZero() && !now.Before(k.due) {
			k.due, k.eventsDue, k.unexplained = time.Time{}, time.Time{}, 0
			c.report(core.Change{Kind: kind})
		}
	}
}

// next returns when something will be due, or zero.
func (c *collector) next() (at time.Time) {
	if !c.everything.IsZero() {
		return c.everything
	}
	for _, k := range c.kinds {
		if len(k.held) > 0 {
			sooner(&at, k.heldUntil)
		}
		if !k.due.IsZero() {
			sooner(&at, k.due)
		}
		if !k.eventsDue.IsZero() {
			sooner(&at, k.eventsDue)
		}
	}
	return at
}

func sooner(t *time.Time, other time.Time) {
	if t.IsZero() || other.Before(*t) {
		*t = other
	}
}
