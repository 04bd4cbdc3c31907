package conformance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// hub passes on what the watching stores of one database write.
type hub struct {
	mu       sync.Mutex
	watchers map[chan core.Change]string // with their prefixes
}

func (h *hub) add(prefix string) chan core.Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	const enough = 4096
	c := make(chan core.Change, enough)
	h.watchers[c] = prefix
	return c
}

func (h *hub) remove(c chan core.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, c)
}

func (h *hub) tell(prefix string, change core.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, watched := range h.watchers {
		if watched == prefix {
			c <- change
		}
	}
}

// watching is a store that can be watched, in one of several wrong ways if fault is not empty.
type watching struct {
	*memorystore.Store
	hub    *hub
	prefix string
	fault  string
	closed chan struct{}
	once   sync.Once
}

func (s *watching) Init(ctx context.Context, data []core.SerializedCollection) error {
	err := s.Store.Init(ctx, data)
	if err == nil && s.fault != "silent about Init" {
		s.hub.tell(s.prefix, core.Change{})
	}
	return err
}

func (s *watching) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	result, err := s.Store.Upsert(ctx, kind, key, item)
	if result.Written && s.fault != "silent" {
		s.hub.tell(s.prefix, core.Change{Kind: kind, Key: key})
	}
	return result, err
}

func (s *watching) Watch(ctx context.Context, changed func(core.Change)) error {
	if err := s.CheckAvailability(ctx); err != nil {
		return err
	}
	changes := s.hub.add(s.prefix)
	defer s.hub.remove(changes)
	if s.fault != "silent about its beginning" {
		s.pass(core.Change{}, changed)
	}
	for {
		select {
		case c := <-changes:
			s.pass(c, changed)
		case <-ctx.Done():
			return s.end(ctx, changed)
		case <-s.closed:
			if s.fault == "ends without an error when closed" {
				return nil
			}
			return fmt.Errorf("watch: %w", core.ErrClosed)
		}
	}
}

func (s *watching) pass(c core.Change, changed func(core.Change)) {
	if s.fault != "calls at once" {
		changed(c)
		return
	}
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for range 20 {
				changed(c)
			}
		})
	}
	calls.Wait()
}

func (s *watching) end(ctx context.Context, changed func(core.Change)) error {
	switch s.fault {
	case "ends without an error":
		return nil
	case "calls after its end":
		go func() {
			for range 200 {
				<-time.After(time.Millisecond)
				changed(core.Change{})
			}
		}()
	case "does not end":
		<-s.closed
	}
	return ctx.Err()
}

func (s *watching) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Store.Close()
}

func watchingHarness(faultName string) Harness {
	db, h := new(memorystore.Database), &hub{watchers: make(map[chan core.Change]string)}
	harness := memoryHarness(db)
	harness.Capabilities.Watcher = true
	harness.Open = func(_ testing.TB, prefix string) core.FeatureStoreCore {
		return &watching{
			Store: memorystore.New(db, &memorystore.Options{Prefix: prefix}), hub: h, prefix: prefix, fault: faultName,
			closed: make(chan struct{}),
		}
	}
	return harness
}

func TestRunFeatureStore_Watcher_Passes(t *testing.T) {
	RunFeatureStore(t, watchingHarness(""))
}

func TestSuite_WatchFaults_FailWhereMeant(t *testing.T) {
	for name, want := range map[string]struct{ must, may []string }{
		"silent": {
			must: []string{"Watch/ReportsUpsertsByOthers"},
			may:  []string{"Watch/CallsOneAtATimeAndNotAfterItsEnd", "Watch/EndsWithTheContext", "Watch/EndsWithClose"},
		},
		"silent about its beginning": {
			must: []string{"Watch/ReportsItsBeginning"},
			may: []string{
				"Watch/ReportsUpsertsByOthers", "Watch/ReportsInitByOthers", "Watch/CallsOneAtATimeAndNotAfterItsEnd",
				"Watch/EndsWithTheContext", "Watch/EndsWithClose",
			},
		},
		"silent about Init":                 {must: []string{"Watch/ReportsInitByOthers"}},
		"calls at once":                     {must: []string{"Watch/CallsOneAtATimeAndNotAfterItsEnd"}},
		"calls after its end":               {must: []string{"Watch/CallsOneAtATimeAndNotAfterItsEnd"}},
		"ends without an error":             {must: []string{"Watch/EndsWithTheContext"}},
		"ends without an error when closed": {must: []string{"Watch/EndsWithClose"}},
		"does not end": {
			must: []string{"Watch/EndsWithTheContext"},
			may: []string{
				"Watch/ReportsItsBeginning", "Watch/ReportsUpsertsByOthers", "Watch/ReportsInitByOthers",
				"Watch/CallsOneAtATimeAndNotAfterItsEnd",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := tinySizes()
			s.wait = 300 * time.Millisecond
			h := watchingHarness(name)
			testrun.Record(t, nil, func(t tester) { runFeatureStore(t, h, s) }).RequireFailures(t, want.must, want.may)
		})
	}
}
