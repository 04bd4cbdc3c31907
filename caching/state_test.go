package caching_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// The status says since when it is what it is, and keeps the reason of the last outage.
func TestCachingStoreWrapper_Status_SinceAndLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{})
		made := time.Now()
		time.Sleep(time.Minute)
		require.Equal(t, core.DataStoreStatus{Available: true, Since: made}, r.wrapper.Status())

		cut := time.Now()
		r.store.fail(errors.New("cable cut"))
		_, _, err := r.wrapper.Get(t.Context(), core.Flags, "a")
		require.Error(t, err)
		time.Sleep(time.Minute)
		down := r.wrapper.Status()
		require.False(t, down.Available)
		require.WithinRange(t, down.Since, cut, cut.Add(time.Second))
		require.Contains(t, down.LastError, "cable cut")

		mended := time.Now()
		r.store.fail(nil)
		time.Sleep(time.Minute)
		up := r.wrapper.Status()
		require.True(t, up.Available)
		require.WithinRange(t, up.Since, mended, mended.Add(5*time.Second))
		require.Equal(t, down.LastError, up.LastError)
		text, err := json.Marshal(up)
		require.NoError(t, err)
		var read core.DataStoreStatus
		require.NoError(t, json.Unmarshal(text, &read))
		require.True(t, read.SameState(up))
		require.Contains(t, string(text), `"lastError"`)
	})
}

// A cache that reads nothing again and is not told of changes warns of it.
func TestCachingStoreWrapper_ForeverWithoutWatch_Warns(t *testing.T) {
	for name, test := range map[string]struct {
		options caching.Options
		warns   bool
	}{
		"forever, not watched": {caching.Options{Mode: caching.Forever(), DisableWatch: true}, true},
		"forever, watched":     {caching.Options{Mode: caching.Forever()}, false},
		"TTL, not watched":     {caching.Options{DisableWatch: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				test.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
				newRigWatching(t, test.options, !test.options.DisableWatch)
				time.Sleep(time.Second)
				synctest.Wait()
				if test.warns {
					require.Contains(t, log.String(), "nothing that is cached is read again")
				} else {
					require.Empty(t, log.String())
				}
			})
		})
	}
}
