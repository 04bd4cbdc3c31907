package caching

import (
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cleatdev/cleat/core"
)

// retryDelays are how long to wait between two attempts to end an outage. They grow from one to the next. Those for a
// database that is read-only grow longer, because such a one may stay that way, and each attempt is an Init.
type retryDelays struct {
	usual, readOnly *backoff.ExponentialBackOff
}

func newRetryDelays(opts *Options) *retryDelays {
	growing := func(longest time.Duration) *backoff.ExponentialBackOff {
		return &backoff.ExponentialBackOff{
			InitialInterval: opts.MinRetryDelay, Multiplier: backoff.DefaultMultiplier, MaxInterval: longest,
		}
	}
	return &retryDelays{
		usual:    growing(opts.MaxRetryDelay),
		readOnly: growing(opts.maxReadOnlyRetryDelay),
	}
}

// next returns how long to wait in the outage; nil stands for one that has just ended.
func (r *retryDelays) next(o *outage) time.Duration {
	if o != nil && errors.Is(o.cause, core.ErrReadOnly) {
		return r.readOnly.NextBackOff()
	}
	return r.usual.NextBackOff()
}

// reset makes the waiting times short again.
func (r *retryDelays) reset() {
	r.usual.Reset()
	r.resetReadOnly()
}

// resetReadOnly does so for a database that has been written since it was read-only.
func (r *retryDelays) resetReadOnly() { r.readOnly.Reset() }
