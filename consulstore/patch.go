package consulstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/core"
)

// ApplyPatch implements [core.BigSegmentWriter] by check-and-set, some contexts at a time: one request reads them, and a
// transaction writes them if neither they nor the cursor have changed since. The last one moves the cursor.
// Options.WriteTimeout bounds each of these steps. A stored value that is no membership is an error wrapping [core.ErrCorrupt].
func (b *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if patch.SegmentRef == "" && patch.Changes() > 0 {
		return false, fmt.Errorf("consulstore: %w: a patch has no segment reference", core.ErrInvalid)
	}
	job := &patchJob{session: b.session, patch: patch, cursor: b.session.keys.cursor()}
	return job.run(ctx, contextChanges(b.session.keys, patch))
}

// patchJob is a patch on its way into the database.
type patchJob struct {
	session *session
	patch   core.BigSegmentPatch

	cursor  string // the cursor's key
	located bool   // the cursor is where the patch begins, and was last modified at
	index   uint64 // this index; 0 if there is none

	full    []string // the keys of contexts whose values are too large for the server
	fullErr error    // what the server said about the last of them

	tried    []txnOp // the attempt before this one
	refused  error   // why the server undid it, if it did
	baseless int     // how often it did although nothing had changed
}

// errElsewhere says that the cursor is not where the patch begins.
var errElsewhere = errors.New("the cursor is elsewhere")

// run applies the patch, some contexts at a time.
func (j *patchJob) run(ctx context.Context, changes []*contextChange) (applied bool, err error) {
	const contextsAtOnce = maxOperationsOfOld - 1 // as many as any server takes in a transaction, beside the cursor
	steps := slices.Collect(slices.Chunk(changes, contextsAtOnce))
	if len(steps) == 0 {
		steps = [][]*contextChange{nil}
	}
	for i, step := range steps {
		applied, err := call(ctx, j.session, j.session.writing(j.cursor), func(ctx context.Context) (bool, error) {
			err := untilSettled(ctx, j.cursor, func() error { return j.apply(ctx, step, i == len(steps)-1) })
			if errors.Is(err, errElsewhere) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil || !applied {
			return false, err
		}
	}
	if len(j.full) == 0 {
		return true, nil
	}
	tooLarge := &core.BigSegmentTooLargeError{Err: j.fullErr}
	for _, c := range changes {
		if slices.Contains(j.full, c.key) {
			tooLarge.ContextHashes = append(tooLarge.ContextHashes, c.hash)
		}
	}
	return false, tooLarge
}

// apply changes some contexts if the cursor is where the patch begins, and then moves it if these are the last. It returns
// errLost if another writer changed one of them meanwhile.
func (j *patchJob) apply(ctx context.Context, changes []*contextChange, last bool) error {
	began := time.Now()
	ops, err := j.operations(ctx, changes)
	if err != nil {
		return lostAnyway(ctx, j.refused, began, err)
	}
	if err := j.checkRefusal(append(slices.Clip(ops), j.atCursor(last))); err != nil {
		return err
	}
	return j.write(ctx, ops, last)
}

// operations makes the operations that change contexts. What is full already is left out.
func (j *patchJob) operations(ctx context.Context, changes []*contextChange) ([]txnOp, error) {
	if err := j.locate(ctx); err != nil {
		return nil, err
	}
	stored, err := j.read(ctx, changes)
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
	pair, err := j.session.get(ctx, j.cursor, j.mode())
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

func (j *patchJob) mode() Consistency {
	if j.refused != nil {
		return ConsistencyConsistent
	}
	return ConsistencyDefault
}

// read reads several contexts in one request. Each is read as a directory, because a key that is not there undoes a
// transaction that gets it.
func (j *patchJob) read(ctx context.Context, changes []*contextChange) (map[string]*api.KVPair, error) {
	if len(changes) == 0 {
		return nil, nil //nolint:nilnil // no keys
	}
	ops := make([]txnOp, len(changes))
	for i, c := range changes {
		ops[i] = j.session.op(api.KVGetTree, c.key, nil, 0)
	}
	pairs, _, err := j.session.readTransaction(ctx, j.mode(), ops...)
	if err != nil {
		return nil, err
	}
	stored := make(map[string]*api.KVPair, len(pairs))
	for _, pair := range pairs {
		stored[pair.Key] = pair
	}
	return stored, nil
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
		return j.session.op(api.KVDeleteCAS, c.key, nil, index), true, nil
	}
	value, err := json.Marshal(wanted)
	return j.session.op(api.KVCAS, c.key, value, index), true, err
}

// checkRefusal returns why the server undid the attempt before this one if that was not for another writer.
func (j *patchJob) checkRefusal(ops []txnOp) error {
	unchanged := slices.EqualFunc(ops, j.tried, func(a, b txnOp) bool { return a.KV.Key == b.KV.Key && a.KV.Index == b.KV.Index })
	j.tried = ops
	if j.refused != nil && unchanged {
		if j.baseless++; j.baseless > maxBaseless {
			return j.refused
		}
	}
	return nil
}

// atCursor makes the operation without which nothing is written: the cursor is as it was read. The last one of the patch
// moves it, unless a context was left out.
func (j *patchJob) atCursor(last bool) txnOp {
	switch {
	case last && len(j.full) == 0 && j.patch.Version != j.patch.PreviousVersion:
		return j.session.op(api.KVCAS, j.cursor, []byte(j.patch.Version), j.index)
	case j.index == 0:
		return j.session.op(api.KVCheckNotExists, j.cursor, nil, 0)
	}
	return j.session.op(api.KVCheckIndex, j.cursor, nil, j.index)
}

// write runs operations in as few transactions as their size allows.
func (j *patchJob) write(ctx context.Context, ops []txnOp, last bool) error {
	check, move := j.atCursor(false), j.atCursor(last)
	batches := pack(ops, j.session.maxOps()-1, j.session.maxSize()-max(check.size(), move.size()))
	if len(batches) == 0 {
		batches = [][]txnOp{nil}
	}
	for i, batch := range batches {
		if err := j.transact(ctx, batch, last && i == len(batches)-1); err != nil {
			return err
		}
	}
	return nil
}

// transact runs operations in one transaction, or, if that is too large for the server, one half of them after the other.
func (j *patchJob) transact(ctx context.Context, ops []txnOp, last bool) error {
	_, err := j.session.transact(ctx, append(slices.Clip(ops), j.atCursor(last)))
	var undone *rollbackError
	n := len(ops)
	switch {
	case errors.As(err, &undone):
		j.refused, j.located = err, false
		return errLost
	case !tooLarge(err) || n == 0:
		return err
	case n == 1:
		j.full = append(j.full, ops[0].KV.Key)
		j.fullErr = translate(j.session.writing(ops[0].KV.Key), err, false)
		return nil
	}
	j.session.noteRefusal(n + 1)
	if err := j.transact(ctx, ops[:n/2], false); err != nil {
		return err
	}
	return j.transact(ctx, ops[n/2:], last)
}
