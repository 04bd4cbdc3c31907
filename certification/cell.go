package certification

import (
	"fmt"
	"slices"
	"time"
)

// Generation says where a client gets flags from.
type Generation string

// What there is.
const (
	First  Generation = "first"  // a data source of the first generation
	Second Generation = "second" // a data system
	Daemon Generation = "daemon" // the database alone, which the filler fills
	filler Generation = "filler" // a data source of the first generation; reaches the database directly
)

// Cell is what was seen of one client in one injection.
type Cell struct {
	// Generation, Cache and Started say which client: where its flags come from, its cache mode, and whether it was started in
	// the fault rather than before.
	Generation Generation
	Cache      string
	Started    bool

	// Evaluations is how often the known flag was evaluated from the beginning of the fault until the server was well again for a
	// while. Of these, Defaults are those that got the default, and Backwards those that got a version older than one that the
	// process had seen before they began.
	Evaluations, Defaults, Backwards int
	// Longest is the longest evaluation of the known flag, Usual the one that all but 0.1 % were shorter than, Unknown the longest
	// of a flag that does not exist.
	Longest, Usual, Unknown time.Duration
	// Visible is the longest time from the delivery of an update to an evaluation that sees it; 0 in daemon mode.
	Visible time.Duration
	// Transitions are the changes of the store's status that a listener saw.
	Transitions []Transition
	// CallsWhileDown is how many calls of the database were made while the status said that it was not available, checks aside. It
	// means something only if the database does not answer.
	CallsWhileDown int
	// AvailableAfter is how long it took from the server's recovery until the client said that the store was available and
	// not stale.
	AvailableAfter time.Duration
	// Problem is what was wrong with the database, or with evaluations, in the end; "" if nothing was.
	Problem string
}

// Transition is a change of a store's status.
type Transition struct {
	After            time.Duration // since the beginning of the fault
	Available, Stale bool
}

// Expectations are what an injection demands.
type Expectations struct {
	// WritesFailed is true if only writes failed: they are tried again seldom.
	WritesFailed bool
	// Share, if not 0, is the share of requests that fail, where clients without a cache may get the default now and then.
	Share float64
	// Answers is true if the database goes on answering, so that it may be asked all the time.
	Answers bool
	// Lost is true if the database loses data, also under the prefixes of others.
	Lost bool
}

const (
	longestGoal       = 100 * time.Millisecond
	visibleGoal       = 100 * time.Millisecond
	availableGoal     = 3 * time.Second
	writableGoal      = time.Minute
	transitionsGoal   = 3
	callsGoal         = 2
	shareWithDefaults = 2 // times the share of requests that fail
)

// cached reports whether evaluations of the known flag should need no database: without a cache, those of a data source of the
// first generation read it each time, and a client in daemon mode has to have read it before the fault.
func (c *Cell) cached() bool {
	return c.Generation == Second || c.Cache != "off" && (c.Generation == First || !c.Started)
}

// keeps reports whether the client keeps what it has seen. Without a cache it reads what the database has, which is older after an
// asynchronous failover.
func (c *Cell) keeps() bool { return c.Generation == Second || c.Cache != "off" }

// Misses returns what the client should have done better.
func (c *Cell) Misses(want Expectations) []string { return append(c.Wrongs(want), c.slow(want)...) }

// Wrongs returns what is wrong on a machine of any speed.
func (c *Cell) Wrongs(want Expectations) []string {
	var m misses
	switch {
	case c.cached():
		m.add(c.Defaults > 0, "%d defaults", c.Defaults)
	case want.Share > 0:
		m.add(float64(c.Defaults) > shareWithDefaults*want.Share*float64(c.Evaluations), "%d defaults in %d evaluations", c.Defaults, c.Evaluations)
	}
	m.add(c.keeps() && c.Backwards > 0, "%d values went backwards", c.Backwards)
	m.add(c.Problem != "", "%s", c.Problem)
	return m
}

// slow returns what was not as soon as it should be, or not as calm.
func (c *Cell) slow(want Expectations) []string {
	var m misses
	if c.cached() {
		m.add(c.Longest > longestGoal, "an evaluation took %v", round(c.Longest))
		m.add(c.Visible > visibleGoal, "an update was seen after %v", round(c.Visible))
	}
	m.add(len(c.Transitions) > transitionsGoal, "the status changed %d times: %v", len(c.Transitions), c.Transitions)
	m.add(!want.WritesFailed && !want.Answers && c.CallsWhileDown > callsGoal, "%d calls of a database that was known to be down", c.CallsWhileDown)
	goal := availableGoal
	if want.WritesFailed {
		goal = writableGoal
	}
	m.add(c.AvailableAfter > goal, "available after %v", round(c.AvailableAfter))
	return m
}

type misses []string

func (m *misses) add(is bool, format string, args ...any) {
	if is {
		*m = append(*m, fmt.Sprintf(format, args...))
	}
}

func (t Transition) String() string {
	state := "unavailable"
	if t.Available {
		state = "available"
	}
	if t.Stale {
		state += " and stale"
	}
	return fmt.Sprintf("%s at %v", state, t.After.Round(time.Millisecond))
}

// Name tells a client from the others of its injection.
func (c *Cell) Name() string {
	name := string(c.Generation) + " " + c.Cache
	if c.Started {
		name += " started"
	}
	return name
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond / 10) }

// longestOf returns the longest time and the one that all but 0.1 % are shorter than. It sorts the times.
func longestOf(times []time.Duration) (longest, usual time.Duration) {
	if len(times) == 0 {
		return 0, 0
	}
	slices.Sort(times)
	return times[len(times)-1], times[(len(times)-1)*999/1000]
}
