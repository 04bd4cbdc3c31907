package consulstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cleatdev/cleat/core"
)

const (
	// maxAttempts bounds how often an update starts again because another writer came first.
	maxAttempts = 40

	// maxBaseless bounds how often it starts again although nothing has changed: an item may have come and gone in between,
	// as when others initialise the store, but not every time.
	maxBaseless = 6

	firstPause   = 5 * time.Millisecond
	longestPause = 150 * time.Millisecond
)

// errLost says that another writer came first.
var errLost = errors.New("another writer came first")

// untilSettled runs attempt until it returns something else than errLost, with pauses of random length. An update that never
// wins, or has no time left for another attempt, is an error wrapping [core.ErrConflict].
func untilSettled(ctx context.Context, what string, attempt func() error) error {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: firstPause, RandomizationFactor: 1, Multiplier: 1.5, MaxInterval: longestPause,
	}
	attempts, lost := 0, false
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		attempts++
		err := attempt()
		lost = errors.Is(err, errLost)
		if err != nil && !lost {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(maxAttempts))
	if err != nil && lost {
		return &ownError{fmt.Errorf("consulstore: writing %s: %w: other writers came first in %d attempts",
			what, core.ErrConflict, attempts)}
	}
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		return permanent.Err
	}
	return err
}

// promptly is how long a server takes at most that answers and is only busy.
const promptly = 500 * time.Millisecond

// lostAnyway returns what an attempt ends with that could not read what it was to be based on. If other writers came first
// until the time was up, that is why, wherever in an attempt the time was up, unless the server has stopped answering. refused
// is how the attempt before it ended, and began when this one did.
func lostAnyway(ctx context.Context, refused error, began time.Time, err error) error {
	if refused != nil && ctx.Err() != nil && time.Since(began) < promptly {
		return errLost
	}
	return err
}
