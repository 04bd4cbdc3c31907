// Package lifecycle bounds what a component over a store runs and asks: its goroutines end and are awaited when it is closed,
// and each call of the store ends at its deadline, also if the store ignores its context or panics. [Bound] and
// [BoundBigSegments] do so for every call of a store, so that adapters need not.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

const (
	// maxAbandoned is how many calls may be left behind that have not returned although their time was up. One more of each of
	// the methods that tell how a store is may be, so that it can be asked how it is.
	maxAbandoned = 64
	checkName    = "CheckAvailability"
	metadataName = "Metadata"
	// CloseLimit is how long Close of a [Store] or [BigSegments] takes at most.
	CloseLimit = 10 * time.Second
	// closeGrace is how long calls whose context has ended may take to return before the store is closed all the same.
	closeGrace = 250 * time.Millisecond
	// answerGrace is how long a call whose time is up may take to say so itself.
	answerGrace = 10 * time.Millisecond
)

// Group knows the goroutines of one component and its calls of a store. Make one with [New].
type Group struct {
	name   string
	logger *slog.Logger
	ctx    context.Context //nolint:containedctx // ends when Close begins
	cancel context.CancelFunc

	mu        sync.Mutex // guards what follows
	closed    bool
	pending   int            // goroutines and calls; once closed is set, only those that run already add to it
	calls     map[string]int // that are under way, by name
	abandoned map[string]int // calls that have not returned although their time was up, by name
	idle      chan struct{}  // closed once closed is set and nothing is pending
}

// New returns the group of a component, with whose name errors begin.
func New(name string, logger *slog.Logger) *Group {
	g := &Group{
		name: name, logger: logger, calls: make(map[string]int), abandoned: make(map[string]int), idle: make(chan struct{}),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// Context ends when Close begins.
func (g *Group) Context() context.Context { return g.ctx }

// Closed reports whether the store is being closed or is closed.
func (g *Group) Closed() bool { return g.ctx.Err() != nil }

// Go runs f on a goroutine that Close waits for; f must return when Context ends. It does nothing once closed.
func (g *Group) Go(f func()) {
	if g.enter() {
		go func() {
			defer g.leave()
			f()
		}()
	}
}

// beginClose ends everything; it reports false if that has been done before.
func (g *Group) beginClose() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.closed = true
	g.cancel()
	g.noteIdle()
	return true
}

// unfinished names the calls of the store that are under way.
func (g *Group) unfinished() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.calls))
}

func (g *Group) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.pending++
	}
	return !g.closed
}

func (g *Group) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending--
	g.noteIdle()
}

// noteIdle closes idle if it is time. The caller holds mu.
func (g *Group) noteIdle() {
	if g.closed && g.pending == 0 {
		close(g.idle)
	}
}

// begin admits a call; it fails once closed and while too many calls are left behind.
func (g *Group) begin(name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return core.ErrClosed
	case g.tooManyAbandoned(name):
		return fmt.Errorf("%s: %w: calls of the store have not returned although their time was up, and no more are made: %v",
			g.name, core.ErrUnavailable, g.abandoned)
	}
	g.pending++
	g.calls[name]++
	return nil
}

// tooManyAbandoned reports whether a call would be one too many if it did not return. The caller holds mu.
func (g *Group) tooManyAbandoned(name string) bool {
	if name == checkName || name == metadataName {
		return g.abandoned[name] > 0
	}
	sum := 0
	for _, n := range g.abandoned {
		sum += n
	}
	return sum >= maxAbandoned
}

// end notes that a call has returned.
func (g *Group) end(name string, wasAbandoned bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls[name]--; g.calls[name] == 0 {
		delete(g.calls, name)
	}
	if wasAbandoned {
		if g.abandoned[name]--; g.abandoned[name] == 0 {
			delete(g.abandoned, name)
		}
	}
	g.pending--
	g.noteIdle()
}

// watch makes a call of the store that has no limit, on the caller's goroutine. The context ends with parent, and when the
// group is closed.
func (g *Group) watch(parent context.Context, op func(context.Context) error) error {
	const name = "Watch"
	if err := g.begin(name); err != nil {
		return err
	}
	defer g.end(name, false)
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)()
	_, err := guarded(ctx, g, func(ctx context.Context) (struct{}, error) { return struct{}{}, op(ctx) })
	return err
}

