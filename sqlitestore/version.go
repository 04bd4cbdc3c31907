package sqlitestore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// checkLibrary refuses a version of SQLite that is too old.
func checkLibrary(ctx context.Context, db queryer) error {
	var version string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	return checkSQLiteVersion(version)
}

// checkSQLiteVersion refuses releases of SQLite before 3.51.3, in which two connections that write and checkpoint at the
// same moment can damage the database.
func checkSQLiteVersion(version string) error {
	oldest := [3]int{3, 51, 3}
	parts := strings.Split(version, ".")
	for i, least := range oldest {
		var number int
		if i < len(parts) {
			parsed, err := strconv.Atoi(parts[i])
			if err != nil {
				return fmt.Errorf("SQLite reports the version %q, which is no version", version)
			}
			number = parsed
		}
		switch {
		case number > least:
			return nil
		case number < least:
			return fmt.Errorf("SQLite %s can damage a database in WAL mode; build with a release of modernc.org/sqlite "+
				"that bundles SQLite 3.51.3 or newer", version)
		}
	}
	return nil
}
