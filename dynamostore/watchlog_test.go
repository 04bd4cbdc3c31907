package dynamostore

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// An interruption is reported once.
func TestStore_Watch_Interrupted_WarnsOnce(t *testing.T) {
	var log lockedBuilder
	p, table := startProxy(t), freshStreamingTable(t)
	opts := impatient()
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	store := newStore(t, clientFor(t, "http://"+p.Listen, nil), table, opts)
	changes := startWatch(t, store)
	p.Stop()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "level=WARN") }, patience, time.Millisecond)
	requireNoChange(t, changes, 500*time.Millisecond)
	require.NoError(t, p.Start())
	require.Equal(t, core.Change{}, nextChange(t, changes))
	require.Equal(t, 1, strings.Count(log.String(), "changes by others cannot be seen"))
}

// lockedBuilder is an io.Writer for several goroutines.
type lockedBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
