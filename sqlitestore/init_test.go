package sqlitestore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

func TestStore_Init_ReplacesBuiltInAndGivenKindsOnly(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	for _, kind := range []core.DataKind{core.Flags, core.Segments, "given", "other"} {
		_, err := s.Upsert(t.Context(), kind, "old", live("old", 9, 1).Item)
		require.NoError(t, err)
	}
	require.NoError(t, s.Init(t.Context(), []core.SerializedCollection{
		{Kind: "given", Items: []core.KeyedSerializedItem{live("a", 1, 1)}},
		{Kind: core.Flags, Items: []core.KeyedSerializedItem{live("old", 1, 1)}},
		{Kind: core.Flags, Items: []core.KeyedSerializedItem{live("new", 1, 1)}},
	}))
	for kind, want := range map[core.DataKind][]core.KeyedSerializedItem{
		core.Flags: {live("old", 1, 1), live("new", 1, 1)}, core.Segments: nil, "given": {live("a", 1, 1)}, "other": {live("old", 9, 1)},
	} {
		items, err := s.GetAll(t.Context(), kind)
		require.NoError(t, err)
		require.ElementsMatch(t, want, items, kind)
	}
	initialized, err := s.Initialized(t.Context())
	require.NoError(t, err)
	require.True(t, initialized)
}

func TestStore_Init_LeavesOtherPrefixesAndBigSegments(t *testing.T) {
	path := tempPath(t)
	big, err := sqlitestore.NewBigSegments(t.Context(), path, &sqlitestore.Options{Prefix: "app"})
	require.NoError(t, err)
	defer func() { require.NoError(t, big.Close()) }()
	require.NoError(t, big.SetLastUpToDate(t.Context(), 77))
	neighbours := []string{"", "app2", "app:features", "ap", "APP", "app\x00"}
	for _, prefix := range neighbours {
		s := openStore(t, path, &sqlitestore.Options{Prefix: prefix})
		upsert(t, s, "f", 3)
	}
	s := openStore(t, path, &sqlitestore.Options{Prefix: "app"})
	require.NoError(t, s.Init(t.Context(), nil))
	for _, prefix := range neighbours {
		s := openStore(t, path, &sqlitestore.Options{Prefix: prefix})
		require.Equal(t, 3, versionOf(t.Context(), t, s, "f"), prefix)
		initialized, err := s.Initialized(t.Context())
		require.NoError(t, err)
		require.False(t, initialized, prefix)
	}
	metadata, err := big.Metadata(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 77, metadata.LastUpToDate)
}

func TestStore_Init_OfEqualData_WritesNothing(t *testing.T) {
	path := tempPath(t)
	now := time.UnixMilli(1)
	s := openStore(t, path, sqlitestore.Options{}.WithNow(func() time.Time { return now }))
	require.NoError(t, s.Init(t.Context(), flags(100, 1, 10)))
	observer := openBare(t, path)
	observer.SetMaxOpenConns(1) // data_version tells of changes by other connections
	dataVersion := func() (version int) {
		require.NoError(t, observer.QueryRow("PRAGMA data_version").Scan(&version))
		return version
	}
	before := dataVersion()
	now = time.UnixMilli(2)
	require.NoError(t, s.Init(t.Context(), flags(100, 1, 10)))
	require.Equal(t, before, dataVersion())

	data := flags(100, 1, 10)
	data[0].Items[7].Item.Deleted = true
	require.NoError(t, s.Init(t.Context(), data))
	require.NotEqual(t, before, dataVersion())
	require.Equal(t, "flag-7", bareValue(t, path, "SELECT group_concat(key) FROM items WHERE updated_at = 2"))
}

func TestStore_Init_Of20000Flags_StoresAll(t *testing.T) {
	s := openStore(t, tempPath(t), nil)
	require.NoError(t, s.Init(t.Context(), flags(20_000, 1, 200)))
	items, err := s.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Len(t, items, 20_000)
}

func TestStore_Init_CancelledHalfWay_ChangesNothing(t *testing.T) {
	path := tempPath(t)
	ctx, cancel := context.WithCancel(t.Context())
	written := 0
	s := openStore(t, path, sqlitestore.Options{}.WithNow(func() time.Time {
		if written++; written == 50 {
			cancel()
		}
		return time.UnixMilli(1)
	}))
	err := s.Init(ctx, flags(100, 1, 10))
	require.Equal(t, context.Canceled, err)
	require.Equal(t, 50, written)
	items, err := s.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.Empty(t, items)
	initialized, err := s.Initialized(t.Context())
	require.NoError(t, err)
	require.False(t, initialized)
	require.True(t, upsert(t, s, "f", 1).Written, "the connection is usable")
}

func TestStore_Init_WhileOthersRead_ShowsTheOldSetOrTheNew(t *testing.T) {
	path := tempPath(t)
	writer, reader := openStore(t, path, nil), openStore(t, path, nil)
	require.NoError(t, writer.Init(t.Context(), flags(200, 1, 10)))
	done := make(chan error, 1)
	go func() {
		var err error
		for version := 2; version < 30 && err == nil; version++ {
			err = writer.Init(t.Context(), flags(200+version%2, version, 10))
		}
		done <- err
	}()
	for {
		items, err := reader.GetAll(t.Context(), core.Flags)
		require.NoError(t, err)
		version := items[0].Item.Version
		require.Len(t, items, 200+version%2*min(version-1, 1))
		for _, item := range items {
			require.Equal(t, version, item.Item.Version)
		}
		select {
		case err := <-done:
			require.NoError(t, err)
			return
		default:
		}
	}
}

func TestStore_Reads_DuringALongWrite_DoNotWait(t *testing.T) {
	path := tempPath(t)
	inside, finish := make(chan struct{}), make(chan struct{})
	blocked := false
	s := openStore(t, path, sqlitestore.Options{}.WithNow(func() time.Time {
		if blocked {
			blocked = false
			close(inside)
			<-finish
		}
		return time.UnixMilli(1)
	}))
	require.NoError(t, s.Init(t.Context(), flags(10, 1, 10)))
	blocked = true
	done := make(chan error, 1)
	go func() { done <- s.Init(t.Context(), flags(10, 2, 10)) }()
	<-inside
	require.Equal(t, 1, versionOf(t.Context(), t, s, "flag-3"))
	another := openStore(t, path, nil)
	require.Equal(t, 1, versionOf(t.Context(), t, another, "flag-3"), "opening and reading do not wait either")
	close(finish)
	require.NoError(t, <-done)
	require.Equal(t, 2, versionOf(t.Context(), t, another, "flag-3"))
}
