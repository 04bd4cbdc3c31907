package streaming

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// handle passes an event on. An error means that the connection is of no more use.
func (s *source) handle(ctx context.Context, event flagservice.Event) error {
	var err error
	switch event.Name {
	case "put":
		err = s.put(ctx, event.Data)
	case "patch":
		err = s.update(ctx, event.Data, flagservice.ReadPatch)
	case "delete":
		err = s.update(ctx, event.Data, flagservice.ReadDelete)
	default:
		s.logger.DebugContext(ctx, "cleat: the flag service sent an event of a kind that is unknown, which is ignored")
	}
	if err != nil {
		return fmt.Errorf("event %q: %w", event.Name, err)
	}
	return nil
}

func (s *source) put(ctx context.Context, text []byte) error {
	data, ok, err := flagservice.ReadPut(text, s.logger)
	if err != nil || !ok {
		return err
	}
	s.filled = true
	s.stale.Store(false) // what the store asks for from now on is asked for again
	if err := s.sink.Init(ctx, data); err != nil {
		return s.noteRefusal(ctx, err)
	}
	s.accepted(ctx)
	return nil
}

func (s *source) update(
	ctx context.Context, text []byte, read func([]byte, *slog.Logger) (flagservice.Update, bool, error),
) error {
	update, ok, err := read(text, s.logger)
	if err != nil || !ok {
		return err
	}
	if update.Item != nil {
		err = s.sink.Upsert(ctx, update.Kind, update.Key, update.Item)
	} else {
		err = s.sink.Delete(ctx, update.Kind, update.Key, update.Version)
	}
	if err == nil {
		return nil
	}
	if _, only := core.ItemErrors(err); only {
		s.noteRefusedItem(ctx)
		return nil
	}
	return s.noteRefusal(ctx, err)
}

// noteRefusedItem notes that the store works but cannot hold the item, which the sink has reported as an interruption.
func (s *source) noteRefusedItem(ctx context.Context) {
	if s.filled && !s.refused {
		s.reporter.Works(ctx)
	}
}

// noteRefusal notes that the store has refused an update, which the sink has reported. A store that monitors itself will
// say what it needs; from any other, the only way is to begin again.
func (s *source) noteRefusal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.noticeUnwell()
	if !s.sink.DataStoreStatus().MonitoringEnabled() {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	s.refused = true
	return nil
}

// noticeUnwell notes that the store has refused an update or that the connection has ended. The store's past requests for
// everything are forgotten if it was well for long enough before.
func (s *source) noticeUnwell() {
	if !s.well.IsZero() && time.Since(s.well) >= flagservice.HealthyAfter {
		s.reconnect.Reset()
	}
	s.well = time.Time{}
}

func (s *source) accepted(ctx context.Context) {
	s.refused = false
	if s.well.IsZero() {
		s.well = time.Now()
	}
	s.initialized.Store(true)
	s.reporter.Works(ctx)
}
