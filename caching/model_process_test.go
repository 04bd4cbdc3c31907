package caching_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// modelProcess is one of the processes that share the database of a model.
type modelProcess struct {
	*rig
	name     string
	mode     caching.Mode
	capacity int
	watched  bool
	seen     sightings
}

func newModelProcess(t *testing.T, name string, db *memorystore.Database, d *dice, capacity int) *modelProcess {
	t.Helper()
	modes := []caching.Mode{
		caching.TTL(200 * time.Millisecond), caching.TTL(time.Second), caching.TTL(0), caching.Forever(), caching.Off(),
	}
	p := &modelProcess{name: name, mode: modes[d.below(len(modes))], capacity: capacity, watched: d.oneIn(2)}
	p.rig = newRigOn(t, db, caching.WithRandom(caching.Options{
		Mode: p.mode, Capacity: capacity, CheckInterval: modelCheckInterval, MaxRetryDelay: time.Second,
		ReadTimeout: modelTimeout, ReadAllTimeout: modelTimeout, WriteTimeout: modelTimeout, InitTimeout: modelTimeout,
	}, d.share), p.watched)
	p.store.byKind.Store(d.oneIn(2))
	return p
}

func (p *modelProcess) String() string {
	return fmt.Sprintf("%s, mode %v, capacity %d, watched %t by kind %t, status %+v",
		p.name, p.mode, p.capacity, p.watched, p.store.byKind.Load(), p.wrapper.Status())
}

// caches reports whether the process keeps anything.
func (p *modelProcess) caches() bool { return p.mode != caching.Off() }

// follows reports whether changes made elsewhere are promised to arrive: not in mode Forever without a watch.
func (p *modelProcess) follows() bool { return p.mode != caching.Forever() || p.watched }

// lifetime is after which time a change made elsewhere has arrived at the latest: the time to live, or that of the budget.
func (p *modelProcess) lifetime() time.Duration {
	switch p.mode {
	case caching.Off():
		return 0
	case caching.TTL(200 * time.Millisecond):
		return 200 * time.Millisecond
	case caching.TTL(time.Second):
		return time.Second
	default:
		return caching.DefaultTTL
	}
}

// sightings is what the readers of a process have seen of each key, behind which later reads must not go. It is a rank: twice
// the version of the last item that was seen, and one more if it was seen to be gone since.
type sightings struct {
	mu    sync.Mutex
	ranks map[core.Change]int
}

func (s *sightings) all() map[core.Change]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.ranks)
}

func (s *sightings) note(of core.Change, rank int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ranks == nil {
		s.ranks = map[core.Change]int{}
	}
	s.ranks[of] = max(s.ranks[of], rank)
}

// look reads one item, or all of a kind if there is no key, and holds what is found to what reads that ended before have seen.
func (p *modelProcess) look(ctx context.Context, of core.Change, losses bool) (found map[string]*core.Item, err error) {
	before := p.seen.all()
	keys := modelKeys()
	if of.Key == "" {
		found, err = p.wrapper.All(ctx, of.Kind)
	} else {
		var item *core.Item
		item, _, err = p.wrapper.Get(ctx, of.Kind, of.Key)
		keys, found = []string{of.Key}, map[string]*core.Item{of.Key: item}
	}
	if err != nil || !p.caches() || p.capacity > 0 {
		return found, err // what is not kept is not promised never to go backwards
	}
	for _, key := range keys {
		of, version := core.Change{Kind: of.Kind, Key: key}, liveVersion(found[key])
		switch {
		case version < 0 && losses: // what was lost may come back as it was
		case version < 0:
			p.seen.note(of, before[of]|1)
		case 2*version < before[of]:
			p.t.Errorf("%v: %s went back to v%d, rank %d", p, key, version, before[of])
		default:
			p.seen.note(of, 2*version)
		}
	}
	return found, nil
}

