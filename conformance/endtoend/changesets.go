package endtoend

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

func changeSetTests() group {
	return group{"ChangeSet", []subtest{{"OtherProcessesSeeAllOrNothing", testChangeSetsWhole}}}
}

// service is the synchronizer of a client whose flag service is the subtest.
type service struct {
	updates chan core.Update
	told    chan struct{} // answers updates
}

func newService() *service {
	return &service{updates: make(chan core.Update), told: make(chan struct{})}
}

// system is a data system of the service alone.
func (s *service) system() *core.DataSystem {
	return &core.DataSystem{Synchronizers: []core.SynchronizerFactory{
		func(core.ClientSettings) (core.Synchronizer, error) { return s, nil },
	}}
}

// Run implements [core.Synchronizer].
func (s *service) Run(ctx context.Context, _ func() core.Selector, tell func(core.Update)) *core.FallbackDirective {
	for {
		select {
		case update := <-s.updates:
			tell(update)
			s.told <- struct{}{}
		case <-ctx.Done():
			return nil
		}
	}
}

// push delivers a change set to memory.
func (s *service) push(changes core.ChangeSet) {
	s.updates <- core.Update{ChangeSet: &changes}
	<-s.told
}

// ledger is the versions of all flags after each of several change sets, and what another process has read of that.
type ledger struct {
	mu     sync.Mutex // guards what follows
	states []map[string]int
	read   int // the place of what was read last
}

func (l *ledger) note(state map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = append(l.states, maps.Clone(state))
}

// find notes what was read, which must be the state after the change set of the last read or a later one.
func (l *ledger) find(versions map[string]int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, state := range l.states[l.read:] {
		if maps.Equal(state, versions) {
			l.read += i
			return nil
		}
	}
	return fmt.Errorf("another process reads what is not the data after any change set since the one it saw before: %v", versions)
}

// behind returns how many change sets another process has not seen.
func (l *ledger) behind() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.states) - 1 - l.read
}

// testChangeSetsWhole: change sets of random flags follow each other, while another process reads all flags again and again. It reads
// the data after one of the change sets, and never after an earlier one than before.
func testChangeSetsWhole(f *fixture) {
	const keys = 24 // that any database takes in one step
	from := newService()
	f.start(how{system: from.system()})
	names, now, l := make([]string, keys), map[string]int{}, &ledger{}
	for i := range names {
		names[i] = fmt.Sprintf("flag-%02d", i)
	}
	push := func(sort core.ChangeSetType, version int, keys ...string) {
		collection := core.Collection{Kind: core.Flags}
		for _, key := range keys {
			now[key] = version
			u := newFlag(ldbuilders.NewFlagBuilder(key), version, "value")
			collection.Items = append(collection.Items, core.KeyedItem{Key: key, Item: u.item})
		}
		l.note(now)
		from.push(core.ChangeSet{Type: sort, Data: []core.Collection{collection}})
	}
	push(core.ChangeSetFull, 1, names...)

	reader := f.openStore()
	ctx, stop := context.WithCancel(f.Context())
	problem := make(chan error, 1)
	f.eventually("what was delivered first", func() string {
		versions, err := versionsIn(ctx, reader)
		if err == nil {
			err = l.find(versions)
		}
		return errorText(err)
	})
	go func() {
		defer close(problem)
		for ctx.Err() == nil {
			versions, err := versionsIn(ctx, reader)
			if err == nil {
				err = l.find(versions)
			}
			if err != nil && ctx.Err() == nil {
				problem <- err
				return
			}
		}
	}()
	f.Cleanup(func() {
		stop()
		for range problem {
		}
		_ = reader.Close()
	})
	for version := range 4 * f.updates {
		if rand.N(2) == 0 { // otherwise it may become one step with the last
			_ = pause.For(ctx, time.Millisecond)
		}
		rand.Shuffle(keys, func(i, j int) { names[i], names[j] = names[j], names[i] })
		push(core.ChangeSetPartial, 2+version, names[:1+rand.N(keys)]...)
	}
	f.eventually("the last change set", func() string {
		select {
		case err := <-problem:
			f.Fatalf("%v", err)
		default:
		}
		if n := l.behind(); n > 0 {
			return fmt.Sprintf("another process has not seen the last %d", n)
		}
		return ""
	})
}

// versionsIn returns the versions of all flags in a database.
func versionsIn(ctx context.Context, store core.FeatureStoreCore) (map[string]int, error) {
	items, err := store.GetAll(ctx, core.Flags)
	versions := make(map[string]int, len(items))
	for _, it := range items {
		item, parseError := it.Item.Parse(core.Flags, it.Key)
		if parseError != nil {
			return nil, parseError
		}
		versions[it.Key] = item.Version()
	}
	return versions, err
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
