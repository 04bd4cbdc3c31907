package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

// Init implements [core.FeatureStoreCore] and is atomic, except on a Redis Cluster under a prefix without a hash tag: items
// are staged under keys of their own, which takes as many round trips as there are megabytes, and one script then puts them
// in the place of what was there. Readers see the old items until then and the new ones from then on. An Upsert by anybody
// that came before that moment is replaced with everything else, one that comes after it stays.
//
// On a Cluster under a prefix without a hash tag, the items are staged in the same way and then put into place kind by kind,
// in the order of the collections, each kind at once; then what is left over is removed, and then the mark is set. A failure
// is a [*core.PartialInitError] unless it is that of ctx or the store was closed. Of several at once, the one that began last
// is stored, and the others fail with one that wraps [core.ErrConflict] unless they were done by then.
//
// An Init whose context ends while its last command runs still says whether it took effect, for which it waits half a
// second. Only if the connection breaks at that moment, or the server stops answering, an Init that failed can have taken
// effect.
//
// While an Init runs, the server holds the old and the new items. Staged items are removed if Init fails, and expire if
// the process dies.
func (s *base) Init(ctx context.Context, data []core.SerializedCollection) error {
	if ctx == nil {
		return errNilContext()
	}
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	if s.session.spread {
		return s.initSpread(ctx, data)
	}
	plan, err := s.plan(data)
	if err != nil {
		return err
	}
	return s.initWith(ctx, plan, &plan.staging, plan.tooLarge)
}

// initWith runs a plan and removes what it staged if it fails. It returns the errors about items if it does not.
func (s *base) initWith(ctx context.Context, plan initializer, staging *staging, tooLarge []error) error {
	op := s.session.initializing(s.session.keys.inited())
	op.committing = staging.committing
	_, err := call(ctx, s.session, op,
		func(ctx context.Context, client redis.UniversalClient) (struct{}, error) {
			err := plan.run(ctx, client)
			if err != nil {
				s.discard(ctx, staging, client)
			}
			return struct{}{}, err
		})
	if err != nil {
		return err
	}
	return errors.Join(tooLarge...)
}

type initializer interface {
	run(ctx context.Context, client redis.UniversalClient) error
}

// initPlan is what one Init does.
type initPlan struct {
	staging
	mark     string
	kinds    []*stagedKind
	kept     []any // arguments of swap.lua for items that are too large to be replaced
	tooLarge []error
}

// stagedKind is all items of one kind and where they go.
type stagedKind struct {
	live, staged string
	items        []core.KeyedSerializedItem
}

func (s *base) plan(data []core.SerializedCollection) (*initPlan, error) {
	id := rand.Text()
	plan := &initPlan{staging: s.newStaging(), mark: s.session.keys.inited()}
	indexOf := map[core.DataKind]int{}
	indexFor := func(kind core.DataKind) int {
		if _, known := indexOf[kind]; !known {
			indexOf[kind] = len(plan.kinds)
			plan.kinds = append(plan.kinds,
				&stagedKind{live: s.session.keys.items(kind), staged: s.session.keys.staged(id, kind)})
		}
		return indexOf[kind]
	}
	for _, kind := range core.BuiltInKinds() {
		indexFor(kind)
	}
	for _, collection := range data {
		i := indexFor(collection.Kind)
		for _, item := range collection.Items {
			err := s.validate(collection.Kind, item.Key, item.Item)
			switch {
			case err == nil:
				plan.kinds[i].items = append(plan.kinds[i].items, item)
			case errors.Is(err, core.ErrTooLarge):
				plan.tooLarge = append(plan.tooLarge, err)
				plan.kept = append(plan.kept, i+1, item.Key)
			default:
				return nil, err
			}
		}
	}
	return plan, nil
}

func (p *initPlan) run(ctx context.Context, client redis.UniversalClient) error {
	for _, kind := range p.kinds {
		if err := p.stage(ctx, client, kind.staged, kind.items); err != nil {
			return err
		}
	}
	return p.swap(ctx, client)
}

// swap makes the staged items the stored ones. Once begun, it is not interrupted any more: whoever called Init has to be
// told whether it took effect.
func (p *initPlan) swap(ctx context.Context, client redis.UniversalClient) error {
	keys := append(make([]string, 0, 1+2*len(p.kinds)), p.mark)
	args := append(make([]any, 0, 1+len(p.kinds)+len(p.kept)), len(p.kinds))
	for _, kind := range p.kinds {
		keys = append(keys, kind.live, kind.staged)
		args = append(args, len(kind.items))
	}
	args = append(args, p.kept...)
	reply, err := p.trySwap(ctx, client, keys, args)
	for err != nil && isMoving(err) && pauseForMove(ctx) {
		reply, err = p.trySwap(ctx, client, keys, args)
	}
	if err != nil {
		return err
	}
	if reply != int64(1) {
		return errStagedVanished()
	}
	return nil
}

func (p *initPlan) trySwap(ctx context.Context, client redis.UniversalClient, keys []string, args []any) (any, error) {
	ctx, cancel, err := p.commit(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return tryScript(ctx, client, swapScript, keys, args)
}
