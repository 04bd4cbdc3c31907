package flagservice

import (
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
)

// NotNegative returns an error wrapping [core.ErrInvalid] if the option of a package is negative.
func NotNegative[T int64 | time.Duration](pkg, option string, value T) error {
	if value < 0 {
		return fmt.Errorf("%s: %w: %s %v is negative", pkg, core.ErrInvalid, option, value)
	}
	return nil
}
