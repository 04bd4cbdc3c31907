package cleat

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

const bigFlag = `{"key":"big","version":1,"on":true,"rules":[{"clauses":[{"op":"segmentMatch","values":["segment"]}],"variation":0}],` +
	`"fallthrough":{"variation":1},"variations":["in","out"]}`

func bigData(t *testing.T) []core.Collection {
	t.Helper()
	return items(t, "big", bigFlag, "segment", `{"key":"segment","version":1,"unbounded":true,"generation":2}`)
}

// bigSegmentStore returns a store in which someone is in the segment, up to date as of now.
func bigSegmentStore(t *testing.T) *memorystore.BigSegments {
	t.Helper()
	store := memorystore.NewBigSegments(&memorystore.Database{}, nil)
	applied, err := store.ApplyPatch(context.Background(), core.BigSegmentPatch{
		SegmentRef: "segment.g2", Version: "1",
		Included: core.BigSegmentChanges{Add: []string{core.BigSegmentContextHash(user.Key())}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	require.NoError(t, store.SetLastUpToDate(context.Background(), ldtime.UnixMillisNow()))
	return store
}

func bigSegmentsStatus(t *testing.T, client *Client) (string, ldreason.BigSegmentsStatus) {
	t.Helper()
	value, detail := client.StringVariationDetail(t.Context(), "big", user, "default")
	return value, detail.Reason.GetBigSegmentsStatus()
}

func TestClient_BigSegments_DecideAndGrowStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newTestClientWith(t, bigData(t), Config{
			BigSegmentStore: bigSegmentStore(t), BigSegments: bigsegments.Options{StaleAfter: time.Minute},
		})
		value, status := bigSegmentsStatus(t, client)
		require.Equal(t, "in", value)
		require.Equal(t, ldreason.BigSegmentsHealthy, status)
		var told []core.BigSegmentStoreStatus
		defer client.BigSegmentStoreStatus().AddListener(func(s core.BigSegmentStoreStatus) { told = append(told, s) })()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		value, status = bigSegmentsStatus(t, client)
		require.Equal(t, "in", value, "what is known is still used")
		require.Equal(t, ldreason.BigSegmentsStale, status)
		require.Equal(t, []core.BigSegmentStoreStatus{{Available: true, Stale: true}}, told)
		require.Equal(t, told[0], client.BigSegmentStoreStatus().Status())
	})
}

func TestClient_BigSegments_WithoutAStore_ContainNobody(t *testing.T) {
	client, _ := newTestClient(t, bigData(t))
	value, status := bigSegmentsStatus(t, client)
	require.Equal(t, "out", value)
	require.Equal(t, ldreason.BigSegmentsNotConfigured, status)
	require.Equal(t, core.BigSegmentStoreStatus{}, client.BigSegmentStoreStatus().Status())
	client.BigSegmentStoreStatus().AddListener(func(core.BigSegmentStoreStatus) {})()
}

func TestClient_BigSegments_StoreIsClosedWithTheClient(t *testing.T) {
	for name, config := range map[string]Config{
		"online":  {},
		"offline": {Offline: true},
	} {
		t.Run(name, func(t *testing.T) {
			store := bigSegmentStore(t)
			config.BigSegmentStore, config.Logger = store, slog.New(slog.DiscardHandler)
			config.DataSource = (&manualSource{first: bigData(t)}).factory
			client, err := New(t.Context(), config)
			require.NoError(t, err)
			require.NoError(t, client.Close())
			_, err = store.Metadata(t.Context())
			require.ErrorIs(t, err, core.ErrClosed)
		})
	}
}

func TestNew_BigSegmentsCannotBeUsed_ClosesBothStores(t *testing.T) {
	store := &closeCounter{FeatureStoreCore: memorystore.New(nil, nil)}
	big := bigSegmentStore(t)
	client, err := New(t.Context(), Config{
		Daemon: true, Store: store, BigSegmentStore: big, BigSegments: bigsegments.Options{CacheSize: -1},
	})
	require.Nil(t, client)
	require.ErrorIs(t, err, core.ErrInvalid)
	require.EqualValues(t, 1, store.closed.Load())
	_, err = big.Metadata(t.Context())
	require.ErrorIs(t, err, core.ErrClosed)
}
