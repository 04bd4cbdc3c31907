package flagservice

import (
	"context"
	"time"
)

// Wait returns after the delay, or as soon as ctx ends or wake gets a value. It reports whether ctx is still alive.
func Wait(ctx context.Context, delay time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