// Call makes one call of the store. It returns when parent ends, with its error, after limit, with an error that wraps
// [core.ErrUnavailable], and when the group is closed, with [core.ErrClosed]; also if op does not, whose answer is then
// discarded. A panic is an error that wraps ErrUnavailable.
func Call[T any](
	parent context.Context, g *Group, name string, limit time.Duration, op func(context.Context) (T, error),
) (T, error) {
	var none T
	if parent == nil {
		return none, fmt.Errorf("%s: %w: nil context", g.name, core.ErrInvalid)
	}
	if err := parent.Err(); err != nil {
		return none, err
	}
	if err := g.begin(name); err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	p := &pending[T]{}
	go p.run(ctx, cancel, g, name, op)
	select {
	case <-ctx.Done(): // also because run has ended it
	case <-g.ctx.Done():
		cancel()
	}
	p.await(ctx, g, name)
	switch {
	case p.err == nil:
		return p.value, nil
	case g.Closed():
		return none, core.ErrClosed
	case parent.Err() != nil:
		return none, parent.Err()
	case p.late:
		return none, fmt.Errorf("%s: no answer from the database within %v: %w: %w", g.name, limit, core.ErrUnavailable, p.err)
	}
	return p.value, p.err
}

// pending is a call of which the caller waits for the answer.
type pending[T any] struct {
	mu        sync.Mutex    // guards what follows until await has returned
	returned  bool          // the call has returned
	abandoned bool          // the caller does not wait any more
	late      bool          // err is that the context has ended
	done      chan struct{} // closed when the call returns; made only if the caller waits after the end of the context
	value     T
	err       error // what the call returned, or why there is no answer
}

// run makes the call, and then ends the context, on which the caller waits.
func (p *pending[T]) run(
	ctx context.Context, cancel context.CancelFunc, g *Group, name string, op func(context.Context) (T, error),
) {
	defer cancel()
	value, err := guarded(ctx, g, op)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.returned = true; !p.abandoned {
		p.value, p.err, p.late = value, err, ctx.Err() != nil && errors.Is(err, ctx.Err())
	}
	if p.done != nil {
		close(p.done)
	}
	g.end(name, p.abandoned)
}

// await returns when the call has returned, or leaves it behind if it does not return soon after the end of the context.
func (p *pending[T]) await(ctx context.Context, g *Group, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.returned {
		return
	}
	p.done = make(chan struct{})
	p.mu.Unlock()
	grace := time.NewTimer(answerGrace) // what op says itself is more than that ctx has ended
	select {
	case <-p.done:
	case <-grace.C:
	}
	grace.Stop()
	p.mu.Lock()
	if !p.returned {
		p.abandoned = true
		p.err, p.late = ctx.Err(), true
		g.abandon(name)
	}
}

func (g *Group) abandon(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.abandoned[name]++
}

// guarded makes an error of a panic, which would end the process, because no caller's goroutine runs op.
func guarded[T any](ctx context.Context, g *Group, op func(context.Context) (T, error)) (result T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%s: the store panicked: %w: %v\n%s", g.name, core.ErrUnavailable, cause, debug.Stack())
		}
	}()
	return op(ctx)
}

// close is Close of a store, which op closes. Calls whose context has ended have a moment to return before that.
func (g *Group) close(limit time.Duration, store any, op func() error) error {
	if !g.beginClose() {
		return nil
	}
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	grace := time.NewTimer(min(limit, closeGrace))
	defer grace.Stop()
	select {
	case <-g.idle:
	case <-grace.C:
	}
	closed := make(chan error, 1)
	go func() {
		_, err := guarded(context.Background(), g, func(context.Context) (struct{}, error) { return struct{}{}, op() })
		closed <- err
	}()
	var err error
	for idle := g.idle; idle != nil || closed != nil; {
		select {
		case <-idle:
			idle = nil
		case err = <-closed:
			closed = nil
		case <-deadline.C:
			left := g.unfinished()
			if closed != nil {
				left = append(left, "Close")
				err = fmt.Errorf("%s: %w: the store's Close has not ended within %v", g.name, core.ErrUnavailable, limit.Round(time.Second))
			}
			g.logger.Error(g.name+": calls of the store have not ended; they are left behind",
				"store", fmt.Sprintf("%T", store), "calls", left, "limit", limit.Round(time.Second))
			return err
		}
	}
	return err
}