// readUntil reads every now and then, with and without patience, and holds reads to their deadlines.
func (p *modelProcess) readUntil(ctx context.Context, d *dice, rest time.Duration, read func(context.Context, core.Change)) {
	for pause(ctx, d.upTo(rest)) == nil {
		of := core.Change{Kind: []core.DataKind{core.Flags, core.Flags, foreignKind}[d.below(3)]}
		if !d.oneIn(3) {
			of.Key = modelKeys()[d.below(len(modelKeys()))]
		}
		limited, cancel := context.Background(), context.CancelFunc(func() {})
		if d.oneIn(4) {
			limited, cancel = context.WithTimeout(limited, d.upTo(30*time.Millisecond))
		}
		if took := elapsed(func() { read(limited, of) }); took > modelReadLimit {
			p.t.Errorf("%v: a read took %v", p, took)
		}
		cancel()
	}
}

// versionsOf returns the live versions of a kind as the process has them, by All and by Get, which must agree. A process that
// follows nothing has All as it was once and asks the database for a key that is first read later, so each is read before.
func (p *modelProcess) versionsOf(kind core.DataKind) (versions map[string]int, err error) {
	for _, key := range modelKeys() {
		if _, _, err := p.wrapper.Get(context.Background(), kind, key); err != nil {
			return nil, err
		}
	}
	all, err := p.wrapper.All(context.Background(), kind)
	if err != nil {
		return nil, err
	}
	versions = map[string]int{}
	for key, item := range all {
		versions[key] = item.Version()
	}
	for _, key := range modelKeys() {
		item, _, err := p.wrapper.Get(context.Background(), kind, key)
		if err != nil {
			return nil, err
		}
		if is := liveVersion(item); is != liveVersion(all[key]) {
			return versions, fmt.Errorf("Get returns v%d of %s, and All v%d", is, key, liveVersion(all[key]))
		}
	}
	return versions, nil
}

// storedVersions returns the live versions of a kind in the database.
func (p *modelProcess) storedVersions(kind core.DataKind) map[string]int {
	p.t.Helper()
	items, err := p.other.GetAll(context.Background(), kind)
	require.NoError(p.t, err)
	versions := map[string]int{}
	for _, it := range items {
		item, err := it.Item.Parse(kind, it.Key)
		require.NoError(p.t, err)
		if !item.Deleted() {
			versions[it.Key] = item.Version()
		}
	}
	return versions
}

// requireFollowed waits until the process has what is in the database of some kinds.
func (p *modelProcess) requireFollowed(kinds ...core.DataKind) {
	p.t.Helper()
	if !p.follows() {
		return
	}
	for _, kind := range kinds {
		for begin := time.Now(); ; time.Sleep(500 * time.Millisecond) {
			versions, err := p.versionsOf(kind)
			want := p.storedVersions(kind)
			if err == nil && maps.Equal(want, versions) {
				break
			}
			require.Less(p.t, time.Since(begin), p.lifetime()+modelPatience,
				"%v: %s in the database are %v, read are %v, error %v", p, kind, want, versions, err)
		}
	}
}

// requireLifeAfterClose closes the store below as another owner would: memory answers from then on, nothing waits, and the
// status and the errors of updates say so.
func (p *modelProcess) requireLifeAfterClose() {
	p.t.Helper()
	before, err := p.versionsOf(core.Flags)
	require.NoError(p.t, err, p.String())
	require.NoError(p.t, p.store.Close())
	time.Sleep(2 * modelCheckInterval)
	require.False(p.t, p.wrapper.Status().Available, p.String())
	require.Zero(p.t, elapsed(func() {
		after, err := p.versionsOf(core.Flags)
		if p.caches() {
			require.NoError(p.t, err, p.String())
			require.Equal(p.t, before, after, p.String())
		} else {
			require.ErrorIs(p.t, err, core.ErrUnavailable, p.String())
		}
		_, err = p.wrapper.Upsert(context.Background(), core.Flags, "a", flag("a", 1_000_000))
		require.ErrorIs(p.t, err, core.ErrUnavailable, p.String())
		if p.caches() {
			require.Equal(p.t, 1_000_000, p.version("a"), p.String())
		}
		err = p.wrapper.Init(context.Background(), flags(1, "a"))
		require.ErrorIs(p.t, err, core.ErrUnavailable, p.String())
	}), p.String())
}
