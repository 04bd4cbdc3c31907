package consulstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

const (
	// blockingTime is how long a server may wait for a change before it answers that there was none. It bounds how long a
	// connection that was lost silently goes unnoticed.
	blockingTime = 10 * time.Second
	// coalescingTime is how long changes that come one after the other, as those of an Init do, are collected; othersTime is the
	// same after a change that is none of the store's.
	coalescingTime = 10 * time.Millisecond
	othersTime     = 100 * time.Millisecond
	// maxOtherKinds bounds how many directories beside those of the built-in kinds are looked at.
	maxOtherKinds = 8
)

// Watch implements [core.Watcher] with one blocking query for everything under the prefix. After a change there, it asks for each
// directory of a kind when that was last changed, which is one more request for each and carries no values, and tells which kinds
// are other than before. That the store is initialised, or not any more, is a change of everything. Big segments are none, and cost
// no more than thirty such requests a second.
//
// Kinds of your own are watched if there are eight directories at most beside those of the built-in kinds. A prefix that a URL
// cannot carry cannot be watched.
func (s *Store) Watch(ctx context.Context, changed func(core.Change)) error {
	if err := s.kv.begin(ctx); err != nil {
		return err
	}
	directory := s.kv.keys.name("")
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
	s.kv.watch(watching, changed)
	if err := ctx.Err(); err != nil {
		return err
	}
	return errClosed()
}

// view is what a watch knows of a store. Its zero value knows nothing.
type view struct {
	index       uint64 // of the last change under the prefix
	initialized bool
	kinds       map[core.DataKind]uint64 // when each was last changed; a kind without items is not there
}

// watch runs until ctx ends.
func (k *kv) watch(ctx context.Context, changed func(core.Change)) {
	const firstPause, longestPause = 50 * time.Millisecond, 5 * time.Second
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: firstPause, RandomizationFactor: 1, Multiplier: 2, MaxInterval: longestPause,
	}
	var seen view
	for lost := false; ctx.Err() == nil; {
		now, err := k.look(ctx, seen)
		if err != nil {
			if !lost && ctx.Err() == nil {
				k.options.Logger.Warn("consulstore: changes by others cannot be seen until the server answers again",
					"error", printable(err))
			}
			seen, lost = view{}, true
			_ = pause.For(ctx, pauses.NextBackOff())
			continue
		}
		pauses.Reset()
		changes := now.since(seen)
		for _, change := range changes {
			changed(change)
		}
		switch {
		case len(changes) > 0:
			_ = pause.For(ctx, coalescingTime)
		case now.index != seen.index:
			_ = pause.For(ctx, othersTime)
		}
		seen, lost = now, false
	}
}

// since returns what is other than it was.
func (v view) since(before view) []core.Change {
	if before.index == 0 || v.initialized != before.initialized {
		return []core.Change{{}}
	}
	var changes []core.Change
	for kind, index := range v.kinds {
		if before.kinds[kind] != index {
			changes = append(changes, core.Change{Kind: kind})
		}
	}
	for kind := range before.kinds {
		if _, still := v.kinds[kind]; !still {
			changes = append(changes, core.Change{Kind: kind})
		}
	}
	return changes
}

// look waits until something under the prefix changes, unless nothing has been seen yet, or until the server has waited long
// enough, and returns what is there then.
func (k *kv) look(ctx context.Context, seen view) (view, error) {
	names, index, err := k.names(ctx, k.keys.name(""), k.options.Consistency, seen.index)
	if err != nil || index == seen.index {
		return seen, err
	}
	now := view{index: index, kinds: map[core.DataKind]uint64{}}
	mode := k.options.Consistency
	if mode == ConsistencyStale {
		mode = ConsistencyDefault // Another server might not know of the change yet, and there is no second hint.
	}
	for _, kind := range k.kindsIn(names) {
		// Without its slash, a directory is listed as one name. That what only begins like it counts too is rare and harmless.
		names, changed, err := k.names(ctx, strings.TrimSuffix(k.keys.directory(kind), "/"), mode, 0)
		if err != nil {
			return view{}, err
		}
		if len(names) > 0 { // The index of nothing is that of the last change anywhere.
			now.kinds[kind] = changed
		}
	}
	now.initialized = slices.Contains(names, k.keys.inited())
	return now, nil
}

// kindsIn returns the kinds of which there is a directory among the names.
func (k *kv) kindsIn(names []string) []core.DataKind {
	var builtIn, others []core.DataKind
	for _, name := range names {
		directory, found := strings.CutSuffix(name, "/")
		kind := core.DataKind(strings.TrimPrefix(directory, k.keys.name("")))
		switch {
		case !found || kind.Validate() != nil: // as are the names of big segments
		case slices.Contains(core.BuiltInKinds(), kind):
			builtIn = append(builtIn, kind)
		default:
			others = append(others, kind)
		}
	}
	if len(others) > maxOtherKinds {
		return builtIn
	}
	return append(builtIn, others...)
}

// names lists the keys that begin with a prefix up to the first slash after it, and returns the index of the last change of any of
// them. If there is an index to wait for the end of, it waits until there is another one, or until the server has waited long
// enough. The index is never 0, for which a server would not wait.
func (k *kv) names(ctx context.Context, prefix string, mode Consistency, wait uint64) (names []string, index uint64, err error) {
	timeout := patience
	if wait != 0 {
		timeout += blockingTime + blockingTime/16 // Servers add up to a sixteenth, so that not all clients ask at once.
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	query, err := k.query(bounded, mode)
	if err != nil {
		return nil, 0, err
	}
	query.WaitIndex, query.WaitTime = wait, blockingTime
	var meta *api.QueryMeta
	names, meta, err = k.client.KV().Keys(prefix, "/", query)
	if err != nil {
		return nil, 0, err
	}
	return names, max(meta.LastIndex, 1), nil
}
