package bigsegments_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	healthy    = ldreason.BigSegmentsHealthy
	stale      = ldreason.BigSegmentsStale
	storeError = ldreason.BigSegmentsStoreError
)

var (
	isHealthy     = core.BigSegmentStoreStatus{Available: true}
	isStale       = core.BigSegmentStoreStatus{Available: true, Stale: true}
	isUnavailable = core.BigSegmentStoreStatus{}
)

var errCable = errors.New("cable cut")

// operation runs before a query of the store, and may return an error instead of it.
type operation func(ctx context.Context) error

func fails(err error) operation { return func(context.Context) error { return err } }

func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// troubled is a memorystore that a test can make fail or hang, and that counts what it is asked.
type troubled struct {
	*memorystore.BigSegments
	memberships, metadatas, closes atomic.Int64

	mu                   sync.Mutex
	membership, metadata operation
	lost                 func(hash string) bool
}

// lose makes the queries for the contexts fail from now on, and those for others not.
func (s *troubled) lose(contextKeys ...string) {
	hashes := make(map[string]bool)
	for _, key := range contextKeys {
		hashes[core.BigSegmentContextHash(key)] = true
	}
	s.loseIf(func(hash string) bool { return hashes[hash] })
}

func (s *troubled) loseIf(lost func(hash string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = lost
}

// trouble sets what happens from now on to queries for memberships and for metadata; nil is nothing.
func (s *troubled) trouble(membership, metadata operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.membership, s.metadata = membership, metadata
}

func (s *troubled) Membership(ctx context.Context, hash string) (core.BigSegmentMembership, error) {
	s.memberships.Add(1)
	s.mu.Lock()
	before, lost := s.membership, s.lost
	s.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return core.BigSegmentMembership{}, err
		}
	}
	if lost != nil && lost(hash) {
		return core.BigSegmentMembership{}, errCable
	}
	return s.BigSegments.Membership(ctx, hash)
}

func (s *troubled) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	s.metadatas.Add(1)
	s.mu.Lock()
	before := s.metadata
	s.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return core.BigSegmentMetadata{}, err
		}
	}
	return s.BigSegments.Metadata(ctx)
}

func (s *troubled) Close() error {
	s.closes.Add(1)
	return s.BigSegments.Close()
}

// rig is a manager over a troubled store that is up to date.
type rig struct {
	*bigsegments.Manager
	t     testing.TB
	store *troubled
}

func newRig(t testing.TB, opts bigsegments.Options) *rig {
	t.Helper()
	r := newStoreRig(t)
	r.open(opts)
	return r
}

func newStoreRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, store: &troubled{BigSegments: memorystore.NewBigSegments(nil, nil)}}
	r.upToDate(time.Now())
	return r
}

func (r *rig) open(opts bigsegments.Options) {
	r.t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	manager, err := bigsegments.NewManager(r.store, &opts)
	require.NoError(r.t, err)
	r.Manager = manager
	r.t.Cleanup(func() { require.NoError(r.t, manager.Close()) })
}

func (r *rig) upToDate(at time.Time) {
	r.t.Helper()
	require.NoError(r.t, r.store.SetLastUpToDate(r.t.Context(), ldtime.UnixMillisecondTime(at.UnixMilli())))
}

// include makes the segment "s.g1" include or not include the context.
func (r *rig) include(contextKey string, included bool) {
	r.t.Helper()
	hashes := []string{core.BigSegmentContextHash(contextKey)}
	patch := core.BigSegmentPatch{SegmentRef: "s.g1"}
	if included {
		patch.Included.Add = hashes
	} else {
		patch.Included.Remove = hashes
	}
	applied, err := r.store.ApplyPatch(r.t.Context(), patch)
	require.NoError(r.t, err)
	require.True(r.t, applied)
}

// requireMember looks a context up.
func (r *rig) requireMember(contextKey string, included bool, status ldreason.BigSegmentsStatus) {
	r.t.Helper()
	membership, got := r.Membership(r.t.Context(), contextKey)
	require.Equal(r.t, status, got)
	require.Equal(r.t, included, membership.CheckMembership("s.g1").BoolValue())
}

func (r *rig) requireQueries(want int64) {
	r.t.Helper()
	require.Equal(r.t, want, r.store.memberships.Load(), "queries for memberships")
}

// recorder is a listener.
type recorder struct {
	mu     sync.Mutex
	values []core.BigSegmentStoreStatus
}

func (r *recorder) listen(status core.BigSegmentStoreStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values = append(r.values, status)
}

func (r *recorder) got() []core.BigSegmentStoreStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]core.BigSegmentStoreStatus(nil), r.values...)
}

// logBook is what was logged, a message per line.
type logBook struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logBook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logBook) count(level slog.Level) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buffer.String(), "level="+level.String())
}

// elapsed returns how long f took.
func elapsed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
