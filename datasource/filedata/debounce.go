package filedata

import "time"

// debouncer waits until nothing has happened for a while, but not for ever.
type debouncer struct {
	quiet time.Duration
	timer *time.Timer
	first time.Time // of the noise that has not been dealt with; zero if there is none
}

func newDebouncer(quiet time.Duration) *debouncer {
	timer := time.NewTimer(quiet)
	timer.Stop()
	return &debouncer{quiet: quiet, timer: timer}
}

// noise says that something happened.
func (d *debouncer) noise() {
	now := time.Now()
	if d.first.IsZero() {
		d.first = now
	}
	latest := d.first.Add(maxDebounces * d.quiet)
	d.timer.Reset(min(d.quiet, latest.Sub(now)))
}

// over delivers when it is time to deal with the noise.
func (d *debouncer) over() <-chan time.Time { return d.timer.C }

// reset says that the noise has been dealt with.
func (d *debouncer) reset() { d.first = time.Time{} }

func (d *debouncer) stop() { d.timer.Stop() }
