package migrations

import (
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"

	"github.com/cleatdev/cleat/core"
)

// ParseExecutionOrder returns the order that the text names: serial, random, or concurrent, which is also called
// parallel. Any other text, the empty one included, is an error wrapping [core.ErrInvalid].
func ParseExecutionOrder(text string) (ldmigration.ExecutionOrder, error) {
	switch text {
	case string(ldmigration.Serial):
		return ldmigration.Serial, nil
	case string(ldmigration.Random):
		return ldmigration.Random, nil
	case string(ldmigration.Concurrent), "parallel":
		return ldmigration.Concurrent, nil
	}
	return "", fmt.Errorf("migrations: %w: execution order %q is not one of serial, random and concurrent",
		core.ErrInvalid, text)
}
