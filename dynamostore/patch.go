package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/core"
)

// ApplyPatch implements [core.BigSegmentWriter]. A patch of up to 99 context hashes is one transaction, and atomic. A larger
// one looks at the cursor, changes each context by itself, several at once, and moves the cursor at the end if nobody else
// has moved it since; one that was interrupted can be applied again.
//
// A hash or reference that cannot be stored is an error wrapping [core.ErrInvalid]: nothing is changed then.
func (b *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if ctx == nil {
		return false, errNilContext()
	}
	updates, err := b.memberships(patch)
	if err != nil {
		return false, err
	}
	s := b.session
	namespace := s.keys.namespace(userName)
	if len(updates) < maxTransactionItems {
		return call(ctx, s, s.writing(namespace), func(ctx context.Context) (bool, error) {
			return b.applyAtOnce(ctx, patch, updates)
		})
	}
	return call(ctx, s, s.initializing(namespace), func(ctx context.Context) (bool, error) {
		return b.applyInSteps(ctx, patch, updates)
	})
}

// membership is the change to one context.
type membership struct {
	key          primaryKey
	add, removed []string // names of attributes
}

// memberships merges what a patch says about each context. What it both adds and removes is removed.
func (b *BigSegments) memberships(patch core.BigSegmentPatch) ([]*membership, error) {
	if patch.SegmentRef == "" || !utf8.ValidString(patch.SegmentRef) || !utf8.ValidString(patch.Version) {
		return nil, fmt.Errorf("dynamostore: %w: a patch needs a segment reference, and that and the version must be UTF-8",
			core.ErrInvalid)
	}
	merged := memberships{byHash: map[string]*membership{}}
	merged.merge(b.session.keys, includedAttribute, patch.Included)
	merged.merge(b.session.keys, excludedAttribute, patch.Excluded)
	for _, m := range merged.all {
		if !m.key.possible() {
			return nil, fmt.Errorf("dynamostore: %w: context hash %.100q must be UTF-8 of 1 to %d bytes",
				core.ErrInvalid, m.key.key, maxKey)
		}
	}
	return merged.all, nil
}

type memberships struct {
	all    []*membership
	byHash map[string]*membership
}

func (m *memberships) of(keys keys, hash string) *membership {
	if m.byHash[hash] == nil {
		m.byHash[hash] = &membership{key: keys.user(hash)}
		m.all = append(m.all, m.byHash[hash])
	}
	return m.byHash[hash]
}

func (m *memberships) merge(keys keys, name string, changes core.BigSegmentChanges) {
	removed := make(map[string]bool, len(changes.Remove))
	for _, hash := range changes.Remove {
		if !removed[hash] {
			removed[hash] = true
			of := m.of(keys, hash)
			of.removed = append(of.removed, name)
		}
	}
	added := make(map[string]bool, len(changes.Add))
	for _, hash := range changes.Add {
		if !added[hash] && !removed[hash] {
			added[hash] = true
			of := m.of(keys, hash)
			of.add = append(of.add, name)
		}
	}
}

// update is a write to one item of the big segments.
type update struct {
	key        primaryKey
	expression string
	condition  *string
	names      map[string]string
	values     attributes
}

func (m *membership) update(ref string) update {
	u := update{key: m.key, names: map[string]string{}}
	u.values = attributes{":reference": &types.AttributeValueMemberSS{Value: []string{ref}}}
	clause := func(verb string, attributes []string) {
		if len(attributes) == 0 {
			return
		}
		terms := make([]string, len(attributes))
		for i, name := range attributes {
			u.names["#"+name] = name
			terms[i] = "#" + name + " :reference"
		}
		u.expression += verb + " " + strings.Join(terms, ", ") + " "
	}
	clause("ADD", m.add)
	clause("DELETE", m.removed)
	return u
}

// moveCursor is the write that moves the cursor, on the condition that it is where the patch begins.
func (b *BigSegments) moveCursor(patch core.BigSegmentPatch) update {
	condition := "#lastVersion = :previous"
	if patch.PreviousVersion == "" {
		condition = "attribute_not_exists(#lastVersion) OR #lastVersion = :previous"
	}
	return update{
		key:        b.session.keys.metadata(),
		expression: "SET #lastVersion = :version",
		condition:  &condition,
		names:      map[string]string{"#lastVersion": lastVersionAttribute},
		values: attributes{
			":version":  &types.AttributeValueMemberS{Value: patch.Version},
			":previous": &types.AttributeValueMemberS{Value: patch.PreviousVersion},
		},
	}
}

func (b *BigSegments) applyAtOnce(
	ctx context.Context, patch core.BigSegmentPatch, changed []*membership,
) (bool, error) {
	items := make([]types.TransactWriteItem, 0, len(changed)+1)
	items = append(items, b.moveCursor(patch).inTransaction(b.session.table))
	for _, m := range changed {
		items = append(items, m.update(patch.SegmentRef).inTransaction(b.session.table))
	}
	err := b.session.transact(ctx, items)
	if isCode(err, codeConditionFailed) {
		return false, nil
	}
	return err == nil, err
}

func (b *BigSegments) applyInSteps(
	ctx context.Context, patch core.BigSegmentPatch, changed []*membership,
) (bool, error) {
	cursor, err := b.cursor(ctx)
	if err != nil || cursor != patch.PreviousVersion {
		return false, err
	}
	g, stepCtx := errgroup.WithContext(ctx)
	g.SetLimit(b.session.options.InitConcurrency)
	for _, m := range changed {
		if stepCtx.Err() != nil {
			break
		}
		g.Go(func() error {
			_, err := b.session.send(stepCtx, m.update(patch.SegmentRef))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return false, err
	}
	attempts, err := b.session.send(ctx, b.moveCursor(patch))
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		// An earlier attempt may have been executed although its answer was lost.
		moved, _ := refused.Item[lastVersionAttribute].(*types.AttributeValueMemberS)
		return attempts > 1 && moved != nil && moved.Value == patch.Version, nil
	}
	return err == nil, err
}

// send executes an update, and says how often it was sent.
func (s *session) send(ctx context.Context, u update) (attempts int, err error) {
	_, err = write(ctx, s, func(ctx context.Context, attempt int) (*dynamodb.UpdateItemOutput, error) {
		attempts = attempt
		return s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.table, Key: u.key.attributes(), UpdateExpression: &u.expression, ConditionExpression: u.condition,
			ExpressionAttributeNames: u.names, ExpressionAttributeValues: u.values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, s.perRequest)
	})
	return attempts, err
}

func (u update) inTransaction(table string) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: u.key.attributes(), UpdateExpression: &u.expression, ConditionExpression: u.condition,
		ExpressionAttributeNames: u.names, ExpressionAttributeValues: u.values,
	}}
}
