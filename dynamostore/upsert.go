package dynamostore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
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

// Limits of a transaction.
const (
	maxTransactionItems = 100
	maxTransactionBytes = 4 << 20
)

// ApplyChangeSet implements [core.ChangeSetApplier] with one transaction, and another one if some of the items are not newer
// than what is stored. More than 100 different items, or more than 4 MB, are an error wrapping [core.ErrTooLarge]. Of several
// changes to one item, the one with the greatest version counts, and the results of the others show it.
func (s *Store) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	for _, c := range changes {
		if err := validateItem(s.keys.items(c.Kind), c.Kind, c.Key, c.Item); err != nil {
			return nil, err
		}
	}
	set := newChangeSet(s.keys, changes)
	if err := set.validate(); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	err := set.apply(ctx, s.session)
	if mayBeWritten(err) {
		s.marking.note(set.written()...)
	}
	if err != nil {
		return nil, err
	}
	return set.results(s.keys, changes), nil
}

// changeSet is a set of upserts, each to a different item.
type changeSet struct {
	changes []*change
	byKey   map[primaryKey]*change
}

type change struct {
	core.KindAndKeyedItem
	primary   primaryKey
	source    int       // its index in what the caller gave
	condition condition // on which it is written, or kept
	keep      bool      // the stored item stays
	winner    core.SerializedItem
}

func newChangeSet(keys keys, given []core.KindAndKeyedItem) *changeSet {
	set := &changeSet{byKey: map[primaryKey]*change{}}
	for i, item := range given {
		primary := primaryKey{keys.items(item.Kind), item.Key}
		c := set.byKey[primary]
		switch {
		case c == nil:
			c = &change{primary: primary}
			set.byKey[primary] = c
			set.changes = append(set.changes, c)
		case item.Item.Version <= c.Item.Version:
			continue
		}
		c.KindAndKeyedItem, c.source, c.condition = item, i, olderThan(item.Item.Version)
	}
	return set
}

func (set *changeSet) validate() error {
	size := 0
	for _, c := range set.changes {
		size += itemSize(c.primary, c.Item)
	}
	if len(set.changes) > maxTransactionItems || size > maxTransactionBytes {
		return fmt.Errorf("dynamostore: %w: a change set of %d items and %d bytes; DynamoDB accepts %d items and %d bytes "+
			"in a transaction", core.ErrTooLarge, len(set.changes), size, maxTransactionItems, maxTransactionBytes)
	}
	return nil
}

func (set *changeSet) describe() string {
	var namespaces []string
	for _, c := range set.changes {
		if !slices.Contains(namespaces, c.primary.namespace) {
			namespaces = append(namespaces, c.primary.namespace)
		}
	}
	return strings.Join(namespaces, " and ")
}

// apply sends the transaction until every item of it is either written or known to stay.
func (set *changeSet) apply(ctx context.Context, s *session) error {
	if len(set.changes) == 0 {
		return nil
	}
	for range maxUpsertAttempts {
		err := s.transact(ctx, set.describe(), set.requests(s.table))
		var cancelled *types.TransactionCanceledException
		switch {
		case isCode(err, codeConditionFailed) && errors.As(err, &cancelled):
			if set.judge(cancelled.CancellationReasons) {
				return nil
			}
		case isCode(err, codeValidation):
			return set.tooLarge(err)
		default:
			return err
		}
	}
	return s.errOvertaken(set.describe())
}

// transact sends a transaction, which is executed once however often it is sent.
func (s *session) transact(ctx context.Context, namespaces string, items []types.TransactWriteItem) error {
	token := rand.Text()
	_, err := send(ctx, s, writing(namespaces), s.client.TransactWriteItems, &dynamodb.TransactWriteItemsInput{
		TransactItems: items, ClientRequestToken: &token,
	})
	return err
}

func (set *changeSet) requests(table string) []types.TransactWriteItem {
	requests := make([]types.TransactWriteItem, len(set.changes))
	for i, c := range set.changes {
		requests[i] = c.request(table)
	}
	return requests
}

func (c *change) request(table string) types.TransactWriteItem {
	if c.keep {
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: &table, Key: c.primary.attributes(),
			ConditionExpression:                 &c.condition.expression,
			ExpressionAttributeNames:            c.condition.names,
			ExpressionAttributeValues:           c.condition.values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}}
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &table, Item: marshalItem(c.primary, c.Item),
		ConditionExpression:                 &c.condition.expression,
		ExpressionAttributeNames:            c.condition.names,
		ExpressionAttributeValues:           c.condition.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// judge looks at the items whose conditions did not hold. It reports whether nothing is left to do because every item
// of the set stays as it is.
func (set *changeSet) judge(reasons []types.CancellationReason) (done bool) {
	done = true
	for i, c := range set.changes {
		if i < len(reasons) && reasons[i].Code != nil && *reasons[i].Code == "ConditionalCheckFailed" {
			stored := reasons[i].Item
			c.winner, c.keep = keeps(stored, c.Item.Version)
			c.condition = unchanged(stored)
		} else if !c.keep {
			done = false
		}
		done = done && c.keep
	}
	return done
}

// tooLarge explains a refusal by the size of an item, if that can be the reason.
func (set *changeSet) tooLarge(err error) error {
	for _, c := range set.changes {
		if !c.keep && borderline(c.primary, c.Item) {
			return tooLarge(c.primary.namespace, c.Kind, c.Key, c.Item)
		}
	}
	return err
}

// written returns what the set changes.
func (set *changeSet) written() []core.Change {
	changes := make([]core.Change, 0, len(set.changes))
	for _, c := range set.changes {
		if !c.keep {
			changes = append(changes, core.Change{Kind: c.Kind, Key: c.Key})
		}
	}
	return changes
}

// results lists the results in the order of the changes given.
func (set *changeSet) results(keys keys, given []core.KindAndKeyedItem) []core.UpsertResult {
	results := make([]core.UpsertResult, len(given))
	for i, item := range given {
		c := set.byKey[primaryKey{keys.items(item.Kind), item.Key}]
		if c.keep {
			results[i] = core.UpsertResult{Item: c.winner}
		} else {
			results[i] = core.UpsertResult{Item: c.Item, Written: c.source == i}
		}
	}
	return results
}
