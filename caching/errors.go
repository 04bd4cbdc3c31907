package caching

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cleatdev/cleat/core"
)

// joinErrors joins errors in the order of their keys; nil if there are none.
func joinErrors(byKey map[string]error) error {
	errs := make([]error, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		errs = append(errs, byKey[key])
	}
	return errors.Join(errs...)
}

// errClosedElsewhere is what becomes of [core.ErrClosed] of a store that was closed below the wrapper, because that error
// would say that the wrapper is closed.
var errClosedElsewhere = fmt.Errorf("caching: the store was closed by another owner; give each client a store of its own: %w",
	core.ErrUnavailable)

// isTooSlow reports whether err says that the time given to the operation is over.
func isTooSlow(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err())
}

func timeLimitError(limit time.Duration, err error) error {
	return fmt.Errorf("caching: no answer from the database within %v: %w: %w", limit, core.ErrUnavailable, err)
}

// outageFrom returns the outage that an error of the database begins; nil if it begins none, because it concerns one
// item or the arguments, or comes from a wrapper that was closed.
func outageFrom(err error) *outage {
	if _, only := core.ItemErrors(err); only || errors.Is(err, core.ErrInvalid) || errors.Is(err, core.ErrClosed) {
		return nil
	}
	readsWork := errors.Is(err, core.ErrReadOnly) || errors.Is(err, core.ErrConflict)
	return &outage{cause: err, readsWork: readsWork}
}
