package caching_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// An Init that arrives in an outage is taken as current when it reaches the database, as any Init is: versions are not
// compared, in no mode.
func TestCachingStoreWrapper_Init_InAnOutage_IsTakenAsCurrent(t *testing.T) {
	for name, mode := range map[string]caching.Mode{
		"off": caching.Off(), "TTL": caching.TTL(time.Second), "forever": caching.Forever(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.init(5, "a")
				// The data source sends everything again when it is asked to.
				data := flags(5, "a")
				defer r.wrapper.AddListener(func(status core.DataStoreStatus) {
					if status.Available && status.Stale {
						_ = r.wrapper.Init(t.Context(), data)
					}
				})()
				r.store.fail(core.ErrUnavailable)
				data = flags(2, "a")
				require.ErrorIs(t, r.wrapper.Init(t.Context(), data), core.ErrUnavailable)
				r.store.fail(nil)
				time.Sleep(time.Minute)
				require.Equal(t, 2, r.inDatabase("a"))
				require.Equal(t, 2, r.version("a"))
				r.requireStatus(true, false)
			})
		})
	}
}
