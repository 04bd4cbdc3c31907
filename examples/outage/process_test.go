package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startedServer returns the first process when it is ready for an update, and what it works with.
func startedServer(t *testing.T) (*server, options, [2][]byte) {
	t.Helper()
	t.Setenv(asProgram, "1")
	o := options{dir: workspace(t.TempDir())}
	versions, err := prepareSource(o.dir)
	require.NoError(t, err)
	s, err := startServer(t.Context(), o, t.Output(), t.Output())
	require.NoError(t, err)
	t.Cleanup(s.stop)
	require.NoError(t, s.await(t.Context(), eventReady))
	return s, o, versions
}

// The first process does not outlive its parent.
func TestServer_EndsWithItsParent(t *testing.T) {
	s, _, _ := startedServer(t)
	require.NoError(t, s.stdin.Close())
	for e := range s.events {
		require.NotContains(t, e, eventUpdateFailed)
	}
	s.stop()
	require.True(t, s.cmd.ProcessState.Exited(), s.cmd.ProcessState)
}

// A process outside any transaction is frozen, looked at, and left alive.
func TestServer_KillIfWriting_SparesAnIdleProcess(t *testing.T) {
	s, o, versions := startedServer(t)
	hit, err := s.killIfWriting(t.Context(), o.dir)
	require.NoError(t, err)
	require.False(t, hit)
	require.NoError(t, replaceFile(o.dir.flagFile(), versions[1]))
	_, err = s.awaitUpdate(t.Context())
	require.NoError(t, err)
}

// The first update may have been slow on a busy machine, so that most random moments would come too late: the kill takes
// each update's duration as the measure of the next, and hits long before it runs out of attempts.
func TestServer_KillInUpdate_FirstUpdateSlow(t *testing.T) {
	s, o, versions := startedServer(t)
	const slow = 2 * time.Second
	caught, err := s.killInUpdate(t.Context(), o.dir, versions, slow)
	require.NoError(t, err)
	require.Less(t, caught.attempt, maxAttempts/2)
}

// A process that ends for any other reason than the kill was not killed in an update.
func TestServer_ConfirmKilled_Otherwise(t *testing.T) {
	s, _, _ := startedServer(t)
	require.NoError(t, s.stdin.Close())
	require.ErrorContains(t, s.confirmKilled(), "was not killed")
}

func TestServer_Await_ProcessEndsEarly(t *testing.T) {
	t.Setenv(asProgram, "1")
	s, err := startServer(t.Context(), options{dir: workspace(t.TempDir())}, t.Output(), t.Output())
	require.NoError(t, err)
	t.Cleanup(s.stop)
	require.ErrorContains(t, s.await(t.Context(), eventReady), "ended too early")
}

func TestWriteTransactionOpen_OtherConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?%#.db")
	_, err := writeTransactionOpen(t.Context(), path)
	require.Error(t, err, "there is no such file")

	require.NoError(t, os.WriteFile(path, nil, 0o600))
	check := func(want bool) {
		t.Helper()
		open, err := writeTransactionOpen(t.Context(), path)
		require.NoError(t, err)
		require.Equal(t, want, open)
	}
	check(false)

	db, err := sql.Open("sqlite", probeName(path))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	check(true)
	require.NoError(t, tx.Rollback())
	check(false)
}
