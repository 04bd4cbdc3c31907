package consulstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/core"
)

// ApplyPatch implements [core.BigSegmentWriter] by check-and-set, some contexts at a time: one request reads them, and a
// transaction writes them if neither they nor the cursor have changed since. The last one moves the cursor. A patch whose context
// ends before that is completed by applying it again. A stored value that is no membership is an error wrapping [core.ErrCorrupt].
func (b *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if patch.SegmentRef == "" && patch.Changes() > 0 {
		return false, fmt.Errorf("consulstore: %w: a patch has no segment reference", core.ErrInvalid)
	}
	if err := b.kv.begin(ctx); err != nil {
		return false, err
	}
	job := &patchJob{kv: b.kv, patch: patch, cursor: b.kv.keys.cursor()}
	err := job.run(ctx, contextChanges(b.kv.keys, patch))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errElsewhere):
		return false, nil
	}
	return false, b.kv.notWritten(ctx, job.cursor, err)
}

// contextChange is what a patch does to one context. If a hash is both added and removed, removing comes last.
type contextChange struct {
	hash, key        string
	include, exclude func(refs []string, ref string) []string
}

// contextChanges merges what a patch says about each context, because a transaction may write a key once only.
func contextChanges(keys keys, patch core.BigSegmentPatch) []*contextChange {
	var all []*contextChange
	byHash := map[string]*contextChange{}
	each := func(hashes []string, note func(*contextChange)) {
		for _, hash := range hashes {
			c := byHash[hash]
			if c == nil {
				c = &contextChange{hash, keys.user(hash), same, same}
				byHash[hash] = c
				all = append(all, c)
			}
			note(c)
		}
	}
	each(patch.Included.Add, func(c *contextChange) { c.include = with })
	each(patch.Included.Remove, func(c *contextChange) { c.include = without })
	each(patch.Excluded.Add, func(c *contextChange) { c.exclude = with })
	each(patch.Excluded.Remove, func(c *contextChange) { c.exclude = without })
	return all
}

// of returns what becomes of a membership.
func (c *contextChange) of(now membership, ref string) (wanted membership, changes bool) {
	wanted = membership{
		Included: c.include(append([]string{}, now.Included...), ref),
		Excluded: c.exclude(append([]string{}, now.Excluded...), ref),
	}
	return wanted, !slices.Equal(now.Included, wanted.Included) || !slices.Equal(now.Excluded, wanted.Excluded)
}

func same(refs []string, _ string) []string { return refs }

func with(refs []string, ref string) []string {
	if slices.Contains(refs, ref) {
		return refs
	}
	return append(refs, ref)
}

func without(refs []string, ref string) []string {
	return slices.DeleteFunc(refs, func(other string) bool { return other == ref })
}

// patchJob is a patch on its way into the database.
type patchJob struct {
	contest
	kv    *kv
	patch core.BigSegmentPatch

	cursor  string // the cursor's key
	located bool   // the cursor is where the patch begins, and was last modified at
	index   uint64 // this index; 0 if there is none

	full    []string // the keys of contexts whose values are too large for the server
	fullErr error    // what the server said about the last of them
}

// errElsewhere says that the cursor is not where the patch begins.
var errElsewhere = errors.New("the cursor is elsewhere")

// run applies the patch, some contexts at a time.
func (j *patchJob) run(ctx context.Context, changes []*contextChange) error {
	const contextsAtOnce = maxOperationsOfOld - 1 // as many as any server takes in a transaction, beside the cursor
	steps := slices.Collect(slices.Chunk(changes, contextsAtOnce))
	if len(steps) == 0 {
		steps = [][]*contextChange{nil}
	}
	for i, step := range steps {
		err := j.settle(ctx, j.cursor, func() error { return j.apply(ctx, step, i == len(steps)-1) })
		if err != nil {
			return err
		}
	}
	if len(j.full) == 0 {
		return nil
	}
	tooLarge := &core.BigSegmentTooLargeError{Err: j.fullErr}
	for _, c := range changes {
		if slices.Contains(j.full, c.key) {
			tooLarge.ContextHashes = append(tooLarge.ContextHashes, c.hash)
		}
	}
	return tooLarge
}

