package dynamostore

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"golang.org/x/sync/errgroup"

	"github.com/cleatdev/cleat/core"
)

const (
	// maxShards bounds what a watch costs: every open shard is asked once in an interval.
	maxShards = 100
	// maxShardRequests is how many shards are asked at the same moment.
	maxShardRequests = 8

	// firstLook and longestLook are how long after the end of a shard its children are looked for, and how often the stream
	// is looked at if no shard ends.
	firstLook   = 100 * time.Millisecond
	longestLook = time.Minute
)

// pursuit follows one stream from its present end for as long as nothing goes wrong. Records of different shards come in any
// order, which does not matter, because a change is only a reason to read again.
type pursuit struct {
	*watcher

	group     *errgroup.Group
	slots     chan struct{}   // holds a token per request for records under way
	ended     chan string     // shards that were read to their end
	following map[string]bool // shards that were not
	known     map[string]bool // shards that are followed, or were, or had ended before

	ready chan struct{} // has a token for every shard whose position at the beginning is certain
	begun chan struct{} // closed when changes are seen
}

func newPursuit(w *watcher) *pursuit {
	return &pursuit{
		watcher: w, slots: make(chan struct{}, maxShardRequests), ended: make(chan string, maxShards),
		following: make(map[string]bool), known: make(map[string]bool),
		ready: make(chan struct{}, maxShards), begun: make(chan struct{}),
	}
}

func (p *pursuit) hasBegun() bool {
	select {
	case <-p.begun:
		return true
	default:
		return false
	}
}

// follow returns an error when ctx ends, or when changes may be missed. No call of changed is made after that.
func (p *pursuit) follow(ctx context.Context) error {
	arn, err := p.findStream(ctx)
	if err != nil {
		return err
	}
	shards, err := p.listShards(ctx, arn)
	if err != nil {
		return err
	}
	p.group, ctx = errgroup.WithContext(ctx)
	for _, shard := range shards {
		id := aws.ToString(shard.ShardId)
		p.known[id] = true
		if isOpen(shard) {
			p.start(ctx, arn, id, types.ShardIteratorTypeLatest)
		}
	}
	if err := p.checkShards(); err != nil {
		p.group.Go(func() error { return err })
	} else {
		p.group.Go(func() error { return p.supervise(ctx, arn) })
	}
	return p.group.Wait()
}

func isOpen(shard types.Shard) bool {
	return shard.SequenceNumberRange == nil || shard.SequenceNumberRange.EndingSequenceNumber == nil
}

func (p *pursuit) start(ctx context.Context, arn, id string, from types.ShardIteratorType) {
	p.following[id] = true
	if len(p.following) <= maxShards {
		p.group.Go(func() error { return p.followShard(ctx, arn, id, from) })
	}
}

func (p *pursuit) checkShards() error {
	switch n := len(p.following); {
	case n > maxShards:
		return &ownError{fmt.Errorf("dynamostore: table %s: %w: its stream has %d open shards, and at most %d are followed",
			p.table, core.ErrTooLarge, n, maxShards)}
	case n == 0:
		return errNoShards
	}
	return nil
}

// supervise says that the watch has begun, and sees to it that the children of shards that end are followed.
func (p *pursuit) supervise(ctx context.Context, arn string) error {
	if err := p.awaitShards(ctx); err != nil {
		return err
	}
	p.tell(ctx, core.Change{})
	close(p.begun)
	const half = 0.5
	delays := growing(longestLook, longestLook, half)
	timer := time.NewTimer(delays.NextBackOff())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case id := <-p.ended:
			delete(p.following, id)
			delays = growing(firstLook, longestLook, half)
		case <-timer.C:
			if err := p.look(ctx, arn); err != nil {
				return err
			}
		}
		timer.Reset(delays.NextBackOff())
	}
}

// awaitShards returns when the position in every shard is certain: an iterator alone may not fix it.
func (p *pursuit) awaitShards(ctx context.Context) error {
	for range len(p.following) {
		select {
		case <-p.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// look follows shards that are new from their beginning. A listing that is throttled is left to the next look.
func (p *pursuit) look(ctx context.Context, arn string) error {
	shards, err := p.listShards(ctx, arn)
	if err != nil {
		if isThrottling(err) {
			return nil
		}
		return err
	}
	known := make(map[string]bool, len(shards))
	for _, shard := range shards {
		id := aws.ToString(shard.ShardId)
		known[id] = true
		if !p.known[id] && !p.following[id] {
			p.start(ctx, arn, id, types.ShardIteratorTypeTrimHorizon)
		}
	}
	p.known = known
	if len(p.following) == 0 {
		return nil // the children come later
	}
	return p.checkShards()
}

// followShard tells what is written to a shard until it is read to its end.
func (p *pursuit) followShard(ctx context.Context, arn, id string, from types.ShardIteratorType) error {
	iterator, err := p.iterator(ctx, arn, id, from)
	if err != nil {
		return err
	}
	pace := pace{shortest: p.interval, now: p.interval}
	for first := true; iterator != nil; first = false {
		page, err := p.nextRecords(ctx, iterator, &pace)
		if err != nil {
			return err
		}
		if first {
			p.awaitBeginning(ctx)
		}
		p.tellRecords(ctx, page.Records)
		if iterator = page.NextShardIterator; iterator != nil {
			pause(ctx, pace.next(len(page.Records) > 0))
		}
	}
	select {
	case p.ended <- id:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitBeginning is called for every shard that is followed, before anything of it is told.
func (p *pursuit) awaitBeginning(ctx context.Context) {
	if p.hasBegun() {
		return
	}
	p.ready <- struct{}{}
	select {
	case <-p.begun:
	case <-ctx.Done():
	}
}

// nextRecords reads on, more and more slowly while the service refuses to be asked so often.
func (p *pursuit) nextRecords(
	ctx context.Context, iterator *string, pace *pace,
) (*dynamodbstreams.GetRecordsOutput, error) {
	for {
		output, err := p.records(ctx, iterator)
		switch {
		case err != nil:
			return nil, err
		case output != nil:
			pace.faster()
			return output, nil
		}
		pace.slower()
		pause(ctx, pace.next(false))
	}
}

func (p *pursuit) tellRecords(ctx context.Context, records []types.Record) {
	told := make(map[core.Change]struct{}, len(records))
	for _, record := range records {
		change, ok := p.keys.changeOf(record)
		if _, again := told[change]; !ok || again {
			continue
		}
		told[change] = struct{}{}
		p.tell(ctx, change)
	}
}
