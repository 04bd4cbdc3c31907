package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

// maxPatchHashes bounds how long a script keeps the server from answering others, to about a tenth of a second, and how
// many keys one command names, of which servers accept a million.
const maxPatchHashes = 100_000

var (
	_ core.BigSegmentStore  = (*BigSegments)(nil)
	_ core.BigSegmentWriter = (*BigSegments)(nil)
)

// BigSegments keeps the memberships of big segments in Redis. It is safe for concurrent use; make one with
// [NewBigSegments] or [OpenBigSegments].
type BigSegments struct {
	session *session
	fences  func() []string // names by slot, which are costly and only needed on some Clusters
}

func newBigSegments(s *session) *BigSegments {
	return &BigSegments{session: s, fences: sync.OnceValue(s.keys.fences)}
}

// NewBigSegments makes a big segment store on a client of the caller's, in the way of [New].
func NewBigSegments(ctx context.Context, client redis.UniversalClient, opts *Options) (*BigSegments, error) {
	s, err := newSession(ctx, client, opts)
	if err != nil {
		return nil, err
	}
	return newBigSegments(s), nil
}

// OpenBigSegments makes a big segment store with a client of its own, in the way of [Open].
func OpenBigSegments(ctx context.Context, url string, opts *Options) (*BigSegments, error) {
	s, err := openSession(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	return newBigSegments(s), nil
}

// Metadata implements [core.BigSegmentStore] with one GET. A time that is no number is an error wrapping
// [core.ErrCorrupt].
func (b *BigSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	key := b.session.keys.synchronizedOn()
	return call(ctx, b.session, b.session.reading(key),
		func(ctx context.Context, client redis.UniversalClient) (core.BigSegmentMetadata, error) {
			text, err := getString(ctx, client, key)
			if err != nil || text == "" {
				return core.BigSegmentMetadata{}, err
			}
			at, err := strconv.ParseUint(text, 10, 63)
			if err != nil {
				return core.BigSegmentMetadata{}, &ownError{fmt.Errorf(
					"redisstore: reading %s: %w: it must be a time in Unix milliseconds: %w", key, core.ErrCorrupt, err)}
			}
			return core.BigSegmentMetadata{LastUpToDate: ldtime.UnixMillisecondTime(at)}, nil
		})
}

// Membership implements [core.BigSegmentStore] with one transaction in one round trip. On a Redis Cluster under a prefix
// without a hash tag it is two commands at once, between which a patch may fall.
func (b *BigSegments) Membership(ctx context.Context, contextHash string) (core.BigSegmentMembership, error) {
	include, exclude := b.session.keys.include(contextHash), b.session.keys.exclude(contextHash)
	return call(ctx, b.session, b.session.reading(include+" and "+exclude),
		func(ctx context.Context, client redis.UniversalClient) (core.BigSegmentMembership, error) {
			var included, excluded *redis.StringSliceCmd
			together := client.TxPipelined
			if b.session.spread {
				together = client.Pipelined
			}
			commands, err := together(ctx, func(pipe redis.Pipeliner) error {
				included, excluded = pipe.SMembers(ctx, include), pipe.SMembers(ctx, exclude)
				return nil
			})
			if err := firstError(commands, err); err != nil {
				return core.BigSegmentMembership{}, err
			}
			return core.NewBigSegmentMembership(included.Val(), excluded.Val()), nil
		})
}

// Cursor implements [core.BigSegmentWriter] with one GET.
func (b *BigSegments) Cursor(ctx context.Context) (string, error) {
	key := b.session.keys.cursor()
	return call(ctx, b.session, b.session.reading(key),
		func(ctx context.Context, client redis.UniversalClient) (string, error) {
			return getString(ctx, client, key)
		})
}

// ApplyPatch implements [core.BigSegmentWriter] with one script, which is one atomic step, for each 100,000 context hashes;
// the last one moves the cursor. Each has its own time-out. It also writes the lock key, so that a Relay Proxy which is about
// to apply a patch itself starts again. A set of the wrong type is an error wrapping [core.ErrCorrupt].
//
// On a Redis Cluster under a prefix without a hash tag, the sets are changed by many scripts at once, one for each slot, and
// then the cursor is moved. See "Clusters" in the package's documentation.
func (b *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (applied bool, err error) {
	if patch.SegmentRef == "" && patch.Changes() > 0 {
		return false, fmt.Errorf("redisstore: %w: a patch has no segment reference", core.ErrInvalid)
	}
	apply, size := b.applyStep, maxPatchHashes
	if b.session.spread {
		apply, size = b.applySpread, maxSpreadHashes
	}
	for step := range patch.Steps(size) {
		if applied, err = apply(ctx, step); err != nil || !applied {
			return false, err
		}
	}
	return true, nil
}

// applyStep is one script.
func (b *BigSegments) applyStep(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	cursor := b.session.keys.cursor()
	sets, added := b.sets(patch)
	keys := append([]string{b.session.keys.lock(), cursor}, sets...)
	return call(ctx, b.session, b.session.writing(cursor),
		func(ctx context.Context, client redis.UniversalClient) (bool, error) {
			reply, err := runScript(ctx, client, patchScript, keys, patch.PreviousVersion, patch.Version, patch.SegmentRef, added)
			return reply == int64(1), err
		})
}

// sets returns the sets that the patch changes. It adds its segment to the first of them, as many as added says, and removes
// it from the others.
func (b *BigSegments) sets(patch core.BigSegmentPatch) (sets []string, added int) {
	names := b.session.keys
	sets = make([]string, 0, patch.Changes())
	sets = appendNames(sets, names.include, patch.Included.Add)
	sets = appendNames(sets, names.exclude, patch.Excluded.Add)
	added = len(sets)
	sets = appendNames(sets, names.include, patch.Included.Remove)
	return appendNames(sets, names.exclude, patch.Excluded.Remove), added
}

func appendNames(names []string, name func(string) string, hashes []string) []string {
	for _, hash := range hashes {
		names = append(names, name(hash))
	}
	return names
}

// SetLastUpToDate implements [core.BigSegmentWriter] with one SET.
func (b *BigSegments) SetLastUpToDate(ctx context.Context, at ldtime.UnixMillisecondTime) error {
	key := b.session.keys.synchronizedOn()
	_, err := call(ctx, b.session, b.session.writing(key),
		func(ctx context.Context, client redis.UniversalClient) (struct{}, error) {
			return struct{}{}, client.Set(ctx, key, strconv.FormatUint(uint64(at), 10), 0).Err()
		})
	return err
}

// Close implements [core.BigSegmentStore] in the way of [Store.Close].
func (b *BigSegments) Close() error { return b.session.close() }

// getString reads a string key; one that is not there is empty.
func getString(ctx context.Context, client redis.UniversalClient, key string) (string, error) {
	text, err := client.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return text, err
}
