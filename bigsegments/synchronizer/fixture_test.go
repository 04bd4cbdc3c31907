package synchronizer_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
	"github.com/cleatdev/cleat/memorystore"
)

// store is a big segment store that can be filled.
type store interface {
	core.BigSegmentStore
	core.BigSegmentWriter
}

// observed is a store that a test can make fail, and that notes what it is asked.
type observed struct {
	store

	mu      sync.Mutex
	before  func(ctx context.Context, operation string) error
	patches []core.BigSegmentPatch // that were applied
	marks   []mark
}

// mark is one call of SetLastUpToDate.
type mark struct {
	at     time.Time
	stated ldtime.UnixMillisecondTime
}

// trouble sets what happens before every operation from now on; it may return an error instead of it.
func (o *observed) trouble(before func(ctx context.Context, operation string) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before = before
}

func (o *observed) begin(ctx context.Context, operation string) error {
	o.mu.Lock()
	before := o.before
	o.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, operation)
}

func (o *observed) Cursor(ctx context.Context) (string, error) {
	if err := o.begin(ctx, "Cursor"); err != nil {
		return "", err
	}
	return o.store.Cursor(ctx)
}

func (o *observed) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if err := o.begin(ctx, "ApplyPatch"); err != nil {
		return false, err
	}
	applied, err := o.store.ApplyPatch(ctx, patch)
	if applied {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.patches = append(o.patches, patch)
	}
	return applied, err
}

func (o *observed) SetLastUpToDate(ctx context.Context, at ldtime.UnixMillisecondTime) error {
	if err := o.begin(ctx, "SetLastUpToDate"); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.marks = append(o.marks, mark{time.Now(), at})
	return o.store.SetLastUpToDate(ctx, at)
}

func (o *observed) marked() []mark {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]mark(nil), o.marks...)
}

// rig is a synchroniser between a mock service and a store in memory.
type rig struct {
	*synchronizer.Synchronizer
	t       testing.TB
	service *mockbigsegments.Service
	db      *memorystore.Database
	store   *observed
	log     *logBook
}

// newRig makes a rig whose synchroniser is not made yet.
func newRig(t testing.TB) *rig {
	t.Helper()
	db := &memorystore.Database{}
	r := &rig{
		t: t, service: mockbigsegments.New(t), db: db, log: &logBook{},
		store: &observed{store: memorystore.NewBigSegments(db, nil)},
	}
	t.Cleanup(func() { require.NoError(t, r.store.Close()) })
	return r
}

// start makes and starts the synchroniser, which is stopped when the test ends.
func (r *rig) start(opts synchronizer.Options) {
	r.t.Helper()
	r.Synchronizer = r.make(r.store, opts)
	r.Start(context.Background())
	r.t.Cleanup(func() { stop(r.Synchronizer) })
}

func (r *rig) make(writer core.BigSegmentWriter, opts synchronizer.Options) *synchronizer.Synchronizer {
	r.t.Helper()
	settings := r.service.Settings()
	settings.Logger = r.log.logger()
	s, err := synchronizer.New(settings, writer, &opts)
	require.NoError(r.t, err)
	return s
}

func stop(s *synchronizer.Synchronizer) {
	s.Stop()
	<-s.Done()
}

func (r *rig) requireCursor(want string) {
	r.t.Helper()
	got, err := r.store.store.Cursor(context.Background())
	require.NoError(r.t, err)
	require.Equal(r.t, want, got)
}

func (r *rig) requireMember(hash string, included, excluded []string) {
	r.t.Helper()
	requireMember(r.t, r.store, hash, core.NewBigSegmentMembership(included, excluded))
}

// requireMoves expects the patches that the store has got since the last time, by their cursors.
func (r *rig) requireMoves(want [][2]string) {
	r.t.Helper()
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	var moves [][2]string
	for _, patch := range r.store.patches {
		moves = append(moves, [2]string{patch.PreviousVersion, patch.Version})
	}
	require.Equal(r.t, want, moves)
	r.store.patches = nil
}

func requireMember(t testing.TB, s core.BigSegmentStore, hash string, want core.BigSegmentMembership) {
	t.Helper()
	got, err := s.Membership(context.Background(), hash)
	require.NoError(t, err)
	require.True(t, want.Equal(got), "membership of %s: got %v, want %v", hash, got, want)
}

