package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

var (
	_ core.FeatureStoreCore      = (*ClusterStore)(nil)
	_ core.AvailabilityChecker   = (*ClusterStore)(nil)
	_ core.DiagnosticDescription = (*ClusterStore)(nil)
	_ core.Watcher               = (*ClusterStore)(nil)
)

// ClusterStore keeps flags and segments in a Redis Cluster under any prefix. If the prefix has no hash tag, each kind is in
// a slot of its own: Init is then atomic for each kind, and ordered between them. A ClusterStore is no
// [core.ChangeSetApplier], because items of different slots cannot be changed at once. In all else it is a [Store]. It is
// safe for concurrent use; make one with [NewCluster] or [OpenCluster].
type ClusterStore struct{ base }

// NewCluster makes a store on a client of the caller's, which Close leaves open, in the way of [New].
func NewCluster(ctx context.Context, client *redis.ClusterClient, opts *Options) (*ClusterStore, error) {
	s, err := newSession(ctx, client, opts)
	if err != nil {
		return nil, err
	}
	return &ClusterStore{base{s}}, nil
}

// OpenCluster makes a store with a client of its own, which Close closes, in the way of [Open]. The URL must begin with
// redis+cluster:// or, for TLS, rediss+cluster://.
func OpenCluster(ctx context.Context, url string, opts *Options) (*ClusterStore, error) {
	s, err := openSession(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	if _, ok := s.client.(*redis.ClusterClient); !ok {
		return nil, errors.Join(fmt.Errorf("redisstore: %w: OpenCluster needs a redis+cluster:// URL", core.ErrInvalid), s.close())
	}
	return &ClusterStore{base{s}}, nil
}
