package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// BigSegments keeps the memberships of big segments in Redis. On a Redis Cluster under a prefix without a hash tag, they are
// spread over all nodes; under one with a hash tag they share one slot. It is safe for concurrent use; make one with
// [NewBigSegments] or [OpenBigSegments].
type BigSegments struct {
	*database
	fenceOf func() []string // by slot, which are costly and only needed on some Clusters
}

func newBigSegments(d *database) *BigSegments {
	return &BigSegments{database: d, fenceOf: sync.OnceValue(d.fences)}
}

// NewBigSegments makes a big segment store on a client of the caller's, in the way of [New].
func NewBigSegments(ctx context.Context, client redis.UniversalClient, opts *Options) (*BigSegments, error) {
	d, err := useDatabase(ctx, client, opts)
	if err != nil {
		return nil, err
	}
	return newBigSegments(d), nil
}

// OpenBigSegments makes a big segment store with a client of its own, in the way of [Open].
func OpenBigSegments(ctx context.Context, rawURL string, opts *Options) (*BigSegments, error) {
	return open(ctx, rawURL, opts, newBigSegments)
}

// Metadata implements [core.BigSegmentStore] with one GET. A time that is no number is an error wrapping
// [core.ErrCorrupt].
func (b *BigSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	text, err := b.getString(ctx, b.synchronizedOn())
	if err != nil || text == "" {
		return core.BigSegmentMetadata{}, err
	}
	at, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return core.BigSegmentMetadata{}, fmt.Errorf(
			"redisstore: reading %s: %w: it must be a time in Unix milliseconds: %w", b.synchronizedOn(), core.ErrCorrupt, err)
	}
	return core.BigSegmentMetadata{LastUpToDate: ldtime.UnixMillisecondTime(at)}, nil
}

// Membership implements [core.BigSegmentStore] with one transaction in one round trip. On a Redis Cluster under a prefix
// without a hash tag it is two commands at once, between which a patch may fall.
func (b *BigSegments) Membership(ctx context.Context, contextHash string) (core.BigSegmentMembership, error) {
	if err := b.admit(ctx); err != nil {
		return core.BigSegmentMembership{}, err
	}
	together := b.client.TxPipelined
	if b.spread {
		together = b.client.Pipelined
	}
	var included, excluded *redis.StringSliceCmd
	include, exclude := b.include(contextHash), b.exclude(contextHash)
	commands, err := together(ctx, func(pipe redis.Pipeliner) error {
		included, excluded = pipe.SMembers(ctx, include), pipe.SMembers(ctx, exclude)
		return nil
	})
	if err := firstError(commands, err); err != nil {
		return core.BigSegmentMembership{}, b.explain(ctx, reading(include+" and "+exclude), err)
	}
	return core.NewBigSegmentMembership(included.Val(), excluded.Val()), nil
}

// Cursor implements [core.BigSegmentWriter] with one GET.
func (b *BigSegments) Cursor(ctx context.Context) (string, error) {
	return b.getString(ctx, b.cursor())
}

// ApplyPatch implements [core.BigSegmentWriter] with one script, which is one atomic step, for each 100,000 context hashes;
// the last one moves the cursor. It also writes the lock key, so that a Relay Proxy which is about
// to apply a patch itself starts again. A set of the wrong type is an error wrapping [core.ErrCorrupt].
//
// On a Redis Cluster under a prefix without a hash tag, the sets are changed by many scripts at once, one for each slot, and
// then the cursor is moved. See "Big segments on a Cluster" in the package's documentation.
func (b *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (applied bool, err error) {
	if patch.SegmentRef == "" && patch.Changes() > 0 {
		return false, fmt.Errorf("redisstore: %w: a patch has no segment reference", core.ErrInvalid)
	}
	if err := b.admit(ctx); err != nil {
		return false, err
	}
	apply, size := b.applyStep, maxPatchHashes
	if b.spread {
		apply, size = b.applySpread, maxSpreadHashes
	}
	for step := range patch.Steps(size) {
		applied, err = apply(ctx, step)
		if err != nil {
			return false, b.explain(ctx, writing(b.cursor()), err)
		}
		if !applied {
			return false, nil
		}
	}
	return true, nil
}

// applyStep is one script.
func (b *BigSegments) applyStep(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	sets, added := b.sets(patch)
	keys := append([]string{b.lock(), b.cursor()}, sets...)
	reply, err := runScript(ctx, b.client, patchScript, keys, patch.PreviousVersion, patch.Version, patch.SegmentRef, added)
	return reply == int64(1), err
}

// sets returns the sets that the patch changes. It adds its segment to the first of them, as many as added says, and removes
// it from the others.
func (b *BigSegments) sets(patch core.BigSegmentPatch) (sets []string, added int) {
	names := b.keys
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
	if err := b.admit(ctx); err != nil {
		return err
	}
	key := b.synchronizedOn()
	if err := b.client.Set(ctx, key, strconv.FormatUint(uint64(at), 10), 0).Err(); err != nil {
		return b.explain(ctx, writing(key), err)
	}
	return nil
}

// Close implements [core.BigSegmentStore] in the way of [Store.Close].
func (b *BigSegments) Close() error { return b.close() }

// getString reads a string key; one that is not there is empty.
func (b *BigSegments) getString(ctx context.Context, key string) (string, error) {
	if err := b.admit(ctx); err != nil {
		return "", err
	}
	text, err := b.client.Get(ctx, key).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "", nil
	case err != nil:
		return "", b.explain(ctx, reading(key), err)
	}
	return text, nil
}

