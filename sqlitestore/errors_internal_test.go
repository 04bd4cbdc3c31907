package sqlitestore

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/cleatdev/cleat/core"
)

func TestSentinelOfCode_TellsTheResultCodesApart(t *testing.T) {
	for code, want := range map[int]error{
		sqlite3.SQLITE_BUSY:               core.ErrUnavailable,
		sqlite3.SQLITE_BUSY_SNAPSHOT:      core.ErrUnavailable,
		sqlite3.SQLITE_LOCKED:             core.ErrUnavailable,
		sqlite3.SQLITE_FULL:               core.ErrReadOnly,
		sqlite3.SQLITE_IOERR_WRITE:        core.ErrUnavailable,
		sqlite3.SQLITE_CANTOPEN:           core.ErrUnavailable,
		sqlite3.SQLITE_NOMEM:              core.ErrUnavailable,
		sqlite3.SQLITE_PROTOCOL:           core.ErrUnavailable,
		sqlite3.SQLITE_READONLY_CANTLOCK:  core.ErrUnavailable,
		sqlite3.SQLITE_READONLY_DBMOVED:   core.ErrUnavailable,
		sqlite3.SQLITE_READONLY:           core.ErrReadOnly,
		sqlite3.SQLITE_READONLY_DIRECTORY: core.ErrReadOnly,
		sqlite3.SQLITE_PERM:               core.ErrReadOnly,
		sqlite3.SQLITE_CORRUPT:            core.ErrCorrupt,
		sqlite3.SQLITE_CORRUPT_INDEX:      core.ErrCorrupt,
		sqlite3.SQLITE_IOERR_CORRUPTFS:    core.ErrCorrupt,
		sqlite3.SQLITE_NOTADB:             core.ErrCorrupt,
		sqlite3.SQLITE_ERROR:              core.ErrCorrupt,
		sqlite3.SQLITE_TOOBIG:             core.ErrTooLarge,
	} {
		require.Equal(t, want, sentinelOfCode(code), code)
	}
}

func TestTranslate_KeepsTheCauseAndWhatIsTranslated(t *testing.T) {
	other := errors.New("other")
	require.Equal(t, other, translate(other))
	require.NoError(t, translate(nil))
	once := fmt.Errorf("%w: %w", core.ErrReadOnly, driver.ErrBadConn)
	require.Equal(t, once, translate(once))
	require.ErrorIs(t, translate(driver.ErrBadConn), core.ErrUnavailable)
	require.ErrorIs(t, translate(driver.ErrBadConn), driver.ErrBadConn)
}
