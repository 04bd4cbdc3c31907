package caching_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// dice is a source of randomness for several goroutines.
type dice struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.IntN(n)
}

func (d *dice) share() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.Float64()
}

func (d *dice) upTo(limit time.Duration) time.Duration { return time.Duration(d.below(int(limit))) }

func (d *dice) oneIn(n int) bool { return d.below(n) == 0 }

// fault is something that is wrong with the database for a while, for all processes.
type fault struct {
	name string
	// begin is what happens at the beginning of an operation, which has no effect if that returns an error; nil is nothing.
	begin func(ctx context.Context, d *dice, operation string) error
	// slow is how long an operation takes at most before it has its effect, and again before it answers.
	slow time.Duration
}

var faults = []fault{
	{name: "nothing"},
	{name: "0.1 % fail", begin: failing(0.001)},
	{name: "1 % fail", begin: failing(0.01)},
	{name: "10 % fail", begin: failing(0.1)},
	{name: "33 % fail", begin: failing(0.33)},
	{name: "all fail", begin: failing(1)},
	{name: "hangs", begin: func(ctx context.Context, _ *dice, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	}},
	{name: "slow", slow: modelTimeout / 4},
	{name: "slower than the deadlines now and then", slow: modelTimeout},
	{name: "read-only", begin: func(_ context.Context, _ *dice, operation string) error {
		return onWrites(operation, core.ErrReadOnly)
	}},
	{name: "conflicts", begin: func(_ context.Context, d *dice, operation string) error {
		if operation == "Upsert" && d.oneIn(2) {
			return core.ErrConflict
		}
		return nil
	}},
	{name: "Init stops half-way", begin: func(_ context.Context, _ *dice, operation string) error {
		if operation == "Init" {
			return &core.PartialInitError{Written: 1, Total: 2, Err: core.ErrUnavailable}
		}
		return nil
	}},
}

// failing makes the given share of all operations fail.
func failing(share float64) func(context.Context, *dice, string) error {
	return func(_ context.Context, d *dice, _ string) error {
		if d.share() < share {
			return core.ErrUnavailable
		}
		return nil
	}
}

func (m *model) currentFault() fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fault
}

func (m *model) setFault(f fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// begin is what the database does at the beginning of every operation.
func (m *model) begin(ctx context.Context, operation string) error {
	f := m.currentFault()
	if err := pause(ctx, m.dice.upTo(maxLinger+f.slow)); err != nil || f.begin == nil {
		return err
	}
	return f.begin(ctx, m.dice, operation)
}

// end is what it does between the effect of an operation and its answer.
func (m *model) end(string) { time.Sleep(m.dice.upTo(maxLinger + m.currentFault().slow)) }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// changeFaults has one fault follow another, between which data may be lost.
func (m *model) changeFaults(ctx context.Context) {
	for ctx.Err() == nil {
		m.setFault(faults[m.dice.below(len(faults))])
		if m.loses {
			switch m.dice.below(8) {
			case 0, 1:
				m.db.Wipe()
			case 2:
				m.evict(modelKeys()...)
			case 3:
				m.evict(m.someKey())
			}
		}
		_ = pause(ctx, m.dice.upTo(2*time.Second))
	}
}

// evict deletes flags behind the back of all processes, and leaves the mark. If it is not noticed before some of them have been
// written again, the others look like flags that another process has deleted, and may be believed to be gone.
func (m *model) evict(keys ...string) {
	<-m.turn
	defer func() { m.turn <- struct{}{} }()
	m.noteEvicted(keys...)
	m.deleteFlags(keys...)
}

func (m *model) deleteFlags(keys ...string) {
	for _, key := range keys {
		m.db.DeleteRaw("", core.Flags, key)
	}
}
