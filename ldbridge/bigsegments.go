package ldbridge

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// BigSegmentStore configures a store for ldcomponents.BigSegments of LaunchDarkly's SDK, in the way of [DataStore].
func BigSegmentStore[S core.BigSegmentStore](
	open func(context.Context) (S, error), opts *Options,
) subsystems.ComponentConfigurer[subsystems.BigSegmentStore] {
	return bigSegmentsConfigurer{func(ctx context.Context) (core.BigSegmentStore, Options, error) {
		options, err := newOptions(opts)
		if err != nil {
			return nil, Options{}, err
		}
		store, err := open(ctx)
		return store, options, err
	}}
}

// bigSegmentsConfigurer opens a big segment store.
type bigSegmentsConfigurer struct {
	open func(context.Context) (core.BigSegmentStore, Options, error)
}

// Build implements [subsystems.ComponentConfigurer].
func (c bigSegmentsConfigurer) Build(subsystems.ClientContext) (subsystems.BigSegmentStore, error) {
	g := newGroup()
	return lifecycle.Call(context.Background(), g, "opening the big segment store", openTimeout,
		func(ctx context.Context) (subsystems.BigSegmentStore, error) {
			store, options, err := c.open(ctx)
			if err != nil {
				return nil, err
			}
			return &bigSegmentStore{lifecycle.BoundBigSegments(g, store, options.limits())}, nil
		})
}

// DescribeConfiguration implements [subsystems.DiagnosticDescription].
func (c bigSegmentsConfigurer) DescribeConfiguration(subsystems.ClientContext) ldvalue.Value {
	return ldvalue.String(diagnosticName)
}

// bigSegmentStore is a big segment store of cleat's as the SDK wants it.
type bigSegmentStore struct{ core *lifecycle.BigSegments }

var _ subsystems.BigSegmentStore = (*bigSegmentStore)(nil)

// GetMetadata implements [subsystems.BigSegmentStore].
func (s *bigSegmentStore) GetMetadata() (subsystems.BigSegmentStoreMetadata, error) {
	metadata, err := s.core.Metadata(context.Background())
	return subsystems.BigSegmentStoreMetadata{LastUpToDate: metadata.LastUpToDate}, err
}

// GetMembership implements [subsystems.BigSegmentStore]. The membership is of the SDK's own type.
func (s *bigSegmentStore) GetMembership(contextHash string) (subsystems.BigSegmentMembership, error) {
	membership, err := s.core.Membership(context.Background(), contextHash)
	if err != nil {
		return nil, err
	}
	var included, excluded []string
	for ref, isIncluded := range membership.All() {
		if isIncluded {
			included = append(included, ref)
		} else {
			excluded = append(excluded, ref)
		}
	}
	return ldstoreimpl.NewBigSegmentMembershipFromSegmentRefs(included, excluded), nil
}

// Close implements [subsystems.BigSegmentStore].
func (s *bigSegmentStore) Close() error { return s.core.Close() }
