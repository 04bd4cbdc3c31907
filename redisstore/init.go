package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

const (
	// A batch of staged items is one transaction. These bound how long it keeps the server from answering others.
	maxBatchItems = 1000
	maxBatchBytes = 1 << 20

	// stagingMargin is how much longer than the longest Init what it staged may stay behind.
	stagingMargin = time.Minute
)

// Init implements [core.FeatureStoreCore] and is atomic: items are staged under keys of their own, which takes as many
// round trips as there are megabytes, and one script then puts them in the place of what was there. Readers see the old
// items until then and the new ones from then on. An Upsert by anybody that came before that moment is replaced with
// everything else, one that comes after it stays.
//
// An Init whose context ends while the script runs still says whether it took effect, for which it waits half a second. Only
// if the connection breaks at that moment, or the server stops answering, an Init that failed can have taken effect.
//
// While an Init runs, the server holds the old and the new items. Staged items are removed if Init fails, and expire if
// the process dies.
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	if ctx == nil {
		return errNilContext()
	}
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	plan, err := s.plan(data)
	if err != nil {
		return err
	}
	op := s.session.initializing(plan.mark)
	op.committing = &plan.committing
	_, err = call(ctx, s.session, op,
		func(ctx context.Context, client redis.UniversalClient) (struct{}, error) {
			err := plan.run(ctx, client)
			if err != nil {
				s.discard(ctx, plan, client)
			}
			return struct{}{}, err
		})
	if err != nil {
		return err
	}
	return errors.Join(plan.tooLarge...)
}

// discard removes what a failed Init staged, also if it failed because its context ended.
func (s *Store) discard(ctx context.Context, plan *initPlan, client redis.UniversalClient) {
	if len(plan.staged) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	if err := client.Unlink(ctx, plan.staged...).Err(); err != nil {
		s.session.logger.Warn("redisstore: items staged by a failed Init could not be removed and will expire",
			"prefix", s.session.options.Prefix, "expiry", plan.lifetime, "error", printable(err))
	}
}

// initPlan is what one Init does.
type initPlan struct {
	mark     string
	lifetime time.Duration // of staged items
	kinds    []*stagedKind
	staged   []string // keys that may have been written
	kept     []any    // arguments of swap.lua for items that are too large to be replaced
	tooLarge []error

	committing atomic.Bool
}

// stagedKind is all items of one kind and where they go.
type stagedKind struct {
	live, staged string
	items        []core.KeyedSerializedItem
}

func (s *Store) plan(data []core.SerializedCollection) (*initPlan, error) {
	id := rand.Text()
	plan := &initPlan{mark: s.session.keys.inited(), lifetime: s.session.options.InitTimeout + stagingMargin}
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
		if err := p.stage(ctx, client, kind); err != nil {
			return err
		}
	}
	return p.swap(ctx, client)
}

// stage writes a kind's items in batches.
func (p *initPlan) stage(ctx context.Context, client redis.UniversalClient, kind *stagedKind) error {
	var fields []any
	size := 0
	for i, item := range kind.items {
		fields = append(fields, item.Key, item.Item.Data)
		size += len(item.Key) + len(item.Item.Data)
		if size < maxBatchBytes && len(fields) < 2*maxBatchItems && i < len(kind.items)-1 {
			continue
		}
		err := p.stageBatch(ctx, client, kind.staged, fields)
		if !refused(err) && !slices.Contains(p.staged, kind.staged) {
			p.staged = append(p.staged, kind.staged)
		}
		if err != nil {
			return err
		}
		fields, size = fields[:0], 0
	}
	return nil
}

// stageBatch writes items together with their expiry, so that no cut connection leaves them for ever.
func (p *initPlan) stageBatch(ctx context.Context, client redis.UniversalClient, key string, fields []any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	commands, err := client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, key, fields...)
		pipe.PExpire(ctx, key, p.lifetime)
		return nil
	})
	return firstError(commands, err)
}

// refused reports whether err is a server's answer, after which nothing was written.
func refused(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// firstError returns why a transaction failed: the refused command's error if there is one, since that of the transaction
// says only that some command was refused.
func firstError(commands []redis.Cmder, err error) error {
	for _, command := range commands {
		if cause := command.Err(); cause != nil && !redis.HasErrorPrefix(cause, "EXECABORT") {
			return cause
		}
	}
	return err
}

// swap makes the staged items the stored ones. Once begun, it is not interrupted any more: whoever called Init has to be
// told whether it took effect.
func (p *initPlan) swap(ctx context.Context, client redis.UniversalClient) error {
	p.committing.Store(true)
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline.Add(commitGrace))
	defer cancel()
	keys := []string{p.mark}
	args := []any{len(p.kinds)}
	for _, kind := range p.kinds {
		keys = append(keys, kind.live, kind.staged)
		args = append(args, len(kind.items))
	}
	reply, err := runScript(ctx, client, swapScript, keys, append(args, p.kept...)...)
	if err != nil {
		return err
	}
	if reply != int64(1) {
		return errors.New("the staged items vanished before they could take effect; " +
			"the server was flushed or evicts keys for want of memory")
	}
	return nil
}
