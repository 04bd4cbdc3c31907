package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

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
	primary := primaryKey{s.keys.items(kind), key}
	if err := validateItem(primary.namespace, kind, key, item); err != nil {
		return core.UpsertResult{}, err
	}
	if err := s.begin(ctx); err != nil {
		return core.UpsertResult{}, err
	}
	result, err := s.upsert(ctx, kind, primary, item)
	if result.Written || err != nil && mayBeWritten(err) {
		s.marking.note(core.Change{Kind: kind, Key: key})
	}
	return result, err
}

func (s *session) upsert(
	ctx context.Context, kind core.DataKind, primary primaryKey, item core.SerializedItem,
) (core.UpsertResult, error) {
	condition := olderThan(item.Version)
	for range maxUpsertAttempts {
		written, stored, err := s.put(ctx, primary, item, condition)
		switch {
		case isCode(err, codeValidation) && borderline(primary, item):
			return core.UpsertResult{}, tooLarge(primary.namespace, kind, primary.key, item)
		case err != nil:
			return core.UpsertResult{}, err
		case written:
			return core.UpsertResult{Item: item, Written: true}, nil
		}
		if winner, stays := keeps(stored, item.Version); stays {
			return core.UpsertResult{Item: winner}, nil
		}
		condition = unchanged(stored)
	}
	return core.UpsertResult{}, s.errOvertaken(primary.namespace)
}

func (s *session) errOvertaken(namespaces string) error {
	return fmt.Errorf("dynamostore: writing %s of table %s: %w: other writers came first %d times",
		namespaces, s.table, core.ErrConflict, maxUpsertAttempts)
}

// put writes an item if the condition holds; otherwise it returns the stored one.
func (s *session) put(
	ctx context.Context, key primaryKey, item core.SerializedItem, condition condition,
) (written bool, stored attributes, err error) {
	attempts := 0
	_, err = send(ctx, s, writing(key.namespace),
		func(ctx context.Context, input *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
			attempts++
			return s.client.PutItem(ctx, input, opts...)
		},
		&dynamodb.PutItemInput{
			TableName: &s.table, Item: marshalItem(key, item),
			ConditionExpression:                 &condition.expression,
			ExpressionAttributeNames:            condition.names,
			ExpressionAttributeValues:           condition.values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		// An earlier attempt may have been executed although its answer was lost.
		return attempts > 1 && equalItem(refused.Item, item), refused.Item, nil
	}
	return err == nil, nil, err
}

// condition is what must hold for a write to happen.
type condition struct {
	expression string
	names      map[string]string
	values     attributes
}

// olderThan holds if there is no item, or one without a version, or one with a smaller one.
func olderThan(version int) condition {
	return condition{
		expression: "NOT attribute_type(#version, :number) OR #version < :version",
		names:      map[string]string{"#version": versionAttribute},
		values: attributes{
			":number":  &types.AttributeValueMemberS{Value: "N"},
			":version": &types.AttributeValueMemberN{Value: strconv.Itoa(version)},
		},
	}
}

// unchanged holds if an item's version and JSON are those that were seen.
func unchanged(seen attributes) condition {
	c := condition{names: map[string]string{"#version": versionAttribute, "#item": itemAttribute}}
	var terms []string
	for _, name := range []string{versionAttribute, itemAttribute} {
		if value := seen[name]; value == nil {
			terms = append(terms, "attribute_not_exists(#"+name+")")
		} else {
			if c.values == nil { // which may not be empty
				c.values = attributes{}
			}
			c.values[":"+name] = value
			terms = append(terms, "#"+name+" = :"+name)
		}
	}
	c.expression = strings.Join(terms, " AND ")
	return c
}
