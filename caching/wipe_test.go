package caching_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
)

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
