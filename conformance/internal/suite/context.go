package suite

import (
	"context"
	"time"
)

// ContextEnded reports whether err is the error of ctx as it is. A driver may notice that a deadline has passed a moment
// before the context does.
func ContextEnded(ctx context.Context, err error) bool {
	if err == ctx.Err() { //nolint:errorlint // context errors must come unwrapped
		return true
	}
	deadline, found := ctx.Deadline()
	return found && !time.Now().Before(deadline) && err == context.DeadlineExceeded //nolint:errorlint // as above
}
