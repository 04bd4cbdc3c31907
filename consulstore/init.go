package consulstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/core"
)

// maxInFlight bounds how many requests one Init has under way at a time. Servers accept 200 connections of one client.
const maxInFlight = 8

// Init implements [core.FeatureStoreCore]. It reads what is there and writes what differs. If that fits in one transaction,
// it is one, and readers see the old set or the new. If not, items are written in the order of the collections, several
// transactions of a collection at once, then leftovers are deleted, and then the mark is set.
//
// An Init that stopped half way is a [*core.PartialInitError]; one that failed before it wrote anything, because nothing could
// be read, returns what went wrong as it is.
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := s.kv.begin(ctx); err != nil {
		return err
	}
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("consulstore: %w", err)
	}
	plan, err := newInitPlan(s, data)
	if err != nil {
		return err
	}
	if err = plan.compare(ctx); err == nil {
		err = plan.run(ctx)
	}
	if err == nil {
		return errors.Join(plan.tooLarge...)
	}
	err = s.kv.notWritten(ctx, s.kv.keys.inited(), err)
	if !plan.begun.Load() || ctx.Err() != nil {
		return err
	}
	return &core.PartialInitError{Written: int(plan.written.Load()), Total: plan.total, Err: err}
}

// initPlan is what one Init does.
type initPlan struct {
	kv      *kv
	indexes *indexes
	kinds   []core.DataKind
	wanted  map[string]wantedItem // by the names of their keys
	steps   [][]txnOp             // one for each collection, in order, and one that deletes leftovers
	mark    bool                  // the mark has to be set
	total   int

	begun   atomic.Bool // something may have been written
	written atomic.Int64

	mu       sync.Mutex
	tooLarge []error
}

type wantedItem struct {
	core.KeyedSerializedItem
	kind core.DataKind
}

func newInitPlan(store *Store, data []core.SerializedCollection) (*initPlan, error) {
	plan := &initPlan{kv: store.kv, indexes: &store.indexes, wanted: map[string]wantedItem{}, kinds: core.BuiltInKinds()}
	for _, collection := range data {
		if !slices.Contains(plan.kinds, collection.Kind) {
			plan.kinds = append(plan.kinds, collection.Kind)
		}
		var step []txnOp
		for _, item := range collection.Items {
			name := store.kv.keys.item(collection.Kind, item.Key)
			plan.wanted[name] = wantedItem{item, collection.Kind}
			err := store.validate(collection.Kind, item.Key, item.Item)
			switch {
			case err == nil:
				step = append(step, store.kv.op(api.KVSet, name, item.Item.Data, 0))
			case errors.Is(err, core.ErrTooLarge):
				plan.tooLarge = append(plan.tooLarge, err)
			default:
				return nil, err
			}
		}
		plan.steps = append(plan.steps, step)
		plan.total += len(step)
	}
	return plan, nil
}

// compare reads what is there, and takes everything out of the plan that is there as wanted.
func (p *initPlan) compare(ctx context.Context) error {
	same := map[string]bool{}
	var leftovers []txnOp
	for _, kind := range p.kinds {
		directory := p.kv.keys.directory(kind)
		pairs, err := p.kv.list(ctx, directory, ConsistencyConsistent)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			want, found := p.wanted[pair.Key]
			switch {
			case !found && pair.Key != directory:
				leftovers = append(leftovers, p.kv.op(api.KVDelete, pair.Key, nil, 0))
			case found && bytes.Equal(pair.Value, want.Item.Data):
				same[pair.Key] = true
				p.indexes.put(pair.Key, stamp{pair.ModifyIndex, want.Item.Version})
			}
		}
	}
	for i, step := range p.steps {
		p.steps[i] = slices.DeleteFunc(step, func(op txnOp) bool { return same[op.KV.Key] })
		p.written.Add(int64(len(step) - len(p.steps[i])))
	}
	p.steps = append(p.steps, leftovers)
	mark, err := p.kv.get(ctx, p.kv.keys.inited(), ConsistencyConsistent)
	p.mark = mark == nil
	return err
}

// run writes what differs.
func (p *initPlan) run(ctx context.Context) error {
	all := slices.Concat(p.steps...)
	if len(all) == 0 && !p.mark {
		return nil
	}
	mark := p.kv.op(api.KVSet, p.kv.keys.inited(), nil, 0)
	if all = append(all, mark); fitsOne(all, p.kv.maxOps(), p.kv.maxSize()) {
		err := p.transact(ctx, all)
		if !tooLarge(err) {
			return err
		}
		p.kv.noteRefusal(len(all))
	}
	for _, step := range p.steps {
		if err := p.inParallel(ctx, step); err != nil {
			return err
		}
	}
	return p.transact(ctx, []txnOp{mark})
}

// inParallel runs a step. After a failure it begins nothing more, but sees what is under way to its end, so that it is known
// what was written.
func (p *initPlan) inParallel(ctx context.Context, step []txnOp) error {
	var group errgroup.Group
	group.SetLimit(maxInFlight)
	var failed atomic.Bool
	for _, batch := range pack(step, p.kv.maxOps(), p.kv.maxSize()) {
		group.Go(func() error {
			if failed.Load() {
				return nil
			}
			err := p.write(ctx, batch)
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return group.Wait()
}

// write runs a part of a step.
func (p *initPlan) write(ctx context.Context, batch []txnOp) error {
	if len(batch) == 1 && !fitsOne(batch, p.kv.maxOps(), p.kv.maxSize()) {
		return p.put(ctx, &batch[0])
	}
	return p.kv.inParts(batch, true,
		func(ops []txnOp, _ bool) error { return p.transact(ctx, ops) },
		func(op *txnOp, _ error) error { return p.put(ctx, op) })
}

func (p *initPlan) transact(ctx context.Context, ops []txnOp) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.begun.Store(true)
	p.indexes.forget(ops...)
	pairs, err := p.kv.transact(ctx, ops)
	if err != nil {
		return err
	}
	for _, pair := range pairs {
		if want, found := p.wanted[pair.Key]; found {
			p.written.Add(1)
			p.indexes.put(pair.Key, stamp{pair.ModifyIndex, want.Item.Version})
		}
	}
	return nil
}

// put writes an item that is too large for a transaction. One that is too large for the server as well stops nothing else.
func (p *initPlan) put(ctx context.Context, op *txnOp) error {
	p.begun.Store(true)
	p.indexes.forget(*op)
	err := p.kv.put(ctx, op.KV.Key, op.KV.Value)
	want, found := p.wanted[op.KV.Key]
	switch {
	case err == nil:
		p.written.Add(1)
		return nil
	case !tooLarge(err) || !found:
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tooLarge = append(p.tooLarge, refuseItem(want.kind, want.Key, len(want.Item.Data), "the server refused it: %s", printable(err)))
	return nil
}
