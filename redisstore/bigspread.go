package redisstore

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

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
