package caching_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// A database that is emptied before an item is read, and has been filled again when it is asked whether it is initialised,
// has not lost the item.
func TestCachingStoreWrapper_EmptiedAndFilledAgain_LosesNothing(t *testing.T) {
	for name, read := range map[string]func(r *rig) int{
		"Get": func(r *rig) int { return r.version("a") },
		"All": func(r *rig) int { return r.all()["a"] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, caching.Options{Mode: caching.TTL(time.Second)})
				r.init(1, "a")
				require.Equal(t, 1, read(r))
				r.db.Wipe()
				var fill sync.Once
				r.store.set(func(_ context.Context, operation string) error {
					if operation == "Initialized" {
						fill.Do(func() {
							require.NoError(t, r.other.Init(t.Context(), []core.SerializedCollection{{
								Kind: core.Flags, Items: []core.KeyedSerializedItem{{Key: "a", Item: flag("a", 1).Serialized(core.Flags, "a")}},
							}}))
						})
					}
					return nil
				})
				for range 50 {
					time.Sleep(100 * time.Millisecond)
					require.Equal(t, 1, read(r))
				}
				r.requireStatus(true, false)
			})
		})
	}
}
