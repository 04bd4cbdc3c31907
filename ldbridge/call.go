package ldbridge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cleatdev/cleat/core"
)

// call makes one call of a store, named by what, within limit.
func call[T any](what string, limit time.Duration, op func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	result, err := guarded(what, func() (T, error) { return op(ctx) })
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("ldbridge: %s: %w: no answer within %v", what, core.ErrUnavailable, limit)
	}
	return result, err
}

// guarded makes an error of a panic, which would end the application from inside of its flags.
func guarded[T any](what string, op func() (T, error)) (result T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("ldbridge: %s: the store panicked: %w: %v\n%s", what, core.ErrUnavailable, cause, debug.Stack())
		}
	}()
	return op()
}

// closing closes a store.
func closing(store interface{ Close() error }) error {
	_, err := guarded("Close", func() (struct{}, error) { return struct{}{}, store.Close() })
	return err
}
