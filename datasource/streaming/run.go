package streaming

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// Reasons for ending a connection that works.
var (
	errStale   = errors.New("the data store asks for everything again")
	errRefused = errors.New("the data store has refused an update, so everything is asked for again")
)

// dataWait is how soon data begins to come over a connection that works.
const dataWait = 5 * time.Second

var errNoData = fmt.Errorf("the flag service has opened the stream but has sent no data for %v; "+
	"check whether a proxy on the way holds it back", dataWait)

// run makes one connection after the other until ctx ends.
func (s *source) run(ctx context.Context) {
	defer s.sink.UpdateStatus(core.DataSourceOff, core.DataSourceErrorInfo{})
	remove := s.sink.DataStoreStatus().AddListener(s.noticeStore)
	defer remove()
	for {
		worked, err := s.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		if worked >= flagservice.HealthyAfter {
			s.backoff.Reset()
		}
		s.noticeUnwell()
		if !flagservice.Wait(ctx, s.failed(ctx, err), nil) {
			return
		}
	}
}

// failed reports why there is no connection any more and returns how long to wait. That a store wants everything again
// is no failure of the flag service, and the sink knows of it; but one that never stops wanting must not keep the service
// busy, even if the service itself works for minutes each time.
func (s *source) failed(ctx context.Context, err error) (delay time.Duration) {
	if errors.Is(err, errStale) || errors.Is(err, errRefused) {
		delay = s.reconnect.Short()
		s.logger.InfoContext(ctx, "cleat: connecting to the flag service again", "reason", err, "retry_in", delay)
		return delay
	}
	delay = s.backoff.After(err)
	s.reporter.Failed(ctx, err, delay)
	return delay
}

// connect makes one connection and follows it until it ends. It returns why that was, and for how long events had been
// coming.
func (s *source) connect(ctx context.Context) (worked time.Duration, err error) {
	attempt := flagservice.NewAttempt(s.inits)
	defer attempt.Failed(ctx)
	stream, err := s.endpoint.OpenStream(ctx, flagservice.StreamOptions{
		ResponseTimeout: s.options.ResponseTimeout,
		ReadTimeout:     s.options.ReadTimeout,
		MaxEventSize:    s.options.MaxEventSize,
		Arrived:         attempt.Succeeded,
	})
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	s.filled = false
	flagservice.AnnounceEnvironment(s.sink, flagservice.EnvironmentID(stream.Header))
	return s.follow(ctx, stream)
}

// follow passes on what comes over a connection until it ends.
func (s *source) follow(ctx context.Context, stream *flagservice.Stream) (worked time.Duration, err error) {
	var first time.Time
	late := time.NewTimer(dataWait)
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.store:
			err = s.followStore(ctx)
		case event := <-stream.Events():
			if err = s.handle(ctx, event); err == nil && first.IsZero() {
				first = time.Now()
			}
		case err = <-stream.Ended():
		case <-late.C:
			if !stream.Begun() {
				s.reporter.Waits(ctx, errNoData)
			}
		}
		if err != nil {
			return sinceFirst(first), err
		}
	}
}

func sinceFirst(first time.Time) time.Duration {
	if first.IsZero() {
		return 0
	}
	return time.Since(first)
}

// followStore ends the connection if the store has asked for everything again, unless everything is yet to come. A store
// that had refused an update and is well again without asking has kept and written it.
func (s *source) followStore(ctx context.Context) error {
	switch status := s.sink.DataStoreStatus().Status(); {
	case !s.filled:
	case s.stale.Load():
		return errStale
	case s.refused && status.Available && !status.Stale:
		s.accepted(ctx)
	}
	return nil
}
