package datasystem

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// followedMemory is the store of a client whose memory is authoritative once data has been applied, whatever becomes of its database:
// reads before that come from the database, and writes go to memory, which the database follows.
type followedMemory struct {
	*startupStore

	follower *lifecycle.Operation
	kick     chan struct{} // holds a token if there is something to write
	logger   *slog.Logger

	mu      sync.Mutex // guards what follows
	pending pending
}

// pending is what the database lacks.
type pending struct {
	everything bool
	items      map[dataorder.Ref]*core.Item // unless everything is set
}

// How long to wait before what could not be written is written again. A database that is known to be down is not asked.
const (
	minWriteDelay = 500 * time.Millisecond
	maxWriteDelay = 4 * time.Second
)

// NewFollowedMemory makes the store of a client that has several sources and may write to its database, which it closes in the end.
// A call that writes returns once memory has the data. The whole of a payload is in memory before the database gets any of it, in
// one step if it takes so much, and else so that nothing comes before what it refers to. After a
// failure the database gets everything that memory has, tombstones included, as soon as it takes it.
func NewFollowedMemory(persistent core.FeatureStore, logger *slog.Logger) core.FeatureStore {
	s := &followedMemory{
		startupStore: NewStartupStore(persistent).(*startupStore), follower: lifecycle.NewOperation(), kick: make(chan struct{}, 1), logger: logger,
	}
	remove := s.AddListener(func(status core.DataStoreStatus) {
		if status.Available && status.Stale { // it was wiped, or failed in a way that the wrapper cannot mend
			s.want(pending{everything: true})
		}
	})
	s.follower.Run(context.Background(), func(ctx context.Context) {
		defer remove()
		s.follow(ctx)
	})
	return s
}

// Init implements [core.FeatureStore].
func (s *followedMemory) Init(ctx context.Context, data []core.Collection) error {
	if err := s.memory.Init(ctx, data); err != nil {
		return err
	}
	s.want(pending{everything: true})
	return nil
}

// Upsert implements [core.FeatureStore].
func (s *followedMemory) Upsert(ctx context.Context, kind core.DataKind, key string, item *core.Item) (bool, error) {
	updated, err := s.memory.Upsert(ctx, kind, key, item)
	if updated {
		s.want(pending{items: map[dataorder.Ref]*core.Item{{Kind: kind, Key: key}: item}})
	}
	return updated, err
}

// ApplyPartial makes the items take the place of those with the same keys, whatever their versions. In the database, where other
// processes write too, only newer ones do.
func (s *followedMemory) ApplyPartial(ctx context.Context, data []core.Collection) error {
	if err := s.memory.ApplyPartial(ctx, data); err != nil {
		return err
	}
	items := map[dataorder.Ref]*core.Item{}
	for _, collection := range data {
		for _, item := range collection.Items {
			items[dataorder.Ref{Kind: collection.Kind, Key: item.Key}] = item.Item
		}
	}
	s.want(pending{items: items})
	return nil
}

// Close ends what is being written, and closes the database.
func (s *followedMemory) Close() error {
	s.follower.Stop()
	<-s.follower.Done()
	return s.startupStore.Close()
}

// want has something written to the database.
func (s *followedMemory) want(more pending) {
	s.add(more)
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// add adds to what the database lacks.
func (s *followedMemory) add(more pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.memory.current.Load().initialized: // there is nothing to write yet
		return
	case more.everything:
		s.pending = more
	case !s.pending.everything:
		if s.pending.items == nil {
			s.pending.items = map[dataorder.Ref]*core.Item{}
		}
		for ref, item := range more.items {
			s.pending.items[ref] = item
		}
	}
}

// take returns what the database lacks, and forgets it.
func (s *followedMemory) take() pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.pending
	s.pending = pending{}
	return taken
}

// follow writes to the database what memory has, until ctx ends.
func (s *followedMemory) follow(ctx context.Context) {
	delays := &backoff.ExponentialBackOff{InitialInterval: minWriteDelay, Multiplier: backoff.DefaultMultiplier, MaxInterval: maxWriteDelay}
	retry := time.NewTimer(0)
	defer retry.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		case <-retry.C:
		}
		err := s.write(ctx, s.take())
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failing = false
			delays.Reset()
			continue
		case !failing:
			failing = true
			s.logger.ErrorContext(ctx, "cleat: the data store does not follow memory; it gets everything as soon as it takes it", "error", err)
		}
		s.add(pending{everything: true})
		retry.Reset(delays.NextBackOff())
	}
}

// write writes what the database lacks. That it cannot hold some items is logged and no error, because it would be none the wiser.
func (s *followedMemory) write(ctx context.Context, what pending) error {
	if what.everything {
		return s.withoutItems(ctx, s.persistent.Init(ctx, dataorder.Sort(s.memory.current.Load().collections())))
	}
	items := dataorder.Sort(collectionsOf(what.items))
	if together, able := s.persistent.(upserter); able {
		return s.withoutItems(ctx, together.UpsertAll(ctx, items))
	}
	for _, collection := range items {
		for _, it := range collection.Items {
			_, failure := s.persistent.Upsert(ctx, collection.Kind, it.Key, it.Item)
			if err := s.withoutItems(ctx, failure); err != nil {
				return err
			}
		}
	}
	return nil
}

// upserter is a store that writes several items in one step of its database if that can.
type upserter interface {
	UpsertAll(ctx context.Context, data []core.Collection) error
}

func collectionsOf(items map[dataorder.Ref]*core.Item) []core.Collection {
	byKind := map[core.DataKind][]core.KeyedItem{}
	for ref, item := range items {
		byKind[ref.Kind] = append(byKind[ref.Kind], core.KeyedItem{Key: ref.Key, Item: item})
	}
	collections := make([]core.Collection, 0, len(byKind))
	for kind, of := range byKind {
		collections = append(collections, core.Collection{Kind: kind, Items: of})
	}
	return collections
}

func (s *followedMemory) withoutItems(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, core.ErrClosed):
		return nil // by another owner, for good
	case consistsOfItems(err):
		s.logger.ErrorContext(ctx, "cleat: the store cannot hold some items; all others are stored", "error", err)
		return nil
	default:
		return err
	}
}
