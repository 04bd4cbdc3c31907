package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asProgram makes the test binary be the program instead, so that it can start itself as the program does.
const asProgram = "CLEAT_OUTAGE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// program runs the program and returns its output, its last line, and its exit status.
func program(t *testing.T, args ...string) (output, last string, status int) {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), executable, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	t.Logf("standard error:\n%s", stderr.String())
	output = stdout.String()
	lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	return output, lines[len(lines)-1], cmd.ProcessState.ExitCode()
}

func flagCount(t *testing.T) int {
	t.Helper()
	file, err := parseFlagFile(committedFlags)
	require.NoError(t, err)
	return len(file.Flags)
}

func TestRun_WholeJob(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	output, last, status := program(t)
	n := flagCount(t)
	require.Equal(t, fmt.Sprintf("OK: %d flags evaluated, %d served from the store with the source gone, 0 differences", n, n),
		last, output)
	require.Zero(t, status)
	require.Contains(t, output, "killed with SIGKILL")
	require.Contains(t, output, fmt.Sprintf("= %d evaluations", n*len(subjects())))
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left, "the temporary directory is removed")
}

// What the second process finds in the store decides, however little of it was changed.
func TestRun_TamperedStore(t *testing.T) {
	dir := workspace(t.TempDir())
	output, last, status := program(t, "-dir", string(dir))
	require.Zero(t, status, output)
	require.NoDirExists(t, dir.source())
	_, again, status := program(t, "-again", "-dir", string(dir))
	require.Zero(t, status)
	require.Equal(t, last, again)

	n := flagCount(t)
	for name, tamper := range map[string]struct {
		statement string
		verdict   string
	}{
		"a version": {
			`UPDATE items SET version = version + 1, item = replace(item, '"version":' || version, '"version":' || (version + 1))
			   WHERE kind = 'features' AND key = 'cart-max-lines'`,
			fmt.Sprintf("FAILED: %d flags evaluated, %d served from the store with the source gone, 6 differences", n, n),
		},
		"a value": {
			`UPDATE items SET item = json_set(item, '$.on', json('true'), '$.rules', json('[]'), '$.targets', json('[]'),
			   '$.fallthrough', json('{"variation":0}'), '$.variations', json('[51,52,53]'))
			   WHERE kind = 'features' AND key = 'cart-max-lines'`,
			fmt.Sprintf("FAILED: %d flags evaluated, %d served from the store with the source gone, 6 differences", n, n),
		},
		"a missing flag": {
			`DELETE FROM items WHERE kind = 'features' AND key = 'cart-max-lines'`,
			fmt.Sprintf("FAILED: %d flags evaluated, %d served from the store with the source gone, 6 differences", n, n-1),
		},
		"a damaged flag": {
			`UPDATE items SET item = substr(item, 1, 100) WHERE kind = 'features' AND key = 'cart-max-lines'`,
			fmt.Sprintf("FAILED: %d flags evaluated, %d served from the store with the source gone, 6 differences", n, n-1),
		},
	} {
		t.Run(name, func(t *testing.T) {
			copied := copyWorkspace(t, dir)
			change(t, copied.store(), tamper.statement)
			output, last, status := program(t, "-again", "-dir", string(copied))
			require.Equal(t, tamper.verdict, last, output)
			require.Equal(t, 1, status)
			require.Contains(t, output, "cart-max-lines for ana")
		})
	}
}

func TestRun_StoreGone(t *testing.T) {
	dir := workspace(t.TempDir())
	require.NoError(t, writeJSON(dir.questions(), []question{{Key: "cart-max-lines", Type: typeInt}}))
	_, last, status := program(t, "-again", "-dir", string(dir))
	require.True(t, strings.HasPrefix(last, "FAILED: "), last)
	require.Equal(t, 1, status)
}

// A job that cannot even begin says so on the last line.
func TestRun_CannotBegin(t *testing.T) {
	dir := workspace(t.TempDir())
	require.NoError(t, os.MkdirAll(filepath.Join(dir.store(), "in the way"), 0o700))
	_, last, status := program(t, "-dir", string(dir))
	require.True(t, strings.HasPrefix(last, "FAILED: "), last)
	require.Equal(t, 1, status)
}

func TestRun_WrongArguments(t *testing.T) {
	for _, args := range [][]string{{"-again"}, {"surplus"}, {"-unknown"}} {
		_, _, status := program(t, args...)
		require.Equal(t, 2, status, args)
	}
}

func copyWorkspace(t *testing.T, from workspace) workspace {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(string(from))))
	return workspace(to)
}

// change runs a statement that must change exactly one row.
func change(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path))
	require.NoError(t, err)
	result, err := db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
	rows, err := result.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, rows)
	require.NoError(t, db.Close())
}
