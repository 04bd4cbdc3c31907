package dynamostore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
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
type BigSegments struct{ *session }

// NewBigSegments makes a big segment store on a client of the caller's, in the way of [New].
func NewBigSegments(
	ctx context.Context, client *dynamodb.Client, table string, opts *Options,
) (*BigSegments, error) {
	s, err := newSession(ctx, client, table, opts)
	if err != nil {
		return nil, err
	}
	return &BigSegments{s}, nil
}

// OpenBigSegments makes a big segment store with a client of its own, in the way of [Open].
func OpenBigSegments(ctx context.Context, table string, opts *Options) (*BigSegments, error) {
	s, err := openSession(ctx, table, opts)
	if err != nil {
		return nil, err
	}
	return &BigSegments{s}, nil
}

// Metadata implements [core.BigSegmentStore] with one GetItem. A time that is no number is an error wrapping
// [core.ErrCorrupt].
func (b *BigSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	key := b.keys.metadata()
	if err := b.begin(ctx); err != nil {
		return core.BigSegmentMetadata{}, err
	}
	stored, err := b.get(ctx, key, b.strongly())
	if err != nil || stored[synchronizedOnAttribute] == nil {
		return core.BigSegmentMetadata{}, err
	}
	if number, is := stored[synchronizedOnAttribute].(*types.AttributeValueMemberN); is {
		if at, err := strconv.ParseUint(number.Value, 10, 63); err == nil {
			return core.BigSegmentMetadata{LastUpToDate: ldtime.UnixMillisecondTime(at)}, nil
		}
	}
	return core.BigSegmentMetadata{}, b.corrupt(key, synchronizedOnAttribute, "a time in Unix milliseconds")
}

// Membership implements [core.BigSegmentStore] with one GetItem. An attribute of the wrong type is an error wrapping
// [core.ErrCorrupt].
func (b *BigSegments) Membership(ctx context.Context, contextHash string) (core.BigSegmentMembership, error) {
	key := b.keys.user(contextHash)
	if err := b.begin(ctx); err != nil || !key.possible() {
		return core.BigSegmentMembership{}, err
	}
	stored, err := b.get(ctx, key, b.strongly())
	if err != nil {
		return core.BigSegmentMembership{}, err
	}
	included, err := b.references(key, stored, includedAttribute)
	if err != nil {
		return core.BigSegmentMembership{}, err
	}
	excluded, err := b.references(key, stored, excludedAttribute)
	return core.NewBigSegmentMembership(included, excluded), err
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
	return fmt.Errorf("dynamostore: reading %s of table %s: %w: the attribute %s of key %.100q must be %s",
		key.namespace, b.table, core.ErrCorrupt, name, key.key, want)
}

// Cursor implements [core.BigSegmentWriter] with one GetItem.
func (b *BigSegments) Cursor(ctx context.Context) (string, error) {
	key := b.keys.metadata()
	if err := b.begin(ctx); err != nil {
		return "", err
	}
	stored, err := b.get(ctx, key, true)
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
	key := b.keys.metadata()
	if err := b.begin(ctx); err != nil {
		return err
	}
	_, err := send(ctx, b.session, writing(key.namespace), b.client.UpdateItem, &dynamodb.UpdateItemInput{
		TableName: &b.table, Key: key.attributes(), UpdateExpression: aws.String("SET #synchronizedOn = :at"),
		ExpressionAttributeNames: map[string]string{"#synchronizedOn": synchronizedOnAttribute},
		ExpressionAttributeValues: attributes{
			":at": &types.AttributeValueMemberN{Value: strconv.FormatUint(uint64(at), 10)},
		},
	})
	return err
}

// Close implements [core.BigSegmentStore] in the way of [Store.Close].
func (b *BigSegments) Close() error {
	b.close()
	return nil
}

