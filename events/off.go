package events

import (
	"context"

	"github.com/cleatdev/cleat/core"
)

// Off returns what makes a [Discarding] processor.
func Off() core.EventProcessorFactory {
	return func(core.ClientSettings) (core.EventProcessor, error) { return Discarding{}, nil }
}

// Discarding is an event processor that drops everything and uses nothing. Who builds events asks for it by
// `_, off := processor.(events.Discarding)` and spares itself the work.
type Discarding struct{}

var _ core.EventProcessor = Discarding{}

// Send does nothing.
func (Discarding) Send(core.Event) {}

// Flush does nothing.
func (Discarding) Flush() {}

// Close does nothing.
func (Discarding) Close(context.Context) error { return nil }

// FlushAndWait does nothing.
func (Discarding) FlushAndWait(context.Context) error { return nil }
