package cleat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

const bigFlag = `{"key":"big","version":1,"on":true,"rules":[{"clauses":[{"op":"segmentMatch","values":["segment"]}],"variation":0}],` +
	`"fallthrough":{"variation":1},"variations":["in","out"]}`

func bigData(t *testing.T) []core.Collection {
	t.Helper()
	return flagtest.Items(t, "big", bigFlag, "segment", `{"key":"segment","version":1,"unbounded":true,"generation":2}`)
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

// slowSegments takes its time for a membership, and fails if it is broken.
type slowSegments struct {
	*memorystore.BigSegments
	latency time.Duration
	broken  atomic.Bool
	queries atomic.Int64
}

func (s *slowSegments) Membership(ctx context.Context, hash string) (core.BigSegmentMembership, error) {
	s.queries.Add(1)
	select {
	case <-time.After(s.latency):
	case <-ctx.Done():
		return core.BigSegmentMembership{}, ctx.Err()
	}
	if s.broken.Load() {
		return core.BigSegmentMembership{}, errors.New("cable cut")
	}
	return s.BigSegments.Membership(ctx, hash)
}

func (s *slowSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	if s.broken.Load() {
		return core.BigSegmentMetadata{}, errors.New("cable cut")
	}
	return s.BigSegments.Metadata(ctx)
}

const kinds = 8

// multiKind returns a context of eight kinds, and data of which flag "f0" asks for a big segment of each kind, "f1" and so on
// as well.
func multiKind(t *testing.T, flags int) (ldcontext.Context, []core.Collection) {
	t.Helper()
	builder := ldcontext.NewMultiBuilder()
	var segments []string
	var data []string
	for i := range kinds {
		kind, segment := fmt.Sprintf("kind%d", i), fmt.Sprintf("segment%d", i)
		builder.Add(ldcontext.NewWithKind(ldcontext.Kind(kind), fmt.Sprintf("key%d", i)))
		segments = append(segments, `"`+segment+`"`)
		data = append(data, segment, `{"key":"`+segment+`","version":1,"unbounded":true,"unboundedContextKind":"`+kind+`","generation":1}`)
	}
	for i := range flags {
		key := fmt.Sprintf("f%d", i)
		data = append(data, key, `{"key":"`+key+`","version":1,"on":true,"rules":[{"clauses":[{"op":"segmentMatch","values":[`+
			strings.Join(segments, ",")+`]}],"variation":0}],"fallthrough":{"variation":1},"variations":["in","out"]}`)
	}
	return builder.Build(), flagtest.Items(t, data...)
}

func TestClient_BigSegments_OneTimeoutForAnEvaluation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evalContext, data := multiKind(t, 1)
		client, _ := newTestClientWith(t, data, Config{
			BigSegmentStore: &slowSegments{BigSegments: bigSegmentStore(t), latency: 1900 * time.Millisecond},
		})
		began := time.Now()
		value, detail := client.StringVariationDetail(t.Context(), "f0", evalContext, "default")
		require.Equal(t, ldreason.BigSegmentsStoreError, detail.Reason.GetBigSegmentsStatus())
		require.Equal(t, ldreason.EvalReasonFallthrough, detail.Reason.GetKind())
		require.Equal(t, "out", value)
		require.Equal(t, bigsegments.DefaultQueryTimeout, time.Since(began))
	})
}

// A wait for big segments longer than what reading flags may take is no reason to give up the evaluation.
func TestClient_BigSegments_PatienceIsTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evalContext, data := multiKind(t, 1)
		client, _ := newTestClientWith(t, data, Config{
			BigSegmentStore: &slowSegments{BigSegments: bigSegmentStore(t), latency: 6 * time.Second},
			BigSegments:     bigsegments.Options{QueryTimeout: time.Minute, CacheTime: time.Hour},
		})
		_, detail := client.StringVariationDetail(t.Context(), "f0", evalContext, "default")
		require.Equal(t, ldreason.EvalReasonFallthrough, detail.Reason.GetKind())
		require.Equal(t, ldreason.BigSegmentsHealthy, detail.Reason.GetBigSegmentsStatus())
	})
}