// ApplyPatch implements [core.BigSegmentWriter] with transactions of up to 99 context hashes, one after the other, because
// DynamoDB cancels transactions that look at the same cursor at the same time.
//
// A hash or reference that cannot be stored is an error wrapping [core.ErrInvalid], and nothing is changed then. An attribute
// of the wrong type is an error wrapping [core.ErrCorrupt].
func (b *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if patch.SegmentRef == "" && patch.Changes() > 0 || !utf8.ValidString(patch.SegmentRef) || !utf8.ValidString(patch.Version) {
		return false, fmt.Errorf("dynamostore: %w: a patch needs a segment reference, and that and the version must be UTF-8",
			core.ErrInvalid)
	}
	changes := contextChanges(b.keys, patch)
	for _, c := range changes {
		if !c.key.possible() {
			return false, fmt.Errorf("dynamostore: %w: context hash %.100q must be UTF-8 of 1 to %d bytes",
				core.ErrInvalid, c.key.key, maxKey)
		}
	}
	if err := b.begin(ctx); err != nil {
		return false, err
	}
	return (&patchJob{BigSegments: b, patch: patch}).run(ctx, changes)
}

// patchJob is a patch on its way into the table.
type patchJob struct {
	*BigSegments
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
			p.keys.namespace(userName), p.table, core.ErrTooLarge, maxItemSize)
		return false, &core.BigSegmentTooLargeError{ContextHashes: p.tooLarge, Err: reason}
	}
	return true, nil
}

// apply changes contexts in one transaction. If DynamoDB finds that invalid, because of one of them or because their items
// have more than 4 MB together, it changes one half after the other.
func (p *patchJob) apply(ctx context.Context, changes []*contextChange, last bool) (applied bool, err error) {
	err = p.transact(ctx, p.keys.namespace(userName), p.requests(changes, last && len(p.tooLarge) == 0))
	n := len(changes)
	switch {
	case err == nil:
		return true, nil
	case isCode(err, codeConditionFailed):
		return false, nil
	case n == 0 || !isCode(err, codeValidation) && !isCode(err, codeCancelled):
		return false, err
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
	table, key := &p.table, p.keys.metadata().attributes()
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
	stored, err := p.get(ctx, c.key, true)
	if err != nil {
		return false, err
	}
	size, err := p.rowSize(c.key, stored)
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

// Verbs of update expressions that change sets.
const (
	verbAdd    = "ADD"
	verbRemove = "DELETE"
)

// contextChange is what a patch does to one context: a verb for each of its sets, or none.
type contextChange struct {
	key                primaryKey
	included, excluded string
}

// contextChanges merges what a patch says about each context, because a transaction may have an item once only. What it both
// adds and removes is removed.
func contextChanges(keys keys, patch core.BigSegmentPatch) []*contextChange {
	var all []*contextChange
	byHash := map[string]*contextChange{}
	each := func(hashes []string, note func(*contextChange)) {
		for _, hash := range hashes {
			c := byHash[hash]
			if c == nil {
				c = &contextChange{key: keys.user(hash)}
				byHash[hash] = c
				all = append(all, c)
			}
			note(c)
		}
	}
	each(patch.Included.Add, func(c *contextChange) { c.included = verbAdd })
	each(patch.Included.Remove, func(c *contextChange) { c.included = verbRemove })
	each(patch.Excluded.Add, func(c *contextChange) { c.excluded = verbAdd })
	each(patch.Excluded.Remove, func(c *contextChange) { c.excluded = verbRemove })
	return all
}

// added returns to how many sets the change adds.
func (c *contextChange) added() int {
	return strings.Count(c.included+c.excluded, verbAdd)
}

func (c *contextChange) update(table *string, ref string) *types.Update {
	names := map[string]string{}
	var clauses []string
	for _, verb := range []string{verbAdd, verbRemove} {
		var terms []string
		for _, set := range []struct{ name, verb string }{{includedAttribute, c.included}, {excludedAttribute, c.excluded}} {
			if set.verb == verb {
				names["#"+set.name] = set.name
				terms = append(terms, "#"+set.name+" :reference")
			}
		}
		if len(terms) > 0 {
			clauses = append(clauses, verb+" "+strings.Join(terms, ", "))
		}
	}
	expression := strings.Join(clauses, " ")
	return &types.Update{
		TableName: table, Key: c.key.attributes(), UpdateExpression: &expression, ExpressionAttributeNames: names,
		ExpressionAttributeValues: attributes{":reference": &types.AttributeValueMemberSS{Value: []string{ref}}},
	}
}
