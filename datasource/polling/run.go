package polling

import (
	"context"
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// firstDelay is how long to wait after the first error while there has been no data.
const firstDelay = time.Second

// run polls until ctx ends.
func (s *source) run(ctx context.Context) {
	defer s.sink.UpdateStatus(core.DataSourceOff, core.DataSourceErrorInfo{})
	remove := s.sink.DataStoreStatus().AddListener(s.noticeStore)
	defer remove()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.store:
			if !s.followStore(ctx) {
				continue
			}
		case <-next.C:
		}
		began := time.Now()
		delay := s.poll(ctx)
		next.Reset(delay - time.Since(began))
	}
}

// poll fetches once and returns after how long to do so again, counted from its beginning.
func (s *source) poll(ctx context.Context) time.Duration {
	stale := s.stale.Swap(false) // what the store asks for from now on is asked for anew
	data, changed, err := s.fetch(ctx)
	if ctx.Err() != nil {
		return 0
	}
	if err != nil {
		return s.failed(ctx, err, stale)
	}
	if s.successes++; s.successes > 1 {
		s.backoff.Reset()
	}
	if changed {
		s.current = data
	}
	switch {
	case changed, stale, s.refused && !s.sink.DataStoreStatus().MonitoringEnabled():
		s.deliver(ctx)
	case !s.refused:
		s.reporter.Works(ctx)
	}
	return s.options.Interval
}

// failed reports an error and returns how long to wait. If the store has asked for everything, it gets what there is.
func (s *source) failed(ctx context.Context, err error, stale bool) time.Duration {
	s.successes = 0
	delay := s.backoff.After(err)
	if s.current != nil || s.backoff.Extended() {
		delay = max(delay, s.options.Interval)
	}
	if stale && s.current != nil {
		s.deliver(ctx)
	}
	s.reporter.Failed(ctx, err, delay)
	return delay
}

// fetch calls the requester, which may be somebody else's.
func (s *source) fetch(ctx context.Context) (data []core.Collection, changed bool, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, s.options.RequestTimeout,
		fmt.Errorf("the data has not been fetched within %v", s.options.RequestTimeout))
	defer cancel()
	data, changed, err = s.options.Requester.FetchAll(limited)
	if err != nil {
		return nil, false, flagservice.Cause(limited, err)
	}
	if requester, ok := s.options.Requester.(interface{ EnvironmentID() string }); ok {
		flagservice.AnnounceEnvironment(s.sink, requester.EnvironmentID())
	}
	if !changed && s.current == nil {
		return nil, false, fmt.Errorf("%w: nothing has changed, it says, but there was nothing before", flagservice.ErrInvalidData)
	}
	if changed && data == nil {
		data = []core.Collection{}
	}
	return data, changed, nil
}

// deliver passes the current data on. If the store refuses it, the sink has said so; a store that monitors itself will
// say what it needs, and any other gets the data again at the next poll.
func (s *source) deliver(ctx context.Context) {
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

// followStore reports whether to poll at once because the store has asked for everything again. If the last poll failed,
// the store gets what there is, and the service is left alone until its time has come. A store that had refused the data
// and is well again without asking has kept and written it.
func (s *source) followStore(ctx context.Context) (again bool) {
	status := s.sink.DataStoreStatus().Status()
	switch {
	case s.stale.Load() && s.successes > 0:
		return true
	case s.stale.Load() && s.current != nil:
		s.stale.Store(false)
		s.deliver(ctx)
	case s.refused && status.Available && !status.Stale:
		s.accepted(ctx)
	}
	return false
}
