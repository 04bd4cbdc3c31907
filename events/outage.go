package events

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How long nothing is delivered after the service has refused this client.
const (
	firstPause = 30 * time.Second
	maxPause   = 15 * time.Minute
)

// outage follows how the deliveries of one sort fare: one line of the log says that they fail and one that they succeed again,
// and after a refusal there is a pause, which doubles with each further one. It is safe for concurrent use.
type outage struct {
	logger *slog.Logger
	what   string // is delivered

	failures atomic.Int64              // how many deliveries have failed
	resume   atomic.Pointer[time.Time] // until when nothing is delivered; nil unless the service has refused

	mu    sync.Mutex // guards what follows
	since time.Time  // when deliveries began to fail; zero while they succeed
	last  error      // why the last one failed
	pause time.Duration
}

// paused reports whether nothing is to be delivered now.
func (o *outage) paused() bool {
	resume := o.resume.Load()
	return resume != nil && time.Now().Before(*resume)
}

// failed takes note of a delivery that was given up. If the service refused it, so that the next one would hardly fare better,
// a pause begins, unless a delivery that was under way at the same time has begun it.
func (o *outage) failed(problem error, refused bool) {
	o.failures.Add(1)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = problem
	attributes := []any{"error", problem}
	if refused {
		if !o.paused() {
			o.pause = min(max(2*o.pause, firstPause), maxPause)
			resume := time.Now().Add(o.pause)
			o.resume.Store(&resume)
		}
		attributes = append(attributes, "retry_in", o.pause)
	}
	level := slog.LevelDebug
	if o.since.IsZero() {
		o.since, level = time.Now(), slog.LevelWarn
	}
	o.logger.Log(context.Background(), level,
		"events: "+o.what+" cannot be delivered and are dropped until they can", attributes...)
}

// succeeded ends the outage, if there is one.
func (o *outage) succeeded() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return
	}
	o.logger.Info("events: "+o.what+" are delivered again", "after", time.Since(o.since).Round(time.Millisecond))
	o.since, o.last, o.pause = time.Time{}, nil, 0
	o.resume.Store(nil)
}

// problem returns why the last delivery failed; nil if it did not.
func (o *outage) problem() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}
