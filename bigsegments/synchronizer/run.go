package synchronizer

import (
	"bytes"
	"context"
	"time"

	"github.com/cleatdev/cleat/internal/flagservice"
)

// minPollDelay is the least time between two polls because of patches that do not apply.
const minPollDelay = time.Second

// run begins at the store's cursor again and again until ctx ends.
func (s *Synchronizer) run(ctx context.Context) {
	defer s.reporter.off()
	if s.transport != nil {
		defer s.transport.CloseIdleConnections()
	}
	for {
		worked, err := s.synchronise(ctx)
		if ctx.Err() != nil {
			return
		}
		if worked >= flagservice.HealthyAfter || worked > 0 && s.backoff.Extended() {
			s.backoff.Reset()
		}
		delay := s.backoff.After(err)
		s.reporter.failed(ctx, err, delay)
		if !flagservice.Wait(ctx, delay, nil) {
			return
		}
	}
}

// synchronise brings the store up to date and keeps it so until something fails. It returns what that was, and for how
// long the store had been up to date.
func (s *Synchronizer) synchronise(ctx context.Context) (worked time.Duration, err error) {
	if _, err := s.catchUp(ctx); err != nil {
		return 0, err
	}
	stream, err := s.streamEndpoint.OpenStream(ctx, flagservice.StreamOptions{
		ResponseTimeout: s.options.RequestTimeout, ReadTimeout: s.options.ReadTimeout, MaxEventSize: s.options.MaxSize,
	})
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	if err := s.refresh(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	err = s.follow(ctx, stream)
	return time.Since(began), err
}

// refresh polls for what the stream has not brought, and marks the store as up to date.
func (s *Synchronizer) refresh(ctx context.Context) error {
	asOf, err := s.catchUp(ctx)
	if err != nil {
		return err
	}
	if err := s.markUpToDate(ctx, asOf); err != nil {
		return err
	}
	s.reporter.works(ctx)
	return nil
}

// follow applies what the stream brings until something fails.
func (s *Synchronizer) follow(ctx context.Context, stream *flagservice.Stream) error {
	refreshed := time.Now()
	due := time.NewTimer(flagservice.Jitter(s.options.RefreshInterval))
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-stream.Ended():
			return err
		case <-due.C:
			if err := s.refresh(ctx); err != nil {
				return err
			}
			refreshed = time.Now()
			due.Reset(flagservice.Jitter(s.options.RefreshInterval))
		case event := <-stream.Events():
			if err := s.handle(ctx, event.Data); err != nil {
				return err
			}
			if s.astray {
				due.Reset(max(minPollDelay-time.Since(refreshed), 0))
			}
		}
	}
}

// handle applies the patches of an event. Whatever is not an array is of no concern. What comes while the stream is astray
// is left to the poll that is about to be made.
func (s *Synchronizer) handle(ctx context.Context, data []byte) error {
	if s.astray || !bytes.HasPrefix(bytes.TrimSpace(data), []byte{'['}) {
		return nil
	}
	patches, err := readPatches(bytes.NewReader(data))
	if err != nil {
		return err
	}
	event := group(s.cursor, s.position, patches, true)
	s.astray = event.misfit || event.ambiguous
	for i := range event.units {
		fits, err := s.follows(ctx, &event.units[i])
		if err != nil {
			return err
		}
		if !fits {
			s.astray = true
			return nil
		}
	}
	return nil
}

// follows writes what the stream has brought of a version, and reports whether the store's cursor was where that is written.
// The cursor stays, because more of the version may come in another event. It moves to the version before, which is
// complete now.
func (s *Synchronizer) follows(ctx context.Context, u *unit) (fits bool, err error) {
	if u.from != s.cursor {
		if moved, err := s.moveTo(ctx, u.from); err != nil || !moved {
			return false, err
		}
	}
	s.position = u.to
	return s.write(ctx, u, false)
}

// moveTo moves the store's cursor to a version that is complete, or finds that another writer has done so.
func (s *Synchronizer) moveTo(ctx context.Context, version string) (moved bool, err error) {
	moved, err = s.write(ctx, &unit{from: s.cursor, to: version}, true)
	if err != nil {
		return false, err
	}
	if !moved {
		actual, err := s.readCursor(ctx)
		if err != nil || actual != version {
			return false, err
		}
	}
	s.cursor = version
	return true, nil
}
