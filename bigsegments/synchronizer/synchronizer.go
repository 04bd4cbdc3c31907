package synchronizer

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
	"github.com/cleatdev/cleat/internal/httptransport"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// Synchronizer fills a store of big segments from the flag service. Make one with [New]. Its methods are safe for
// concurrent use.
type Synchronizer struct {
	operation *lifecycle.Operation
	transport *http.Transport // closed at the end; nil if the caller has given an HTTP client

	settings       core.ClientSettings
	options        Options
	writer         core.BigSegmentWriter
	streamEndpoint *flagservice.Endpoint
	reporter       *reporter

	// What follows belongs to the goroutine that Start starts.
	backoff   flagservice.Backoff
	cursor    string // where the store's cursor is, unless another writer has moved it
	position  string // the version at which the stream is: the cursor, or the one that it moves to next
	astray    bool   // the stream has brought what does not fit; only a poll can tell how to go on
	progress  *progress
	pieceSize int
	leftOut   leftOut
}

var _ core.DataSourceStatusProvider = (*Synchronizer)(nil)

// New makes a synchroniser of the store, which it does not start. Nil options mean the defaults, and settings without an
// HTTPClient a client of its own, which notices dead connections. An error wraps [core.ErrInvalid] and names every option
// that cannot be used.
func New(settings core.ClientSettings, writer core.BigSegmentWriter, opts *Options) (*Synchronizer, error) {
	if writer == nil {
		return nil, fmt.Errorf("synchronizer: %w: no store to fill", core.ErrInvalid)
	}
	if settings.SDKKey == "" {
		return nil, fmt.Errorf("synchronizer: %w: no SDK key", core.ErrInvalid)
	}
	s := &Synchronizer{
		operation: lifecycle.NewOperation(), progress: newProgress(), pieceSize: firstPiece,
		leftOut: leftOut{segments: make(map[string]map[string]struct{}), logged: make(map[string]struct{})},
	}
	if settings.HTTPClient == nil {
		s.transport = httptransport.New(httptransport.DefaultConnectTimeout)
		settings.HTTPClient = &http.Client{Transport: s.transport}
	}
	s.settings = settings.WithDefaults()
	if opts != nil {
		s.options = *opts
	}
	if err := s.options.validate(); err != nil {
		return nil, err
	}
	s.options.setDefaults(s.settings)
	s.backoff = flagservice.Backoff{Initial: s.options.MinRetryDelay, Max: s.options.MaxRetryDelay}
	s.writer = lifecycle.BoundWriter(lifecycle.New("synchronizer", s.settings.Logger), writer,
		lifecycle.Limits{Read: s.options.StoreTimeout, Write: s.options.StoreTimeout})
	s.reporter = newReporter(s.settings.Logger)
	if _, err := s.pollEndpoint(""); err != nil {
		return nil, fmt.Errorf("synchronizer: PollingURI: %w", err)
	}
	var err error
	if s.streamEndpoint, err = flagservice.NewEndpoint(s.settings, s.options.StreamingURI, streamPath, ""); err != nil {
		return nil, fmt.Errorf("synchronizer: StreamingURI: %w", err)
	}
	return s, nil
}

// Start implements [core.BackgroundOperation].
func (s *Synchronizer) Start(ctx context.Context) { s.operation.Run(ctx, s.run) }

// Stop implements [core.BackgroundOperation]. Requests and calls of the store that are under way are interrupted; what was
// not applied is applied by the next synchroniser of the store.
func (s *Synchronizer) Stop() {
	s.operation.Stop()
	select {
	case <-s.operation.Done():
		s.reporter.off() // it may never have begun
	default:
	}
}

// Done implements [core.BackgroundOperation]. Listeners may still be called with what happened before.
func (s *Synchronizer) Done() <-chan struct{} { return s.operation.Done() }

// Status returns the current status: initializing until the store is up to date for the first time, valid while it is kept
// so, interrupted while that fails, and off once the synchroniser has ended. As long as the store lacks memberships because
// it cannot hold all of some contexts, the last error says so, also while the status is valid.
func (s *Synchronizer) Status() core.DataSourceStatus { return s.reporter.get() }

// AddListener implements [core.DataSourceStatusProvider].
func (s *Synchronizer) AddListener(listener func(core.DataSourceStatus)) (remove func()) {
	return s.reporter.listeners.Add(listener)
}

// Format writes the name of the type, whatever the verb: what is in a Synchronizer is secret, and in use.
func (s *Synchronizer) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "synchronizer.Synchronizer")
}
