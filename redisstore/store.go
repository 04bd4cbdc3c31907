package redisstore

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

var (
	_ core.FeatureStoreCore      = (*Store)(nil)
	_ core.AvailabilityChecker   = (*Store)(nil)
	_ core.ChangeSetApplier      = (*Store)(nil)
	_ core.DiagnosticDescription = (*Store)(nil)
	_ core.Watcher               = (*Store)(nil)
)

// Store keeps flags and segments in Redis: on a single server, on the primary that Sentinels name, or in one slot of a
// Redis Cluster. It is safe for concurrent use; make one with [New] or [Open].
type Store struct{ base }

// base is what a [Store] and a [ClusterStore] have in common: everything but change sets.
type base struct{ session *session }

// New makes a store on a client of the caller's, which Close leaves open: one of redis.NewClient, redis.NewFailoverClient,
// or redis.NewClusterClient with a prefix that has a hash tag (see [NewCluster] for other prefixes). Nothing is sent to the
// server, so that a store can be made while the server is down. ctx is only checked; opts may be nil.
//
// The client should have ContextTimeoutEnabled set. Without it, a command that the server does not answer occupies its
// connection and a goroutine until the client's ReadTimeout ends it, and a client without a ReadTimeout never lets it go.
// The caller of the store is let go in time in any case. The client's own ReadTimeout, which is 3 s unless it is set, applies
// as well: it should be no shorter than [Options].ReadAllTimeout.
//
// Options or arguments that cannot be used are errors wrapping [core.ErrInvalid].
func New(ctx context.Context, client redis.UniversalClient, opts *Options) (*Store, error) {
	s, err := newSession(ctx, client, opts)
	if err != nil {
		return nil, err
	}
	return newStore(s)
}

// Open makes a store with a client of its own, which Close closes. The URL has one of the forms
//
//	redis://user:password@host:port/db
//	redis+sentinel://user:password@host:port,host:port/master/db
//	redis+cluster://user:password@host:port,host:port
//
// or begins with rediss for TLS. User, password, port (6379, or 26379 of a Sentinel) and db (0) may be left out, and special
// characters of a password are percent-encoded. A redis+sentinel:// URL lists Sentinels and the name by which they know the
// primary; user and password are those of the primary, and the parameters sentinel_username and sentinel_password those of
// the Sentinels. A redis+cluster:// URL lists nodes of a Cluster, of which one suffices, and needs a prefix with a hash tag;
// [OpenCluster] takes every prefix. What is listed has no influence on the names of keys.
//
// A URL may have the query parameters client_name, conn_max_idle_time, conn_max_lifetime, db, dial_timeout,
// max_active_conns, max_idle_conns, max_retries, min_idle_conns, pool_size, pool_timeout and protocol, in the meaning of the
// driver; db and max_retries are not for Clusters.
//
// Nothing is sent to the server, so that a store can be opened while the server is down. ctx is only checked; opts may be
// nil. A URL or options that cannot be used are errors wrapping [core.ErrInvalid], which never contain a part of the URL.
func Open(ctx context.Context, url string, opts *Options) (*Store, error) {
	s, err := openSession(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	return newStore(s)
}

// newStore refuses a session whose keys are spread over slots, and closes it.
func newStore(s *session) (*Store, error) {
	if !s.spread {
		return &Store{base{s}}, nil
	}
	return nil, errors.Join(fmt.Errorf("redisstore: %w: the prefix %q has no hash tag, so that its keys are in several slots of a "+
		"Redis Cluster, where change sets cannot be atomic; use OpenCluster or NewCluster, or a prefix such as %q",
		core.ErrInvalid, s.keys.prefix, "{"+s.keys.prefix+"}"), s.close())
}

// Get implements [core.FeatureStoreCore] with one HGET.
func (s *base) Get(
	ctx context.Context, kind core.DataKind, key string,
) (item core.SerializedItem, found bool, err error) {
	if err := core.ValidateKey(kind, key); err != nil {
		return core.SerializedItem{}, false, fmt.Errorf("redisstore: %w", err)
	}
	s.session.kinds.note(kind)
	hash := s.session.keys.items(kind)
	data, err := call(ctx, s.session, s.session.reading(hash),
		func(ctx context.Context, client redis.UniversalClient) ([]byte, error) {
			data, err := client.HGet(ctx, hash, key).Bytes()
			if errors.Is(err, redis.Nil) {
				return nil, nil
			}
			if data == nil {
				data = []byte{}
			}
			return data, err
		})
	if err != nil || data == nil {
		return core.SerializedItem{}, false, err
	}
	return core.SerializedItem{Data: data}, true, nil
}

// GetAll implements [core.FeatureStoreCore] with one HGETALL.
func (s *base) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	s.session.kinds.note(kind)
	hash := s.session.keys.items(kind)
	return call(ctx, s.session, s.session.readingAll(hash),
		func(ctx context.Context, client redis.UniversalClient) ([]core.KeyedSerializedItem, error) {
			stored, err := client.HGetAll(ctx, hash).Result()
			if err != nil {
				return nil, err
			}
			items := make([]core.KeyedSerializedItem, 0, len(stored))
			for key, data := range stored {
				items = append(items, core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Data: sharedBytes(data)}})
			}
			return items, nil
		})
}

// Initialized implements [core.FeatureStoreCore] with one EXISTS.
func (s *base) Initialized(ctx context.Context) (bool, error) {
	mark := s.session.keys.inited()
	return call(ctx, s.session, s.session.reading(mark),
		func(ctx context.Context, client redis.UniversalClient) (bool, error) {
			n, err := client.Exists(ctx, mark).Result()
			return n > 0, err
		})
}

// CheckAvailability implements [core.AvailabilityChecker]. It asks for a key, because a server that cannot answer that,
// such as a replica that lost its primary, may still answer a PING.
func (s *base) CheckAvailability(ctx context.Context) error {
	_, err := s.Initialized(ctx)
	return err
}

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *base) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.String("Redis")
}

// Close implements [core.FeatureStoreCore]. Calls in flight return at once. With a client of the caller's, a command that
// the server does not answer can outlive Close, which waits a second for such; it ends with its time-out or when the caller
// closes the client.
func (s *base) Close() error { return s.session.close() }

// sharedBytes returns the bytes of a string without copying them. Whoever gets an item's data must not change it
// ([core.SerializedItem]), and the string is the driver's only copy.
func sharedBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
