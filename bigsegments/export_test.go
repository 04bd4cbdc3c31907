package bigsegments

import "time"

// WithRandom returns the options with another source of jitter.
func WithRandom(o Options, random func() float64) Options {
	o.random = random
	return o
}

// WithNow returns the options with another wall clock.
func WithNow(o Options, now func() time.Time) Options {
	o.now = now
	return o
}
