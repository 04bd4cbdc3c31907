package migrations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"

	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"

	"github.com/cleatdev/cleat/core"
)

// Config says how a [Migrator] reads and writes. P is the type of what operations are given, R of what they return. The
// functions may be called from several goroutines at once; the four that read and write are required. The zero value
// of every other field means its default.
type Config[P, R any] struct {
	// ReadOld and ReadNew read from the old and the new system.
	ReadOld, ReadNew func(ctx context.Context, payload P) (R, error)
	// WriteOld and WriteNew write to them.
	WriteOld, WriteNew func(ctx context.Context, payload P) (R, error)

	// Compare says whether what was read from the old and the new system is equal. It is called only if both could be read,
	// and as often as the flag asks for. nil means that results are not compared. If it panics, that is logged, and the
	// results count as not compared.
	Compare func(fromOld, fromNew R) bool

	// ReadExecutionOrder says how two reads are ordered: [ldmigration.Serial], authoritative first;
	// [ldmigration.Random], one after the other in an order that is drawn; [ldmigration.Concurrent], both at once, the
	// authoritative one in the goroutine of the caller. Empty means Concurrent.
	ReadExecutionOrder ldmigration.ExecutionOrder

	// DisableLatencyTracking is true if events should not say how long the functions took.
	DisableLatencyTracking bool
	// DisableErrorTracking is true if events should not say which functions failed.
	DisableErrorTracking bool

	// Logger gets what goes wrong in Compare; nil means slog.Default().
	Logger *slog.Logger

	// random returns a number from 0 to n-1, for drawing orders and for deciding which results are compared. Tests replace it.
	random func(n int) int
}

// validate returns an error that names everything that cannot be used.
func (c *Config[P, R]) validate(client Client) error {
	var errs []error
	refuse := func(problem string) { errs = append(errs, fmt.Errorf("migrations: %w: %s", core.ErrInvalid, problem)) }
	if client == nil {
		refuse("the client is nil")
	}
	for _, function := range []struct {
		name    string
		missing bool
	}{
		{"ReadOld", c.ReadOld == nil},
		{"ReadNew", c.ReadNew == nil},
		{"WriteOld", c.WriteOld == nil},
		{"WriteNew", c.WriteNew == nil},
	} {
		if function.missing {
			refuse("Config has no " + function.name)
		}
	}
	switch c.ReadExecutionOrder {
	case "", ldmigration.Serial, ldmigration.Random, ldmigration.Concurrent:
	default:
		refuse(fmt.Sprintf("Config.ReadExecutionOrder %q is unknown", string(c.ReadExecutionOrder)))
	}
	return errors.Join(errs...)
}

func (c *Config[P, R]) setDefaults() {
	if c.ReadExecutionOrder == "" {
		c.ReadExecutionOrder = ldmigration.Concurrent
	}
	if c.random == nil {
		c.random = rand.IntN
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}
