package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

// maxRemovals bounds how many leftovers one script removes, and so how long it keeps the server from answering others.
const maxRemovals = 5000

// spreadPlan is what one Init does if every kind is in another slot.
type spreadPlan struct {
	staging
	turn     *turn
	mark     string
	kinds    []*spreadKind
	steps    []*mergeStep
	tooLarge []error

	total   int
	written atomic.Int64 // items; it is also read after a run that was left behind
}

// spreadKind is one kind on its way through an Init.
type spreadKind struct {
	kind     core.DataKind
	turn     *turn
	live     string
	latest   string              // where the number of the last Init that came to the kind is
	reached  bool                // by this Init
	nothing  string              // where no items are staged
	given    map[string]struct{} // the keys of the items of all steps, and of those that are too large
	kept     []any               // the keys of those that are too large: what is stored of them stays
	steps    int
	leftover []any // arguments of remove.lua
}

// mergeStep is a run of collections of one kind, which take effect together.
type mergeStep struct {
	*spreadKind
	staged string
	items  []core.KeyedSerializedItem
	first  bool // of its kind
}

func (s *base) initSpread(ctx context.Context, data []core.SerializedCollection) error {
	plan, err := s.planSpread(data)
	if err != nil {
		return err
	}
	err = s.initWith(ctx, plan, &plan.staging, plan.tooLarge)
	_, onlyItems := core.ItemErrors(err)
	switch {
	case err == nil || onlyItems:
		return err
	case ctx.Err() != nil && err == ctx.Err(): //nolint:errorlint // it is returned as it is
		return err
	case errors.Is(err, core.ErrClosed):
		return err
	}
	return &core.PartialInitError{Written: int(plan.written.Load()), Total: plan.total, Err: err}
}

func (s *base) planSpread(data []core.SerializedCollection) (*spreadPlan, error) {
	plan := &spreadPlan{staging: s.newStaging(), mark: s.session.keys.inited()}
	plan.turn = &turn{key: s.session.keys.latest(), lifetime: plan.lifetime}
	for _, kind := range core.BuiltInKinds() {
		plan.kindFor(s, kind)
	}
	for _, collection := range data {
		kind := plan.kindFor(s, collection.Kind)
		for _, item := range collection.Items {
			err := s.validate(collection.Kind, item.Key, item.Item)
			switch {
			case err == nil:
				plan.add(s, kind, item)
			case errors.Is(err, core.ErrTooLarge):
				plan.tooLarge = append(plan.tooLarge, err)
				kind.kept = append(kind.kept, item.Key)
			default:
				return nil, err
			}
			kind.given[item.Key] = struct{}{}
		}
	}
	return plan, nil
}

func (p *spreadPlan) kindFor(s *base, kind core.DataKind) *spreadKind {
	for _, known := range p.kinds {
		if known.kind == kind {
			return known
		}
	}
	added := &spreadKind{
		kind: kind, turn: p.turn, live: s.session.keys.items(kind), latest: s.session.keys.latestOf(kind),
		nothing: s.session.keys.stagedInSlot(rand.Text(), kind), given: map[string]struct{}{},
	}
	p.kinds = append(p.kinds, added)
	return added
}

// add puts an item into the last step if that is of its kind, and into a new one otherwise.
func (p *spreadPlan) add(s *base, kind *spreadKind, item core.KeyedSerializedItem) {
	if len(p.steps) == 0 || p.steps[len(p.steps)-1].spreadKind != kind {
		kind.steps++
		p.steps = append(p.steps, &mergeStep{
			spreadKind: kind, staged: s.session.keys.stagedInSlot(rand.Text(), kind.kind), first: kind.steps == 1,
		})
	}
	step := p.steps[len(p.steps)-1]
	step.items = append(step.items, item)
	p.total++
}

// run stages everything before it changes anything. Leftovers go in the opposite order of the built-in kinds: flags before
// the segments that they refer to.
func (p *spreadPlan) run(ctx context.Context, client redis.UniversalClient) error {
	if err := p.turn.begin(ctx, client); err != nil {
		return err
	}
	for _, step := range p.steps {
		if err := p.stage(ctx, client, step.staged, step.items); err != nil {
			return err
		}
	}
	for _, kind := range p.kinds {
		if err := kind.list(ctx, client); err != nil {
			return err
		}
	}
	for i, step := range p.steps {
		if err := step.merge(ctx, client, i == len(p.steps)-1); err != nil {
			return err
		}
		p.written.Add(int64(len(step.items)))
	}
	for _, kind := range slices.Backward(p.kinds) {
		if err := kind.tidy(ctx, client); err != nil {
			return err
		}
	}
	return p.setMark(ctx, client)
}

// merge puts a step's items into place. Stored items that are not among them stay for now, unless nothing is to be written
// after this.
func (step *mergeStep) merge(ctx context.Context, client redis.UniversalClient, last bool) error {
	replace := last && step.steps == 1
	staying, err := step.put(ctx, client, step.staged, len(step.items), !replace)
	if err != nil {
		return err
	}
	if !step.first {
		return nil // What was left over before is known, and what came since is not left over.
	}
	step.noteLeftover(staying)
	return nil
}

// list notes what is left over of a kind of which the Init brings nothing.
func (k *spreadKind) list(ctx context.Context, client redis.UniversalClient) error {
	if k.steps > 0 {
		return nil
	}
	staying, err := k.put(ctx, client, k.nothing, 0, true)
	if err != nil {
		return err
	}
	k.noteLeftover(staying)
	return nil
}

func (k *spreadKind) noteLeftover(staying []any) {
	for i := 0; i+1 < len(staying); i += 2 {
		key, _ := staying[i].(string)
		if _, given := k.given[key]; !given {
			k.leftover = append(k.leftover, staying[i], staying[i+1])
		}
	}
}

// put runs merge.lua.
func (k *spreadKind) put(
	ctx context.Context, client redis.UniversalClient, staged string, count int, merge bool,
) (staying []any, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	args := []any{k.turn.number, k.turn.lifetime.Milliseconds(), asArgument(k.reached), count, asArgument(merge)}
	reply, err := runScript(ctx, client, mergeScript, []string{k.live, staged, k.latest}, append(args, k.kept...)...)
	if err != nil {
		return nil, err
	}
	staying, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: %w", k.live, errStagedVanished())
	}
	k.reached = true
	return staying, nil
}

// tidy removes what is left over of a kind: what nobody has changed since the Init came to it. A kind of which the Init brings
// nothing is told of here, also if there is nothing to remove.
func (k *spreadKind) tidy(ctx context.Context, client redis.UniversalClient) error {
	if k.steps == 0 && len(k.leftover) == 0 {
		return k.remove(ctx, client, nil)
	}
	for pairs := range slices.Chunk(k.leftover, 2*maxRemovals) {
		if err := k.remove(ctx, client, pairs); err != nil {
			return err
		}
	}
	return nil
}

func (k *spreadKind) remove(ctx context.Context, client redis.UniversalClient, pairs []any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	args := append([]any{k.turn.number}, pairs...)
	reply, err := runScript(ctx, client, removeScript, []string{k.live, k.latest}, args...)
	if err == nil && reply != int64(1) {
		err = fmt.Errorf("%s: %w", k.latest, errStagedVanished())
	}
	return err
}

// asArgument is how scripts are told yes or no.
func asArgument(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// setMark marks the store as initialised.
func (p *spreadPlan) setMark(ctx context.Context, client redis.UniversalClient) error {
	ctx, cancel, err := p.commit(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return client.Set(ctx, p.mark, "", 0).Err()
}
