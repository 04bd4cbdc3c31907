package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

const (
	firstReconnectPause   = 50 * time.Millisecond
	longestReconnectPause = 5 * time.Second

	// nodesInterval is how often a watch looks which servers of a Cluster it concerns.
	nodesInterval = time.Second
)

// Watch implements [core.Watcher] with a connection of its own to the server that has the keys, as the package documentation
// says. It reports the key of an item that cleat wrote, and the kind of one that another program wrote; what the store writes
// itself is reported too. The connection is made as those of the store's client are. Several calls do not disturb each other.
//
// If the server refuses every way to be told of changes, Watch returns an error wrapping [core.ErrUnavailable]; a client that
// is neither a *redis.Client, *redis.ClusterClient nor *redis.Ring cannot be watched either, which is [core.ErrInvalid].
func (s *Store) Watch(ctx context.Context, changed func(core.Change)) error {
	if changed == nil {
		return fmt.Errorf("redisstore: %w: there is no function to call", core.ErrInvalid)
	}
	if err := s.admit(ctx); err != nil {
		return err
	}
	if !s.beginBackground() {
		return errClosed()
	}
	defer s.background.Done()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	w := &watch{store: s, news: newNews(s.keys, changed), links: map[string]context.CancelFunc{}, refused: make(chan error, 1)}
	err := w.run(watching)
	cancel()
	w.running.Wait()
	w.news.end()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.closing.Err() != nil:
		return errClosed()
	case errors.Is(err, core.ErrInvalid):
		return err
	}
	return s.translate(operation{what: "watching " + s.name("*")}, err)
}

// watch is one call of Watch.
type watch struct {
	store   *Store
	news    *news
	links   map[string]context.CancelFunc // by node
	running sync.WaitGroup
	refused chan error // why nothing can be watched
	unknown bool       // which servers are to be watched, which was logged
}

// run watches until ctx ends, or until it is clear that nothing can be watched. If the store is asked about another kind, it
// begins again, and what it misses meanwhile is made good by the report that anything may have changed.
func (w *watch) run(ctx context.Context) error {
	look := time.NewTicker(nodesInterval)
	defer look.Stop()
	recheck := time.NewTicker(recheckInterval)
	defer recheck.Stop()
	kinds, grown := w.store.kinds.list()
	for {
		if err := w.followNodes(ctx, kinds); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.refused:
			return err
		case <-look.C:
		case <-recheck.C:
			w.news.recheck()
		case <-grown:
			kinds, grown = w.store.kinds.list()
			w.keepOnly(nil)
		}
	}
}

// followNodes follows the servers that have the keys, and no others.
func (w *watch) followNodes(ctx context.Context, kinds []core.DataKind) error {
	nodes, err := w.store.nodes(ctx, kinds)
	switch {
	case errors.Is(err, core.ErrInvalid):
		return err
	case err != nil && (w.unknown || ctx.Err() != nil):
		return nil //nolint:nilerr // it has been logged, or is the end of the watch; the nodes are asked for again
	case err != nil:
		w.unknown = true
		w.store.options.Logger.Warn("redisstore: the servers to watch for changes by others are not known until one answers",
			"prefix", w.store.prefix, "error", printable(err))
		return nil
	}
	w.unknown = false
	w.keepOnly(nodes)
	for node, settings := range nodes {
		if w.links[node] == nil {
			linked, cancel := context.WithCancel(ctx)
			w.links[node] = cancel
			l := &link{store: w.store, settings: settings, kinds: kinds, news: w.news}
			w.news.add(w.store.keys, kinds)
			w.running.Go(func() { l.keepFollowing(linked, w.refused) })
		}
	}
	return nil
}

func (w *watch) keepOnly(nodes map[string]*redis.Options) {
	for node, cancel := range w.links {
		if nodes[node] == nil {
			cancel()
			delete(w.links, node)
		}
	}
}

// nodes returns the servers that have the keys of the kinds and the mark, each by a name that no other has. Sentinels are asked
// each time that a connection is made, and end the connections to a primary that they replace.
func (s *Store) nodes(ctx context.Context, kinds []core.DataKind) (map[string]*redis.Options, error) {
	var nodeOf func(key string) (*redis.Client, error)
	switch client := s.client.(type) {
	case *redis.Client:
		nodeOf = func(string) (*redis.Client, error) { return client, nil }
	case *redis.Ring:
		nodeOf = client.GetShardClientForKey
	case *redis.ClusterClient:
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		nodeOf = func(key string) (*redis.Client, error) { return client.MasterForKey(ctx, key) }
	default:
		return nil, fmt.Errorf("redisstore: %w: a client of type %T cannot be watched", core.ErrInvalid, client)
	}
	nodes := map[string]*redis.Options{}
	for _, key := range append(s.itemsOf(kinds), s.inited()) {
		node, err := nodeOf(key)
		if err != nil {
			return nil, err
		}
		nodes[node.Options().Addr] = node.Options()
	}
	return nodes, nil
}

// link keeps a feed from one server alive.
type link struct {
	store    *Store
	settings *redis.Options // of a client of that server; not changed
	kinds    []core.DataKind
	news     *news
	lost     bool // which was logged
}

// keepFollowing opens one feed after the other until ctx ends or the server refuses to be watched.
func (l *link) keepFollowing(ctx context.Context, refused chan<- error) {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: firstReconnectPause, RandomizationFactor: 1, Multiplier: 2, MaxInterval: longestReconnectPause,
	}
	pauses.Reset()
	for ctx.Err() == nil {
		began := time.Now()
		err := l.follow(ctx)
		var unwatchable *unwatchableError
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &unwatchable):
			select {
			case refused <- err:
			default: // another server refuses too
			}
			return
		case !l.lost:
			l.lost = true
			l.store.options.Logger.Warn("redisstore: changes by others cannot be seen until the server answers again",
				"prefix", l.store.prefix, "error", printable(err))
		}
		l.store.noteTopology(err)
		if time.Since(began) > longestReconnectPause {
			pauses.Reset()
		}
		_ = pause.For(ctx, pauses.NextBackOff())
	}
}

// begun tells of a feed that has begun, more loudly if something is not as it should be, or was not.
func (l *link) begun(ctx context.Context, f *feed) {
	level := slog.LevelDebug
	if l.lost || !f.tracking || !f.channel {
		level = slog.LevelInfo
	}
	l.lost = false
	l.store.options.Logger.Log(ctx, level, "redisstore: watching for changes by others",
		"server", f.address, "prefix", l.store.prefix, "by", f.describe())
	l.news.anything()
}

// kindSet is which kinds a store was asked about. The zero value has the built-in ones. It is safe for concurrent use.
type kindSet struct {
	mu    sync.Mutex
	more  []core.DataKind // besides the built-in ones
	grown chan struct{}   // closed when there is another kind
}

func (s *kindSet) note(kind core.DataKind) {
	if kind == core.Flags || kind == core.Segments {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.more, kind) {
		return
	}
	s.more = append(s.more, kind)
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
}

// list returns the kinds, and a channel that is closed when there are more.
func (s *kindSet) list() (kinds []core.DataKind, grown <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grown == nil {
		s.grown = make(chan struct{})
	}
	return append(core.BuiltInKinds(), s.more...), s.grown
}
