package bigsegments_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestNewManager_OptionsOutOfRange(t *testing.T) {
	for name, opts := range map[string]bigsegments.Options{
		"CacheSize":          {CacheSize: -1},
		"CacheBytes":         {CacheBytes: -1},
		"CacheTime":          {CacheTime: -1},
		"StatusPollInterval": {StatusPollInterval: -time.Hour},
		"StaleAfter":         {StaleAfter: -1},
		"QueryTimeout":       {QueryTimeout: -1},
		"ServeStaleFor":      {ServeStaleFor: -1},
	} {
		t.Run(name, func(t *testing.T) {
			store := memorystore.NewBigSegments(nil, nil)
			_, err := bigsegments.NewManager(store, &opts)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, name)
			_, err = store.Metadata(t.Context())
			require.NoError(t, err, "the store still belongs to the caller")
		})
	}
}

func TestNewManager_NamesEveryOptionOutOfRange(t *testing.T) {
	_, err := bigsegments.NewManager(memorystore.NewBigSegments(nil, nil), &bigsegments.Options{CacheSize: -1, StaleAfter: -1})
	require.ErrorContains(t, err, "CacheSize")
	require.ErrorContains(t, err, "StaleAfter")
}

func TestNewManager_NoStore(t *testing.T) {
	_, err := bigsegments.NewManager(nil, nil)
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestNewManager_NilOptionsAreTheDefaults(t *testing.T) {
	manager, err := bigsegments.NewManager(memorystore.NewBigSegments(nil, nil), nil)
	require.NoError(t, err)
	require.Equal(t, isStale, manager.Status())
	require.NoError(t, manager.Close())
}

// Times so long that adding them to a time overflows are as good as for ever.
func TestNewManager_VeryLongTimes(t *testing.T) {
	const eternity = time.Duration(1<<63 - 1)
	r := newRig(t, bigsegments.Options{
		CacheTime: eternity, StatusPollInterval: eternity, StaleAfter: eternity, QueryTimeout: eternity, ServeStaleFor: eternity,
	})
	r.upToDate(time.UnixMilli(1))
	r.include("a", true)
	r.requireMember("a", true, healthy)
	r.requireMember("a", true, healthy)
	r.requireQueries(1)
}
