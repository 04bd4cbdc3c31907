package dynamostore

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/cleatdev/cleat/core"
)

// ApplyPatch implements [core.BigSegmentWriter] with transactions of up to 99 context hashes, one after the other, because
// DynamoDB cancels transactions that look at the same cursor at the same time. Options.WriteTimeout bounds each.
//
// A hash or reference that cannot be stored is an error wrapping [core.ErrInvalid], and nothing is changed then. An attribute
// of the wrong type is an error wrapping [core.ErrCorrupt].
func (b *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if patch.SegmentRef == "" && patch.Changes() > 0 || !utf8.ValidString(patch.SegmentRef) || !utf8.ValidString(patch.Version) {
		return false, fmt.Errorf("dynamostore: %w: a patch needs a segment reference, and that and the version must be UTF-8",
			core.ErrInvalid)
	}
	changes := contextChanges(b.session.keys, patch)
	for _, c := range changes {
		if !c.key.possible() {
			return false, fmt.Errorf("dynamostore: %w: context hash %.100q must be UTF-8 of 1 to %d bytes",
				core.ErrInvalid, c.key.key, maxKey)
		}
	}
	return (&patchJob{store: b, patch: patch}).run(ctx, changes)
}

// patchJob is a patch on its way into the table.
type patchJob struct {
	store    *BigSegments
	patch    core.BigSegmentPatch
	tooLarge []string // hashes of contexts whose items are full
}

func (p *patchJob) run(ctx context.Context, changes []*contextChange) (applied bool, err error) {
	const mostAtOnce = maxTransactionItems - 1 // the cursor is an item too
	steps := slices.Collect(slices.Chunk(changes, mostAtOnce))
	if len(steps) == 0 {
		steps = [][]*contextChange{nil}
	}
	for i, step := range steps {
		applied, err = p.apply(ctx, step, i == len(steps)-1)
		if err != nil || !applied {
			return false, err
		}
	}
	if len(p.tooLarge) > 0 {
		reason := fmt.Errorf("dynamostore: writing %s of table %s: %w: the limit of an item is %d bytes",
			p.store.session.keys.namespace(userName), p.store.session.table, core.ErrTooLarge, maxItemSize)
		return false, &core.BigSegmentTooLargeError{ContextHashes: p.tooLarge, Err: reason}
	}
	return true, nil
}

// apply changes contexts in one transaction. If DynamoDB finds that invalid, because of one of them or because their items
// have more than 4 MB together, it changes one half after the other.
func (p *patchJob) apply(ctx context.Context, changes []*contextChange, last bool) (applied bool, err error) {
	s := p.store.session
	applied, err = call(ctx, s, s.writing(s.keys.namespace(userName)), func(ctx context.Context) (bool, error) {
		err := s.transact(ctx, p.requests(changes, last && len(p.tooLarge) == 0))
		if isCode(err, codeConditionFailed) {
			return false, nil
		}
		return err == nil, err
	})
	n := len(changes)
	switch {
	case n == 0 || !isCode(err, codeValidation) && !isCode(err, codeCancelled):
		return applied, err
	case n == 1:
		return p.judge(ctx, changes[0], err)
	}
	applied, err = p.apply(ctx, changes[:n/2], false)
	if err != nil || !applied {
		return applied, err
	}
	return p.apply(ctx, changes[n/2:], last)
}

// requests makes a transaction: the cursor is where the patch begins, and moves if move is true.
func (p *patchJob) requests(changes []*contextChange, move bool) []types.TransactWriteItem {
	table := &p.store.session.table
	key := p.store.session.keys.metadata().attributes()
	condition := "#lastVersion = :previous"
	if p.patch.PreviousVersion == "" {
		condition = "attribute_not_exists(#lastVersion) OR #lastVersion = :previous"
	}
	names := map[string]string{"#lastVersion": lastVersionAttribute}
	values := attributes{":previous": &types.AttributeValueMemberS{Value: p.patch.PreviousVersion}}
	cursor := types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: table, Key: key, ConditionExpression: &condition,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}}
	if move && p.patch.Version != p.patch.PreviousVersion {
		values[":version"] = &types.AttributeValueMemberS{Value: p.patch.Version}
		expression := "SET #lastVersion = :version"
		cursor = types.TransactWriteItem{Update: &types.Update{
			TableName: table, Key: key, ConditionExpression: &condition, UpdateExpression: &expression,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}}
	}
	items := append(make([]types.TransactWriteItem, 0, 1+len(changes)), cursor)
	for _, c := range changes {
		items = append(items, types.TransactWriteItem{Update: c.update(table, p.patch.SegmentRef)})
	}
	return items
}

// judge finds out why DynamoDB refuses to change one context: its item has no room for another reference, or is damaged.
func (p *patchJob) judge(ctx context.Context, c *contextChange, refusal error) (applied bool, err error) {
	s := p.store.session
	size, err := call(ctx, s, s.reading(c.key.namespace), func(ctx context.Context) (int, error) {
		stored, err := s.get(ctx, c.key, true)
		if err != nil {
			return 0, err
		}
		return p.store.rowSize(c.key, stored)
	})
	if err != nil {
		return false, err
	}
	if size+c.added()*(len(p.patch.SegmentRef)+elementSize) <= maxItemSize {
		return false, refusal
	}
	p.tooLarge = append(p.tooLarge, c.key.key)
	return true, nil
}

// elementSize is what an element of a set takes besides its text, at most. AWS documents it of lists only.
const elementSize = 1

// rowSize returns how many bytes the item of a context has at most by DynamoDB's rules.
func (b *BigSegments) rowSize(key primaryKey, stored attributes) (int, error) {
	size := len(namespaceAttribute) + len(key.namespace) + len(keyAttribute) + len(key.key)
	for _, name := range []string{includedAttribute, excludedAttribute} {
		refs, err := b.references(key, stored, name)
		if err != nil {
			return 0, err
		}
		const setSize = 3
		size += len(name) + setSize
		for _, ref := range refs {
			size += len(ref) + elementSize
		}
	}
	return size, nil
}
