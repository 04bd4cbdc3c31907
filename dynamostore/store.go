package dynamostore

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

var (
	_ core.FeatureStoreCore      = (*Store)(nil)
	_ core.AvailabilityChecker   = (*Store)(nil)
	_ core.Watcher               = (*Store)(nil)
	_ core.ItemsGetter           = (*Store)(nil)
	_ core.ChangeSetApplier      = (*Store)(nil)
	_ core.DiagnosticDescription = (*Store)(nil)
)

// Store keeps flags and segments in DynamoDB. It is safe for concurrent use; make one with [New] or [Open].
type Store struct {
	*session
	marking *marking
}

// New makes a store on a client of the caller's, which Close leaves open. Of the client, the retryer is not used. Nothing is
// sent to the service, so that a store can be made while the table cannot be reached. ctx is only checked; opts may be nil.
//
// Options or arguments that cannot be used are errors wrapping [core.ErrInvalid].
func New(ctx context.Context, client *dynamodb.Client, table string, opts *Options) (*Store, error) {
	s, err := newSession(ctx, client, table, opts)
	if err != nil {
		return nil, err
	}
	return &Store{s, newMarking(s)}, nil
}

// Open makes a store with a client of its own, whose connections Close closes. Region, endpoint and credentials are those
// of the options, otherwise of the environment, the shared AWS configuration, or the role of the container or instance.
//
// Nothing is sent to the service, so that a store can be opened while the table cannot be reached. ctx bounds the reading of
// the configuration; opts may be nil. A configuration or options that cannot be used are errors wrapping [core.ErrInvalid].
func Open(ctx context.Context, table string, opts *Options) (*Store, error) {
	s, err := openSession(ctx, table, opts)
	if err != nil {
		return nil, err
	}
	return &Store{s, newMarking(s)}, nil
}

// Get implements [core.FeatureStoreCore] with one GetItem.
func (s *Store) Get(
	ctx context.Context, kind core.DataKind, key string,
) (item core.SerializedItem, found bool, err error) {
	if err := core.ValidateKey(kind, key); err != nil {
		return core.SerializedItem{}, false, fmt.Errorf("dynamostore: %w", err)
	}
	primary := primaryKey{s.keys.items(kind), key}
	if err := s.begin(ctx); err != nil || !primary.possible() {
		return core.SerializedItem{}, false, err
	}
	stored, err := s.get(ctx, primary, s.strongly())
	if err != nil || len(stored) == 0 {
		return core.SerializedItem{}, false, err
	}
	item, _ = unmarshalItem(stored)
	return item, true, nil
}

// GetAll implements [core.FeatureStoreCore] with one Query per megabyte.
func (s *Store) GetAll(ctx context.Context, kind core.DataKind) (items []core.KeyedSerializedItem, err error) {
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("dynamostore: %w", err)
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	err = s.each(ctx, s.keys.items(kind), s.strongly(), func(key string, stored attributes) {
		item, _ := unmarshalItem(stored)
		items = append(items, core.KeyedSerializedItem{Key: key, Item: item})
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// maxGetItems is how many keys DynamoDB accepts in a BatchGetItem.
const maxGetItems = 100

// GetItems implements [core.ItemsGetter] with one BatchGetItem for a hundred keys or 16 MB, as consistent as Get. Without the
// permission for that, it is one GetItem for each key.
func (s *Store) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("dynamostore: %w", err)
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	items := make([]core.KeyedSerializedItem, 0, len(keys))
	add := func(stored attributes) {
		if key, ok := stored[keyAttribute].(*types.AttributeValueMemberS); ok {
			item, _ := unmarshalItem(stored)
			items = append(items, core.KeyedSerializedItem{Key: key.Value, Item: item})
		}
	}
	namespace := s.keys.items(kind)
	var wanted []map[string]types.AttributeValue
	for _, key := range keys {
		if primary := (primaryKey{namespace, key}); primary.possible() {
			wanted = append(wanted, primary.attributes())
		}
	}
	for chunk := range slices.Chunk(wanted, maxGetItems) {
		if err := s.getBatch(ctx, namespace, chunk, add); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// getBatch calls add with each of the items that is there.
func (s *session) getBatch(
	ctx context.Context, namespace string, keys []map[string]types.AttributeValue, add func(attributes),
) error {
	strongly, p := s.strongly(), &patience{}
	err := s.retry(ctx, reading(namespace), p, func() error {
		output, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: {Keys: keys, ConsistentRead: &strongly}},
		}, s.perRequest)
		if err != nil {
			return err
		}
		for _, stored := range output.Responses[s.table] {
			p.failures = 0
			add(stored)
		}
		if keys = output.UnprocessedKeys[s.table].Keys; len(keys) > 0 {
			return errUnprocessed
		}
		return nil
	})
	if !isCode(err, codeAccessDenied) {
		return err
	}
	for _, key := range keys {
		output, err := send(ctx, s, reading(namespace), s.client.GetItem, &dynamodb.GetItemInput{
			TableName: &s.table, Key: key, ConsistentRead: &strongly,
		})
		if err != nil {
			return err
		}
		add(output.Item)
	}
	return nil
}

// Initialized implements [core.FeatureStoreCore] with one GetItem.
func (s *Store) Initialized(ctx context.Context) (bool, error) {
	return s.marked(ctx, s.strongly())
}

// CheckAvailability implements [core.AvailabilityChecker] with one eventually consistent GetItem of a few bytes.
func (s *Store) CheckAvailability(ctx context.Context) error {
	_, err := s.marked(ctx, false)
	return err
}

func (s *Store) marked(ctx context.Context, strongly bool) (bool, error) {
	if err := s.begin(ctx); err != nil {
		return false, err
	}
	stored, err := s.get(ctx, s.keys.inited(), strongly)
	return len(stored) > 0, err
}

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *Store) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.String("DynamoDB")
}

// Close implements [core.FeatureStoreCore]. It has the change marker name what the store has written, for up to a second.
func (s *Store) Close() error {
	s.marking.end()
	s.close()
	return nil
}
