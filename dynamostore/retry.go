package dynamostore

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/cenkalti/backoff/v5"
)

// retries says how often and when something is tried again.
type retries struct {
	most        int // attempts without progress
	first, last time.Duration
}

// The reads and writes of calls have few attempts, which fit in their time-outs.
func (s *session) readRetries() retries {
	return retries{6, 25 * time.Millisecond, 400 * time.Millisecond}
}

func (s *session) writeRetries() retries { return retries{8, 25 * time.Millisecond, time.Second} }

func (s *session) initRetries() retries {
	return retries{s.options.InitRetries + 1, 50 * time.Millisecond, 5 * time.Second}
}

// fullJitter is a backoff whose delays are anything between nothing and a growing limit. It ends after too many failures
// without progress between them.
type fullJitter struct {
	retries
	failures int
}

// NextBackOff implements backoff.BackOff.
func (b *fullJitter) NextBackOff() time.Duration {
	const maxDoublings = 20
	if b.failures++; b.failures >= b.most {
		return backoff.Stop
	}
	limit := min(b.first<<min(b.failures-1, maxDoublings), b.last)
	return rand.N(limit + 1)
}

// Reset implements backoff.BackOff.
func (b *fullJitter) Reset() { b.failures = 0 }

// progressed is called after an attempt that did a part of the work.
func (b *fullJitter) progressed() { b.failures = 0 }

// retry calls try until it succeeds, fails in a way that does not heal, was tried often enough, or ctx ends. The error is
// that of the last attempt.
func retry[T any](ctx context.Context, delays *fullJitter, try func(attempt int) (T, error)) (T, error) {
	var last error
	attempt := 0
	value, err := backoff.Retry(ctx, func() (T, error) {
		attempt++
		value, err := try(attempt)
		last = err
		if err != nil && !retryable(err) {
			return value, backoff.Permanent(err)
		}
		return value, err
	}, backoff.WithBackOff(delays), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return value, last
	}
	return value, nil
}

// read sends a request that reads until it succeeds, for as long as a read may take, also if it is a part of something
// longer.
func read[T any](ctx context.Context, s *session, send func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	return retry(ctx, &fullJitter{retries: s.readRetries()}, func(int) (T, error) { return send(ctx) })
}

// write is the same for a request that writes.
func write[T any](
	ctx context.Context, s *session, send func(ctx context.Context, attempt int) (T, error),
) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.WriteTimeout)
	defer cancel()
	return retry(ctx, &fullJitter{retries: s.writeRetries()}, func(attempt int) (T, error) { return send(ctx, attempt) })
}

// retryable reports whether the same request may succeed a moment later.
func retryable(err error) bool {
	if errors.Is(err, errUnprocessed) {
		return true
	}
	if code := codeOf(err); code != "" {
		return isTransient(code) || statusOf(err) >= 500
	}
	var network net.Error
	var sending *smithyhttp.RequestSendError
	return errors.As(err, &network) || errors.As(err, &sending) || statusOf(err) >= 500 ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// statusOf returns the HTTP status of a response, or 0.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}
