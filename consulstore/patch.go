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

// ApplyPatch implements [core.BigSegmentWriter] by check-and-set. A patch that fits in one transaction is one atomic step.
// Of a larger one, every transaction checks that the cursor is still where the patch begins, and the last one moves it; each
// has the time that Options.WriteTimeout says. A stored value that is no membership is an error wrapping [core.ErrCorrupt].
func (b *BigSegments) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	if patch.SegmentRef == "" {
		return false, fmt.Errorf("consulstore: %w: a patch has no segment reference", core.ErrInvalid)
	}
	return newPatchJob(b.session, &patch).run(ctx)
}

// contextsAtOnce is how many contexts are read and written at a time: as many as the operations of a transaction allow on any
// server, of which the cursor's is one.
const contextsAtOnce = maxOperationsOfOld - 1

// patchJob is a patch on its way into the database.
type patchJob struct {
	session *session
	patch   *core.BigSegmentPatch
	cursor  string   // the cursor's key
	users   []string // the keys of the contexts, each once
	changes map[string]*userChange

	tried    []txnOp // the attempt before this one
	refused  error   // why the server undid it, if it did
	baseless int     // how often it did although nothing had changed
}

// userChange is what a patch does to one context. If a hash is both added and removed, removing comes last.
type userChange struct {
	include, exclude func(refs []string, ref string) []string
}

func newPatchJob(session *session, patch *core.BigSegmentPatch) *patchJob {
	job := &patchJob{session: session, patch: patch, cursor: session.keys.cursor(), changes: map[string]*userChange{}}
	for _, hash := range patch.Included.Add {
		job.change(hash).include = with
	}
	for _, hash := range patch.Excluded.Add {
		job.change(hash).exclude = with
	}
	for _, hash := range patch.Included.Remove {
		job.change(hash).include = without
	}
	for _, hash := range patch.Excluded.Remove {
		job.change(hash).exclude = without
	}
	return job
}

func (j *patchJob) change(hash string) *userChange {
	key := j.session.keys.user(hash)
	if j.changes[key] == nil {
		j.changes[key] = &userChange{same, same}
		j.users = append(j.users, key)
	}
	return j.changes[key]
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

// errElsewhere says that the cursor is not where the patch begins.
var errElsewhere = errors.New("the cursor is elsewhere")

// run applies the patch, some contexts at a time.
func (j *patchJob) run(ctx context.Context) (applied bool, err error) {
	for rest := j.users; ; {
		n := min(len(rest), contextsAtOnce)
		last := n == len(rest)
		applied, err := call(ctx, j.session, j.session.writing(j.cursor), func(ctx context.Context) (bool, error) {
			err := untilSettled(ctx, j.cursor, func() error { return j.apply(ctx, rest[:n], last) })
			if errors.Is(err, errElsewhere) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil || !applied || last {
			return applied, err
		}
		rest = rest[n:]
	}
}

// apply changes some contexts if the cursor is where the patch begins, and then moves it if these are the last. It returns
// errLost if somebody else changed one of them meanwhile.
func (j *patchJob) apply(ctx context.Context, users []string, last bool) error {
	began := time.Now()
	cursor, err := j.session.get(ctx, j.cursor, j.mode())
	if err != nil {
		return lostAnyway(ctx, j.refused, began, err)
	}
	at, index := "", uint64(0)
	if cursor != nil {
		at, index = string(cursor.Value), cursor.ModifyIndex
	}
	if at != j.patch.PreviousVersion {
		return errElsewhere
	}
	ops, err := j.operations(ctx, users)
	if err != nil {
		return lostAnyway(ctx, j.refused, began, err)
	}
	final := j.guard(index)
	if last {
		final = j.session.op(api.KVCAS, j.cursor, []byte(j.patch.Version), index)
	}
	if err := j.checkRefusal(append(slices.Clip(ops), final)); err != nil {
		return err
	}
	return j.write(ctx, ops, j.guard(index), final)
}

func (j *patchJob) mode() Consistency {
	if j.refused != nil {
		return ConsistencyConsistent
	}
	return ConsistencyDefault
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

// guard makes an operation that checks that the cursor was not moved.
func (j *patchJob) guard(index uint64) txnOp {
	if index == 0 {
		return j.session.op(api.KVCheckNotExists, j.cursor, nil, 0)
	}
	return j.session.op(api.KVCheckIndex, j.cursor, nil, index)
}

// write runs operations in as few transactions as their size allows, each with the guard but the last, which has final.
func (j *patchJob) write(ctx context.Context, ops []txnOp, guard, final txnOp) error {
	room := j.session.maxSize() - max(guard.size(), final.size())
	batches := pack(ops, j.session.maxOps()-1, room)
	if len(batches) == 0 {
		batches = [][]txnOp{nil}
	}
	for i, batch := range batches {
		end := guard
		if i == len(batches)-1 {
			end = final
		}
		_, err := j.session.transact(ctx, append(slices.Clip(batch), end))
		var undone *rollbackError
		switch {
		case errors.As(err, &undone):
			j.refused = err
			return errLost
		case tooLarge(err) && len(batch) > 1:
			j.session.noteRefusal(len(batch) + 1)
			half := len(batch) / 2
			err = j.write(ctx, batch[:half], guard, guard)
			if err == nil {
				err = j.write(ctx, batch[half:], guard, end)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// operations reads what is stored for contexts and makes the operations that change it.
func (j *patchJob) operations(ctx context.Context, users []string) ([]txnOp, error) {
	stored, err := j.read(ctx, users)
	if err != nil {
		return nil, err
	}
	var ops []txnOp
	for _, key := range users {
		op, changes, err := j.operation(key, stored[key])
		if err != nil {
			return nil, err
		}
		if changes {
			ops = append(ops, op)
		}
	}
	return ops, nil
}

// read reads several keys in one request. Each is read as a directory, because a key that is not there undoes a transaction
// that gets it.
func (j *patchJob) read(ctx context.Context, users []string) (map[string]*api.KVPair, error) {
	if len(users) == 0 {
		return nil, nil //nolint:nilnil // no keys
	}
	ops := make([]txnOp, len(users))
	for i, key := range users {
		ops[i] = j.session.op(api.KVGetTree, key, nil, 0)
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

func (j *patchJob) operation(key string, pair *api.KVPair) (op txnOp, changes bool, err error) {
	var now membership
	var index uint64
	if pair != nil {
		if now, err = parseMembership(pair); err != nil {
			return txnOp{}, false, err
		}
		index = pair.ModifyIndex
	}
	change := j.changes[key]
	wanted := membership{
		Included: change.include(append([]string{}, now.Included...), j.patch.SegmentRef),
		Excluded: change.exclude(append([]string{}, now.Excluded...), j.patch.SegmentRef),
	}
	switch {
	case slices.Equal(now.Included, wanted.Included) && slices.Equal(now.Excluded, wanted.Excluded):
		return txnOp{}, false, nil
	case len(wanted.Included)+len(wanted.Excluded) == 0:
		return j.session.op(api.KVDeleteCAS, key, nil, index), true, nil
	}
	value, err := json.Marshal(wanted)
	return j.session.op(api.KVCAS, key, value, index), true, err
}
