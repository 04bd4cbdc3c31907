package filedata

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
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
			Operation: lifecycle.NewOperation(),

			options: options,
			sink:    sink,
			logger:  logger,
			loader:  loader{options: options, logger: logger},
			store:   make(chan struct{}, 1),
		}, nil
	}
}

// source is a data source that reads files. The unprotected fields belong to the goroutine that Start starts.
type source struct {
	*lifecycle.Operation

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
}

var _ core.UpdateProcessor = (*source)(nil)

func (s *source) Start(ctx context.Context) { s.Run(ctx, s.run) }

func (s *source) Initialized() bool { return s.initialized.Load() }
