package redisstore

import (
	"context"
	"errors"
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

// staging is what an Init has put aside until it takes effect.
type staging struct {
	lifetime time.Duration // of staged items
	staged   []string      // keys that may have been written

	// committing turns true before the one command that makes the Init take effect.
	committing *atomic.Bool
}

func (s *base) newStaging() staging {
	return staging{lifetime: s.session.options.InitTimeout + stagingMargin, committing: new(atomic.Bool)}
}

// discard removes what a failed Init staged, also if it failed because its context ended.
func (s *base) discard(ctx context.Context, staging *staging, client redis.UniversalClient) {
	if len(staging.staged) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range staging.staged { // which may be in several slots
			pipe.Unlink(ctx, key)
		}
		return nil
	})
	if err != nil {
		s.session.logger.Warn("redisstore: items staged by a failed Init could not be removed and will expire",
			"prefix", s.session.options.Prefix, "expiry", staging.lifetime, "error", printable(err))
	}
}

// stage writes items in batches.
func (p *staging) stage(
	ctx context.Context, client redis.UniversalClient, key string, items []core.KeyedSerializedItem,
) error {
	var fields []any
	size := 0
	for i, item := range items {
		fields = append(fields, item.Key, item.Item.Data)
		size += len(item.Key) + len(item.Item.Data)
		if size < maxBatchBytes && len(fields) < 2*maxBatchItems && i < len(items)-1 {
			continue
		}
		err := p.stageBatch(ctx, client, key, fields)
		if !refused(err) && !slices.Contains(p.staged, key) {
			p.staged = append(p.staged, key)
		}
		if err != nil {
			return err
		}
		fields, size = fields[:0], 0
	}
	return nil
}

// stageBatch writes items together with their expiry, so that no cut connection leaves them for ever.
func (p *staging) stageBatch(ctx context.Context, client redis.UniversalClient, key string, fields []any) error {
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

// commit returns a context for the last command of an Init. Once begun, that is not interrupted any more: whoever called Init
// has to be told whether it took effect.
func (p *staging) commit(ctx context.Context) (context.Context, context.CancelFunc, error) {
	p.committing.Store(true)
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline.Add(commitGrace))
	return ctx, cancel, nil
}

func errStagedVanished() error {
	return errors.New("the staged items vanished before they could take effect; " +
		"the server was flushed or evicts keys for want of memory")
}
