package consulstore

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cleatdev/cleat/core"
)

const (
	// blockingTime is how long a server may wait for a change before it answers that there was none. It bounds how long a
	// connection that was lost silently goes unnoticed.
	blockingTime = 10 * time.Second
	// coalescingTime is how long changes that come one after the other, as those of an Init do, are collected.
	coalescingTime = 10 * time.Millisecond

	firstReconnectPause   = 50 * time.Millisecond
	longestReconnectPause = 5 * time.Second
)

// Watch implements [core.Watcher] with one blocking query for everything under the prefix. It tells that something changed and
// not what, also for big segments that are kept under the same prefix; without a prefix, for every key of the datacenter. A
// prefix that a URL cannot carry cannot be watched.
func (s *Store) Watch(ctx context.Context, changed func(core.Change)) error {
	directory := s.kv.keys.name("")
	if err := s.kv.begin(ctx); err != nil {
		return err
	}
	if changed == nil {
		return fmt.Errorf("consulstore: %w: there is no function to call", core.ErrInvalid)
	}
	if directory != "" && !fitsPath(directory) {
		return fmt.Errorf("consulstore: %w: the prefix %q cannot be watched, because it cannot be part of a URL",
			core.ErrInvalid, s.kv.options.Prefix)
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.kv.closing, cancel)()
	s.watch(watching, directory, changed)
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.kv.begin(ctx)
}

// watch runs until ctx ends.
func (s *Store) watch(ctx context.Context, directory string, changed func(core.Change)) {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: firstReconnectPause, RandomizationFactor: 1, Multiplier: 2, MaxInterval: longestReconnectPause,
	}
	index, lost := uint64(0), false
	for ctx.Err() == nil {
		next, err := s.kv.nextIndex(ctx, directory, index)
		if err != nil {
			if !lost && ctx.Err() == nil {
				s.kv.options.Logger.Warn("consulstore: changes by others cannot be seen until the server answers again",
					"error", printable(err))
			}
			index, lost = 0, true
			_ = pause(ctx, pauses.NextBackOff())
			continue
		}
		pauses.Reset()
		if lost || next != index {
			changed(core.Change{})
			_ = pause(ctx, coalescingTime)
		}
		index, lost = next, false
	}
}

// nextIndex returns the index of the last change under a directory, once it is another one than the given, for which 0 means
// none, or when the server has waited long enough. It is never 0, with which a server would not wait.
func (k *kv) nextIndex(ctx context.Context, directory string, index uint64) (uint64, error) {
	timeout := patience
	if index != 0 {
		timeout += blockingTime + blockingTime/16 // Servers add up to a sixteenth, so that not all clients ask at once.
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	query, err := k.query(bounded, k.options.Consistency)
	if err != nil {
		return 0, err
	}
	query.WaitIndex, query.WaitTime = index, blockingTime
	// With a separator, the answer has no more than the names of the kinds.
	_, meta, err := k.client.KV().Keys(directory, "/", query)
	if err != nil {
		return 0, err
	}
	return max(meta.LastIndex, 1), nil
}
