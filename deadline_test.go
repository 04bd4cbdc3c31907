package cleat

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// distantStore takes its time for each read of an item.
type distantStore struct {
	core.FeatureStoreCore
	latency time.Duration
}

func (s distantStore) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	select {
	case <-time.After(s.latency):
		return s.FeatureStoreCore.Get(ctx, kind, key)
	case <-ctx.Done():
		return core.SerializedItem{}, false, ctx.Err()
	}
}

// One evaluation has one deadline, however many prerequisites it has to read.
func TestClient_Variation_SlowStore_HasOneDeadline(t *testing.T) {
	for _, mode := range []caching.Mode{caching.Off(), caching.TTL(time.Second)} {
		for latency, value := range map[time.Duration]bool{300 * time.Millisecond: true, 900 * time.Millisecond: false} {
			t.Run(fmt.Sprint(mode, " ", latency), func(t *testing.T) {
				data := items(t,
					"a", onFlag("a", 1, "true"), "b", onFlag("b", 1, "true"), "c", onFlag("c", 1, "true"),
					"dependent", `{"key":"dependent","version":1,"on":true,"prerequisites":[{"key":"a","variation":0},
						{"key":"b","variation":0},{"key":"c","variation":0}],"offVariation":0,
						"fallthrough":{"variation":0},"variations":[true]}`)
				synctest.Test(t, func(t *testing.T) {
					client, err := New(t.Context(), Config{
						Daemon: true, Store: distantStore{filledStore(t, data), latency}, Logger: slog.New(slog.DiscardHandler),
						Cache: caching.Options{Mode: mode, DisableWatch: true},
					})
					require.NoError(t, err)
					defer func() { require.NoError(t, client.Close()) }()
					began := time.Now()
					require.Equal(t, value, client.BoolVariation(t.Context(), "dependent", user, false))
					if value {
						require.Equal(t, 4*latency, time.Since(began))
					} else {
						require.Equal(t, caching.DefaultReadTimeout, time.Since(began))
					}
				})
			})
		}
	}
}
