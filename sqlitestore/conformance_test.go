package sqlitestore_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

// inSuite lets writers wait for longer than a program would want to: the suite has eight of them write at once, on a machine
// that may be busy.
func inSuite(prefix string) *sqlitestore.Options {
	return &sqlitestore.Options{Prefix: prefix, BusyTimeout: time.Minute}
}

func harness(t *testing.T) conformance.Harness {
	path := tempPath(t)
	openStore(t, path, nil) // makes the tables for the bare driver
	return conformance.Harness{
		Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
			s, err := sqlitestore.New(t.Context(), path, inSuite(prefix))
			require.NoError(t, err)
			return s
		},
		OpenBigSegments: func(t testing.TB, prefix string) core.BigSegmentStore { return bigSegments(t, path, prefix) },
		WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			version, deleted := 0, false
			if item, err := core.ParseItem(data); err == nil {
				version, deleted = item.Version(), item.Deleted()
			}
			bare(t, path, "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, 0)",
				prefix, string(kind), key, version, deleted, string(data))
		},
		ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) (data []byte, found bool) {
			err := openBare(t, path).QueryRow("SELECT item FROM items WHERE prefix = ? AND kind = ? AND key = ?",
				prefix, string(kind), key).Scan(&data)
			require.True(t, err == nil || errors.Is(err, sql.ErrNoRows), err)
			return data, err == nil
		},
		Wipe: func(t testing.TB) {
			bare(t, path, "BEGIN IMMEDIATE; DELETE FROM items; DELETE FROM metadata; DELETE FROM big_segments; COMMIT")
		},
		Capabilities: conformance.Capabilities{
			AtomicInit: true, AvailabilityChecker: true, Watcher: true, ChangeSetApplier: true, ItemsGetter: true, DiagnosticDescription: true,
		},
	}
}

func bigSegments(t testing.TB, path, prefix string) core.BigSegmentStore {
	s, err := sqlitestore.NewBigSegments(t.Context(), path, inSuite(prefix))
	require.NoError(t, err)
	return s
}

func TestStore_Conformance(t *testing.T) { conformance.RunFeatureStore(t, harness(t)) }

func TestStore_ConformanceWrapped(t *testing.T) { conformance.RunWrapped(t, harness(t)) }

func TestBigSegments_Conformance(t *testing.T) {
	path := tempPath(t)
	conformance.RunBigSegments(t, conformance.BigSegmentsHarness{
		Open:   func(t testing.TB, prefix string) core.BigSegmentStore { return bigSegments(t, path, prefix) },
		Writer: true,
	})
}
