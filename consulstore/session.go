package consulstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/core"
)

// commitGrace is how much longer an interrupted call waits for the one request that decides whether it took effect.
const commitGrace = 500 * time.Millisecond

// session is what a Store and a BigSegments have in common: a client, and the life of the calls made through it.
type session struct {
	kv
	keys      keys
	options   Options
	transport *http.Transport // nil with a client of the caller's

	closing context.Context // ends when Close begins
	cancel  context.CancelFunc

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

// operation describes a call for its deadline and its errors.
type operation struct {
	what    string // "reading launchdarkly/features/"
	timeout time.Duration
	write   bool
}

func newSession(ctx context.Context, client *api.Client, opts *Options) (*session, error) {
	if ctx == nil {
		return nil, errNilContext()
	}
	options, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if client == nil {
		return nil, fmt.Errorf("consulstore: %w: the client is nil", core.ErrInvalid)
	}
	if options.Address != "" || options.TLS != nil || options.Token != "" || options.TokenFile != "" {
		return nil, fmt.Errorf("consulstore: %w: Address, TLS, Token and TokenFile are for Open; the client given has its own",
			core.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := newEmptySession(options)
	s.client = client
	return s, nil
}

func openSession(ctx context.Context, opts *Options) (*session, error) {
	if ctx == nil {
		return nil, errNilContext()
	}
	options, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := newEmptySession(options)
	if err := s.connect(); err != nil {
		s.cancel()
		return nil, err
	}
	return s, nil
}

func newEmptySession(options Options) *session {
	s := &session{keys: keys{options.Prefix}, options: options}
	s.configure(&s.options, s.keys.inited())
	s.closing, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *session) reading(what string) operation {
	return operation{what: "reading " + what, timeout: s.options.ReadTimeout}
}

func (s *session) readingAll(what string) operation {
	return operation{what: "reading " + what, timeout: s.options.ReadAllTimeout}
}

func (s *session) writing(what string) operation {
	return operation{what: "writing " + what, timeout: s.options.WriteTimeout, write: true}
}

func (s *session) initializing(what string) operation {
	return operation{what: "initializing " + what, timeout: s.options.InitTimeout, write: true}
}

// enter counts a call, unless the session is closed. After it, the call must be ended with s.calls.Done.
func (s *session) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.calls.Add(1)
	return true
}

// close makes every call return and waits until they have.
func (s *session) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.calls.Wait()
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
}

// call runs fn with a context that ends when ctx does, when the operation's time is over, or when the session is closed.
// Its errors are those that the store's methods return.
func call[T any](ctx context.Context, s *session, op operation, fn func(context.Context) (T, error)) (T, error) {
	var zero T
	if ctx == nil {
		return zero, errNilContext()
	}
	if !s.enter() {
		return zero, errClosed(op)
	}
	defer s.calls.Done()
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	bounded, cancel := context.WithTimeout(ctx, op.timeout)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	value, err := fn(bounded)
	if err != nil {
		return zero, s.explain(ctx, bounded, op, err)
	}
	return value, nil
}

// explain says why a call failed: the caller's context first, then Close, then the operation's own deadline, and only
// then what the driver said, which may be a consequence of the others.
func (s *session) explain(ctx, bounded context.Context, op operation, err error) error {
	if deadline, ok := ctx.Deadline(); ok && isTimeout(err) && !time.Now().Before(deadline) {
		<-ctx.Done() // A socket's deadline can be seen a moment before the context's timer fires.
	}
	var own *ownError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.closing.Err() != nil:
		return errClosed(op)
	case errors.As(err, &own):
		return own.err
	case bounded.Err() != nil:
		return translate(op, &timeoutError{op.timeout, err}, false)
	}
	return translate(op, err, op.write && denied(err) && s.readable(bounded))
}

// readable reports whether the token may read. A server refuses an unknown token and a missing permission in the same way,
// and what is to be done about the two is not the same.
func (s *session) readable(ctx context.Context) bool {
	_, err := s.get(ctx, s.keys.inited(), ConsistencyDefault)
	return err == nil
}

// committing returns a context that lasts a little longer than ctx, for the request that decides whether a call took effect:
// whoever made it has to be told.
func committing(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(commitGrace, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}

// ownError marks an error made here, which needs no translation.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

func errNilContext() error {
	return fmt.Errorf("consulstore: %w: the context is nil", core.ErrInvalid)
}

func errClosed(op operation) error {
	return fmt.Errorf("consulstore: %s: %w", op.what, core.ErrClosed)
}
