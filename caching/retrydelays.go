package caching

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// maxWriteRetryDelay bounds the time between two attempts to write to a database that can be read. Such a one may stay
// that way, as a replica or for want of permissions, and each attempt is an Init.
const maxWriteRetryDelay = 5 * time.Minute

// retryDelays are how long to wait between two attempts to end an outage. They grow from one to the next.
type retryDelays struct {
	unreadable, unwritable *backoff.ExponentialBackOff
}

func newRetryDelays(opts *Options) *retryDelays {
	growing := func(longest time.Duration) *backoff.ExponentialBackOff {
		return &backoff.ExponentialBackOff{
			InitialInterval: opts.MinRetryDelay, Multiplier: backoff.DefaultMultiplier, MaxInterval: longest,
		}
	}
	return &retryDelays{
		unreadable: growing(opts.MaxRetryDelay),
		unwritable: growing(max(opts.MaxRetryDelay, maxWriteRetryDelay)),
	}
}

// next returns how long to wait in the outage; nil stands for one that has just ended.
func (r *retryDelays) next(o *outage) time.Duration {
	if o != nil && o.readsWork {
		return r.unwritable.NextBackOff()
	}
	return r.unreadable.NextBackOff()
}

// reset makes the waiting times short again.
func (r *retryDelays) reset() {
	r.unreadable.Reset()
	r.unwritable.Reset()
}