func TestClient_AllFlagsState_OneTimeoutForEachContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evalContext, data := multiKind(t, 30)
		store := &slowSegments{BigSegments: bigSegmentStore(t), latency: time.Hour}
		client, _ := newTestClientWith(t, data, Config{
			BigSegmentStore: store, BigSegments: bigsegments.Options{StatusPollInterval: time.Millisecond},
		})
		began := time.Now()
		state := client.AllFlagsState(t.Context(), evalContext)
		require.True(t, state.Valid())
		require.Equal(t, ldvalue.String("out"), state.Value("f29"))
		require.LessOrEqual(t, time.Since(began), kinds*bigsegments.DefaultQueryTimeout)

	})
}

// A store that is asked for more than it can answer refuses a context once, and not for each flag.
func TestClient_AllFlagsState_WaitsOnceForAnOverloadedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evalContext, data := multiKind(t, 30)
		client, _ := newTestClientWith(t, data, Config{
			BigSegmentStore: &slowSegments{BigSegments: bigSegmentStore(t), latency: 1900 * time.Millisecond},
		})
		crowd, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			for i := 0; crowd.Err() == nil; i++ { // the last to come is served first
				callers.Go(func() { client.bigSegments.Membership(crowd, strconv.Itoa(i)) })
				time.Sleep(time.Millisecond)
			}
		})
		time.Sleep(time.Second)
		began := time.Now()
		state := client.AllFlagsState(t.Context(), evalContext.IndividualContextByKind("kind3"), WithReasons())
		took := time.Since(began)
		leave()
		callers.Wait()
		require.LessOrEqual(t, took, bigsegments.DefaultQueryTimeout)
		for key := range state.Values() {
			flag, _ := state.Flag(key)
			require.Equal(t, ldreason.BigSegmentsStoreError, flag.Reason.GetBigSegmentsStatus())
		}
	})
}

// What a value listener was told during an outage may be wrong, so it is told again when that is over.
func TestFlagTracker_FlagValueChange_BigSegmentStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowSegments{BigSegments: bigSegmentStore(t)}
		client, source := newTestClientWith(t, bigData(t), Config{
			BigSegmentStore: store, BigSegments: bigsegments.Options{StaleAfter: time.Hour},
		})
		var values flagtest.Collector[core.FlagValueChange]
		var flags flagtest.Collector[core.FlagChange]
		client.FlagTracker().AddFlagValueChangeListener("big", user, ldvalue.Null(), values.Listen)
		client.FlagTracker().AddFlagChangeListener(flags.Listen)
		store.broken.Store(true)
		time.Sleep(10 * time.Second)
		require.Empty(t, values.Take(), "an outage by itself announces nothing")
		change := strings.Replace(bigFlag, `"version":1`, `"version":2`, 1)
		require.NoError(t, source.sink.Upsert(t.Context(), core.Flags, "big", flagtest.Keyed(t, "big", change).Item))
		require.Equal(t, []core.FlagValueChange{
			{Key: "big", OldValue: ldvalue.String("in"), NewValue: ldvalue.String("out")},
		}, values.Take())
		require.Len(t, flags.Take(), 1)

		store.broken.Store(false)
		time.Sleep(10 * time.Second)
		require.Equal(t, []core.FlagValueChange{
			{Key: "big", OldValue: ldvalue.String("out"), NewValue: ldvalue.String("in")},
		}, values.Take())
		require.Empty(t, flags.Take(), "no flag has changed")
	})
}

func TestFlagTracker_FlagValueChange_BigSegmentStoreIsRefilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memorystore.NewBigSegments(&memorystore.Database{}, nil)
		client, _ := newTestClientWith(t, bigData(t), Config{
			BigSegmentStore: store, BigSegments: bigsegments.Options{CacheTime: time.Hour},
		})
		var values flagtest.Collector[core.FlagValueChange]
		client.FlagTracker().AddFlagValueChangeListener("big", user, ldvalue.Null(), values.Listen)
		_, err := store.ApplyPatch(t.Context(), core.BigSegmentPatch{
			SegmentRef: "segment.g2", Version: "1",
			Included: core.BigSegmentChanges{Add: []string{core.BigSegmentContextHash(user.Key())}},
		})
		require.NoError(t, err)
		require.NoError(t, store.SetLastUpToDate(t.Context(), ldtime.UnixMillisNow()))
		time.Sleep(10 * time.Second)
		require.Equal(t, []core.FlagValueChange{
			{Key: "big", OldValue: ldvalue.String("out"), NewValue: ldvalue.String("in")},
		}, values.Take())
	})
}
