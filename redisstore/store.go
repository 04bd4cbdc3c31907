package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

// maxGetItems bounds how many items one command reads, and so how long it keeps the server from answering others.
const maxGetItems = 1000

var (
	_ core.FeatureStoreCore      = (*Store)(nil)
	_ core.AvailabilityChecker   = (*Store)(nil)
	_ core.ChangeSetApplier      = (*Store)(nil)
	_ core.DiagnosticDescription = (*Store)(nil)
	_ core.ItemsGetter           = (*Store)(nil)
	_ core.Watcher               = (*Store)(nil)
)

// Store keeps flags and segments in Redis: on a single server, on the primary that Sentinels name, or on a Redis Cluster. On a
// Cluster, a store writes only if the prefix has a hash tag, such as "{flags}", which keeps all keys in one slot; under any
// other prefix it reads, and every write is an error that wraps [core.ErrReadOnly]. A Store is safe for concurrent use; make one
// with [New] or [Open].
type Store struct {
	*database
	kinds kindSet // what the store was asked about, for watching
}

// New makes a store on a client of the caller's, which Close leaves open: one of redis.NewClient, redis.NewFailoverClient and
// redis.NewClusterClient. Nothing is sent to the server, so that a store can be made while the server is down. ctx is only
// checked; opts may be nil.
//
// The client must have ContextTimeoutEnabled set: without it, it does not end calls when their contexts do. The client's own
// ReadTimeout, which is 3 s unless it is set, applies as well: it should be no shorter than a call may take, which is 10 s for
// reading a whole kind unless the reader says otherwise. Its MaxRetries and DialerRetries should be 1, as those of a client of
// [Open] are: with the driver's defaults, a server that is down counts as unavailable after two to five seconds, and an outage
// that is shorter than that is not noticed, so that nothing is written back after it. What the client logs goes to the log of redis.SetLogger.
//
// Options or arguments that cannot be used are errors wrapping [core.ErrInvalid].
func New(ctx context.Context, client redis.UniversalClient, opts *Options) (*Store, error) {
	d, err := useDatabase(ctx, client, opts)
	if err != nil {
		return nil, err
	}
	return &Store{database: d}, nil
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
// the Sentinels. A redis+cluster:// URL lists nodes of a Cluster, of which one suffices. What is listed has no influence on the
// names of keys.
//
// A URL may have the query parameters client_name, conn_max_idle_time, conn_max_lifetime, db, dial_timeout (2 s),
// max_active_conns, max_idle_conns, max_retries, min_idle_conns, pool_size, pool_timeout and protocol, in the meaning of the
// driver; db and max_retries are not for Clusters.
//
// Nothing is sent to the server, so that a store can be opened while the server is down. ctx is only checked; opts may be
// nil. A URL or options that cannot be used are errors wrapping [core.ErrInvalid], which never contain a part of the URL.
func Open(ctx context.Context, rawURL string, opts *Options) (*Store, error) {
	return open(ctx, rawURL, opts, newStore)
}

func newStore(d *database) *Store { return &Store{database: d} }

// Get implements [core.FeatureStoreCore] with one HGET.
func (s *Store) Get(ctx context.Context, kind core.DataKind, key string) (item core.SerializedItem, found bool, err error) {
	if err := core.ValidateKey(kind, key); err != nil {
		return core.SerializedItem{}, false, fmt.Errorf("redisstore: %w", err)
	}
	if err := s.admit(ctx); err != nil {
		return core.SerializedItem{}, false, err
	}
	s.kinds.note(kind)
	hash := s.items(kind)
	data, err := s.client.HGet(ctx, hash, key).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return core.SerializedItem{}, false, nil
	case err != nil:
		return core.SerializedItem{}, false, s.explain(ctx, reading(hash), err)
	}
	return core.SerializedItem{Data: data}, true, nil
}

// GetAll implements [core.FeatureStoreCore] with one HGETALL.
func (s *Store) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	s.kinds.note(kind)
	hash := s.items(kind)
	stored, err := s.client.HGetAll(ctx, hash).Result()
	if err != nil {
		return nil, s.explain(ctx, reading(hash), err)
	}
	items := make([]core.KeyedSerializedItem, 0, len(stored))
	for key, data := range stored {
		items = append(items, core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Data: sharedBytes(data)}})
	}
	return items, nil
}

// GetItems implements [core.ItemsGetter] with one HMGET for each 1,000 keys.
func (s *Store) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	for _, key := range keys {
		if err := core.ValidateKey(kind, key); err != nil {
			return nil, fmt.Errorf("redisstore: %w", err)
		}
	}
	if err := s.admit(ctx); err != nil {
		return nil, err
	}
	s.kinds.note(kind)
	hash := s.items(kind)
	items := make([]core.KeyedSerializedItem, 0, len(keys))
	for chunk := range slices.Chunk(keys, maxGetItems) {
		stored, err := s.client.HMGet(ctx, hash, chunk...).Result()
		if err != nil {
			return nil, s.explain(ctx, reading(hash), err)
		}
		for i, key := range chunk {
			if data, found := stored[i].(string); found {
				items = append(items, core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Data: sharedBytes(data)}})
			}
		}
	}
	return items, nil
}

