package caching_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// W7 and W8: reads work and writes do not, for a reason that heals or not, or items cannot be read although checks succeed: the
// status does not flap, and nothing is written again and again.
func TestPromise10_StatusTellsTheTruthOnce(t *testing.T) {
	for name, fails := range map[string]func(operation string) error{
		"out of memory": func(operation string) error { return onWrites(operation, core.ErrReadOnly) },
		"scripts are refused": func(operation string) error {
			return onWrites(operation, errors.New("ERR unknown command 'EVALSHA'"))
		},
		"an Init is cut": func(operation string) error {
			if operation == "Init" {
				return &core.PartialInitError{Total: 2, Err: core.ErrUnavailable}
			}
			return nil
		},
		"items cannot be read": func(operation string) error {
			if operation == "Get" || operation == "GetAll" {
				return errors.New("WRONGTYPE")
			}
			return nil
		},
	} {
		for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second), caching.Forever()} {
			t.Run(fmt.Sprint(name, " ", mode), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, caching.Options{Mode: mode})
					r.init(1, "a")
					defer r.resendWhenStale(flags(2, "a"))()
					var told steps
					defer r.wrapper.AddListener(told.add)()
					writes := r.store.inits.Load() + r.store.upserts.Load()
					r.store.set(func(_ context.Context, operation string) error { return fails(operation) })
					for i := range 600 {
						time.Sleep(100 * time.Millisecond)
						switch i % 100 {
						case 0:
							_ = r.wrapper.Init(t.Context(), flags(i+2, "a"))
						case 50:
							_, _ = r.wrapper.Upsert(t.Context(), core.Flags, "a", flag("a", i+2))
						}
						_, _, _ = r.wrapper.Get(t.Context(), core.Flags, "a")
						_, _, _ = r.wrapper.Get(t.Context(), core.Flags, fmt.Sprint("never read ", i))
					}
					synctest.Wait()
					require.LessOrEqual(t, len(told.all()), 3, "%v", told.all())
					require.LessOrEqual(t, r.store.inits.Load()+r.store.upserts.Load()-writes, int64(60))
					r.store.fail(nil)
					time.Sleep(2 * time.Minute)
					r.requireStatus(true, false)
				})
			})
		}
	}
}
