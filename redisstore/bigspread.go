package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

const (
	// maxPipelined bounds how many commands of a patch are sent at once.
	maxPipelined = 5000

	// lockShare is the part of a writer's time-out (one in …) for which it holds the lock at most: whoever waits for it
	// outlasts a holder that has died.
	lockShare = 2

	// lockPoll is the least time after which a lock is asked for again; at most it is twice as long.
	lockPoll = 10 * time.Millisecond
)

// spreadPatch is a patch on its way into sets of many slots.
type spreadPatch struct {
	core.BigSegmentPatch
	keys  keys
	token string        // by which it holds the lock
	hold  time.Duration // how long the lock lasts unless it is taken again
}

// applySpread applies a patch whose sets are in many slots. A patch that another writer applies at the same time must not
// come in between: what it takes out of a set again could be put back here.
func (b *BigSegments) applySpread(
	ctx context.Context, patch core.BigSegmentPatch, sets []string, added int,
) (applied bool, err error) {
	p := &spreadPatch{patch, b.session.keys, rand.Text(), b.session.options.WriteTimeout / lockShare}
	for {
		n := min(len(sets), maxPatchHashes)
		part, addedHere, last := sets[:n], min(added, n), n == len(sets)
		applied, err = call(ctx, b.session, b.session.writing(p.keys.cursor()),
			func(ctx context.Context, client redis.UniversalClient) (bool, error) {
				applied, err := p.apply(ctx, client, part, addedHere, last)
				if last || !applied {
					p.release(ctx, client, err)
				}
				return applied, err
			})
		if last || err != nil || !applied {
			return applied, err
		}
		sets, added = sets[n:], max(0, added-n)
	}
}

// apply changes some of the sets, and moves the cursor if they are the last.
func (p *spreadPatch) apply(
	ctx context.Context, client redis.UniversalClient, sets []string, added int, last bool,
) (bool, error) {
	locked, err := p.lock(ctx, client)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithDeadline(ctx, locked.Add(p.hold-lockPoll))
	defer cancel()
	cursor, err := getString(ctx, client, p.keys.cursor())
	if err != nil || cursor != p.PreviousVersion {
		return false, err
	}
	for from := 0; from < len(sets); from += maxPipelined {
		commands, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i := from; i < min(from+maxPipelined, len(sets)); i++ {
				if i < added {
					pipe.SAdd(ctx, sets[i], p.SegmentRef)
				} else {
					pipe.SRem(ctx, sets[i], p.SegmentRef)
				}
			}
			return nil
		})
		if err := firstError(commands, err); err != nil {
			return false, err
		}
	}
	if !last {
		return true, nil
	}
	reply, err := runScript(ctx, client, cursorScript, []string{p.keys.cursor()}, p.PreviousVersion, p.Version)
	return reply == int64(1), err
}

// lock waits until the lock is free, or is ours already, and then returns since when. It gives up a little before ctx
// ends, in time to say why.
func (p *spreadPatch) lock(ctx context.Context, client redis.UniversalClient) (since time.Time, err error) {
	deadline, _ := ctx.Deadline()
	for time.Until(deadline) > 3*lockPoll {
		since = time.Now()
		reply, err := runScript(ctx, client, lockScript, []string{p.keys.lock()}, p.token, p.hold.Milliseconds())
		if err != nil || reply == int64(1) {
			return since, err
		}
		pause := time.NewTimer(lockPoll + mathrand.N(lockPoll)) //nolint:gosec // it is no secret
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return since, ctx.Err()
		}
	}
	return since, &ownError{fmt.Errorf("redisstore: writing %s: %w: another writer holds %s",
		p.keys.cursor(), core.ErrConflict, p.keys.lock())}
}

// release gives the lock back, unless commands that got no answer may still be carried out: then it expires. The driver
// does not break off a command that was sent when ctx is cancelled.
func (p *spreadPatch) release(ctx context.Context, client redis.UniversalClient, err error) {
	if err != nil && !refused(err) && !errors.Is(err, context.Canceled) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	// A lock that cannot be given back expires too.
	_, _ = runScript(ctx, client, lockScript, []string{p.keys.lock()}, p.token, 0)
}
