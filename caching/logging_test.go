package caching_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// countingHandler counts what is logged, and runs something each time it is asked whether to log.
type countingHandler struct {
	lines atomic.Int64
	asked atomic.Pointer[func()]
}

func (h *countingHandler) Enabled(context.Context, slog.Level) bool {
	if asked := h.asked.Load(); asked != nil {
		(*asked)()
	}
	return true
}

func (h *countingHandler) Handle(context.Context, slog.Record) error {
	h.lines.Add(1)
	return nil
}

func (h *countingHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *countingHandler) WithGroup(string) slog.Handler { return h }

// However often damaged items are read, each is logged once, until it is mended and damaged again.
func TestCachingStoreWrapper_CorruptItem_IsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &countingHandler{}
		r := newRig(t, caching.Options{Logger: slog.New(h)})
		r.write("good", 1)
		for i := range 100 {
			r.db.WriteRaw("", core.Flags, fmt.Sprint("bad-", i), []byte("{"))
		}
		r.readAllFor(10 * time.Minute)
		require.EqualValues(t, 100, h.lines.Load())
		r.write("bad-7", 2)
		r.readAllFor(time.Minute)
		r.db.WriteRaw("", core.Flags, "bad-7", []byte("{"))
		r.readAllFor(time.Minute)
		require.EqualValues(t, 101, h.lines.Load())
	})
}

func (r *rig) readAllFor(lasts time.Duration) {
	r.t.Helper()
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(time.Second) {
		items, err := r.wrapper.All(r.t.Context(), core.Flags)
		require.ErrorIs(r.t, err, core.ErrCorrupt)
		require.Contains(r.t, items, "good")
	}
}

// That holds for an item for which there is no room too, which is read each time.
func TestCachingStoreWrapper_CorruptItem_IsLoggedOnceWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &countingHandler{}
		r := newRig(t, caching.Options{Logger: slog.New(h), Capacity: 1})
		r.write("good", 1)
		require.Equal(t, 1, r.version("good"))
		r.db.WriteRaw("", core.Flags, "bad", []byte("{"))
		asked := r.store.gets.Load()
		for range 100 {
			_, _, err := r.wrapper.Get(t.Context(), core.Flags, "bad")
			require.ErrorIs(t, err, core.ErrCorrupt)
		}
		require.Equal(t, asked+100, r.store.gets.Load())
		require.EqualValues(t, 1, h.lines.Load())
	})
}

// The level of a log may itself be a flag. A deadlock would stop the bubble's clock, so that a real one watches.
func TestCachingStoreWrapper_LogHandlerMayEvaluateFlags(t *testing.T) {
	watchdog := time.AfterFunc(30*time.Second, func() { panic("deadlock between the wrapper and its log handler") })
	defer watchdog.Stop()
	synctest.Test(t, func(t *testing.T) {
		h := &countingHandler{}
		r := newRig(t, caching.Options{Mode: caching.TTL(20 * time.Millisecond), Logger: slog.New(h)})
		r.write("log-level", 1)
		require.Equal(t, 1, r.version("log-level"))
		var read atomic.Int64
		evaluate := func() {
			item, found, err := r.wrapper.Get(context.Background(), core.Flags, "log-level")
			if err == nil && found && item.Version() == 1 && r.wrapper.MonitoringEnabled() {
				_ = r.wrapper.Status()
				read.Add(1)
			}
		}
		h.asked.Store(&evaluate)
		r.store.fail(core.ErrUnavailable)
		time.Sleep(5 * time.Second)
		r.version("log-level")
		time.Sleep(100 * time.Millisecond) // the checks begin when the read fails
		r.requireStatus(false, false)
		r.store.fail(nil)
		time.Sleep(10 * time.Second)
		r.requireStatus(true, false)
		require.EqualValues(t, 2, read.Load(), "when the outage began and when it ended")
		h.asked.Store(nil)
	})
}
