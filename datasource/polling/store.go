package polling

import (
	"context"
	"time"

	"github.com/cleatdev/cleat/internal/flagservice"
)

// deliver passes the current data on. If the store refuses it, the sink has said so; a store that monitors itself will
// say what it needs, and any other gets the data again at the next poll.
func (s *source) deliver(ctx context.Context) {
	if !s.refused && time.Since(s.redelivered) >= flagservice.HealthyAfter {
		s.redelivery.Reset()
	}
	s.stale.Store(false) // what the store asks for from now on is another request
	if err := s.sink.Init(ctx, s.current); err != nil {
		s.refused = true
		return
	}
	s.accepted(ctx)
}

func (s *source) accepted(ctx context.Context) {
	s.refused = false
	s.initialized.Store(true)
	if s.successes > 0 {
		s.reporter.Works(ctx)
	}
}

// followStore reports whether to deliver again what there is, because the store has asked for everything. The service has
// nothing to do with that and is left alone until its time has come. A store that had refused the data and is well again
// without asking has kept and written it.
func (s *source) followStore(ctx context.Context) (again bool) {
	status := s.sink.DataStoreStatus().Status()
	switch {
	case s.stale.Load():
		return s.current != nil
	case s.refused && status.Available && !status.Stale:
		s.accepted(ctx)
	}
	return false
}

// deliverAgain gives the store what it has asked for, unless it has got it meanwhile. A store that can be read but not
// written asks again at once, and without end.
func (s *source) deliverAgain(ctx context.Context) {
	if !s.stale.Load() {
		return
	}
	s.deliver(ctx)
	s.redelivered = time.Now()
	s.nextRedelivery = s.redelivered.Add(s.redelivery.Short())
}
