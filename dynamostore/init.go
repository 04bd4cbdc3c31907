package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/core"
)

const (
	// maxBatchItems is how many items DynamoDB accepts in a batch.
	maxBatchItems = 25

	// maxBatchBytes bounds the JSON of a batch. DynamoDB accepts requests of 16 MB, and the encoding of a request makes six
	// bytes of some characters.
	maxBatchBytes = 2 << 20
)

// Init implements [core.FeatureStoreCore]. It is not atomic: see the package documentation for what it does in which order.
// An Init of what is there already writes nothing. A [*core.PartialInitError] counts as written also what was there already.
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("dynamostore: %w", err)
	}
	plan, err := s.plan(data)
	if err != nil {
		return err
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	err = plan.run(ctx)
	if err == nil || len(plan.changes) > 0 {
		s.marking.note(plan.changes...)
	}
	switch {
	case err == nil:
		return errors.Join(plan.refused...)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &core.PartialInitError{Written: int(plan.stored.Load()), Total: plan.total, Err: err}
}

// initPlan is what one Init does.
type initPlan struct {
	*session
	collections [][]*plannedItem // of which each is complete before the next is begun
	wanted      map[core.DataKind]map[string]*plannedItem
	total       int
	refused     []error       // of items that cannot be stored
	changes     []core.Change // what the Init changes as far as it comes

	stored atomic.Int64 // items that are known to be stored
}

// plannedItem is an item that is to be written, or to be deleted if it has no JSON.
type plannedItem struct {
	kind    core.DataKind
	primary primaryKey
	item    core.SerializedItem
	done    bool // the table has it as it should be, or cannot have it
}

func (s *session) plan(data []core.SerializedCollection) (*initPlan, error) {
	plan := &initPlan{session: s, wanted: map[core.DataKind]map[string]*plannedItem{}}
	for _, kind := range core.BuiltInKinds() {
		plan.wanted[kind] = map[string]*plannedItem{}
	}
	for _, collection := range data {
		namespace := s.keys.items(collection.Kind)
		if plan.wanted[collection.Kind] == nil {
			plan.wanted[collection.Kind] = make(map[string]*plannedItem, len(collection.Items))
		}
		planned := make([]*plannedItem, len(collection.Items))
		for i, item := range collection.Items {
			planned[i] = &plannedItem{kind: collection.Kind, primary: primaryKey{namespace, item.Key}, item: item.Item}
			if err := validateItem(namespace, collection.Kind, item.Key, item.Item); err != nil {
				if !isItemError(err) {
					return nil, err
				}
				plan.refused, planned[i].done = append(plan.refused, err), true
			}
			plan.wanted[collection.Kind][item.Key] = planned[i]
		}
		plan.collections = append(plan.collections, planned)
		plan.total += len(collection.Items)
	}
	return plan, nil
}

func (p *initPlan) run(ctx context.Context) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	leftovers, err := p.compare(ctx)
	if err != nil {
		return err
	}
	collections := append(slices.Clip(p.collections), leftovers)
	for _, item := range slices.Concat(collections...) {
		if !item.done {
			p.changes = append(p.changes, core.Change{Kind: item.kind, Key: item.primary.key})
		}
	}
	for _, items := range collections {
		if err := p.write(ctx, items); err != nil {
			return err
		}
	}
	return p.setMark(ctx)
}

// compare reads what is there, all namespaces at once, notes what is as it should be, and returns what is not wanted.
func (p *initPlan) compare(ctx context.Context) (leftovers []*plannedItem, err error) {
	g, ctx := errgroup.WithContext(ctx)
	left := make(chan []*plannedItem, len(p.wanted))
	for kind, wanted := range p.wanted {
		g.Go(func() error {
			namespace := p.keys.items(kind)
			var unwanted []*plannedItem
			err := p.each(ctx, namespace, true, func(key string, stored attributes) {
				switch want := wanted[key]; {
				case want == nil:
					unwanted = append(unwanted, &plannedItem{kind: kind, primary: primaryKey{namespace, key}})
				case !want.done && equalItem(stored, want.item):
					want.done = true
					p.stored.Add(1)
				}
			})
			left <- unwanted
			return err
		})
	}
	err = g.Wait()
	close(left)
	for unwanted := range left {
		leftovers = append(leftovers, unwanted...)
	}
	return leftovers, err
}

// write writes or deletes what is not there as it should be, several batches at once, in no order.
func (p *initPlan) write(ctx context.Context, items []*plannedItem) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.options.InitConcurrency)
	refusals := make(chan error, len(items))
	for _, batch := range pack(items) {
		g.Go(func() error { return p.writeBatch(ctx, batch, refusals) })
	}
	err := g.Wait()
	close(refusals)
	for refusal := range refusals {
		p.refused = append(p.refused, refusal)
	}
	return err
}

// pack divides what is to be done into batches.
func pack(items []*plannedItem) [][]*plannedItem {
	var batches [][]*plannedItem
	var batch []*plannedItem
	size := 0
	for _, item := range items {
		if item.done {
			continue
		}
		if len(batch) == maxBatchItems || len(batch) > 0 && size+len(item.item.Data) > maxBatchBytes {
			batches, batch, size = append(batches, batch), nil, 0
		}
		batch = append(batch, item)
		size += len(item.item.Data)
	}
	if len(batch) > 0 {
		batches = append(batches, batch)
	}
	return batches
}

// writeBatch writes a batch. If the server finds it invalid, its items are sent one by one, to find out which of them is
// too large.
func (p *initPlan) writeBatch(ctx context.Context, batch []*plannedItem, refusals chan<- error) error {
	err := p.sendBatch(ctx, batch)
	switch only := batch[0]; {
	case !isCode(err, codeValidation):
		return err
	case len(batch) > 1:
		for i := range batch {
			if err := p.writeBatch(ctx, batch[i:i+1], refusals); err != nil {
				return err
			}
		}
	case only.item.Data == nil || !borderline(only.primary, only.item):
		return err
	default:
		refusals <- tooLarge(only.primary.namespace, only.kind, only.primary.key, only.item)
	}
	return nil
}

// sendBatch sends a batch, and what the server left of it, until nothing is left.
func (p *initPlan) sendBatch(ctx context.Context, batch []*plannedItem) error {
	pending := make([]types.WriteRequest, len(batch))
	for i, item := range batch {
		pending[i] = item.request()
	}
	delays := &patience{}
	return p.retry(ctx, writing(batch[0].primary.namespace), delays, func() error {
		output, err := p.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{p.table: pending},
		}, p.perRequest)
		if err != nil {
			return err
		}
		left := output.UnprocessedItems[p.table]
		if done := len(pending) - len(left); done > 0 {
			delays.failures = 0
			if batch[0].item.Data != nil { // a batch either writes or deletes
				p.stored.Add(int64(done))
			}
		}
		if pending = left; len(left) > 0 {
			return errUnprocessed
		}
		return nil
	})
}

func (i *plannedItem) request() types.WriteRequest {
	if i.item.Data == nil {
		return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: i.primary.attributes()}}
	}
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: marshalItem(i.primary, i.item)}}
}

// setMark marks the store as initialised, unless it is.
func (p *initPlan) setMark(ctx context.Context) error {
	mark := p.keys.inited()
	stored, err := p.get(ctx, mark, true)
	if err != nil || len(stored) > 0 {
		return err
	}
	p.changes = append(p.changes, core.Change{})
	_, err = send(ctx, p.session, writing(mark.namespace), p.client.PutItem, &dynamodb.PutItemInput{
		TableName: &p.table, Item: mark.attributes(),
	})
	return err
}
