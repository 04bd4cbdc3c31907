package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

const (
	// closeGrace is how long Close lets interrupted operations clean up behind themselves.
	closeGrace = time.Second

	// commitGrace is how much longer an interrupted call waits for the one command that decides whether it took effect.
	commitGrace = 500 * time.Millisecond
)

// session is what a Store and a BigSegments have in common: a client, and the life of the calls made through it.
//
// Every call runs on a goroutine of its own, because the driver watches a context's deadline while it waits for the
// server, but not its cancellation.
type session struct {
	keys    keys
	options Options
	logger  *slog.Logger
	client  redis.UniversalClient
	owned   bool
	spread  bool // over the slots of a Cluster, so that no command or script may name two keys

	kinds kindSet // what the store was asked about, for watching

	closing context.Context // ends when Close begins
	cancel  context.CancelFunc

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup

	closeOnce sync.Once
}

// operation describes a call for its deadline and its errors.
type operation struct {
	what    string // "reading launchdarkly:features"
	timeout time.Duration
	write   bool
	// committing, if there is one, turns true before the operation, whose context has not ended, sends the one command
	// that makes it take effect.
	committing *atomic.Bool
}

func newSession(ctx context.Context, client redis.UniversalClient, opts *Options) (*session, error) {
	if ctx == nil {
		return nil, errNilContext()
	}
	options, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := checkClient(client, &options); err != nil {
		return nil, fmt.Errorf("redisstore: %w: %w", core.ErrInvalid, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := newEmptySession(options)
	s.use(client)
	return s, nil
}

// checkClient returns an error unless a client of the caller's can be used with the options.
func checkClient(client redis.UniversalClient, o *Options) error {
	switch {
	case isNil(client):
		return errors.New("the client is nil")
	case o.TLS != nil:
		return errors.New("Options.TLS is for Open; the client given has its own")
	case o.Credentials != nil:
		return errors.New("Options.Credentials is for Open; the client given has its own")
	}
	if _, ring := client.(*redis.Ring); ring && !(keys{o.Prefix}).oneSlot() {
		return fmt.Errorf("a redis.Ring needs a prefix with a hash tag, such as %q, which keeps all keys on one server",
			"{"+o.Prefix+"}")
	}
	return nil
}

func openSession(ctx context.Context, url string, opts *Options) (*session, error) {
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
	client, err := newOwnClient(s.closing, url, &options)
	if err != nil {
		s.cancel()
		return nil, err
	}
	s.use(client)
	s.owned = true
	return s, nil
}

func (s *session) use(client redis.UniversalClient) {
	_, cluster := client.(*redis.ClusterClient)
	s.client, s.spread = client, cluster && !s.keys.oneSlot()
}

func newEmptySession(options Options) *session {
	s := &session{keys: keys{options.Prefix}, options: options, logger: options.Logger}
	s.closing, s.cancel = context.WithCancel(context.Background())
	return s
}

func isNil(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case nil:
		return true
	case *redis.Client:
		return c == nil
	case *redis.ClusterClient:
		return c == nil
	case *redis.Ring:
		return c == nil
	}
	return false
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

// close makes every call return, and waits for what they leave running: until it has ended if the client is ours,
// because closing the client ends it, and for closeGrace otherwise.
func (s *session) close() (err error) {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.cancel()
		idle := make(chan struct{})
		go func() {
			s.calls.Wait()
			close(idle)
		}()
		grace := time.NewTimer(closeGrace)
		defer grace.Stop()
		select {
		case <-idle:
		case <-grace.C:
		}
		if !s.owned {
			return
		}
		if e := s.client.Close(); e != nil && !errors.Is(e, redis.ErrClosed) {
			err = fmt.Errorf("redisstore: closing the client: %w", e)
		}
		<-idle
	})
	return err
}

// call runs fn and returns when it does, when ctx ends, when the operation's time is over, or when the session is
// closed. Its errors are those that the store's methods return.
func call[T any](
	ctx context.Context, s *session, op operation, fn func(context.Context, redis.UniversalClient) (T, error),
) (T, error) {
	var zero T
	if ctx == nil {
		return zero, errNilContext()
	}
	if !s.enter() {
		return zero, errClosed(op)
	}
	if err := ctx.Err(); err != nil {
		s.calls.Done()
		return zero, err
	}
	bounded, cancel := context.WithTimeout(ctx, op.timeout)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	type outcome struct {
		value T
		err   error
	}
	finished := make(chan outcome, 1)
	go func() {
		defer s.calls.Done()
		value, err := fn(bounded, s.client)
		finished <- outcome{value, err}
	}()
	select {
	case result := <-finished:
		if result.err == nil {
			return result.value, nil
		}
		return zero, s.explain(ctx, bounded, op, result.err)
	case <-bounded.Done():
	}
	if op.committing != nil && op.committing.Load() {
		select {
		case result := <-finished:
			if result.err == nil {
				return result.value, nil
			}
		case <-time.After(commitGrace):
		}
	}
	return zero, s.explain(ctx, bounded, op, bounded.Err())
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
	}
	s.noteTopology(err)
	if bounded.Err() != nil {
		return translate(op, fmt.Errorf("no answer within %v: %w", op.timeout, err))
	}
	return translate(op, err)
}

// noteTopology has the driver ask a Cluster who is who when a node could not be reached, instead of at its next turn.
func (s *session) noteTopology(err error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok && !refused(err) {
		cluster.ReloadState(s.closing)
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
	return fmt.Errorf("redisstore: %w: the context is nil", core.ErrInvalid)
}

func errClosed(op operation) error {
	return fmt.Errorf("redisstore: %s: %w", op.what, core.ErrClosed)
}
