package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

// sentinelAddress is what the driver calls the address of a client that asks Sentinels where to dial.
const sentinelAddress = "FailoverClient"

// foundNodes is which servers are to be watched: the settings of a client for each.
type foundNodes struct {
	nodes map[string]*redis.Options
	err   error
}

// seek has the servers looked up that are to be watched, unless that is being done or was done a moment ago.
func (w *watch) seek(ctx context.Context) {
	if w.seeking || time.Now().Before(w.seekAfter) {
		return
	}
	w.seeking = true
	w.running.Go(func() {
		w.found <- w.session.seekNodes(ctx)
	})
}

// adopt follows the servers that were found, and no others.
func (w *watch) adopt(ctx context.Context, found foundNodes) error {
	w.seeking, w.seekAfter = false, time.Now().Add(nodesPause)
	if found.err != nil {
		return found.err
	}
	for node, l := range w.links {
		switch {
		case found.nodes[node] != nil:
		case l.feed != nil && found.nodes[l.feed.address] != nil && w.links[l.feed.address] == nil:
			delete(w.links, node) // the link went to another server by itself, as Sentinels told it
			w.links[l.feed.address] = l
		default:
			w.drop(node)
		}
	}
	for node, settings := range found.nodes {
		if w.links[node] == nil {
			w.connect(ctx, node, settings)
		}
	}
	return nil
}

// seekNodes asks until there is an answer, or ctx ends.
func (s *session) seekNodes(ctx context.Context) foundNodes {
	pauses := reconnectPauses()
	for warned := false; ; warned = true {
		nodes, err := s.watchedNodes(ctx)
		var final *ownError
		if err == nil || ctx.Err() != nil || errors.As(err, &final) {
			return foundNodes{nodes, err}
		}
		if !warned {
			s.logger.Warn("redisstore: the servers to watch for changes by others are not known until one answers",
				"prefix", s.options.Prefix, "error", printable(err))
		}
		pause(ctx, pauses.NextBackOff())
	}
}

// watchedNodes returns the primaries, each by a name that no other has.
func (s *session) watchedNodes(ctx context.Context) (map[string]*redis.Options, error) {
	switch client := s.client.(type) {
	case *redis.Client:
		if client.Options().Addr == sentinelAddress {
			return s.sentinelNode(ctx, client.Options())
		}
		return map[string]*redis.Options{client.Options().Addr: client.Options()}, nil
	case *redis.ClusterClient:
		return s.allNodes(ctx, client.ForEachMaster)
	case *redis.Ring:
		return s.allNodes(ctx, client.ForEachShard)
	default:
		return nil, &ownError{fmt.Errorf("redisstore: %w: a client of type %T cannot be watched", core.ErrInvalid, client)}
	}
}

// allNodes returns what each passes on. The driver does not watch the context.
func (s *session) allNodes(
	ctx context.Context, each func(context.Context, func(context.Context, *redis.Client) error) error,
) (map[string]*redis.Options, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	done := make(chan foundNodes, 1)
	s.calls.Add(1)
	go func() {
		defer s.calls.Done()
		var mu sync.Mutex
		nodes := map[string]*redis.Options{}
		err := each(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			nodes[node.Options().Addr] = node.Options()
			return nil
		})
		done <- foundNodes{nodes, err}
	}()
	select {
	case found := <-done:
		return found.nodes, found.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sentinelNode returns the primary under its address, for which it has to be dialled: a server that was replaced may live on.
func (s *session) sentinelNode(ctx context.Context, settings *redis.Options) (map[string]*redis.Options, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	f := &feed{}
	conn, err := (&feedPlan{calls: &s.calls}).dialOnce(ctx, f, settings.Dialer)(ctx, settings.Network, settings.Addr)
	if err != nil {
		return nil, err
	}
	return map[string]*redis.Options{f.address: settings}, conn.Close()
}