// Initialized implements [core.FeatureStoreCore] with one EXISTS.
func (s *Store) Initialized(ctx context.Context) (bool, error) {
	if err := s.admit(ctx); err != nil {
		return false, err
	}
	n, err := s.client.Exists(ctx, s.inited()).Result()
	if err != nil {
		return false, s.explain(ctx, reading(s.inited()), err)
	}
	return n > 0, nil
}

// CheckAvailability implements [core.AvailabilityChecker]. It asks for a key, because a server that cannot answer that,
// such as a replica that lost its primary, may still answer a PING.
func (s *Store) CheckAvailability(ctx context.Context) error {
	_, err := s.Initialized(ctx)
	return err
}

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *Store) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.String("Redis")
}

// Close implements [core.FeatureStoreCore]. Calls in flight through a client of the store's own end at once; through one of the
// caller's, they end with their contexts.
func (s *Store) Close() error { return s.close() }

// writable returns an error if the keys of the store are spread over slots.
func (s *Store) writable() error {
	if !s.spread {
		return nil
	}
	return fmt.Errorf("redisstore: %w: the prefix %q has no hash tag, so that its keys are in several slots of a Redis Cluster, where "+
		"no write is atomic; to write, use a prefix such as %q", core.ErrReadOnly, s.prefix, "{"+s.prefix+"}")
}

// sharedBytes returns the bytes of a string without copying them. The caller who gets an item's data must not change it
// ([core.SerializedItem]), and the string is the driver's only copy.
func sharedBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// keys makes the names of Redis keys under one prefix.
type keys struct{ prefix string }

func (k keys) name(suffix string) string {
	if k.prefix == "" {
		return suffix
	}
	return k.prefix + ":" + suffix
}

func (k keys) items(kind core.DataKind) string { return k.name(string(kind)) }

func (k keys) itemsOf(kinds []core.DataKind) []string {
	hashes := make([]string, len(kinds))
	for i, kind := range kinds {
		hashes[i] = k.items(kind)
	}
	return hashes
}

func (k keys) inited() string { return k.name("$inited") }

// changes is the channel on which writers tell which item they write, as "<kind>:<key>", where an empty key stands for all
// items of the kind and an empty kind for everything. No kind has a colon in its name.
func (k keys) changes() string { return k.name("$changes") }

// oneSlot reports whether all keys are in one slot of a Redis Cluster.
func (k keys) oneSlot() bool {
	_, tagged := hashTag(k.prefix)
	return tagged
}

// staged is where an Init collects the items of a kind. No kind's name has a '$' or a ':', so that it collides with
// nothing else, and id is different for every Init.
func (k keys) staged(id string, kind core.DataKind) string {
	return k.name("$init:" + id + ":" + string(kind))
}

func (k keys) synchronizedOn() string { return k.name("big_segments_synchronized_on") }

func (k keys) cursor() string { return k.name("big_segments_cursor") }

func (k keys) lock() string { return k.name("big_segments_lock") }

func (k keys) include(contextHash string) string { return k.name("big_segment_include:" + contextHash) }

func (k keys) exclude(contextHash string) string { return k.name("big_segment_exclude:" + contextHash) }

// epoch is the epoch of the cursor, if the keys are spread over the slots of a Cluster. It is in the slot of the cursor.
func (k keys) epoch() string { return inSlotOf(k.cursor(), k.name("big_segments_epoch:")) }

// fences returns for every slot the name of its fence.
func (k keys) fences() []string { return inEverySlot(k.name("big_segments_fence:")) }

const slotCount = 16384

// hashTag returns the part of a key that decides about its slot in a Redis Cluster: what is between the first opening brace
// and the next closing one. If there is nothing between them, or no such pair, the whole key decides.
func hashTag(key string) (tag string, found bool) {
	_, after, opened := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(after, "}")
	if !opened || !closed || tag == "" {
		return key, false
	}
	return tag, true
}

// slotOf returns the slot of a key in a Redis Cluster.
func slotOf(key string) uint16 {
	tag, _ := hashTag(key)
	return crc16(0, tag) % slotCount
}

// crc16 continues the checksum that Redis Cluster specifies, which is that of XMODEM.
func crc16(sum uint16, data string) uint16 {
	const polynomial = 0x1021
	for i := range len(data) {
		sum ^= uint16(data[i]) << 8
		for range 8 {
			carry := sum&0x8000 != 0
			sum <<= 1
			if carry {
				sum ^= polynomial
			}
		}
	}
	return sum
}

// inSlotOf returns a name that begins with stem, which has no hash tag, and has the slot of key. It tries numbers, because
// braces around the key would not do: the name must begin with the prefix, to which permissions may be limited.
func inSlotOf(key, stem string) string {
	want, sum := slotOf(key), crc16(0, stem)
	for n := 0; ; n++ {
		if number := strconv.Itoa(n); crc16(sum, number)%slotCount == want {
			return stem + number
		}
	}
}

// inEverySlot returns for every slot a name that begins with stem and has that slot. The stem must have no hash tag.
func inEverySlot(stem string) []string {
	names, missing, sum := make([]string, slotCount), slotCount, crc16(0, stem)
	for n := 0; missing > 0; n++ {
		number := strconv.Itoa(n)
		if slot := crc16(sum, number) % slotCount; names[slot] == "" {
			names[slot] = stem + number
			missing--
		}
	}
	return names
}
