package ldbridge

import (
	"testing"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/core"
)

func TestDataStoreURL_TimeLimitsOfTheURLCount(t *testing.T) {
	store, options, err := DataStoreURL(all.Registry(), "memory://?read_timeout=1s&read_all_timeout=2s&write_timeout=3s&init_timeout=4s").(dataStoreConfigurer).open(t.Context())
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.Equal(t, Options{
		ReadTimeout: time.Second, ReadAllTimeout: 2 * time.Second, WriteTimeout: 3 * time.Second, InitTimeout: 4 * time.Second,
	}, options)
	segments, options, err := BigSegmentStoreURL(all.Registry(), "redis+cluster://127.0.0.1:1,127.0.0.1:2?read_timeout=7s").(bigSegmentsConfigurer).open(t.Context())
	require.NoError(t, err)
	require.NoError(t, segments.Close())
	require.Equal(t, Options{ReadTimeout: 7 * time.Second}, options)
}

// What would have no effect is refused, with the place where it is configured.
func TestDataStoreURL_ParametersOfTheCache_AreRefused(t *testing.T) {
	for _, parameter := range []string{"cache=off", "cache=forever", "cache=15s", "capacity=1", "max_stale=1s", "watch=off"} {
		_, err := DataStoreURL(all.Registry(), "memory://?"+parameter).Build(subsystems.BasicClientContext{})
		require.ErrorIs(t, err, core.ErrInvalid, parameter)
		require.ErrorContains(t, err, "CacheTime of ldcomponents.PersistentDataStore", parameter)
	}
}

func TestDataStoreURL_BadURL_IsRefusedWithoutItsPassword(t *testing.T) {
	const url = "redis://user:hunter2@host?unknown=1"
	_, err := DataStoreURL(all.Registry(), url).Build(subsystems.BasicClientContext{})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.NotContains(t, err.Error(), "hunter2")
	_, err = BigSegmentStoreURL(all.Registry(), url).Build(subsystems.BasicClientContext{})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.NotContains(t, err.Error(), "hunter2")
}
