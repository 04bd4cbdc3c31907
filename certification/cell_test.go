package certification

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCell_Misses_EachGoal(t *testing.T) {
	cached := Cell{Generation: First, Cache: "15 s", Evaluations: 1000}
	for name, tc := range map[string]struct {
		change func(c *Cell)
		want   Expectations
		misses string // "" if none
		wrong  bool
	}{
		"nothing":                       {change: func(*Cell) {}},
		"default":                       {change: func(c *Cell) { c.Defaults = 1 }, misses: "1 defaults", wrong: true},
		"backwards":                     {change: func(c *Cell) { c.Backwards = 2 }, misses: "2 values went backwards", wrong: true},
		"database":                      {change: func(c *Cell) { c.Problem = "it has nothing" }, misses: "it has nothing", wrong: true},
		"slow":                          {change: func(c *Cell) { c.Longest = 101 * time.Millisecond }, misses: "an evaluation took 101ms"},
		"unknown flag may be slow":      {change: func(c *Cell) { c.Unknown = time.Second }},
		"update late":                   {change: func(c *Cell) { c.Visible = time.Second }, misses: "an update was seen after 1s"},
		"calls":                         {change: func(c *Cell) { c.CallsWhileDown = 3 }, misses: "3 calls of a database that was known to be down"},
		"calls of one that answers":     {change: func(c *Cell) { c.CallsWhileDown = 3 }, want: Expectations{Answers: true}},
		"available late":                {change: func(c *Cell) { c.AvailableAfter = 4 * time.Second }, misses: "available after 4s"},
		"writable late":                 {change: func(c *Cell) { c.AvailableAfter = 4 * time.Second }, want: Expectations{WritesFailed: true}},
		"no cache, a share of defaults": {change: func(c *Cell) { c.Cache, c.Defaults = "off", 20 }, want: Expectations{Share: 0.01}},
		"no cache, too many defaults": {
			change: func(c *Cell) { c.Cache, c.Defaults = "off", 21 }, want: Expectations{Share: 0.01},
			misses: "21 defaults in 1000 evaluations", wrong: true,
		},
		"status": {
			change: func(c *Cell) {
				c.Transitions = []Transition{{}, {Available: true, Stale: true}, {Available: true}, {After: time.Second}}
			},
			misses: "the status changed 4 times: [unavailable at 0s available and stale at 0s available at 0s unavailable at 1s]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := cached
			tc.change(&c)
			var want []string
			if tc.misses != "" {
				want = []string{tc.misses}
			}
			require.Equal(t, want, c.Misses(tc.want))
			require.Equal(t, tc.wrong, len(c.Wrongs(tc.want)) > 0)
		})
	}
}

func TestCell_Cached_WhoNeedsNoDatabase(t *testing.T) {
	for _, tc := range []struct {
		Cell
		want bool
	}{
		{Cell{Generation: First, Cache: "off"}, false},
		{Cell{Generation: First, Cache: "1 s", Started: true}, true},
		{Cell{Generation: Second, Cache: "off"}, true},
		{Cell{Generation: Daemon, Cache: "1 s"}, true},
		{Cell{Generation: Daemon, Cache: "1 s", Started: true}, false},
		{Cell{Generation: Daemon, Cache: "off"}, false},
	} {
		require.Equal(t, tc.want, tc.cached(), tc.Name())
	}
}

func TestLongestOf(t *testing.T) {
	var times []time.Duration
	for i := range 2000 {
		times = append(times, time.Duration(2000-i))
	}
	longest, usual := longestOf(times)
	require.Equal(t, []time.Duration{2000, 1998}, []time.Duration{longest, usual})
	longest, usual = longestOf(nil)
	require.Zero(t, longest+usual)
}
