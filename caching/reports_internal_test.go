package caching

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// babbler is a memorystore whose watch reports 10,000 changes a second that nothing in it accounts for. It counts reads.
type babbler struct {
	*memorystore.Store
	report func(i int) core.Change
	reads  atomic.Int64
}

func (b *babbler) Watch(ctx context.Context, changed func(core.Change)) error {
	const batch = 100
	for i := 0; ; i++ {
		changed(b.report(i))
		if i%batch != 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (b *babbler) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	b.reads.Add(1)
	return b.Store.Get(ctx, kind, key)
}

func (b *babbler) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	b.reads.Add(1)
	return b.Store.GetAll(ctx, kind)
}

// logCounter counts what is logged.
type logCounter struct {
	slog.Handler
	lines atomic.Int64
}

func (l *logCounter) Handle(context.Context, slog.Record) error { l.lines.Add(1); return nil }

func TestCachingStoreWrapper_BadAdapter_ReportsWhatIsNot(t *testing.T) {
	var long [200]string
	for i := range long {
		long[i] = fmt.Sprint(i, strings.Repeat("x", 1<<20))
	}
	for name, report := range map[string]func(i int) core.Change{
		"unknown kinds": func(i int) core.Change {
			return core.Change{Kind: core.DataKind(fmt.Sprint("kind-", i)), Key: [2]string{"", "a"}[i%2]}
		},
		"no kind":           func(i int) core.Change { return core.Change{Key: strconv.Itoa(i)} },
		"long kinds":        func(i int) core.Change { return core.Change{Kind: core.DataKind(long[i%len(long)])} },
		"odd kinds":         func(i int) core.Change { return core.Change{Kind: core.DataKind(fmt.Sprint("\xff/", i)), Key: "a"} },
		"unknown keys":      func(i int) core.Change { return core.Change{Kind: core.Flags, Key: fmt.Sprint("key-", i)} },
		"long unknown keys": func(i int) core.Change { return core.Change{Kind: core.Flags, Key: long[i%len(long)]} },
		"everything":        func(int) core.Change { return core.Change{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { requireBabbleIsBounded(t, report) })
		})
	}
}

func requireBabbleIsBounded(t *testing.T, report func(i int) core.Change) {
	t.Helper()
	store, log := &babbler{Store: memorystore.New(nil, nil), report: report}, &logCounter{Handler: slog.DiscardHandler}
	w, err := NewCachingStoreWrapper(store, &Options{Logger: slog.New(enabled{log})})
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	w.AddChangeListener(func(core.Change) {})
	require.NoError(t, w.Init(t.Context(), nil))
	own := int64(0)
	for version := 1; version <= 600; version++ { // a minute
		for _, kind := range core.BuiltInKinds() {
			item, err := core.ParseItem(fmt.Appendf(nil, `{"key":"good","version":%d}`, version))
			require.NoError(t, err)
			_, err = w.Upsert(t.Context(), kind, "good", item)
			require.NoError(t, err)
			before := store.reads.Load()
			found, _, err := w.Get(t.Context(), kind, "good")
			require.NoError(t, err)
			require.Equal(t, version, found.Version())
			all, err := w.All(t.Context(), kind)
			require.NoError(t, err)
			require.Equal(t, version, all["good"].Version())
			own += store.reads.Load() - before
		}
		time.Sleep(100 * time.Millisecond)
	}
	const periods = int64(time.Minute/DefaultTTL) + 1
	const itemReads = (int64(time.Minute/itemsPeriod) + 2) * itemsAtOnce / leastItem
	require.LessOrEqual(t, store.reads.Load()-own, 2*periods*smallRead/leastRead+itemReads+100,
		"reads because of reports, and a few others")
	require.LessOrEqual(t, log.lines.Load(), int64(1))
	require.Equal(t, healthy, w.db.now().state)

	g := w.gen.Load()
	require.LessOrEqual(t, len(w.reports.kinds), 2)
	require.Zero(t, g.others.Size(), "kinds that are remembered")
	w.reports.mu.Lock()
	defer w.reports.mu.Unlock()
	require.LessOrEqual(t, len(w.reports.fresh), maxReports)
	bytes := 0
	for change := range w.reports.fresh {
		bytes += len(change.Kind) + len(change.Key)
	}
	for key := range g.flags.slots.All() {
		bytes += len(key)
	}
	require.LessOrEqual(t, bytes, 1<<20, "bytes of what was reported")
}

// enabled is a handler for all levels.
type enabled struct{ slog.Handler }

func (enabled) Enabled(context.Context, slog.Level) bool { return true }
