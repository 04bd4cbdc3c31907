package flagservice

import (
	"math/rand/v2"
	"time"
)

// How long to wait.
const (
	// MaxDelay is the longest delay of the normal regime, unless the initial one is longer.
	MaxDelay = 30 * time.Second
	// ExtendedDelay is the delay after an unexpected error.
	ExtendedDelay = 5 * time.Minute
	// HealthyAfter is how long a stream must have worked until its past errors are forgotten.
	HealthyAfter = time.Minute
)

// Backoff works out delays. It is not safe for concurrent use.
type Backoff struct {
	// Initial is the first delay of the normal regime; it must be positive.
	Initial time.Duration
	// Max is the longest delay of the normal regime.
	Max time.Duration

	next     time.Duration // 0 stands for Initial
	extended bool
}

// Reset forgets all errors.
func (b *Backoff) Reset() { b.next, b.extended = 0, false }

// Extended reports whether an unexpected error has not been forgotten yet.
func (b *Backoff) Extended() bool { return b.extended }

// After returns how long to wait after an error.
func (b *Backoff) After(err error) time.Duration {
	if Unexpected(err) {
		b.extended = true
	}
	if b.extended {
		return Jitter(ExtendedDelay)
	}
	return b.Short()
}

// Short returns how long to wait before a repetition that no error of the service makes necessary: the next delay of
// the normal regime.
func (b *Backoff) Short() time.Duration {
	delay := max(b.next, b.Initial)
	b.next = min(2*delay, max(b.Max, b.Initial))
	return Jitter(delay)
}

// Spread adds up to a tenth to an interval, so that clients that began together ask at times that drift apart.
func Spread(interval time.Duration) time.Duration {
	const tenth = 10
	return interval + rand.N(interval/tenth+1) //nolint:gosec // nothing secret
}

// Jitter takes up to half of a delay away.
func Jitter(delay time.Duration) time.Duration {
	return delay - rand.N(delay/2+1) //nolint:gosec // nothing secret
}
