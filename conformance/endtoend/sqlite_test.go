package endtoend

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func sqliteHarness(t *testing.T) Harness {
	path := filepath.Join(t.TempDir(), "flags.db")
	open := func(t testing.TB, prefix string) core.FeatureStoreCore {
		s, err := sqlitestore.New(t.Context(), path, &sqlitestore.Options{Prefix: prefix})
		require.NoError(t, err)
		return s
	}
	require.NoError(t, open(t, "").Close()) // makes the tables for the bare driver
	bare, err := sql.Open("sqlite", path+"?_busy_timeout=10000")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bare.Close()) })
	exec := func(t testing.TB, query string, args ...any) {
		_, err := bare.Exec(query, args...)
		require.NoError(t, err)
	}
	return Harness{
		Harness: conformance.Harness{
			Open: open,
			OpenBigSegments: func(t testing.TB, prefix string) core.BigSegmentStore {
				s, err := sqlitestore.NewBigSegments(t.Context(), path, &sqlitestore.Options{Prefix: prefix})
				require.NoError(t, err)
				return s
			},
			WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
				version, deleted := 0, false
				if item, err := core.ParseItem(data); err == nil {
					version, deleted = item.Version(), item.Deleted()
				}
				exec(t, "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, 0)",
					prefix, string(kind), key, version, deleted, string(data))
			},
			ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) (data []byte, found bool) {
				err := bare.QueryRow("SELECT item FROM items WHERE prefix = ? AND kind = ? AND key = ?",
					prefix, string(kind), key).Scan(&data)
				require.True(t, err == nil || errors.Is(err, sql.ErrNoRows), err)
				return data, err == nil
			},
			Wipe: func(t testing.TB) {
				exec(t, "BEGIN IMMEDIATE; DELETE FROM items; DELETE FROM metadata; DELETE FROM big_segments; COMMIT")
			},
			Capabilities: conformance.Capabilities{AtomicInit: true, Watcher: true, ChangeSetApplier: true},
		},
		ReadBigSegments: func(t testing.TB, prefix, hash string) (included, excluded []string) {
			rows, err := bare.Query("SELECT relation, segment_ref FROM big_segments WHERE prefix = ? AND context_hash = ?", prefix, hash)
			require.NoError(t, err)
			defer func() { require.NoError(t, rows.Close()) }()
			for rows.Next() {
				var relation, ref string
				require.NoError(t, rows.Scan(&relation, &ref))
				if relation == "include" {
					included = append(included, ref)
				} else {
					excluded = append(excluded, ref)
				}
			}
			require.NoError(t, rows.Err())
			return included, excluded
		},
	}
}

func TestRun_SQLiteStore_Passes(t *testing.T) {
	t.Parallel()
	Run(t, sqliteHarness(t))
}