// maxSpreadHashes bounds how many context hashes are changed in one step if their sets are in many slots.
const maxSpreadHashes = 10_000

// applySpread applies a patch whose sets are in many slots, where no script sees both a set and the cursor. A fencing token
// stands in for the cursor: every slot remembers the epoch of the last patch that changed it, and refuses one of an earlier
// epoch. A patch is given its epoch at the cursor that it begins at, so that what it writes late is refused by every slot
// that a patch of a later cursor has changed. In all other slots, it finds what it writes there already: the cursor would
// not have moved otherwise.
func (b *BigSegments) applySpread(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	keys := []string{b.cursor(), b.epoch()}
	epoch, err := runScript(ctx, b.client, epochScript, keys, patch.PreviousVersion)
	if err != nil || epoch == int64(0) {
		return false, err
	}
	if inTime, err := changeSlots(ctx, b.client, b.slotPatches(patch), epoch, patch.SegmentRef); err != nil || !inTime {
		return false, err
	}
	if patch.Version == patch.PreviousVersion {
		return true, nil
	}
	reply, err := runScript(ctx, b.client, cursorScript, keys[:1], patch.PreviousVersion, patch.Version)
	return reply == int64(1), err
}

// slotPatch is the part of a patch that belongs to one slot.
type slotPatch struct {
	keys  []string // the fence, then the sets; those that the segment is added to come first
	added int
}

// slotPatches sorts the sets of a patch by slot.
func (b *BigSegments) slotPatches(patch core.BigSegmentPatch) []*slotPatch {
	sets, added := b.sets(patch)
	bySlot := make(map[uint16]*slotPatch)
	patches := make([]*slotPatch, 0, min(len(sets), slotCount))
	for i, set := range sets {
		slot := slotOf(set)
		p := bySlot[slot]
		if p == nil {
			p = &slotPatch{keys: []string{b.fenceOf()[slot]}}
			bySlot[slot] = p
			patches = append(patches, p)
		}
		p.keys = append(p.keys, set)
		if i < added {
			p.added++
		}
	}
	return patches
}

// changeSlots changes all slots at once, and reports whether none of them found it too late. A slot that refused the
// script, and so did not run it, is asked again: with the source if it does not know the script, and after a while if it is
// on its way to another node.
func changeSlots(
	ctx context.Context, client redis.UniversalClient, patches []*slotPatch, epoch any, ref string,
) (inTime bool, err error) {
	command, code := "evalsha", fenceScript.digest
	for len(patches) > 0 {
		commands, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, p := range patches {
				pipe.Do(ctx, p.command(command, code, epoch, ref)...)
			}
			return nil
		})
		if len(commands) != len(patches) {
			return false, err
		}
		var unknown, moving []*slotPatch
		for i, cmd := range commands {
			switch err := cmd.Err(); {
			case err == nil && cmd.(*redis.Cmd).Val() == int64(0):
				return false, nil
			case err == nil:
			case redis.HasErrorPrefix(err, "NOSCRIPT"):
				unknown = append(unknown, patches[i])
			case isMoving(err):
				moving = append(moving, patches[i])
			default:
				return false, err
			}
		}
		if len(unknown) > 0 {
			command, code = "eval", fenceScript.source
		}
		if len(moving) > 0 && !pauseForMove(ctx) {
			return false, ctx.Err()
		}
		patches = slices.Concat(unknown, moving)
	}
	return true, nil
}

// command returns the words of the command that runs the script.
func (p *slotPatch) command(name, code string, epoch any, ref string) []any {
	line := make([]any, 0, 6+len(p.keys))
	line = append(line, name, code, len(p.keys))
	for _, key := range p.keys {
		line = append(line, key)
	}
	return append(line, epoch, ref, p.added)
}
