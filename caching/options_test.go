package caching_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestNewCachingStoreWrapper_InvalidOptions(t *testing.T) {
	for want, opts := range map[string]caching.Options{
		"Mode: time to live -1s is negative":                                  {Mode: caching.TTL(-time.Second)},
		"Capacity -1 is negative":                                             {Capacity: -1},
		"MaxStale -1ns is negative":                                           {MaxStale: -1},
		"ReadTimeout -1ns is negative":                                        {ReadTimeout: -1},
		"ReadAllTimeout -1ns is negative":                                     {ReadAllTimeout: -1},
		"WriteTimeout -1ns is negative":                                       {WriteTimeout: -1},
		"InitTimeout -1ns is negative":                                        {InitTimeout: -1},
		"CheckInterval -1ns is negative":                                      {CheckInterval: -1},
		"MinRetryDelay -1ns is negative":                                      {MinRetryDelay: -1},
		"MaxRetryDelay -1ns is negative":                                      {MaxRetryDelay: -1},
		"MinRetryDelay 2s exceeds MaxRetryDelay 1s":                           {MinRetryDelay: 2 * time.Second, MaxRetryDelay: time.Second},
		"Capacity -2 is negative\ncaching: cleat: invalid argument: MaxStale": {Capacity: -2, MaxStale: -1},
	} {
		t.Run(want, func(t *testing.T) {
			w, err := caching.NewCachingStoreWrapper(memorystore.New(nil, nil), &opts)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, want)
			require.Nil(t, w)
		})
	}
	_, err := caching.NewCachingStoreWrapper(nil, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
}

// The longest time that can be said means for ever, and does not overflow into the past.
func TestOptions_MaxStale_Longest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(10 * time.Second), MaxStale: math.MaxInt64})
		r.write("a", 1)
		require.Equal(t, 1, r.version("a"))
		require.Len(t, r.all(), 1)
		r.store.fail(core.ErrUnavailable)
		time.Sleep(time.Minute)
		require.Equal(t, 1, r.version("a"))
		require.Len(t, r.all(), 1)
	})
}

// A process that says that an emptied database is to be believed sees what vanished vanish, and no outage.
func TestOptions_AcceptWipe_BelievesAnEmptyDatabase(t *testing.T) {
	for name, tc := range map[string]struct {
		mode caching.Mode
		gone bool
	}{
		"off":     {caching.Off(), true},
		"TTL":     {caching.TTL(10 * time.Second), true},
		"forever": {caching.Forever(), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: tc.mode, AcceptWipe: true, DisableWatch: true})
				r.init(1, "a")
				require.Equal(t, 1, r.version("a"))
				r.db.Wipe()
				time.Sleep(time.Minute)
				if tc.gone {
					require.Equal(t, -1, r.version("a"))
				} else {
					require.Equal(t, 1, r.version("a"))
				}
				r.requireStatus(true, false)
				require.Equal(t, -1, r.inDatabase("a"), "nothing was written back")
			})
		})
	}
}
