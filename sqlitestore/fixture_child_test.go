package sqlitestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

// Environment variables that make this test program a child process of a test.
const (
	childRole = "CLEAT_SQLITESTORE_CHILD"
	childPath = "CLEAT_SQLITESTORE_PATH"
)

// runChild does what the role says with the database in the path of the environment, and returns the exit code.
func runChild(role string) int {
	roles := map[string]func(context.Context, string) error{
		"count": count, "init again and again": initAgainAndAgain, "init large": initLarge, "try to write": tryToWrite,
	}
	if err := roles[role](context.Background(), os.Getenv(childPath)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type child struct {
	*exec.Cmd
	output *bufio.Reader
}

func startChild(t *testing.T, role, path string) child {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), childRole+"="+role, childPath+"="+path)
	cmd.Stderr = os.Stderr
	_, err = cmd.StdinPipe() // ends with this process, so that no child waits for ever
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return child{cmd, bufio.NewReader(output)}
}

// readInt returns the number in the next line of the child's output.
func (c child) readInt(t *testing.T) (number int) {
	t.Helper()
	_, err := fmt.Fscanln(c.output, &number)
	require.NoError(t, err)
	return number
}

// kill kills the child and returns the last number that it had written, or last.
func (c child) kill(t *testing.T, last int) int {
	t.Helper()
	require.NoError(t, c.Process.Kill())
	for {
		var number int
		if _, err := fmt.Fscanln(c.output, &number); err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
		last = number
	}
	var exit *exec.ExitError
	require.ErrorAs(t, c.Wait(), &exit)
	require.False(t, exit.Exited(), "it was killed before it came to its end")
	return last
}

const countRounds = 300

// count adds one to the version of one flag again and again, and writes how often it was the one to do so.
func count(ctx context.Context, path string) error {
	s, err := sqlitestore.New(ctx, path, nil)
	if err != nil {
		return err
	}
	wins, version := 0, 0
	for range countRounds {
		result, err := s.Upsert(ctx, core.Flags, "counter", live("counter", version+1, 1).Item)
		if err != nil {
			return err
		}
		if result.Written {
			wins++
		}
		version = result.Item.Version
	}
	fmt.Println(wins)
	return s.Close()
}

const initSize = 2000

func initAgainAndAgain(ctx context.Context, path string) error {
	s, err := sqlitestore.New(ctx, path, nil)
	if err != nil {
		return err
	}
	items, err := s.GetAll(ctx, core.Flags)
	if err != nil {
		return err
	}
	version := 1
	if len(items) > 0 {
		version = items[0].Item.Version + 1
	}
	for ; ; version++ {
		if err := s.Init(ctx, flags(initSize, version, 100)); err != nil {
			return err
		}
		fmt.Println(version)
	}
}

// initLarge replaces everything by more than SQLite keeps in memory before it writes to the log, and stops near the end
// until it is killed.
func initLarge(ctx context.Context, path string) error {
	written := 0
	s, err := sqlitestore.New(ctx, path, sqlitestore.Options{}.WithNow(func() time.Time {
		if written++; written == 9_000 {
			fmt.Println(written)
			_, _ = io.ReadAll(os.Stdin)
		}
		return time.UnixMilli(2)
	}))
	if err != nil {
		return err
	}
	return s.Init(ctx, flags(10_000, 2, 2000))
}

// tryToWrite writes 1 if an upsert succeeds and 0 if the database is locked.
func tryToWrite(ctx context.Context, path string) error {
	s, err := sqlitestore.New(ctx, path, &sqlitestore.Options{BusyTimeout: 10 * time.Millisecond})
	if err != nil {
		return err
	}
	_, err = s.Upsert(ctx, core.Flags, "tried", live("tried", 1, 1).Item)
	switch {
	case err == nil:
		fmt.Println(1)
	case errors.Is(err, core.ErrUnavailable):
		fmt.Println(0)
	default:
		return err
	}
	return s.Close()
}
