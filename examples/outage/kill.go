package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

// maxAttempts is how many updates may be missed before the job gives up. On an idle machine, one or two are enough.
const maxAttempts = 100

// strike says how the first process was killed.
type strike struct {
	attempt int           // number of the update that was hit; the odd ones bring the changed file, the even ones the original
	after   time.Duration // time from the beginning of that update to the kill
}

// outcome says what became of the update, given that the store holds the changed or the original file whole.
func (s strike) outcome(changed bool) string {
	if changed == (s.attempt%2 == 1) {
		return "the update had been committed the moment before the kill, and is there whole"
	}
	return "the half-finished update is gone without a trace"
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
}

// String says what was caught, with the evidence.
func (s strike) String() string {
	target := "changed"
	if s.attempt%2 == 0 {
		target = "original"
	}
	return fmt.Sprintf("killed with SIGKILL %s into update %d, to the %s file: its transaction was open, not completed",
		milliseconds(s.after), s.attempt, target)
}

// killInUpdate replaces the flag file and kills the process while it writes the new flags to the store.
//
// Whether the kill hits is not left to luck: at a random moment the process is frozen, and only killed if a look at the
// store shows that the transaction is open and the process has not said that the update ended. Otherwise it is thawed,
// and the next attempt puts the other version of the file in place. The duration is about how long an update takes.
func (s *server) killInUpdate(
	ctx context.Context, o options, versions [2][]byte, duration time.Duration,
) (strike, error) {
	for attempt := 1; attempt <= maxAttempts; attempt++ {
		if err := replaceFile(o.dir.flagFile(), versions[attempt%2]); err != nil {
			return strike{}, err
		}
		if err := s.await(ctx, eventUpdateBegun); err != nil {
			return strike{}, err
		}
		begun := time.Now()
		if err := pause(ctx, rand.N(max(duration, time.Millisecond))); err != nil { //nolint:gosec // a random moment, not a secret
			return strike{}, err
		}
		after := time.Since(begun)
		hit, err := s.killIfWriting(ctx, o)
		if err != nil {
			return strike{}, err
		}
		if hit {
			return strike{attempt: attempt, after: after}, s.confirmKilled()
		}
		if err := s.await(ctx, eventUpdateEnded); err != nil {
			return strike{}, err
		}
	}
	return strike{}, fmt.Errorf("%d updates were all over before the process could be killed", maxAttempts)
}

// killIfWriting freezes the process and kills it if it is inside a writing transaction, and thaws it otherwise.
func (s *server) killIfWriting(ctx context.Context, o options) (bool, error) {
	if err := freeze(s.cmd.Process); err != nil {
		return false, err
	}
	open, err := writeTransactionOpen(ctx, o.dir.store())
	if err != nil {
		return false, fmt.Errorf("look for an open transaction: %w", err)
	}
	if !open {
		return false, thaw(s.cmd.Process)
	}
	return true, s.cmd.Process.Kill()
}

// confirmKilled waits for the end of the process and fails unless it was killed before the update ended.
func (s *server) confirmKilled() error {
	writing := true
	for e := range s.events {
		writing = e.Kind == eventUpdateBegun
	}
	s.stop()
	switch state := s.cmd.ProcessState; {
	case state == nil:
		return errors.New("the first process cannot be waited for")
	case state.Exited():
		return fmt.Errorf("the first process was not killed: %v", state)
	case !writing:
		return errors.New("the first process was killed after the update had ended")
	default:
		return nil
	}
}

// pause waits for a while or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// printFiles prints the size of everything that the killed process left.
func printFiles(out io.Writer, dir workspace) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(dir.store() + suffix); err == nil {
			printf(out, "  %-14s %8d bytes\n", info.Name(), info.Size())
		}
	}
}
