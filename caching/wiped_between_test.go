package caching_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// One wipe, no refill. A whole-kind read that began before an upsert of "b" lacks "b", so the mark is asked for (still true),
// then the database is wiped, then the second read finds nothing.
func TestPromise7_WipedDatabaseIsNoticed_BetweenMarkAndSecondRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, caching.Options{Mode: caching.TTL(time.Second), CheckInterval: time.Hour})
		r.init(1, "a")
		require.Equal(t, 1, r.version("a"))
		reads := 0
		r.store.set(func(_ context.Context, operation string) error {
			if operation == "GetAll" {
				if reads++; reads == 2 {
					r.db.Wipe()
				}
			}
			return nil
		})
		upserted := false
		r.store.setAfter(func(operation string) {
			if operation == "GetAll" && !upserted {
				upserted = true
				_, err := r.wrapper.Upsert(context.Background(), core.Flags, "b", flag("b", 2))
				require.NoError(t, err)
			}
		})
		time.Sleep(1500 * time.Millisecond)
		require.Equal(t, map[string]int{"a": 1, "b": 2}, r.all())
		require.Equal(t, 2, r.version("b"))
		require.Equal(t, 1, r.version("a"), "a was believed to be gone")
	})
}
