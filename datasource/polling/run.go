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
	again := time.NewTimer(0) // the store is to get the data again, if it wants to
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.store:
			if s.followStore(ctx) {
				again.Reset(time.Until(s.nextRedelivery))
			}
		case <-again.C:
			s.deliverAgain(ctx)
		case <-next.C:
			began := time.Now()
			delay := s.poll(ctx)
			next.Reset(delay - time.Since(began))
		}
	}
}

// poll fetches once and returns after how long to do so again, counted from its beginning.
func (s *source) poll(ctx context.Context) time.Duration {
	data, changed, err := s.fetch(ctx)
	if ctx.Err() != nil {
		return 0
	}
	if err != nil {
		return s.failed(ctx, err)
	}
	if s.successes++; s.successes > 1 {
		s.backoff.Reset()
	}
	if changed {
		s.current = data
	}
	switch {
	case changed, s.refused && !s.sink.DataStoreStatus().MonitoringEnabled():
		s.deliver(ctx)
	case !s.refused:
		s.reporter.Works(ctx)
	}
	return flagservice.Spread(s.options.Interval)
}

// failed reports an error and returns how long to wait.
func (s *source) failed(ctx context.Context, err error) time.Duration {
	s.successes = 0
	delay := s.backoff.After(err)
	if s.current != nil || s.backoff.Extended() {
		delay = max(delay, flagservice.Spread(s.options.Interval))
	}
	s.reporter.Failed(ctx, err, delay)
	return delay
}

// fetch calls the requester, which may be the application's.
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
