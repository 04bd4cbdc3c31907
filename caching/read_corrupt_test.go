package caching_test

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// Promise 8.
func TestPromise8_OneBadItemIsOneBadItem(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.write("good", 1)
				r.db.WriteRaw("", core.Flags, "bad", []byte(`{"key":"bad","ver`))
				requireBad := func(err error) {
					t.Helper()
					var item *core.ItemError
					require.ErrorAs(t, err, &item)
					require.Equal(t, "bad", item.Key)
					require.Equal(t, core.Flags, item.Kind)
					require.ErrorIs(t, err, core.ErrCorrupt)
				}
				for range 2 {
					items, err := r.wrapper.All(t.Context(), core.Flags)
					requireBad(err)
					require.Len(t, items, 1)
					require.Contains(t, items, "good")
					_, found, err := r.wrapper.Get(t.Context(), core.Flags, "bad")
					requireBad(err)
					require.False(t, found)
					require.Equal(t, 1, r.version("good"))
				}
				r.requireStatus(true, false)

				r.upsert("bad", 2)
				require.Equal(t, 2, r.version("bad"))
				require.Len(t, r.all(), 2)
			})
		})
	}
}

func TestPromise8_OneBadItemIsOneBadItem_MendedElsewhere(t *testing.T) {
	for _, mode := range []caching.Mode{caching.TTL(time.Minute), caching.Forever()} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: mode})
				r.db.WriteRaw("", core.Flags, "bad", []byte(`[]`))
				_, _, err := r.wrapper.Get(t.Context(), core.Flags, "bad")
				require.ErrorIs(t, err, core.ErrCorrupt)
				_, err = r.wrapper.All(t.Context(), core.Flags)
				require.ErrorIs(t, err, core.ErrCorrupt)
				r.write("bad", 2)
				time.Sleep(10 * time.Second)
				require.Equal(t, 2, r.version("bad"))
				require.Len(t, r.all(), 1)
			})
		})
	}
}

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

// The item of another flag is no value for this one, be it that the adapter or the database has mixed them up.
func TestCachingStoreWrapper_BadAdapter_AnswersWithAnothersItem(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode caching.Mode) {
		log := &countingHandler{}
		r := newRig(t, caching.Options{Mode: mode, Logger: slog.New(log)})
		before := log.lines.Load() // the warning that a cache that reads nothing again is not watched
		r.otherInit(1, "b", "good")
		for _, kind := range core.BuiltInKinds() {
			r.db.WriteRaw("", kind, "a", []byte(`{"key":"b","version":9,"on":true}`))
		}
		for version := 2; version < 602; version++ { // a minute
			for _, kind := range core.BuiltInKinds() {
				_, found, err := r.wrapper.Get(t.Context(), kind, "a")
				require.False(t, found)
				require.ErrorIs(t, err, core.ErrCorrupt)
				require.ErrorContains(t, err, `it is the item "b"`)
				items, err := r.wrapper.All(t.Context(), kind)
				require.ErrorIs(t, err, core.ErrCorrupt)
				require.NotContains(t, items, "a")
			}
			require.Equal(t, 1, r.version("b"))
			r.upsert("good", version)
			require.Equal(t, version, r.version("good"))
			require.Equal(t, version, r.inDatabase("good"))
			time.Sleep(100 * time.Millisecond)
		}
		require.EqualValues(t, 2, log.lines.Load()-before, "one for each")
		r.requireStatus(true, false)
		r.upsert("a", 10)
		require.Equal(t, 10, r.version("a"))
		require.Equal(t, 10, r.inDatabase("a"))
	})
}
