package filedata

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
)

// Source returns what makes a data source that reads files. Options that cannot be used are reported by the factory, in
// an error wrapping [core.ErrInvalid] that names all of them; files are not looked at before Start.
//
// Stop does not wait; the data source's goroutine and its watches are gone when Done is closed.
func Source(options Options) core.UpdateProcessorFactory {
	return func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
		logger := settings.WithDefaults().Logger
		if err := options.validate(); err != nil {
			return nil, err
		}
		options, err := options.withDefaults()
		if err != nil {
			return nil, err
		}
		return &source{
			options: options,
			sink:    sink,
			logger:  logger,
			loader:  loader{options: options, logger: logger},
			store:   make(chan struct{}, 1),
			done:    make(chan struct{}),
		}, nil
	}
}

// source is a data source that reads files. The unprotected fields belong to the goroutine that Start starts.
type source struct {
	options Options
	sink    core.DataSourceUpdateSink
	logger  *slog.Logger
	loader  loader
	store   chan struct{} // holds a token if the status of the store has changed
	stale   atomic.Bool   // the store has asked for everything again

	current   []core.Collection // the last good data; nil before there is any
	refused   bool              // the store has refused current
	lastError string            // what was reported last; empty if the files were all right

	initialized atomic.Bool
	done        chan struct{}

	mu      sync.Mutex // guards what follows
	stopped bool
	cancel  context.CancelFunc // set by Start
}

var _ core.UpdateProcessor = (*source)(nil)

func (s *source) Start(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.cancel != nil {
		return
	}
	ctx, s.cancel = context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		defer s.Stop()
		s.run(ctx)
	}()
}

func (s *source) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cancel != nil:
		s.cancel()
	case !s.stopped:
		close(s.done)
	}
	s.stopped = true
}

func (s *source) Done() <-chan struct{} { return s.done }

func (s *source) Initialized() bool { return s.initialized.Load() }