func (r *rig) requireState(want core.DataSourceState) {
	r.t.Helper()
	require.Equal(r.t, want, r.Status().State, "%v", r.Status().LastError)
}

func (r *rig) polls() int   { return len(r.service.Requests(mockbigsegments.PollPath)) }
func (r *rig) streams() int { return len(r.service.Requests(mockbigsegments.StreamPath)) }

// includes is a change that includes contexts.
func includes(segment string, hashes ...string) mockbigsegments.Change {
	return mockbigsegments.Change{Segment: segment, Include: hashes}
}

// history makes random changes and knows what they amount to.
type history struct {
	random  *rand.Rand
	most    int                           // changes of a patch
	members map[string]map[string][2]bool // hash, segment: included, excluded
}

func newHistory(t testing.TB, seed uint64) *history {
	t.Helper()
	t.Logf("seed %d", seed)
	return &history{random: rand.New(rand.NewPCG(seed, 0)), most: 3, members: map[string]map[string][2]bool{}}
}

// next makes the changes of one revision.
func (h *history) next() []mockbigsegments.Change { return h.revision(true) }

// revision makes the changes of one revision, which may contradict each other, or are of one segment each.
func (h *history) revision(contradictory bool) []mockbigsegments.Change {
	changes, segments := make([]mockbigsegments.Change, 1+h.random.IntN(4)), h.random.Perm(4)
	for i := range changes {
		c, segment := &changes[i], segments[i]
		if contradictory {
			segment = h.random.IntN(4)
		}
		c.Segment = fmt.Sprintf("segment-%d.g1", segment)
		for range 1 + h.random.IntN(h.most) {
			h.change(c, fmt.Sprintf("hash-%d", h.random.IntN(2*h.most)))
		}
	}
	return changes
}

func (h *history) change(c *mockbigsegments.Change, hash string) {
	lists := [][]*[]string{{&c.Include, &c.Uninclude}, {&c.Exclude, &c.Unexclude}}
	for _, list := range append(lists[0], lists[1]...) {
		for _, other := range *list {
			if other == hash {
				return // one patch says one thing of a context
			}
		}
	}
	set, remove := h.random.IntN(2), h.random.IntN(2)
	*lists[set][remove] = append(*lists[set][remove], hash)
	if h.members[hash] == nil {
		h.members[hash] = map[string][2]bool{}
	}
	in := h.members[hash][c.Segment]
	in[set] = remove == 0
	h.members[hash][c.Segment] = in
}

// require expects the store to be what all changes amount to.
func (h *history) require(t testing.TB, s core.BigSegmentStore) {
	t.Helper()
	require.Zero(t, h.differences(t, s), "memberships are wrong")
}

// differences returns how many contexts the store is wrong about.
func (h *history) differences(t testing.TB, s core.BigSegmentStore) (wrong int) {
	t.Helper()
	require.NotEmpty(t, h.members)
	for hash, segments := range h.members {
		var included, excluded []string
		for segment, in := range segments {
			if in[0] {
				included = append(included, segment)
			}
			if in[1] {
				excluded = append(excluded, segment)
			}
		}
		got := patiently(t, func(ctx context.Context) (core.BigSegmentMembership, error) { return s.Membership(ctx, hash) })
		if want := core.NewBigSegmentMembership(included, excluded); !want.Equal(got) {
			wrong++
			t.Logf("membership of %s: got %v, want %v", hash, got, want)
		}
	}
	return wrong
}

// patiently reads from a store until that succeeds. On a busy machine, a database may take longer than the store's time-out.
func patiently[T any](t testing.TB, read func(context.Context) (T, error)) (value T) {
	t.Helper()
	var err error
	for began := time.Now(); time.Since(began) < patience; time.Sleep(100 * time.Millisecond) {
		if value, err = read(context.Background()); err == nil {
			return value
		}
	}
	require.NoError(t, err)
	return value
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

func (l *logBook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

func (l *logBook) count(level slog.Level) int {
	return strings.Count(l.text(), "level="+level.String())
}
