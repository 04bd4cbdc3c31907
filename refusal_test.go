package cleat

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// loggedMessages is a log handler that keeps the messages from a level on.
type loggedMessages struct {
	from     slog.Level
	mu       sync.Mutex
	messages []string
}

func (h *loggedMessages) Enabled(_ context.Context, level slog.Level) bool { return level >= h.from }

func (h *loggedMessages) Handle(_ context.Context, record slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, record.Message)
	return nil
}

func (h *loggedMessages) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *loggedMessages) WithGroup(string) slog.Handler { return h }

func (h *loggedMessages) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.messages
	h.messages = nil
	return taken
}

const refusal = "cleat: an update is in memory, and not in the data store yet; further ones are not logged until the store accepts one"

// An outage of hours with an update a second is a handful of lines, and so is the next one.
func TestUpdateSink_RefusedUpdates_AreLoggedOncePerOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged := &loggedMessages{from: slog.LevelError}
		store := &faultyStore{FeatureStoreCore: memorystore.New(nil, nil)}
		wrapper, err := caching.NewCachingStoreWrapper(store, &caching.Options{Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		sink := newUpdateSink(wrapper, slog.New(logged))
		defer sink.close()
		defer func() { require.NoError(t, wrapper.Close()) }()
		version := 0
		update := func() error {
			version++
			return sink.Upsert(t.Context(), core.Flags, "a", keyed(t, "a", onFlag("a", version, "1")).Item)
		}
		require.NoError(t, sink.Init(t.Context(), items(t)))
		for range 2 {
			require.NoError(t, update())
			require.Empty(t, logged.take())
			store.fail(core.ErrUnavailable)
			for range 1000 {
				require.NoError(t, update(), "memory has it")
				time.Sleep(time.Second)
			}
			require.NoError(t, sink.Init(t.Context(), items(t)))
			require.Equal(t, []string{refusal}, logged.take())
			store.fail(nil)
			time.Sleep(time.Minute)
		}
	})
}
