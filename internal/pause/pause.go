// Package pause waits between attempts.
package pause

import (
	"context"
	"time"
)

// For waits for d, or until ctx ends, and then returns the error of ctx as it is.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
