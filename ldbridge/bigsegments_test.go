package ldbridge

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// troubledSegments is a store whose reads do what trouble does.
type troubledSegments struct {
	*memorystore.BigSegments
	trouble func(ctx context.Context) error
}

func (s troubledSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	return core.BigSegmentMetadata{}, s.trouble(ctx)
}

func (s troubledSegments) Membership(ctx context.Context, _ string) (core.BigSegmentMembership, error) {
	return core.BigSegmentMembership{}, s.trouble(ctx)
}

func newTroubledSegments(t *testing.T, trouble func(context.Context) error, opts *Options) subsystems.BigSegmentStore {
	return build(t, BigSegmentStore(func(context.Context) (troubledSegments, error) {
		return troubledSegments{memorystore.NewBigSegments(nil, nil), trouble}, nil
	}, opts))
}

// bigSegmentCalls are all calls with which the SDK waits for the store.
func bigSegmentCalls(store subsystems.BigSegmentStore) map[string]func() error {
	return map[string]func() error{
		"GetMetadata":   func() error { _, err := store.GetMetadata(); return err },
		"GetMembership": func() error { _, err := store.GetMembership("hash"); return err },
	}
}

func TestBigSegmentStore_HangingStore_IsWaitedForAsLongAsTheOptionsSay(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for want, opts := range map[time.Duration]*Options{2 * time.Second: nil, time.Second: {ReadTimeout: time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			for name, call := range bigSegmentCalls(newTroubledSegments(t, hang, opts)) {
				began := time.Now()
				require.ErrorIs(t, call(), core.ErrUnavailable, name)
				require.Equal(t, want, time.Since(began), name)
			}
		})
	}
}

func TestBigSegmentStore_PanickingStore_IsUnavailable(t *testing.T) {
	store := newTroubledSegments(t, func(context.Context) error { panic("a bug") }, nil)
	for name, call := range bigSegmentCalls(store) {
		require.ErrorIs(t, call(), core.ErrUnavailable, name)
	}
}

func TestBigSegmentStore_Close_EndsEverything(t *testing.T) {
	store := build(t, BigSegmentStoreURL(all.Registry(), "memory://"))
	for name, call := range bigSegmentCalls(store) {
		require.NoError(t, call(), name)
	}
	require.NoError(t, store.Close())
	require.NoError(t, store.Close())
	for name, call := range bigSegmentCalls(store) {
		require.ErrorIs(t, call(), core.ErrClosed, name)
	}
}

func TestBigSegmentStore_BadOptions_AreRefused(t *testing.T) {
	_, err := BigSegmentStore(func(context.Context) (*memorystore.BigSegments, error) {
		return memorystore.NewBigSegments(nil, nil), nil
	}, &Options{ReadTimeout: -1}).Build(subsystems.BasicClientContext{})
	require.ErrorIs(t, err, core.ErrInvalid)
}
