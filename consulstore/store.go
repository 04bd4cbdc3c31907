package consulstore

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/hashicorp/consul/api"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

var (
	_ core.FeatureStoreCore      = (*Store)(nil)
	_ core.AvailabilityChecker   = (*Store)(nil)
	_ core.ChangeSetApplier      = (*Store)(nil)
	_ core.DiagnosticDescription = (*Store)(nil)
	_ core.ItemsGetter           = (*Store)(nil)
	_ core.Watcher               = (*Store)(nil)
)

// Store keeps flags and segments in Consul. It is safe for concurrent use; make one with [New] or [Open].
type Store struct {
	kv      *kv
	indexes indexes
}

// New makes a store on a client of the caller's, which Close leaves open. Nothing is sent to the server, so that a store
// can be made while the server is down. ctx is only checked; opts may be nil.
//
// Options or arguments that cannot be used are errors wrapping [core.ErrInvalid].
func New(ctx context.Context, client *api.Client, opts *Options) (*Store, error) {
	kv, err := newKV(ctx, client, opts)
	if err != nil {
		return nil, err
	}
	return &Store{kv: kv}, nil
}

// Open makes a store with a client of its own, which Close closes. What opts leaves empty is taken from the environment
// variables that all of Consul's tools know, such as CONSUL_HTTP_ADDR.
//
// Nothing is sent to the server, so that a store can be opened while the server is down. ctx is only checked; opts may be
// nil. Options that cannot be used are errors wrapping [core.ErrInvalid], which never contain the token.
func Open(ctx context.Context, opts *Options) (*Store, error) {
	kv, err := openKV(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &Store{kv: kv}, nil
}

// Get implements [core.FeatureStoreCore] with one request.
func (s *Store) Get(ctx context.Context, kind core.DataKind, key string) (item core.SerializedItem, found bool, err error) {
	if err := validateKey(kind, key); err != nil {
		return core.SerializedItem{}, false, err
	}
	pair, err := s.kv.read(ctx, s.kv.keys.directory(kind), s.kv.keys.item(kind, key), s.kv.options.Consistency)
	if err != nil || pair == nil {
		return core.SerializedItem{}, false, err
	}
	return core.SerializedItem{Data: valueOf(pair)}, true, nil
}

// GetItems implements [core.ItemsGetter] with one request for every 64 keys.
func (s *Store) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		if err := validateKey(kind, key); err != nil {
			return nil, err
		}
		names[i] = s.kv.keys.item(kind, key)
	}
	if err := s.kv.begin(ctx); err != nil {
		return nil, err
	}
	found, err := s.kv.getMany(ctx, names, s.kv.options.Consistency)
	if err != nil {
		return nil, s.kv.notRead(ctx, s.kv.keys.directory(kind), err)
	}
	items := make([]core.KeyedSerializedItem, 0, len(found))
	for i, key := range keys {
		if pair := found[names[i]]; pair != nil {
			items = append(items, core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Data: valueOf(pair)}})
		}
	}
	return items, nil
}

// GetAll implements [core.FeatureStoreCore] with one request; where the server denies by default what no policy allows, an
// empty answer takes a second one to be believed.
func (s *Store) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("consulstore: %w", err)
	}
	if err := s.kv.begin(ctx); err != nil {
		return nil, err
	}
	directory := s.kv.keys.directory(kind)
	pairs, err := s.kv.list(ctx, directory, s.kv.options.Consistency)
	if err != nil {
		return nil, s.kv.notRead(ctx, directory, err)
	}
	items := make([]core.KeyedSerializedItem, 0, len(pairs))
	for _, pair := range pairs {
		if key := pair.Key[len(directory):]; key != "" { // Consul's user interface marks directories with an empty one.
			items = append(items, core.KeyedSerializedItem{Key: key, Item: core.SerializedItem{Data: valueOf(pair)}})
		}
	}
	return items, nil
}

// Initialized implements [core.FeatureStoreCore] with one request.
func (s *Store) Initialized(ctx context.Context) (bool, error) {
	mark := s.kv.keys.inited()
	pair, err := s.kv.read(ctx, mark, mark, s.kv.options.Consistency)
	return pair != nil, err
}

// CheckAvailability implements [core.AvailabilityChecker] by reading a key from the leader, whatever Options.Consistency
// says: without a leader, nothing can be written.
func (s *Store) CheckAvailability(ctx context.Context) error {
	mark := s.kv.keys.inited()
	_, err := s.kv.read(ctx, mark, mark, ConsistencyDefault)
	return err
}

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *Store) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.String("Consul")
}

// Close implements [core.FeatureStoreCore]. It ends Watch, and what is dialling. Other calls in flight end with their contexts; it
// does not wait for them.
func (s *Store) Close() error {
	s.kv.close()
	return nil
}

func valueOf(pair *api.KVPair) []byte {
	if pair.Value == nil {
		return []byte{}
	}
	return pair.Value
}

func validateKey(kind core.DataKind, key string) error {
	if err := core.ValidateKey(kind, key); err != nil {
		return fmt.Errorf("consulstore: %w", err)
	}
	if !utf8.ValidString(key) {
		return fmt.Errorf("consulstore: %w: key %.100q of kind %q is not valid UTF-8", core.ErrInvalid, key, string(kind))
	}
	return nil
}

// validate returns an error if an item cannot be stored: an [*core.ItemError] wrapping [core.ErrTooLarge] if it is for its
// size, or one wrapping [core.ErrInvalid].
func (s *Store) validate(kind core.DataKind, key string, item core.SerializedItem) error {
	if err := validateKey(kind, key); err != nil {
		return err
	}
	if len(item.Data) == 0 {
		return fmt.Errorf("consulstore: %w: item %.100q of kind %q has no JSON", core.ErrInvalid, key, string(kind))
	}
	if len(key) > maxKeySize {
		return refuseItem(kind, key, 0, "the limit for a key is %d bytes", maxKeySize)
	}
	if len(item.Data) > s.kv.options.MaxItemSize {
		return refuseItem(kind, key, len(item.Data), "the limit is %d bytes", s.kv.options.MaxItemSize)
	}
	name := s.kv.keys.item(kind, key)
	if op := s.kv.op(api.KVCAS, name, item.Data, 0); frameSize+op.size() > s.kv.maxSize() && !fitsPath(name) {
		return refuseItem(kind, key, len(item.Data),
			"with a key that cannot be part of a URL, three quarters of the limit for a transaction, %d bytes", s.kv.maxSize())
	}
	return nil
}

func refuseItem(kind core.DataKind, key string, size int, format string, args ...any) error {
	reason := fmt.Errorf("%w: "+format, append([]any{core.ErrTooLarge}, args...)...)
	return fmt.Errorf("consulstore: %w", &core.ItemError{Kind: kind, Key: key, Size: size, Err: reason})
}