// apply changes some contexts if the cursor is where the patch begins, and then moves it if these are the last. It returns
// errLost if another writer changed one of them meanwhile.
func (j *patchJob) apply(ctx context.Context, changes []*contextChange, last bool) error {
	if err := j.locate(ctx); err != nil {
		return err
	}
	ops, err := j.operations(ctx, changes)
	if err != nil {
		return err
	}
	if err := j.next(append(slices.Clip(ops), j.atCursor(last))); err != nil {
		return err
	}
	check, move := j.atCursor(false), j.atCursor(last)
	batches := pack(ops, j.kv.maxOps()-1, j.kv.maxSize()-max(check.size(), move.size()))
	if len(batches) == 0 {
		batches = [][]txnOp{nil}
	}
	for i, batch := range batches {
		err := j.kv.inParts(batch, last && i == len(batches)-1,
			func(ops []txnOp, last bool) error { return j.transact(ctx, ops, last) }, j.noteFull)
		if err != nil {
			return err
		}
	}
	return nil
}

// operations makes the operations that change contexts. What is full already is left out.
func (j *patchJob) operations(ctx context.Context, changes []*contextChange) ([]txnOp, error) {
	keys := make([]string, len(changes))
	for i, c := range changes {
		keys[i] = c.key
	}
	stored, err := j.kv.getMany(ctx, keys, j.mode())
	if err != nil {
		return nil, err
	}
	var ops []txnOp
	for _, c := range changes {
		if slices.Contains(j.full, c.key) {
			continue
		}
		op, needed, err := j.operation(c, stored[c.key])
		if err != nil {
			return nil, err
		}
		if needed {
			ops = append(ops, op)
		}
	}
	return ops, nil
}

// locate reads the cursor, unless what it was last time still counts.
func (j *patchJob) locate(ctx context.Context) error {
	if j.located {
		return nil
	}
	pair, err := j.kv.get(ctx, j.cursor, j.mode())
	if err != nil {
		return err
	}
	at, index := "", uint64(0)
	if pair != nil {
		at, index = string(pair.Value), pair.ModifyIndex
	}
	if at != j.patch.PreviousVersion {
		return errElsewhere
	}
	j.located, j.index = true, index
	return nil
}

func (j *patchJob) operation(c *contextChange, pair *api.KVPair) (op txnOp, needed bool, err error) {
	var now membership
	var index uint64
	if pair != nil {
		if now, err = parseMembership(pair); err != nil {
			return txnOp{}, false, err
		}
		index = pair.ModifyIndex
	}
	wanted, changes := c.of(now, j.patch.SegmentRef)
	switch {
	case !changes:
		return txnOp{}, false, nil
	case len(wanted.Included)+len(wanted.Excluded) == 0:
		return j.kv.op(api.KVDeleteCAS, c.key, nil, index), true, nil
	}
	value, err := json.Marshal(wanted)
	return j.kv.op(api.KVCAS, c.key, value, index), true, err
}

// atCursor makes the operation without which nothing is written: the cursor is as it was read. The last one of the patch
// moves it, unless a context was left out.
func (j *patchJob) atCursor(last bool) txnOp {
	switch {
	case last && len(j.full) == 0 && j.patch.Version != j.patch.PreviousVersion:
		return j.kv.op(api.KVCAS, j.cursor, []byte(j.patch.Version), j.index)
	case j.index == 0:
		return j.kv.op(api.KVCheckNotExists, j.cursor, nil, 0)
	}
	return j.kv.op(api.KVCheckIndex, j.cursor, nil, j.index)
}

// transact runs operations in one transaction, if the cursor is where the patch begins.
func (j *patchJob) transact(ctx context.Context, ops []txnOp, last bool) error {
	_, err := j.kv.transact(ctx, append(slices.Clip(ops), j.atCursor(last)))
	var undone *rollbackError
	if errors.As(err, &undone) {
		j.refused, j.located = err, false
		return errLost
	}
	return err
}

// noteFull notes a context whose value is too large for the server.
func (j *patchJob) noteFull(op *txnOp, err error) error {
	j.full = append(j.full, op.KV.Key)
	j.fullErr = j.kv.translate("writing "+op.KV.Key, err, false)
	return nil
}
