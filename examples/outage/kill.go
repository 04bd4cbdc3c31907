package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os/exec"
	"time"

	"modernc.org/sqlite" // looks at the lock from outside, as any other program would
)

// maxAttempts is how many updates may be missed before the job gives up. On an idle machine, one or two are enough.
const maxAttempts = 100

// strike says how the first process was killed.
type strike struct {
	attempt int           // number of the update that was hit
	after   time.Duration // time from the beginning of that update to the kill
}

// toChanged reports whether the update that was hit brings the changed file: the odd ones do, the even ones the original.
func (s strike) toChanged() bool { return s.attempt%2 == 1 }

// String says what was caught, with the evidence.
func (s strike) String() string {
	return fmt.Sprintf("killed with SIGKILL %s into update %d, to the %s: its transaction was open, not completed",
		milliseconds(s.after), s.attempt, fileName(s.toChanged()))
}

// outcome says what became of the update, given that the store holds the changed or the original file whole.
func (s strike) outcome(changed bool) string {
	if changed == s.toChanged() {
		return "the update had been committed the moment before the kill, and is there whole"
	}
	return "the half-finished update is gone without a trace"
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
}

// killInUpdate replaces the flag file and kills the process while it writes the new flags to the store.
//
// Whether the kill hits is not left to luck: at a random moment the process is frozen, and only killed if a look at the
// store shows that the transaction is open and the process has not said that the update ended. Otherwise it is thawed,
// and the next attempt puts the other version of the file in place. The duration says how long the last update took, as
// seen from here: a wait that was too long for an update makes the next one shorter.
func (s *server) killInUpdate(
	ctx context.Context, dir workspace, versions [2][]byte, duration time.Duration,
) (strike, error) {
	for attempt := 1; attempt <= maxAttempts; attempt++ {
		if err := replaceFile(dir.flagFile(), versions[attempt%2]); err != nil {
			return strike{}, err
		}
		if err := s.await(ctx, eventUpdateBegun); err != nil {
			return strike{}, err
		}
		begun := time.Now()
		<-time.After(rand.N(max(duration, time.Millisecond))) //nolint:gosec // a random moment, not a secret
		after := time.Since(begun)
		hit, err := s.killIfWriting(ctx, dir)
		if err != nil {
			return strike{}, err
		}
		if hit {
			return strike{attempt: attempt, after: after}, s.confirmKilled()
		}
		if err := s.await(ctx, eventUpdateEnded); err != nil {
			return strike{}, err
		}
		duration = time.Since(begun)
	}
	return strike{}, fmt.Errorf("%d updates were all over before the process could be killed", maxAttempts)
}

// killIfWriting freezes the process and kills it if it is inside a writing transaction, and thaws it otherwise.
func (s *server) killIfWriting(ctx context.Context, dir workspace) (bool, error) {
	if err := freeze(s.cmd.Process); err != nil {
		return false, err
	}
	open, err := writeTransactionOpen(ctx, dir.store())
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
		writing = e == eventUpdateBegun
	}
	var exit *exec.ExitError
	switch err := s.cmd.Wait(); {
	case !errors.As(err, &exit) || exit.Exited():
		return fmt.Errorf("the first process was not killed, but ended: %v", s.cmd.ProcessState)
	case !writing:
		return errors.New("the first process was killed after the update had ended")
	default:
		return nil
	}
}

// sqliteBusy is SQLite's result code SQLITE_BUSY: another connection holds the lock.
const sqliteBusy = 5

// writeTransactionOpen reports whether another process is inside a writing transaction on the SQLite file: it is if a
// writing transaction cannot be begun here. It changes nothing in the file.
func writeTransactionOpen(ctx context.Context, path string) (open bool, err error) {
	db, err := sql.Open("sqlite", probeName(path))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	var refused *sqlite.Error
	switch {
	case err == nil:
		return false, tx.Rollback()
	case errors.As(err, &refused) && refused.Code() == sqliteBusy:
		return true, nil
	default:
		return false, err
	}
}

// probeName is the driver's name for the file: transactions write from their beginning, and nothing waits for a lock.
func probeName(path string) string {
	name := url.URL{Scheme: "file", Path: path, RawQuery: "mode=rw&_txlock=immediate&_pragma=busy_timeout(0)"}
	return name.String()
}
