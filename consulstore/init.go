package consulstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

// Init implements [core.FeatureStoreCore]. It reads what is there and writes what differs. If that fits in one transaction,
// it is one, and readers see the old set or the new. If not, items are written in the order of the collections, several
// transactions of a collection at once, then leftovers are deleted, and then the mark is set.
//
// An Init that stopped half way is a [*core.PartialInitError]; one that failed before it wrote anything, because nothing could
// be read, returns what went wrong as it is. An Init whose context ends while it waits for the answer to the request that sets
// the mark still says whether it took effect, for which it waits half a second.
func (s *Store) Init(ctx context.Context, data []core.SerializedCollection) error {
	if ctx == nil {
		return errNilContext()
	}
	if err := core.ValidateInit(data); err != nil {
		return fmt.Errorf("consulstore: %w", err)
	}
	plan, err := newInitPlan(s, data)
	if err != nil {
		return err
	}
	_, err = call(ctx, s.session, s.session.initializing(s.session.keys.inited()), func(ctx context.Context) (struct{}, error) {
		if err := plan.compare(ctx); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, plan.run(ctx)
	})
	switch {
	case err != nil && plan.begun.Load():
		return &core.PartialInitError{Written: int(plan.written.Load()), Total: plan.total, Err: err}
	case err != nil:
		return err
	}
	return errors.Join(plan.tooLarge...)
}
