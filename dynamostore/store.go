package dynamostore

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

var (
	_ core.FeatureStoreCore      = (*Store)(nil)
	_ core.AvailabilityChecker   = (*Store)(nil)
	_ core.Watcher               = (*Store)(nil)
	_ core.ChangeSetApplier      = (*Store)(nil)
	_ core.DiagnosticDescription = (*Store)(nil)
)

// Store keeps flags and segments in DynamoDB. It is safe for concurrent use; make one with [New] or [Open].
type Store struct{ session *session }

// New makes a store on a client of the caller's, which Close leaves open. Of the client, the retryer is not used. Nothing is
// sent to the service, so that a store can be made while the table cannot be reached. ctx is only checked; opts may be nil.
//
// Options or arguments that cannot be used are errors wrapping [core.ErrInvalid].
func New(ctx context.Context, client *dynamodb.Client, table string, opts *Options) (*Store, error) {
	s, err := newSession(ctx, client, table, opts)
	if err != nil {
		return nil, err
	}
	return &Store{session: s}, nil
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
	return &Store{session: s}, nil
}

// Get implements [core.FeatureStoreCore] with one GetItem.
func (s *Store) Get(
	ctx context.Context, kind core.DataKind, key string,
) (item core.SerializedItem, found bool, err error) {
	if err := core.ValidateKey(kind, key); err != nil {
		return core.SerializedItem{}, false, fmt.Errorf("dynamostore: %w", err)
	}
	primary := primaryKey{s.session.keys.items(kind), key}
	stored, err := call(ctx, s.session, s.session.reading(primary.namespace),
		func(ctx context.Context) (attributes, error) {
			if !primary.possible() {
				return nil, nil
			}
			return s.session.get(ctx, primary, s.session.strongly())
		})
	if err != nil || len(stored) == 0 {
		return core.SerializedItem{}, false, err
	}
	item, _ = unmarshalItem(stored)
	return item, true, nil
}

// GetAll implements [core.FeatureStoreCore] with one Query per megabyte.
func (s *Store) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	if err := kind.Validate(); err != nil {
		return nil, fmt.Errorf("dynamostore: %w", err)
	}
	namespace := s.session.keys.items(kind)
	return call(ctx, s.session, s.session.readingAll(namespace),
		func(ctx context.Context) (items []core.KeyedSerializedItem, err error) {
			err = s.session.each(ctx, namespace, s.session.strongly(), func(key string, stored attributes) {
				item, _ := unmarshalItem(stored)
				items = append(items, core.KeyedSerializedItem{Key: key, Item: item})
			})
			return items, err
		})
}

// each calls visit with every item of a namespace.
func (s *session) each(
	ctx context.Context, namespace string, strongly bool, visit func(key string, stored attributes),
) error {
	names := map[string]string{"#namespace": namespaceAttribute}
	condition := "#namespace = :namespace"
	values := attributes{":namespace": &types.AttributeValueMemberS{Value: namespace}}
	var next attributes
	for {
		output, err := s.page(ctx, &dynamodb.QueryInput{
			TableName: &s.table, ConsistentRead: &strongly, ExclusiveStartKey: next,
			KeyConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
		if err != nil {
			return err
		}
		for _, stored := range output.Items {
			if key, ok := stored[keyAttribute].(*types.AttributeValueMemberS); ok {
				visit(key.Value, stored)
			}
		}
		if next = output.LastEvaluatedKey; len(next) == 0 {
			return nil
		}
	}
}

// page reads a part of a namespace.
func (s *session) page(ctx context.Context, input *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	return read(ctx, s, func(ctx context.Context) (*dynamodb.QueryOutput, error) {
		return s.client.Query(ctx, input, s.perRequest)
	})
}

// Initialized implements [core.FeatureStoreCore] with one GetItem.
func (s *Store) Initialized(ctx context.Context) (bool, error) {
	return s.marked(ctx, s.session.strongly())
}

// CheckAvailability implements [core.AvailabilityChecker] with one eventually consistent GetItem of a few bytes.
func (s *Store) CheckAvailability(ctx context.Context) error {
	_, err := s.marked(ctx, false)
	return err
}

func (s *Store) marked(ctx context.Context, strongly bool) (bool, error) {
	mark := s.session.keys.inited()
	return call(ctx, s.session, s.session.reading(mark.namespace), func(ctx context.Context) (bool, error) {
		stored, err := s.session.get(ctx, mark, strongly)
		return len(stored) > 0, err
	})
}

// DescribeConfiguration implements [core.DiagnosticDescription].
func (s *Store) DescribeConfiguration(core.ClientConfiguration) ldvalue.Value {
	return ldvalue.String("DynamoDB")
}

// Close implements [core.FeatureStoreCore].
func (s *Store) Close() error { return s.session.close() }
