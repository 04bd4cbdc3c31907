package consulstore

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/core"
)

// maxInFlight bounds how many requests one Init has under way at a time. Servers accept 200 connections of one client.
const maxInFlight = 8

// initPlan is what one Init does.
type initPlan struct {
	store     *Store
	session   *session
	kinds     []core.DataKind
	steps     [][]wantedItem // one for each collection, in order
	wanted    map[string]wantedItem
	leftovers []txnOp
	mark      bool // the mark has to be set
	total     int

	begun   atomic.Bool // something may have been written
	written atomic.Int64

	mu       sync.Mutex
	tooLarge []error
}

// wantedItem is an item and the name of its key.
type wantedItem struct {
	core.KeyedSerializedItem
	kind core.DataKind
	name string
}

func newInitPlan(store *Store, data []core.SerializedCollection) (*initPlan, error) {
	plan := &initPlan{store: store, session: store.session, wanted: map[string]wantedItem{}, kinds: core.BuiltInKinds()}
	seen := map[core.DataKind]bool{core.Flags: true, core.Segments: true}
	for _, collection := range data {
		if !seen[collection.Kind] {
			seen[collection.Kind] = true
			plan.kinds = append(plan.kinds, collection.Kind)
		}
		var step []wantedItem
		for _, item := range collection.Items {
			want := wantedItem{item, collection.Kind, store.session.keys.item(collection.Kind, item.Key)}
			plan.wanted[want.name] = want
			err := store.validate(want.kind, want.Key, want.Item)
			switch {
			case err == nil:
				step = append(step, want)
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
	for _, kind := range p.kinds {
		directory := p.session.keys.directory(kind)
		pairs, err := p.session.list(ctx, directory, ConsistencyConsistent)
		if err != nil {
			return err
		}
		for _, pair := range pairs {
			want, found := p.wanted[pair.Key]
			switch {
			case !found && pair.Key != directory:
				p.leftovers = append(p.leftovers, p.session.op(api.KVDelete, pair.Key, nil, 0))
			case found && bytes.Equal(pair.Value, want.Item.Data):
				same[pair.Key] = true
				p.store.indexes.put(pair.Key, stamp{pair.ModifyIndex, want.Item.Version})
			}
		}
	}
	for i, step := range p.steps {
		changed := make([]wantedItem, 0, len(step))
		for _, want := range step {
			if !same[want.name] {
				changed = append(changed, want)
			}
		}
		p.written.Add(int64(len(step) - len(changed)))
		p.steps[i] = changed
	}
	mark, err := p.session.get(ctx, p.session.keys.inited(), ConsistencyConsistent)
	p.mark = mark == nil
	return err
}

// run writes what differs.
func (p *initPlan) run(ctx context.Context) error {
	if all := p.everything(); len(all) == 0 {
		return nil
	} else if fitsOne(all, p.session.maxOps(), p.session.maxSize()) {
		err := p.commit(ctx, all)
		if !tooLarge(err) {
			return err
		}
		p.session.noteRefusal(len(all))
	}
	for _, step := range p.steps {
		if err := p.inParallel(ctx, p.sets(step)); err != nil {
			return err
		}
	}
	if err := p.inParallel(ctx, p.leftovers); err != nil {
		return err
	}
	return p.commit(ctx, []txnOp{p.markOp()})
}

// everything is the whole Init as one transaction; it is empty if there is nothing to do.
func (p *initPlan) everything() []txnOp {
	var all []txnOp
	for _, step := range p.steps {
		all = append(all, p.sets(step)...)
	}
	all = append(all, p.leftovers...)
	if len(all) > 0 || p.mark {
		all = append(all, p.markOp())
	}
	return all
}

func (p *initPlan) markOp() txnOp { return p.session.op(api.KVSet, p.session.keys.inited(), nil, 0) }

func (p *initPlan) sets(step []wantedItem) []txnOp {
	ops := make([]txnOp, len(step))
	for i, want := range step {
		ops[i] = p.session.op(api.KVSet, want.name, want.Item.Data, 0)
	}
	return ops
}

// commit runs the transaction that sets the mark.
func (p *initPlan) commit(ctx context.Context, ops []txnOp) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := committing(ctx)
	defer cancel()
	return p.transact(ctx, ops)
}

// inParallel runs a step. After a failure it begins nothing more, but sees what is under way to its end, so that it is known
// what was written.
func (p *initPlan) inParallel(ctx context.Context, ops []txnOp) error {
	var group errgroup.Group
	group.SetLimit(maxInFlight)
	var failed atomic.Bool
	for _, batch := range pack(ops, p.session.maxOps(), p.session.maxSize()) {
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

// write runs a part of a step, in smaller parts if the server finds it too large.
func (p *initPlan) write(ctx context.Context, batch []txnOp) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(batch) == 1 && !fitsOne(batch, p.session.maxOps(), p.session.maxSize()) {
		return p.put(ctx, &batch[0])
	}
	err := p.transact(ctx, batch)
	switch {
	case !tooLarge(err):
		return err
	case len(batch) == 1:
		return p.put(ctx, &batch[0])
	}
	p.session.noteRefusal(len(batch))
	half := (len(batch) + 1) / 2
	if err := p.write(ctx, batch[:half]); err != nil {
		return err
	}
	return p.write(ctx, batch[half:])
}

func (p *initPlan) transact(ctx context.Context, batch []txnOp) error {
	p.begun.Store(true)
	p.forget(batch)
	pairs, err := p.session.transact(ctx, batch)
	if err != nil {
		return err
	}
	for _, pair := range pairs {
		if want, found := p.wanted[pair.Key]; found {
			p.written.Add(1)
			p.store.indexes.put(pair.Key, stamp{pair.ModifyIndex, want.Item.Version})
		}
	}
	return nil
}

// put writes an item that is too large for a transaction. One that is too large for the server as well stops nothing else.
func (p *initPlan) put(ctx context.Context, op *txnOp) error {
	p.begun.Store(true)
	p.store.indexes.forget(op.KV.Key)
	err := p.session.put(ctx, op.KV.Key, op.KV.Value)
	want, found := p.wanted[op.KV.Key]
	if !tooLarge(err) || !found {
		if err == nil {
			p.written.Add(1)
		}
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tooLarge = append(p.tooLarge, refuseItem(want.kind, want.Key, len(want.Item.Data), "the server refused it: %s", printable(err)))
	return nil
}

func (p *initPlan) forget(batch []txnOp) {
	names := make([]string, len(batch))
	for i := range batch {
		names[i] = batch[i].KV.Key
	}
	p.store.indexes.forget(names...)
}
