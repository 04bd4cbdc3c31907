package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/cleatdev/cleat/core"
)

// session is what a Store and a BigSegments have in common: a client, a table, and the life of the calls made.
type session struct {
	keys    keys
	table   string
	options Options
	client  *dynamodb.Client
	streams *dynamodbstreams.Client // nil if the client is the caller's
	release func()                  // lets go of what was made for the client; nil if the client is the caller's

	checked atomic.Bool // whether the table has the right keys is not asked any more

	closing context.Context // ends when Close begins
	cancel  context.CancelFunc

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup

	closeOnce sync.Once
}

// operation describes a call for its deadline and its errors.
type operation struct {
	what    string // "reading features of table flags"
	timeout time.Duration
	write   bool
	// unchecked is true if the operation itself sees to it that the table is the right one.
	unchecked bool
}

func newSession(ctx context.Context, client *dynamodb.Client, table string, opts *Options) (*session, error) {
	options, err := checkArguments(ctx, table, opts)
	if err != nil {
		return nil, err
	}
	if options.Region != "" || options.Endpoint != "" || options.Credentials != nil || options.HTTPClient != nil {
		return nil, fmt.Errorf("dynamostore: %w: Options.Region, Endpoint, Credentials and HTTPClient are for Open; "+
			"the client given has its own", core.ErrInvalid)
	}
	if client == nil {
		return nil, fmt.Errorf("dynamostore: %w: the client is nil", core.ErrInvalid)
	}
	return makeSession(client, table, options, nil), nil
}

func checkArguments(ctx context.Context, table string, opts *Options) (Options, error) {
	if ctx == nil {
		return Options{}, errNilContext()
	}
	options, err := opts.withDefaults()
	if err != nil {
		return Options{}, err
	}
	if table == "" {
		return Options{}, fmt.Errorf("dynamostore: %w: the name of the table is empty", core.ErrInvalid)
	}
	return options, ctx.Err()
}

func makeSession(client *dynamodb.Client, table string, options Options, release func()) *session {
	s := &session{keys: keys{options.Prefix}, table: table, options: options, client: client, release: release}
	s.closing, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *session) reading(what string) operation {
	return operation{what: "reading " + what + " of table " + s.table, timeout: s.options.ReadTimeout}
}

func (s *session) readingAll(what string) operation {
	return operation{what: "reading " + what + " of table " + s.table, timeout: s.options.ReadAllTimeout}
}

func (s *session) writing(what string) operation {
	return operation{what: "writing " + what + " of table " + s.table, timeout: s.options.WriteTimeout, write: true}
}

func (s *session) initializing(what string) operation {
	return operation{what: "writing " + what + " of table " + s.table, timeout: s.options.InitTimeout, write: true}
}

// perRequest sets what holds for every request of a session, whoever made the client.
//
// The SDK compares checksums only to log a warning, and logs it for every response without one, because it takes that for a
// checksum of 0 (https://github.com/aws/aws-sdk-go-v2/issues/3545). DynamoDB Local sends none with errors, of which a write
// that loses is one, and other compatible servers send none at all.
func (s *session) perRequest(o *dynamodb.Options) {
	o.Retryer = aws.NopRetryer{}
	o.HTTPClient = wholeBody{o.HTTPClient}
	o.DisableValidateResponseChecksum = true
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
func (s *session) close() error {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.cancel()
		s.calls.Wait()
		if s.release != nil {
			s.release()
		}
	})
	return nil
}

// call runs fn, whose context ends when ctx does, when the operation's time is over, or when the session is closed. Its
// errors are those that the store's methods return.
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
	if !op.unchecked {
		if err := s.checkTable(bounded); err != nil {
			return zero, s.explain(ctx, bounded, op, err)
		}
	}
	value, err := fn(bounded)
	if err != nil {
		return zero, s.explain(ctx, bounded, op, err)
	}
	return value, nil
}

// explain says why a call failed: the caller's context first, then Close, then the operation's own deadline, and only
// then what the driver said, which may be a consequence of the others.
func (s *session) explain(ctx, bounded context.Context, op operation, err error) error {
	var own *ownError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.closing.Err() != nil:
		return errClosed(op)
	case errors.As(err, &own):
		return own.err
	case bounded.Err() != nil:
		return translate(op, fmt.Errorf("no success within %v: %w", op.timeout, err))
	}
	return translate(op, err)
}

// ownError marks an error made here, which needs no translation.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }

func (e *ownError) Unwrap() error { return e.err }

func errNilContext() error {
	return fmt.Errorf("dynamostore: %w: the context is nil", core.ErrInvalid)
}

func errClosed(op operation) error {
	return fmt.Errorf("dynamostore: %s: %w", op.what, core.ErrClosed)
}
