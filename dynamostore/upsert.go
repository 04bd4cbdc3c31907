package dynamostore

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/cleatdev/cleat/core"
)

// maxUpsertAttempts bounds how often an upsert starts again because another writer changed an item while it was judged.
const maxUpsertAttempts = 16

// Upsert implements [core.FeatureStoreCore] with one conditional PutItem, of which a refusal brings the stored item. A
// second request is needed only to overwrite a damaged item that has a greater version.
func (s *Store) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	primary := primaryKey{s.session.keys.items(kind), key}
	if ctx == nil {
		return core.UpsertResult{}, errNilContext()
	}
	if err := validateItem(primary.namespace, kind, key, item); err != nil {
		return core.UpsertResult{}, err
	}
	return call(ctx, s.session, s.session.writing(primary.namespace),
		func(ctx context.Context) (core.UpsertResult, error) {
			result, err := s.session.upsert(ctx, primary, item)
			if isCode(err, codeValidation) && borderline(primary, item) {
				err = &ownError{tooLarge(primary.namespace, kind, key, item)}
			}
			return result, err
		})
}

func (s *session) upsert(ctx context.Context, key primaryKey, item core.SerializedItem) (core.UpsertResult, error) {
	condition := olderThan(item.Version)
	for range maxUpsertAttempts {
		written, stored, err := s.put(ctx, key, item, condition)
		if err != nil {
			return core.UpsertResult{}, err
		}
		if written {
			return core.UpsertResult{Item: item, Written: true}, nil
		}
		if winner, stays := keeps(stored, item.Version); stays {
			return core.UpsertResult{Item: winner}, nil
		}
		condition = unchanged(stored)
	}
	return core.UpsertResult{}, errOvertaken(s.table, key.namespace)
}

func errOvertaken(table, namespaces string) error {
	return &ownError{fmt.Errorf("dynamostore: writing %s of table %s: %w: other writers came first %d times",
		namespaces, table, core.ErrConflict, maxUpsertAttempts)}
}

// put writes an item if the condition holds; otherwise it returns the stored one.
func (s *session) put(
	ctx context.Context, key primaryKey, item core.SerializedItem, condition condition,
) (written bool, stored attributes, err error) {
	attempts := 0
	_, err = write(ctx, s, func(ctx context.Context, attempt int) (*dynamodb.PutItemOutput, error) {
		attempts = attempt
		return s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &s.table, Item: marshalItem(key, item),
			ConditionExpression:                 &condition.expression,
			ExpressionAttributeNames:            condition.names,
			ExpressionAttributeValues:           condition.values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, s.perRequest)
	})
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		// An earlier attempt may have been executed although its answer was lost.
		return attempts > 1 && equalItem(refused.Item, item), refused.Item, nil
	}
	return err == nil, nil, err
}
