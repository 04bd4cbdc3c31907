package caching

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// A state that listeners cannot tell from the one before is not announced.
func TestDatabase_Note_ReportsAStatusOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase(context.Background(), slog.New(slog.DiscardHandler))
		defer d.statuses.Close()
		var told []core.DataStoreStatus
		d.statuses.Add(func(status core.DataStoreStatus) {
			told = append(told, core.DataStoreStatus{Available: status.Available, Stale: status.Stale})
		})
		note := func(e event, want ...core.DataStoreStatus) {
			t.Helper()
			told = nil
			d.note(e, errors.New("what happened"))
			synctest.Wait()
			require.Equal(t, want, told)
		}
		note(refuses, core.DataStoreStatus{})
		note(silent)
		note(answers, core.DataStoreStatus{Available: true})
	})
}
