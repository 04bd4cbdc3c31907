package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/cenkalti/backoff/v5"

	"github.com/cleatdev/cleat/core"
)

const (
	firstReconnectPause   = 100 * time.Millisecond
	longestReconnectPause = 10 * time.Second
)

// errStreamEnded is the error of a stream that gets no records any more.
var errStreamEnded = errors.New("the stream of the table was disabled")

// Watch implements [core.Watcher] by following the stream of the table: see the package documentation for what it costs and
// needs. It tells which item was written or deleted, also by the store itself. A table without a stream, with other keys, or
// with a stream that may not be read cannot be watched; a table that is not there is waited for. Once the watch has begun, it
// goes on until ctx ends or the store is closed, and looks for the table's new stream if the old one is disabled.
func (s *Store) Watch(ctx context.Context, changed func(core.Change)) error {
	op := operation{what: "watching table " + s.session.table}
	switch {
	case ctx == nil:
		return errNilContext()
	case changed == nil:
		return fmt.Errorf("dynamostore: %w: there is no function to call", core.ErrInvalid)
	case !s.session.enter():
		return errClosed(op)
	}
	defer s.session.calls.Done()
	if err := ctx.Err(); err != nil {
		return err
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.session.closing, cancel)()
	w := newWatcher(s.session, changed)
	if w.interval == 0 {
		return fmt.Errorf("dynamostore: %s: %w: a stream of AWS is followed only if Options.WatchInterval (watch_interval in a "+
			"URL) says how often to ask it, because every question is paid for", op.what, core.ErrInvalid)
	}
	return s.session.explain(ctx, watching, op, w.run(watching))
}

// watcher is one call of Watch.
type watcher struct {
	*session

	streams  *dynamodbstreams.Client
	interval time.Duration

	mu      sync.Mutex // serialises the calls of changed
	changed func(core.Change)
}

func newWatcher(s *session, changed func(core.Change)) *watcher {
	streams := s.streamsClient()
	return &watcher{session: s, streams: streams, interval: watchInterval(s.options, streams), changed: changed}
}

func (w *watcher) tell(ctx context.Context, change core.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() == nil {
		w.changed(change)
	}
}

// run follows the stream again and again: whatever ends one pursuit may have hidden changes, and the next one begins with
// an empty change.
func (w *watcher) run(ctx context.Context) error {
	pauses := growing(firstReconnectPause, longestReconnectPause, 1)
	begun, warned := false, false
	for {
		p, start := newPursuit(w), time.Now()
		err := p.follow(ctx)
		begun = begun || p.hasBegun()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !begun && lasting(err):
			return err
		case p.hasBegun() && errors.Is(err, errStreamEnded):
			w.tell(ctx, core.Change{}) // its last records may be unread
		}
		if !warned || p.hasBegun() {
			w.options.Logger.Warn("dynamostore: changes by others cannot be seen until the stream of the table can be read again",
				"table", w.table, "error", printable(err))
			warned = true
		}
		if p.hasBegun() && time.Since(start) > longestReconnectPause {
			pauses.Reset()
		}
		pause(ctx, pauses.NextBackOff())
	}
}

// lasting reports whether waiting does not help.
func lasting(err error) bool {
	var own *ownError
	if errors.As(err, &own) {
		return true
	}
	switch codeOf(err) {
	case codeAccessDenied, codeValidation, codeUnknownOperation:
		return true
	}
	return false
}

// growing returns delays that double from the first to the longest, each of which is off by up to the given part of it.
func growing(first, longest time.Duration, random float64) *backoff.ExponentialBackOff {
	const doubling = 2
	delays := &backoff.ExponentialBackOff{
		InitialInterval: first, RandomizationFactor: random, Multiplier: doubling, MaxInterval: longest,
	}
	delays.Reset()
	return delays
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
