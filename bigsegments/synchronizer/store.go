package synchronizer

import (
	"context"
	"fmt"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

// storeError is an error of the store that is filled.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

// callStore makes one call of the store with a deadline.
func callStore[T any](
	ctx context.Context, limit time.Duration, what string, op func(context.Context) (T, error),
) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	result, err := op(bounded)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	default:
		err = &storeError{fmt.Errorf("%s the big segment store: %w", what, err)}
	}
	return result, err
}

func (s *Synchronizer) readCursor(ctx context.Context) (string, error) {
	return callStore(ctx, s.options.StoreTimeout, "reading the cursor of", s.writer.Cursor)
}

func (s *Synchronizer) markUpToDate(ctx context.Context, asOf time.Time) error {
	_, err := callStore(ctx, s.options.StoreTimeout, "marking as up to date", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.writer.SetLastUpToDate(ctx, ldtime.UnixMillisecondTime(max(asOf.UnixMilli(), 0)))
	})
	return err
}

// apply applies patches one after the other from where the cursor is, and returns where it is afterwards. all is false if
// one of them did not apply; those after it are not tried.
func (s *Synchronizer) apply(ctx context.Context, cursor string, patches []patch) (at string, all bool, err error) {
	for i := range patches {
		more := i+1 < len(patches) && patches[i+1].Version == patches[i].Version
		next, fits := patches[i].at(cursor, more)
		if !fits {
			return cursor, false, nil
		}
		applied, err := callStore(ctx, s.options.StoreTimeout, "applying a patch to",
			func(ctx context.Context) (bool, error) { return s.writer.ApplyPatch(ctx, next) })
		if err != nil || !applied {
			return cursor, false, err
		}
		cursor = next.Version
	}
	return cursor, true, nil
}

var _ core.BackgroundOperation = (*Synchronizer)(nil)
