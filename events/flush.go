package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

// Flusher is implemented by the event processors of this package.
type Flusher interface {
	// FlushAndWait delivers all events that were sent before, and waits until that is done, which takes some 50 ms even if
	// there are none, or until ctx ends, in which case it returns ctx.Err() and the deliveries go on. Any other error says
	// why events were not delivered meanwhile, or that the processor is closed.
	FlushAndWait(ctx context.Context) error
}

var (
	_ Flusher = (*processor)(nil)
	_ Flusher = (*recordingProcessor)(nil)
	_ Flusher = Discarding{}
)

// FlushAndWait implements [Flusher]. The library does not tell when it has handed over what it has, so that it is asked to
// again and again until nothing has been under way for some rounds.
func (p *processor) FlushAndWait(ctx context.Context) error {
	if ctx == nil {
		return fmt.Errorf("events: %w: the context is nil", core.ErrInvalid)
	}
	outage := &p.delivery.events
	before := outage.failures.Load()
	for quiet := 0; quiet < quietRounds; quiet++ {
		if p.closed.Load() {
			return errors.New("events: the processor is closed")
		}
		p.library.Flush()
		if err := pause.For(ctx, flushWait); err != nil {
			return err
		}
		if p.delivery.delivering.Load() > 0 {
			quiet = -1
		}
	}
	if !outage.paused() && outage.failures.Load() == before {
		return nil
	}
	if problem := outage.problem(); problem != nil {
		return fmt.Errorf("events: events were not delivered: %w", problem)
	}
	return errors.New("events: events were not delivered, but later ones are") // another delivery has succeeded since
}
