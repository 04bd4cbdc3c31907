package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/core"
)

// Init implements [core.FeatureStoreCore]. It is not atomic: see the package documentation for what it does in which order.
// An Init of what is there already writes nothing.
//
// A [*core.PartialInitError] counts as written also what was there already. If ctx ends before anything was written, its
// error is returned as it is, and otherwise in a PartialInitError. What is then in flight may still be executed.
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	if ctx == nil {
		return errNilContext()
	}
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("dynamostore: %w", err)
	}
	plan, err := s.session.plan(data)
	if err != nil {
		return err
	}
	started := false
	op := s.session.initializing(plan.mark.namespace)
	op.unchecked = true
	_, err = call(ctx, s.session, op, func(ctx context.Context) (struct{}, error) {
		started = true
		return struct{}{}, plan.run(ctx)
	})
	switch {
	case err == nil:
		return errors.Join(plan.refused()...)
	case !started || !plan.writing.Load() && err == ctx.Err(): //nolint:errorlint // call returns it as it is
		return err
	}
	return &core.PartialInitError{Written: int(plan.stored.Load()), Total: plan.total, Err: err}
}

// initPlan is what one Init does.
type initPlan struct {
	session     *session
	mark        primaryKey
	collections []*plannedCollection
	wanted      map[string]map[string]*plannedItem // by namespace and key
	leftovers   []*plannedItem
	total       int

	writing atomic.Bool
	stored  atomic.Int64
}

// plannedCollection is a collection of which nothing is written before the one before is complete.
type plannedCollection struct{ items []*plannedItem }

// plannedItem is an item that is to be written, or to be deleted if it has no JSON.
type plannedItem struct {
	kind    core.DataKind
	primary primaryKey
	item    core.SerializedItem
	refusal error // why it cannot be stored
	there   bool  // the table has it as it should be
}

func (s *session) plan(data []core.SerializedCollection) (*initPlan, error) {
	plan := &initPlan{session: s, mark: s.keys.inited(), wanted: map[string]map[string]*plannedItem{}}
	for _, kind := range core.BuiltInKinds() {
		plan.wanted[s.keys.items(kind)] = map[string]*plannedItem{}
	}
	for _, collection := range data {
		namespace := s.keys.items(collection.Kind)
		if plan.wanted[namespace] == nil {
			plan.wanted[namespace] = make(map[string]*plannedItem, len(collection.Items))
		}
		planned := &plannedCollection{items: make([]*plannedItem, len(collection.Items))}
		for i, item := range collection.Items {
			p := &plannedItem{kind: collection.Kind, primary: primaryKey{namespace, item.Key}, item: item.Item}
			p.refusal = validateItem(namespace, collection.Kind, item.Key, item.Item)
			if p.refusal != nil && !isItemError(p.refusal) {
				return nil, p.refusal
			}
			planned.items[i] = p
			plan.wanted[namespace][item.Key] = p
		}
		plan.collections = append(plan.collections, planned)
		plan.total += len(collection.Items)
	}
	return plan, nil
}

// refused returns the errors of the items that cannot be stored.
func (p *initPlan) refused() []error {
	var errs []error
	for _, collection := range p.collections {
		for _, item := range collection.items {
			if item.refusal != nil {
				errs = append(errs, item.refusal)
			}
		}
	}
	return errs
}

func (p *initPlan) run(ctx context.Context) error {
	if err := p.session.checkTable(ctx); err != nil {
		return err
	}
	if err := p.compare(ctx); err != nil {
		return err
	}
	for _, collection := range p.collections {
		if err := p.write(ctx, collection.items); err != nil {
			return err
		}
	}
	if err := p.write(ctx, p.leftovers); err != nil {
		return err
	}
	return p.setMark(ctx)
}

// compare reads what is there, all namespaces at once.
func (p *initPlan) compare(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	leftovers := make(chan []*plannedItem, len(p.wanted))
	for namespace, wanted := range p.wanted {
		g.Go(func() error {
			left, same, err := p.session.compareNamespace(ctx, namespace, wanted)
			p.stored.Add(int64(same))
			leftovers <- left
			return err
		})
	}
	err := g.Wait()
	close(leftovers)
	for left := range leftovers {
		p.leftovers = append(p.leftovers, left...)
	}
	return err
}

// compareNamespace marks what is as it should be, and returns what is not wanted.
func (s *session) compareNamespace(
	ctx context.Context, namespace string, wanted map[string]*plannedItem,
) (leftovers []*plannedItem, same int, err error) {
	err = s.each(ctx, namespace, true, func(key string, stored attributes) {
		switch want := wanted[key]; {
		case want == nil:
			leftovers = append(leftovers, &plannedItem{primary: primaryKey{namespace, key}})
		case want.refusal == nil && !want.there && equalItem(stored, want.item):
			want.there = true
			same++
		}
	})
	return leftovers, same, err
}

// setMark marks the store as initialised, unless it is.
func (p *initPlan) setMark(ctx context.Context) error {
	stored, err := p.session.get(ctx, p.mark, true)
	if err != nil || len(stored) > 0 {
		return err
	}
	p.writing.Store(true)
	s := p.session
	_, err = write(ctx, s, func(ctx context.Context, _ int) (*dynamodb.PutItemOutput, error) {
		return s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: p.mark.attributes()}, s.perRequest)
	})
	return err
}
