package dynamostore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

var (
	_ core.BigSegmentStore  = (*BigSegments)(nil)
	_ core.BigSegmentWriter = (*BigSegments)(nil)
)

// BigSegments keeps the memberships of big segments in DynamoDB. It is safe for concurrent use; make one with
// [NewBigSegments] or [OpenBigSegments].
type BigSegments struct{ session *session }

// NewBigSegments makes a big segment store on a client of the caller's, in the way of [New].
func NewBigSegments(
	ctx context.Context, client *dynamodb.Client, table string, opts *Options,
) (*BigSegments, error) {
	s, err := newSession(ctx, client, table, opts)
	if err != nil {
		return nil, err
	}
	return &BigSegments{session: s}, nil
}

// OpenBigSegments makes a big segment store with a client of its own, in the way of [Open].
func OpenBigSegments(ctx context.Context, table string, opts *Options) (*BigSegments, error) {
	s, err := openSession(ctx, table, opts)
	if err != nil {
		return nil, err
	}
	return &BigSegments{session: s}, nil
}

// Metadata implements [core.BigSegmentStore] with one GetItem. A time that is no number is an error wrapping
// [core.ErrCorrupt].
func (b *BigSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	key := b.session.keys.metadata()
	return call(ctx, b.session, b.session.reading(key.namespace),
		func(ctx context.Context) (core.BigSegmentMetadata, error) {
			stored, err := b.session.get(ctx, key, b.session.strongly())
			if err != nil || stored[synchronizedOnAttribute] == nil {
				return core.BigSegmentMetadata{}, err
			}
			number, _ := stored[synchronizedOnAttribute].(*types.AttributeValueMemberN)
			if number == nil {
				return core.BigSegmentMetadata{}, b.corrupt(key, synchronizedOnAttribute, "a time in Unix milliseconds")
			}
			at, err := strconv.ParseUint(number.Value, 10, 63)
			if err != nil {
				return core.BigSegmentMetadata{}, b.corrupt(key, synchronizedOnAttribute, "a time in Unix milliseconds")
			}
			return core.BigSegmentMetadata{LastUpToDate: ldtime.UnixMillisecondTime(at)}, nil
		})
}

// Membership implements [core.BigSegmentStore] with one GetItem. An attribute of the wrong type is an error wrapping
// [core.ErrCorrupt].
func (b *BigSegments) Membership(ctx context.Context, contextHash string) (core.BigSegmentMembership, error) {
	key := b.session.keys.user(contextHash)
	return call(ctx, b.session, b.session.reading(key.namespace),
		func(ctx context.Context) (core.BigSegmentMembership, error) {
			if !key.possible() {
				return core.BigSegmentMembership{}, nil
			}
			stored, err := b.session.get(ctx, key, b.session.strongly())
			if err != nil {
				return core.BigSegmentMembership{}, err
			}
			included, err := b.references(key, stored, includedAttribute)
			if err != nil {
				return core.BigSegmentMembership{}, err
			}
			excluded, err := b.references(key, stored, excludedAttribute)
			return core.NewBigSegmentMembership(included, excluded), err
		})
}

func (b *BigSegments) references(key primaryKey, stored attributes, name string) ([]string, error) {
	switch value := stored[name].(type) {
	case nil:
		return nil, nil
	case *types.AttributeValueMemberSS:
		return value.Value, nil
	}
	return nil, b.corrupt(key, name, "a set of segment references")
}

func (b *BigSegments) corrupt(key primaryKey, name, want string) error {
	return &ownError{fmt.Errorf("dynamostore: reading %s of table %s: %w: the attribute %s of key %.100q must be %s",
		key.namespace, b.session.table, core.ErrCorrupt, name, key.key, want)}
}

// Cursor implements [core.BigSegmentWriter] with one GetItem.
func (b *BigSegments) Cursor(ctx context.Context) (string, error) {
	key := b.session.keys.metadata()
	return call(ctx, b.session, b.session.reading(key.namespace), b.cursor)
}

func (b *BigSegments) cursor(ctx context.Context) (string, error) {
	key := b.session.keys.metadata()
	stored, err := b.session.get(ctx, key, true)
	if err != nil {
		return "", err
	}
	switch value := stored[lastVersionAttribute].(type) {
	case nil:
		return "", nil
	case *types.AttributeValueMemberS:
		return value.Value, nil
	}
	return "", b.corrupt(key, lastVersionAttribute, "text")
}

// SetLastUpToDate implements [core.BigSegmentWriter] with one UpdateItem.
func (b *BigSegments) SetLastUpToDate(ctx context.Context, at ldtime.UnixMillisecondTime) error {
	s, key := b.session, b.session.keys.metadata()
	_, err := call(ctx, s, s.writing(key.namespace), func(ctx context.Context) (*dynamodb.UpdateItemOutput, error) {
		expression := "SET #synchronizedOn = :at"
		return write(ctx, s, func(ctx context.Context, _ int) (*dynamodb.UpdateItemOutput, error) {
			return s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: &s.table, Key: key.attributes(), UpdateExpression: &expression,
				ExpressionAttributeNames: map[string]string{"#synchronizedOn": synchronizedOnAttribute},
				ExpressionAttributeValues: attributes{
					":at": &types.AttributeValueMemberN{Value: strconv.FormatUint(uint64(at), 10)},
				},
			}, s.perRequest)
		})
	})
	return err
}

// Close implements [core.BigSegmentStore] in the way of [Store.Close].
func (b *BigSegments) Close() error { return b.session.close() }
