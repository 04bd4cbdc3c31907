package filedata

import (
	"context"
	"time"

	"github.com/cleatdev/cleat/core"
)

// run loads the files and then waits for reasons to deliver again, until ctx ends.
func (s *source) run(ctx context.Context) {
	remove := s.sink.DataStoreStatus().AddListener(s.noticeStore)
	defer remove()
	if s.options.Reload {
		s.runReloading(ctx)
	} else {
		s.runOnce(ctx)
	}
	if ctx.Err() != nil {
		s.sink.UpdateStatus(core.DataSourceOff, core.DataSourceErrorInfo{})
	}
}

func (s *source) runOnce(ctx context.Context) {
	data, _, err := s.loader.load()
	if err != nil {
		s.logger.Error("cleat: flag data cannot be loaded, and reloading is off", "error", err)
		s.sink.UpdateStatus(core.DataSourceOff, errorInfo(err))
		return
	}
	s.current = data
	s.deliver(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.store:
			s.followStore(ctx)
		}
	}
}

func (s *source) runReloading(ctx context.Context) {
	watch := newWatcher(s.options.Paths, s.logger)
	defer watch.close()
	poll := time.NewTicker(s.options.PollInterval)
	defer poll.Stop()
	quiet := newDebouncer(s.options.Debounce)
	defer quiet.stop()

	s.reload(ctx, watch)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.store:
			s.followStore(ctx)
		case <-watch.events():
			quiet.noise()
		case err := <-watch.errors():
			s.logger.Warn("cleat: watching flag data files", "error", err)
			quiet.noise()
		case <-quiet.over():
			quiet.reset()
			s.reload(ctx, watch)
		case <-poll.C:
			s.reload(ctx, watch)
		}
	}
}

// reload loads the files and delivers what is new. What is watched is brought up to date before, so that no change after
// the loading is missed, and again after it until it stays the same, because links and directories may have changed between
// the look at them and the beginning of their watch.
func (s *source) reload(ctx context.Context, watch *watcher) {
	watch.sync()
	s.load(ctx)
	for watch.sync() {
		s.load(ctx)
	}
}

func (s *source) load(ctx context.Context) {
	data, changed, err := s.loader.load()
	if err != nil {
		s.fail(err)
		return
	}
	mended := s.lastError != ""
	s.lastError = ""
	switch {
	case changed:
		s.current = data
		s.deliver(ctx)
	case mended && !s.refused:
		s.sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
	}
}

// fail reports an error, unless it was the last thing that was reported.
func (s *source) fail(err error) {
	if s.lastError == err.Error() {
		return
	}
	s.lastError = err.Error()
	meanwhile := "; there is none yet, and the files are looked at again when they change"
	if s.current != nil {
		meanwhile = "; the last good data stays"
	}
	s.logger.Error("cleat: flag data cannot be loaded"+meanwhile, "error", err)
	s.sink.UpdateStatus(core.DataSourceInterrupted, errorInfo(err))
}

// deliver passes the current data on. If the store refuses it, the sink has said so.
func (s *source) deliver(ctx context.Context) {
	if err := s.sink.Init(ctx, s.current); err != nil {
		s.refused = true
		return
	}
	s.accepted()
}

func (s *source) accepted() {
	s.refused = false
	s.initialized.Store(true)
	if s.lastError == "" {
		s.sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
	}
}

// noticeStore is called by the store's status provider, on a goroutine that is not ours.
func (s *source) noticeStore(status core.DataStoreStatus) {
	if status.Stale {
		s.stale.Store(true)
	}
	select {
	case s.store <- struct{}{}:
	default:
	}
}

// followStore delivers again what a store has missed, once each time that it asks. A store that had refused the data and
// is well again without asking has kept and written it.
func (s *source) followStore(ctx context.Context) {
	if s.current == nil {
		return
	}
	switch status := s.sink.DataStoreStatus().Status(); {
	case s.stale.Swap(false):
		s.deliver(ctx)
	case s.refused && status.Available && !status.Stale:
		s.accepted()
	}
}
