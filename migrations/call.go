package migrations

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"
)

// PanicError is the error of an origin whose function panicked.
type PanicError struct {
	// Origin is whose function it was.
	Origin ldmigration.Origin
	// Value is what it panicked with.
	Value any
	// Stack is where, as [debug.Stack] formats it.
	Stack []byte
}

// Error implements error. It does not show the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("migrations: the function for the %s system panicked: %v", e.Origin, e.Value)
}

// Unwrap returns what the function panicked with, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errNoReturn is the error of a function that ended its goroutine, as a failing test does.
var errNoReturn = errors.New("migrations: the function neither returned nor panicked; it must not call runtime.Goexit")

// call calls the function and turns every way in which it can end into a result.
func call[P, R any](
	ctx context.Context, origin ldmigration.Origin, function func(context.Context, P) (R, error), payload P,
	result *OperationResult[R],
) {
	*result = OperationResult[R]{Origin: origin, Err: errNoReturn}
	defer func() {
		if cause := recover(); cause != nil {
			result.Err = &PanicError{Origin: origin, Value: cause, Stack: debug.Stack()}
		}
	}()
	result.Value, result.Err = function(ctx, payload)
}
