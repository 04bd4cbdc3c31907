package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

const (
	// A batch of staged items is one transaction. These bound how long it keeps the server from answering others.
	maxBatchItems = 1000
	maxBatchBytes = 1 << 20

	// stagedLifetime is how long items that were staged may wait for the others of an Init, and so how long they stay behind.
	stagedLifetime = 10 * time.Minute

	// discardTimeout bounds how long a failed Init cleans up.
	discardTimeout = 200 * time.Millisecond
)

// Init implements [core.FeatureStoreCore] and is atomic: items are staged under keys of their own, which takes as many round
// trips as there are megabytes, and one script then puts them in the place of what was there. Readers see the old items until
// then and the new ones from then on. An Upsert by any process that came before that moment is replaced with everything else, one
// that comes after it stays. An Init that failed can have taken effect only if its context ended, or the connection broke, while
// the script ran.
//
// While an Init runs, the server holds the old and the new items. Staged items are removed if Init fails, and expire if
// the process dies.
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	plan, err := s.plan(data)
	if err != nil {
		return err
	}
	if err := s.admit(ctx); err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		return err
	}
	if err := plan.run(ctx, s.client); err != nil {
		err = s.explain(ctx, operation{what: "initializing " + s.inited(), write: true}, err)
		s.discard(ctx, plan)
		return err
	}
	return errors.Join(plan.tooLarge...)
}

// initPlan is what one Init does.
type initPlan struct {
	mark     string
	kinds    []*stagedKind
	kept     []any // arguments of swap.lua for items that are too large to be replaced
	tooLarge []error
}

// stagedKind is all items of one kind and where they go.
type stagedKind struct {
	live, staged string
	items        []core.KeyedSerializedItem
	begun        bool // something may be staged
}

func (s *Store) plan(data []core.SerializedCollection) (*initPlan, error) {
	id := rand.Text()
	plan := &initPlan{mark: s.inited()}
	indexOf := map[core.DataKind]int{}
	indexFor := func(kind core.DataKind) int {
		if _, known := indexOf[kind]; !known {
			indexOf[kind] = len(plan.kinds)
			plan.kinds = append(plan.kinds, &stagedKind{live: s.items(kind), staged: s.staged(id, kind)})
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
		if err := kind.stage(ctx, client); err != nil {
			return err
		}
	}
	return p.swap(ctx, client)
}

// stage writes items in batches.
func (k *stagedKind) stage(ctx context.Context, client redis.UniversalClient) error {
	var fields []any
	size := 0
	for i, item := range k.items {
		fields = append(fields, item.Key, item.Item.Data)
		size += len(item.Key) + len(item.Item.Data)
		if size < maxBatchBytes && len(fields) < 2*maxBatchItems && i < len(k.items)-1 {
			continue
		}
		if err := k.stageBatch(ctx, client, fields); err != nil {
			return err
		}
		fields, size = fields[:0], 0
	}
	return nil
}

// stageBatch writes items together with their expiry, so that no cut connection leaves them for ever.
func (k *stagedKind) stageBatch(ctx context.Context, client redis.UniversalClient, fields []any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	commands, err := client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, k.staged, fields...)
		pipe.PExpire(ctx, k.staged, stagedLifetime)
		return nil
	})
	err = firstError(commands, err)
	k.begun = k.begun || !unsent(err)
	return err
}

// swap makes the staged items the stored ones.
func (p *initPlan) swap(ctx context.Context, client redis.UniversalClient) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	keys := append(make([]string, 0, 1+2*len(p.kinds)), p.mark)
	args := append(make([]any, 0, 1+len(p.kinds)+len(p.kept)), len(p.kinds))
	for _, kind := range p.kinds {
		keys = append(keys, kind.live, kind.staged)
		args = append(args, len(kind.items))
	}
	reply, err := runScript(ctx, client, swapScript, keys, append(args, p.kept...)...)
	if err == nil && reply != int64(1) {
		err = errors.New("the staged items vanished before they could take effect; " +
			"the server was flushed or evicts keys for want of memory")
	}
	return err
}

// discard removes what a failed Init staged, also if it failed because its context ended.
func (s *Store) discard(ctx context.Context, plan *initPlan) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	var staged []string
	for _, kind := range plan.kinds {
		if kind.begun {
			staged = append(staged, kind.staged)
		}
	}
	if len(staged) == 0 {
		return
	}
	if err := s.client.Unlink(ctx, staged...).Err(); err != nil && s.closing.Err() == nil {
		s.options.Logger.Warn("redisstore: items staged by a failed Init could not be removed and will expire",
			"prefix", s.prefix, "expiry", stagedLifetime, "error", printable(err))
	}
}
