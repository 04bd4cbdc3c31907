package endtoend

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
)

// source is a data source whose flag service is the subtest. What it delivers, and when, the subtest decides; it does by
// itself only what every data source has to: it sends everything again when the store is stale.
type source struct {
	sink        core.DataSourceUpdateSink
	done        chan struct{}
	stopping    sync.Once
	initialized atomic.Bool
	// first, if not nil, is delivered as soon as the source is started.
	first world

	mu      sync.Mutex // held during a delivery, so that they do not overtake each other
	service world      // what the flag service knows; nil before the first delivery
	ctx     context.Context
	cancel  context.CancelFunc
	remove  func()
	working sync.WaitGroup
}

var _ core.UpdateProcessor = (*source)(nil)

func newSource() *source { return &source{done: make(chan struct{})} }

// factory is the core.UpdateProcessorFactory.
func (s *source) factory(_ core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
	s.sink = sink
	return s, nil
}

// Start implements [core.BackgroundOperation].
func (s *source) Start(ctx context.Context) {
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.remove = s.sink.DataStoreStatus().AddListener(s.noticeStore)
	if s.first != nil {
		s.working.Go(func() { _ = s.deliver(s.first) })
	}
}

// Stop implements [core.BackgroundOperation].
func (s *source) Stop() {
	s.stopping.Do(func() {
		if s.cancel == nil {
			close(s.done)
			return
		}
		s.cancel()
		go func() {
			defer close(s.done)
			s.remove()
			s.working.Wait()
			s.mu.Lock() // until the last delivery has ended
			defer s.mu.Unlock()
		}()
	})
}

// Done implements [core.BackgroundOperation].
func (s *source) Done() <-chan struct{} { return s.done }

// Initialized implements [core.UpdateProcessor].
func (s *source) Initialized() bool { return s.initialized.Load() }

func (s *source) noticeStore(status core.DataStoreStatus) {
	if !status.Available || !status.Stale {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.service != nil {
		_ = s.sendAll()
	}
}

// deliver makes w everything that the flag service knows, and sends it.
func (s *source) deliver(w world) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.service = w
	return s.sendAll()
}

// sendAll is called with the lock held. What is deleted is not sent, which is how a flag service does it.
func (s *source) sendAll() error {
	if err := s.sink.Init(s.ctx, s.service.live().collections()); err != nil {
		return err
	}
	s.sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
	s.initialized.Store(true)
	return nil
}

// send delivers one update, also if it is out of date.
func (s *source) send(u update) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.service = s.service.with(u)
	if u.item.Deleted() {
		return s.sink.Delete(s.ctx, u.kind, u.key, u.item.Version())
	}
	return s.sink.Upsert(s.ctx, u.kind, u.key, u.item)
}
