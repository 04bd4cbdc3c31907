package sqlitestore_test

import (
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func TestStore_Upsert_BySeveralProcesses_LosesNoUpdate(t *testing.T) {
	path := tempPath(t)
	var children []child
	for range 3 {
		children = append(children, startChild(t, "count", path)) // the first to come creates the file
	}
	big := openBigSegments(t, path, nil)
	for i := range 50 {
		applied, err := big.ApplyPatch(t.Context(), core.BigSegmentPatch{
			SegmentRef: "s.g1", PreviousVersion: cursor(i), Version: cursor(i + 1),
			Included: core.BigSegmentChanges{Add: []string{"h" + strconv.Itoa(i)}},
		})
		require.NoError(t, err)
		require.True(t, applied)
	}
	wins := 0
	for _, c := range children {
		wins += c.readInt(t)
		require.NoError(t, c.Wait())
	}
	s := openStore(t, path, nil)
	require.Equal(t, wins, versionOf(t.Context(), t, s, "counter"), "each success has added exactly one")
	require.GreaterOrEqual(t, wins, countRounds)
	requireIntegrity(t, path)
}

func cursor(i int) string {
	if i == 0 {
		return ""
	}
	return strconv.Itoa(i)
}

func TestStore_Upsert_BySeveralStoresOfOneProcess_LosesNoUpdate(t *testing.T) {
	path := tempPath(t)
	wins := make(chan int, 4*countRounds)
	var running sync.WaitGroup
	for range 4 {
		s := openStore(t, path, nil)
		running.Go(func() {
			version := 0
			for range countRounds {
				result, err := s.Upsert(t.Context(), core.Flags, "counter", live("counter", version+1, 1).Item)
				if err != nil {
					t.Error(err)
					return
				}
				if version = result.Item.Version; result.Written {
					wins <- version
				}
			}
		})
	}
	running.Wait()
	require.Equal(t, len(wins), versionOf(t.Context(), t, openStore(t, path, nil), "counter"))
}

// POSIX takes all locks on a file from a process that closes the file, so opening must not do that carelessly.
func TestNew_OfAFileThatThisProcessWrites_LeavesTheLockForWritingAlone(t *testing.T) {
	path := tempPath(t)
	createStore(t, path, 1)
	inside, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := openStore(t, path, sqlitestore.Options{}.WithNow(func() time.Time {
		once.Do(func() { close(inside); <-finish })
		return time.UnixMilli(1)
	}))
	require.Equal(t, 1, runChildFor(t, "try to write", path))
	done := make(chan error, 1)
	go func() { done <- s.Init(t.Context(), flags(1, 1, 1)) }()
	<-inside
	openAndClose(t, path)
	require.Equal(t, 0, runChildFor(t, "try to write", path))
	close(finish)
	require.NoError(t, <-done)
	require.Equal(t, 1, runChildFor(t, "try to write", path))
}

// openAndClose opens and closes the database in every way.
func openAndClose(t *testing.T, path string) {
	t.Helper()
	for _, options := range []*sqlitestore.Options{nil, frozen} {
		another, err := sqlitestore.New(t.Context(), path, options)
		require.NoError(t, err)
		require.Equal(t, 1, versionOf(t.Context(), t, another, "f"))
		require.NoError(t, another.Close())
	}
}

// runChildFor returns the number that a child in the given role writes.
func runChildFor(t *testing.T, role, path string) int {
	t.Helper()
	c := startChild(t, role, path)
	result := c.readInt(t)
	require.NoError(t, c.Wait())
	return result
}

func TestStore_AProcessKilledDuringInit_LeavesTheOldSetOrTheNew(t *testing.T) {
	path := tempPath(t)
	last := 0
	for range 5 {
		c := startChild(t, "init again and again", path)
		require.Greater(t, c.readInt(t), last)
		last = c.kill(t, c.readInt(t))
		s, err := sqlitestore.New(t.Context(), path, nil)
		require.NoError(t, err)
		requireWholeSet(t, s, initSize, last, last+1)
		require.NoError(t, s.Close())
		requireIntegrity(t, path)
	}
	require.GreaterOrEqual(t, last, 10)
}

func TestStore_AProcessKilledInsideTheTransactionOfInit_LeavesTheOldSet(t *testing.T) {
	path := tempPath(t)
	s, err := sqlitestore.New(t.Context(), path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Init(t.Context(), flags(1000, 1, 2000)))
	require.NoError(t, s.Close())

	c := startChild(t, "init large", path)
	require.Equal(t, 9000, c.readInt(t))
	log, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	require.Greater(t, log.Size(), int64(4<<20), "a part of the transaction is in the log")
	c.kill(t, 0)

	s = openStore(t, path, nil)
	requireWholeSet(t, s, 1000, 1, 1)
	requireIntegrity(t, path)
	require.NoError(t, s.Init(t.Context(), flags(10, 3, 10)))
	requireWholeSet(t, s, 10, 3, 3)
}

// requireWholeSet checks that the flags are n of one and the same version, one of two.
func requireWholeSet(t *testing.T, s *sqlitestore.Store, n, oneVersion, orAnother int) {
	t.Helper()
	items, err := s.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Len(t, items, n)
	version := items[0].Item.Version
	require.Contains(t, []int{oneVersion, orAnother}, version)
	for _, item := range items {
		require.Equal(t, version, item.Item.Version)
	}
	initialized, err := s.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
}

func requireIntegrity(t *testing.T, path string) {
	t.Helper()
	require.Equal(t, "ok", bareValue(t, path, "PRAGMA integrity_check"))
}
